/** Does what `tests/support/resetting_peer.ts` does with a peer of its own, on the network in memory. */
import {
  abort,
  accept,
  closeListener,
  closeWrite,
  connect,
  type Connection,
  listen,
  network,
  send,
} from "./mod.ts";

export interface ResettablePair extends AsyncDisposable {
  readonly connection: Connection;
  write(bytes: Uint8Array): Promise<void>;
  end(): Promise<void>;
  reset(): Promise<void>;
}

export async function resettablePair(): Promise<ResettablePair> {
  const listener = await listen({ host: "127.0.0.1", port: 0 });
  const [peer, connection] = await Promise.all([connect(listener.address), accept(listener)]);
  await closeListener(listener);
  return {
    connection,
    write: (bytes) => send(peer, bytes),
    end: () => closeWrite(peer),
    reset(): Promise<void> {
      network.reset(peer);
      return Promise.resolve();
    },
    [Symbol.asyncDispose](): Promise<void> {
      abort(connection);
      abort(peer);
      return Promise.resolve();
    },
  };
}
