import {
  abort,
  connect,
  type Connection,
  listen,
  recv,
  send,
  serve,
  type ServeContext,
  type ServeOptions,
  type Server,
  SocketError,
} from "../../mod.ts";
import { LOOPBACK } from "./tcp_pair.ts";
import { turns } from "./turns.ts";

export type Handler = (connection: Connection, context: ServeContext) => void | Promise<void>;

/** A server on loopback that is aborted with its clients, and what its `onError` was told. */
export interface Serving extends AsyncDisposable {
  readonly server: Server;
  readonly errors: readonly unknown[];
  /** Connects, and has the client aborted at the end. */
  client(): Promise<Connection>;
}

export async function serving(handler: Handler, options: ServeOptions = {}): Promise<Serving> {
  const listener = await listen(LOOPBACK);
  const errors: unknown[] = [];
  const clients: Connection[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const server = serve(listener, handler, { onError, ...options });
  return {
    server,
    errors,
    async client(): Promise<Connection> {
      const client = await connect(server.address);
      clients.push(client);
      return client;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await server.shutdown({ timeout: 0 });
      clients.forEach(abort);
      // The handlers that were aborted meet their errors, and the runtime lets go of its reads.
      await turns();
    },
  };
}

/** Sends back what comes, until the client's end. */
export async function echo(connection: Connection): Promise<void> {
  for await (const bytes of connection) await send(connection, bytes);
}

/** A handler that waits for the client, and for nothing else. */
export async function untilEnd(connection: Connection): Promise<void> {
  while (await recv(connection) !== null);
}

/** What of the errors a table of expectations has. */
export function kinds(errors: readonly unknown[]): string[] {
  return errors.map((error) =>
    error instanceof SocketError ? `${error.kind} ${error.operation}` : String(error)
  );
}

/** Waits until it holds: what the network brings has no other event to wait for. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let turn = 0; turn < 20_000; turn++) {
    if (condition()) return;
    await turns(1);
  }
  throw new Error(`never: ${what}`);
}

/** Each call gives the next of what was pushed, or waits for it. */
export class Arrivals<T> {
  readonly #come: T[] = [];
  readonly #wanted: ((value: T) => void)[] = [];

  readonly push = (value: T): void => {
    const wanted = this.#wanted.shift();
    if (wanted === undefined) this.#come.push(value);
    else wanted(value);
  };

  next(): Promise<T> {
    if (this.#come.length > 0) return Promise.resolve(this.#come.shift()!);
    return new Promise((resolve) => this.#wanted.push(resolve));
  }
}
