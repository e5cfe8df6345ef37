import { SocketError } from "../errors.ts";
import type { ReceivedProxyHeader, ServeContext, Server, SocketAddress } from "../types.ts";
import type { ErrorReports } from "./error_reports.ts";
import type { ServerSettings } from "./serve_options.ts";
import type { Served } from "./served_connections.ts";

/** The context of one call of the handler. It makes `disconnected`, which few handlers use, at the first use. */
export class HandlerContext implements ServeContext<SocketAddress> {
  readonly signal: AbortSignal;
  readonly server: Server<SocketAddress>;
  readonly proxy: ReceivedProxyHeader<SocketAddress> | undefined;
  readonly #served: Served;
  #disconnected: AbortSignal | undefined;

  constructor(served: Served, signal: AbortSignal, server: Server<SocketAddress>) {
    this.#served = served;
    this.proxy = served.proxy;
    this.signal = signal;
    this.server = server;
  }

  get disconnected(): AbortSignal {
    return this.#disconnected ??= this.#served.connection.disconnectSignal();
  }

  /** True for an error that the handler threw because one of its signals, or the server, ended its work. */
  static isExpected(context: HandlerContext, error: unknown): boolean {
    const own = error instanceof SocketError ? error : undefined;
    if (context.#served.ended !== undefined && own?.kind === "Closed") return true;
    return [context.signal, context.#disconnected].some((signal) =>
      signal?.aborted && (error === signal.reason || own?.cause === signal.reason)
    );
  }
}

/** Calls the handler, then closes its connection gracefully; reports the failures of both. */
export async function callHandler(
  served: Served,
  context: HandlerContext,
  { handler, closeLimits }: ServerSettings,
  reports: ErrorReports,
): Promise<void> {
  const { connection } = served;
  served.handler = "running";
  try {
    await handler(connection, context);
  } catch (error) {
    if (!HandlerContext.isExpected(context, error)) reports.report({ error, connection });
  }
  served.handler = "over";
  try {
    // After `startTls` it is another one.
    await served.connection.closeAfterHandler(closeLimits);
  } catch (error) {
    if (served.ended !== undefined) return;
    served.ended = error as SocketError;
    reports.report({ error, connection, line: served.ended.reason });
  }
}
