import { SocketError } from "../errors.ts";
import type { RefusalReason, ServeOptions, SocketAddress } from "../types.ts";
import type { ErrorReports } from "./error_reports.ts";
import type { StreamConnection } from "../connection/stream_connection.ts";
import { startDeadline } from "../core/timer.ts";

type OnRefused = NonNullable<ServeOptions<SocketAddress>["onRefused"]>;

/** Time for `onRefused` to say why, and once more for the client to take it and leave. */
const REFUSAL_MS = 1000;
/** Maximum number of calls of `onRefused` at once; further clients are closed at once, so that a flood costs little. */
const MOST_CALLS = 100;

/** Closes the clients that are not served, after `onRefused` has said why. */
export class Refusals {
  readonly #onRefused: OnRefused | undefined;
  readonly #reports: ErrorReports;
  readonly #onClosed: () => void;
  /** Connections of `onRefused`, each with the function that ends the wait for it. */
  readonly #calls = new Map<StreamConnection, () => void>();

  /** @param onClosed Called when the connection of a call of `onRefused` is closed. */
  constructor(onRefused: OnRefused | undefined, reports: ErrorReports, onClosed: () => void) {
    this.#onRefused = onRefused;
    this.#reports = reports;
    this.#onClosed = onClosed;
  }

  /** Connections that `onRefused` was called for, and that are not closed yet. */
  get size(): number {
    return this.#calls.size;
  }

  /** Closes a connection; without a `reason`, nobody says why. */
  refuse(connection: StreamConnection, reason: RefusalReason | undefined): void {
    const onRefused = this.#onRefused;
    if (reason === undefined || onRefused === undefined || this.#calls.size >= MOST_CALLS) {
      return connection.abort();
    }
    void this.#explain(connection, () => this.#call(connection, reason, onRefused));
  }

  /** Drops the connections of all calls. */
  abortAll(): void {
    for (const [connection, giveUp] of this.#calls) {
      connection.abort();
      giveUp();
    }
  }

  /** Gives a call of `onRefused` its time, then closes the connection. */
  async #explain(connection: StreamConnection, call: () => Promise<void>): Promise<void> {
    const { promise: over, resolve: giveUp } = Promise.withResolvers<void>();
    this.#calls.set(connection, giveUp);
    const stopWaiting = startDeadline(REFUSAL_MS, giveUp);
    await Promise.race([call(), over]);
    stopWaiting();
    const stopClosing = startDeadline(REFUSAL_MS, () => connection.abort());
    const limits = { linger: REFUSAL_MS, flushTimeout: REFUSAL_MS };
    // If a refused client does not take the reason, that is no failure.
    await connection.closeAfterHandler(limits).catch(() => {});
    stopClosing();
    this.#calls.delete(connection);
    this.#onClosed();
  }

  /** Calls `onRefused`, and reports its failure, even a late one. */
  async #call(
    connection: StreamConnection,
    reason: RefusalReason,
    onRefused: OnRefused,
  ): Promise<void> {
    try {
      await onRefused(connection, reason);
    } catch (error) {
      // Its time was up, and the server closed the connection.
      const late = connection.closed && error instanceof SocketError && error.kind === "Closed";
      if (!late) this.#reports.report({ error, connection });
    }
  }
}
