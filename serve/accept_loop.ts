import { startTimer } from "../core/timer.ts";
import type { SocketError } from "../errors.ts";
import type { StreamConnection } from "../connection/stream_connection.ts";
import type { StreamListener } from "../connection/stream_listener.ts";
import type { Admission } from "./admission.ts";

/**
 * The backlog counts as empty after this many milliseconds without a client. Each is a timer of its own: one timer
 * that is late, since a handler took long, would say nothing about clients that came meanwhile. The runtime fires
 * timers although it knows of clients: five in a row while 30 clients waited.
 */
const BACKLOG_QUIET_MS = 25;
/** Time after which the port is closed although clients keep coming: a shorter quiet would reset clients in bursts. */
const LONGEST_DRAIN_MS = 3000;
/** Share of the time of a shutdown that accepting may take: the connections need the rest. */
const DRAIN_SHARE = 0.1;
/** Accepting may take this long in a short shutdown, which is enough to see an empty backlog. */
const SHORTEST_DRAIN_MS = 2 * BACKLOG_QUIET_MS;

/**
 * Accepts the clients of a listener until that is closed.
 *
 * Before a server closes the port, it drains the kernel's backlog: closing would reset the clients there. The system
 * does not say if the backlog is empty, so the loop watches for how long nobody has come.
 */
export class AcceptLoop {
  readonly #listener: StreamListener;
  readonly #admission: Admission;
  readonly #onConnection: (connection: StreamConnection) => void;
  readonly #onError: (error: SocketError) => void;
  /** Number of connections and failures so far. */
  #answers = 0;
  /** True if the last answer was a failure, for want of descriptors. */
  #starved = false;
  /** Time at which the drain ends, whoever waits (ms). */
  #drainEnd = Infinity;

  /** @param onError Called for each failure of an accept; the listener pauses before the next try. */
  constructor(
    listener: StreamListener,
    admission: Admission,
    onConnection: (connection: StreamConnection) => void,
    onError: (error: SocketError) => void,
  ) {
    this.#listener = listener;
    this.#admission = admission;
    this.#onConnection = onConnection;
    this.#onError = onError;
  }

  async run(): Promise<void> {
    while (!this.#listener.closed) {
      if (this.#admission.full) await this.#admission.waitChange();
      else await this.#accept();
    }
  }

  async #accept(): Promise<void> {
    try {
      const connection = await this.#listener.accept(undefined);
      this.#starved = false;
      this.#onConnection(connection);
    } catch (error) {
      if (this.#listener.closed) return;
      this.#starved = true;
      this.#onError(error as SocketError);
    }
    this.#answers++;
  }

  /** Bounds the drain by the time that a shutdown has (ms): the shortest of several counts. */
  limitDrain(timeout: number): void {
    const shortest = Math.min(timeout, SHORTEST_DRAIN_MS);
    const limit = Math.min(LONGEST_DRAIN_MS, Math.max(timeout * DRAIN_SHARE, shortest));
    this.#drainEnd = Math.min(this.#drainEnd, performance.now() + limit);
  }

  /** Waits until the backlog is empty or `isOver()`; calls `onStarved` while there are no descriptors for clients. */
  async drain(isOver: () => boolean, onStarved: () => void): Promise<void> {
    for (let quiet = 0; performance.now() < this.#drainEnd && quiet < BACKLOG_QUIET_MS;) {
      if (isOver() || this.#listener.closed) return;
      if (this.#starved) onStarved();
      const before = this.#answers;
      await new Promise<void>((resolve) => startTimer(1, resolve));
      quiet = this.#answers === before && !this.#starved ? quiet + 1 : 0;
    }
  }
}
