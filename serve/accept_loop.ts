import { startTimer } from "../core/timer.ts";
import type { SocketError } from "../errors.ts";
import type { StreamConnection } from "../connection/stream_connection.ts";
import type { StreamListener } from "../connection/stream_listener.ts";

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

/** Decides whether the next client may be accepted. */
export interface AcceptGate {
  readonly full: boolean;
  /** Resolves after `full` may have changed, or the listener was closed. */
  waitChange(): Promise<void>;
}

/** Receives what the loop accepts, and its failures. */
export interface AcceptEvents {
  onConnection(connection: StreamConnection): void;
  /** Called for each failure, which passes; the listener pauses before the next try. */
  onFailure(error: SocketError): void;
}

/**
 * Accepts the clients of a listener until that is closed.
 *
 * Before a server closes the port, it drains the kernel's backlog: closing would reset the clients there. The system
 * does not say if the backlog is empty, so the loop watches for how long nobody has come.
 */
export class AcceptLoop {
  readonly #listener: StreamListener;
  readonly #gate: AcceptGate;
  readonly #events: AcceptEvents;
  /** Number of connections and failures so far. */
  #answers = 0;
  /** True if the last answer was a failure, for want of descriptors. */
  #starved = false;
  /** Time at which the drain ends, whoever waits (ms). */
  #drainEnd = Infinity;

  constructor(listener: StreamListener, gate: AcceptGate, events: AcceptEvents) {
    this.#listener = listener;
    this.#gate = gate;
    this.#events = events;
  }

  async run(): Promise<void> {
    while (!this.#listener.closed) {
      if (this.#gate.full) {
        await this.#gate.waitChange();
        continue;
      }
      let connection: StreamConnection;
      try {
        connection = await this.#listener.accept(undefined);
      } catch (error) {
        if (!this.#listener.closed) this.#onFailure(error as SocketError);
        continue;
      }
      this.#answers++;
      this.#starved = false;
      this.#events.onConnection(connection);
    }
  }

  #onFailure(error: SocketError): void {
    this.#answers++;
    this.#starved = true;
    this.#events.onFailure(error);
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
