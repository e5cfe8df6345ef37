import type { ServeContext, Server } from "../types.ts";
import type { StreamConnection } from "./stream_connection.ts";

/** One connection's context: it makes what few handlers ask for when it is first asked for. */
export class HandlerContext implements ServeContext {
  readonly signal: AbortSignal;
  readonly server: Server;
  readonly #connection: StreamConnection;

  constructor(connection: StreamConnection, signal: AbortSignal, server: Server) {
    this.signal = signal;
    this.server = server;
    this.#connection = connection;
  }
}
