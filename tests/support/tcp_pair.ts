import {
  abort,
  accept,
  type Address,
  closeListener,
  connect,
  type Connection,
  type ConnectOptions,
  listen,
  type Listener,
  recv,
  type SocketAddress,
} from "../../mod.ts";

export const LOOPBACK = { host: "127.0.0.1", port: 0 };

/** Two ends of one connection. Disposing drops them and their listener. */
export interface Pair<A extends SocketAddress> extends AsyncDisposable {
  readonly listener: Listener<A>;
  readonly client: Connection<A>;
  readonly server: Connection<A>;
}

/** Two ends of one TCP connection. */
export type TcpPair = Pair<Address>;

export async function tcpPair(options?: ConnectOptions): Promise<TcpPair> {
  return await pairOf(await listen(LOOPBACK), options);
}

/** Connects with a listener, whose first client is the other end. */
export async function pairOf<A extends SocketAddress>(
  listener: Listener<A>,
  options?: ConnectOptions,
): Promise<Pair<A>> {
  const [client, server] = await Promise.all([
    connect(listener.address as SocketAddress, options) as Promise<Connection<A>>,
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
