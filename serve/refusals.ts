import type { RefusalReason, ServeOptions } from "../types.ts";
import { asSocketError, type ErrorReports } from "./error_reports.ts";
import type { StreamConnection } from "../connection/stream_connection.ts";
import { startDeadline } from "../core/timer.ts";

export type { RefusalReason };
export type OnRefused = NonNullable<ServeOptions["onRefused"]>;

/** Time for `onRefused` to say why, and as much again for the client to take it and leave (ms). */
const REFUSAL_TIME = 1000;
/** Refused clients that are told at once; more of them are closed without a word, so that a flood costs little. */
const MOST_TOLD = 100;

/** Clients that are not served: told why, if the program wants that, and closed. */
export class Refusals {
  readonly #onRefused: OnRefused | undefined;
  readonly #reports: ErrorReports;
  readonly #onLess: () => void;
  /** Those that are being told, and what ends the wait for it. */
  readonly #told = new Map<StreamConnection, () => void>();

  /** @param onLess Called when one of those that were told has gone. */
  constructor(onRefused: OnRefused | undefined, reports: ErrorReports, onLess: () => void) {
    this.#onRefused = onRefused;
    this.#reports = reports;
    this.#onLess = onLess;
  }

  /** Clients that are being told. */
  get size(): number {
    return this.#told.size;
  }

  /** Closes a connection; `reason` is missing if it is not a client's that could be told. */
  refuse(connection: StreamConnection, reason: RefusalReason | undefined): void {
    if (
      reason === undefined || this.#onRefused === undefined || this.#told.size >= MOST_TOLD
    ) return connection.abort();
    void this.#tell(connection, reason, this.#onRefused);
  }

  /** Drops those that are being told. */
  abortAll(): void {
    for (const [connection, giveUp] of this.#told) {
      connection.abort();
      giveUp();
    }
  }

  async #tell(
    connection: StreamConnection,
    reason: RefusalReason,
    onRefused: OnRefused,
  ): Promise<void> {
    const { promise: over, resolve: giveUp } = Promise.withResolvers<void>();
    this.#told.set(connection, giveUp);
    const stop = startDeadline(REFUSAL_TIME, giveUp);
    await Promise.race([this.#call(connection, reason, onRefused), over]);
    stop();
    const limits = { linger: REFUSAL_TIME, flushTimeout: REFUSAL_TIME };
    const stopClosing = startDeadline(REFUSAL_TIME, () => connection.abort());
    // It was refused: that it did not take the reason is no failure.
    await connection.closeAfterHandler(limits).catch(() => {});
    stopClosing();
    this.#told.delete(connection);
    this.#onLess();
  }

  /** Calls it, and reports what it fails with, be it after its time. */
  async #call(
    connection: StreamConnection,
    reason: RefusalReason,
    onRefused: OnRefused,
  ): Promise<void> {
    try {
      await onRefused(connection, reason);
    } catch (error) {
      // Its time is up, and its connection was closed under it.
      if (connection.closed && asSocketError(error)?.kind === "Closed") return;
      this.#reports.tell({ error, connection });
    }
  }
}
