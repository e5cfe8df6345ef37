/** Does what `tests/support/reset_by_peer.ts` does, on the network in memory. */
import { accept, connect, type Connection, type Listener, network } from "./mod.ts";

export async function resetByPeer(listener: Listener): Promise<Connection> {
  const [peer, connection] = await Promise.all([connect(listener.address), accept(listener)]);
  network.reset(peer);
  return connection;
}
