import { SocketError } from "../errors.ts";
import type { ServerSettings } from "./serve_options.ts";
import type { Served, ServedConnections } from "./served_connections.ts";
import { startDeadline } from "../core/timer.ts";

/** Checks within the shortest timeout: a timeout is late by two of them at most. */
const CHECKS_PER_TIMEOUT = 8;

type IdleLimits = Pick<ServerSettings, "firstByteTimeout" | "idleTimeout">;

/**
 * Ends connections whose client never says anything, and those on which no byte moves. One timer checks them all: a
 * timer for each, which every read and write restarts, would cost more than the reads.
 */
export class IdleTimeouts {
  readonly #connections: ServedConnections;
  readonly #limits: IdleLimits;
  readonly #end: (served: Served, why: SocketError) => void;
  readonly #periodMs: number;
  #stopTimer: (() => void) | undefined;
  /** Time of the next check (ms). */
  #nextCheck = 0;
  #referenced = true;

  constructor(
    connections: ServedConnections,
    limits: IdleLimits,
    end: (served: Served, why: SocketError) => void,
  ) {
    this.#connections = connections;
    this.#limits = limits;
    this.#end = end;
    const shortest = Math.min(limits.firstByteTimeout, limits.idleTimeout);
    this.#periodMs = Math.max(1, shortest / CHECKS_PER_TIMEOUT);
  }

  /** Begins to watch a connection, whose handler is called next. */
  begin(served: Served): void {
    if (this.#periodMs === Infinity) return;
    const { connection } = served;
    served.handlerStart = served.lastMove = performance.now();
    served.bytesBefore = connection.bytesReceived;
    served.bytesMoved = connection.bytesArrived + connection.bytesSent;
    // A handler that speaks first may not read for long.
    if (this.#limits.firstByteTimeout < Infinity) connection.readAhead();
    if (this.#stopTimer === undefined) this.#startPeriod();
  }

  #startPeriod(): void {
    this.#nextCheck = performance.now() + this.#periodMs;
    this.#startTimer(this.#periodMs);
  }

  #startTimer(ms: number): void {
    // A plain timer would fire, after the program was busy, before the bytes that came meanwhile were read.
    this.#stopTimer = startDeadline(ms, () => {
      this.#stopTimer = undefined;
      this.#checkAll();
      if (this.#connections.size > 0) this.#startPeriod();
    }, this.#referenced);
  }

  /** Sets whether the timer keeps the process alive while there are connections. The next check stays when it is. */
  setReferenced(on: boolean): void {
    if (on === this.#referenced) return;
    this.#referenced = on;
    if (this.#stopTimer === undefined) return;
    this.#stopTimer();
    this.#startTimer(Math.max(0, this.#nextCheck - performance.now()));
  }

  /** Stops the timer, since there are no connections. */
  stop(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }

  #checkAll(): void {
    const now = performance.now();
    for (const served of this.#connections) {
      if (served.handler === "running" && served.ended === undefined) this.#check(served, now);
    }
  }

  #check(served: Served, now: number): void {
    const { firstByteTimeout, idleTimeout } = this.#limits;
    const { connection } = served;
    const arrived = connection.bytesArrived;
    const moved = arrived + connection.bytesSent;
    if (moved !== served.bytesMoved) {
      served.bytesMoved = moved;
      served.lastMove = now;
    }
    // An end of stream is no silence: it says that the client only wants to listen.
    const silent = arrived === served.bytesBefore && !connection.readEnded;
    if (silent && now - served.handlerStart >= firstByteTimeout) {
      this.#end(served, timedOut(served, `not a byte came within ${firstByteTimeout} ms`));
    } else if (now - served.lastMove >= idleTimeout) {
      const { bytesQueued } = connection;
      const waiting = bytesQueued === 0 ? "" : `, ${bytesQueued} bytes wait to be sent`;
      this.#end(served, timedOut(served, `nothing moved for ${idleTimeout} ms${waiting}`));
    }
  }
}

function timedOut({ connection }: Served, reason: string): SocketError {
  return new SocketError("TimedOut", "serve", reason, { address: connection.remoteAddress });
}
