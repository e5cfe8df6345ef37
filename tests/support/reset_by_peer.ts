import { once } from "node:events";
import { connect } from "node:net";
import { accept, type Connection, type Listener } from "../../mod.ts";

/**
 * A connection whose peer has reset it. The runtime itself always ends a connection with FIN;
 * `node:net` can reset one.
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
