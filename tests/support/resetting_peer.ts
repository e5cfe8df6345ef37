import { once } from "node:events";
import { connect as nodeConnect, type Socket } from "node:net";
import { abort, accept, closeListener, type Connection, listen } from "../../mod.ts";
import { LOOPBACK } from "./tcp_pair.ts";

/**
 * Makes a connection whose peer can reset it. The runtime always ends a connection with FIN, so the peer uses
 * `node:net`, which sets SO_LINGER (1, 0) first.
 */
export interface ResettablePair extends AsyncDisposable {
  readonly connection: Connection;
  /** Sends to the connection. */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends the peer's sending side in order. */
  end(): Promise<void>;
  /** Resets the connection from the peer's side. The next call on `connection` reports it. */
  reset(): Promise<void>;
}

export async function resettablePair(): Promise<ResettablePair> {
  await using listener = await listen(LOOPBACK);
  const { host, port } = listener.address;
  const peer: Socket = nodeConnect({ host, port, allowHalfOpen: true });
  const [connection] = await Promise.all([accept(listener), once(peer, "connect")]);
  peer.pause();
  // After this side has written to a peer that is gone, the peer's socket has the error.
  peer.on("error", () => {});
  await closeListener(listener);
  const closed = once(peer, "close");
  return {
    connection,
    write: (bytes) => new Promise((resolve) => peer.write(bytes, () => resolve())),
    end: () => new Promise((resolve) => peer.end(resolve)),
    async reset(): Promise<void> {
      peer.resetAndDestroy();
      await closed;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      abort(connection);
      peer.destroy();
      await closed;
    },
  };
}
