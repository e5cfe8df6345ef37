import {
  abort,
  accept,
  closeListener,
  connect,
  type Connection,
  type ConnectOptions,
  listen,
  type Listener,
  recv,
} from "../../mod.ts";

export const LOOPBACK = { host: "127.0.0.1", port: 0 };

/** Two ends of one TCP connection. Disposing drops them and their listener. */
export interface TcpPair extends AsyncDisposable {
  readonly listener: Listener;
  readonly client: Connection;
  readonly server: Connection;
}

export async function tcpPair(options?: ConnectOptions): Promise<TcpPair> {
  const listener = await listen(LOOPBACK);
  const [client, server] = await Promise.all([
    connect(listener.address, options),
    accept(listener),
  ]);
  return {
    listener,
    client,
    server,
    async [Symbol.asyncDispose](): Promise<void> {
      abort(client);
      abort(server);
      await closeListener(listener);
    },
  };
}

/** Receives until the end of stream. */
export async function receiveAll(connection: Connection): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for (let bytes = await recv(connection); bytes !== null; bytes = await recv(connection)) {
    chunks.push(bytes);
  }
  return new Uint8Array(await new Blob(chunks as Uint8Array<ArrayBuffer>[]).arrayBuffer());
}
