import type { ServeContext, Server } from "../types.ts";
import { asSocketError } from "./error_reports.ts";
import type { StreamConnection } from "../connection/stream_connection.ts";

/** One connection's context: it makes what few handlers ask for when it is first asked for. */
export class HandlerContext implements ServeContext {
  readonly signal: AbortSignal;
  readonly server: Server;
  readonly #connection: StreamConnection;
  #disconnected: AbortSignal | undefined;

  constructor(connection: StreamConnection, signal: AbortSignal, server: Server) {
    this.#connection = connection;
    this.signal = signal;
    this.server = server;
  }

  get disconnected(): AbortSignal {
    return this.#disconnected ??= this.#connection.disconnectSignal();
  }

  /** Whether a handler throws this because one of its signals has ended what it did. */
  static endedBySignal(context: HandlerContext, error: unknown): boolean {
    const cause = asSocketError(error)?.cause;
    return [context.signal, context.#disconnected].some((signal) =>
      signal?.aborted && (error === signal.reason || cause === signal.reason)
    );
  }
}
