import { once } from "node:events";
import { connect } from "node:net";
import { accept, type Connection, type Listener } from "../../mod.ts";

/**
 * Makes a connection that its peer has reset. The runtime always ends a connection with FIN, so the peer uses
 * `node:net`.
 */
export async function resetByPeer(listener: Listener): Promise<Connection> {
  const { host, port } = listener.address;
  const peer = connect(port, host);
  const [connection] = await Promise.all([accept(listener), once(peer, "connect")]);
  const closed = once(peer, "close");
  peer.resetAndDestroy();
  await closed;
  return connection;
}
