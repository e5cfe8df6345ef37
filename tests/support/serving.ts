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

/** A server on loopback; its end aborts it and its clients. */
export interface Serving extends AsyncDisposable {
  readonly server: Server;
  /** Errors that `onError` has heard. */
  readonly errors: readonly unknown[];
  /** Connects a client, which is aborted at the end. */
  client(): Promise<Connection>;
}

/** Starts a server on loopback. */
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
      // Aborted handlers get their errors now, and the runtime ends its reads.
      await turns();
    },
  };
}

/** Sends back what the client sends, until its end. */
export async function echo(connection: Connection): Promise<void> {
  for await (const bytes of connection) await send(connection, bytes);
}

/** Waits for the end of the client's stream. */
export async function untilEnd(connection: Connection): Promise<void> {
  while (await recv(connection) !== null);
}

/** Shortens errors to the kinds and operations that tests expect. */
export function kinds(errors: readonly unknown[]): string[] {
  return errors.map((error) =>
    error instanceof SocketError ? `${error.kind} ${error.operation}` : String(error)
  );
}

/** Waits until the condition holds, for effects of the network that no event announces. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let turn = 0; turn < 20_000; turn++) {
    if (condition()) return;
    await turns(1);
  }
  throw new Error(`never: ${what}`);
}

/** A queue of values: `next` gives the next one that was pushed, or waits for it. */
export class Arrivals<T> {
  readonly #arrived: T[] = [];
  readonly #wanted: ((value: T) => void)[] = [];

  readonly push = (value: T): void => {
    const wanted = this.#wanted.shift();
    if (wanted === undefined) this.#arrived.push(value);
    else wanted(value);
  };

  next(): Promise<T> {
    if (this.#arrived.length > 0) return Promise.resolve(this.#arrived.shift()!);
    return new Promise((resolve) => this.#wanted.push(resolve));
  }
}
