import { startDeadline, startTimer } from "../core/timer.ts";

/** Minimum number of checks in the shorter time of a heartbeat, from 8 ms on. It is late by at most two of them. */
const CHECKS_PER_TIME = 8;
/** Maximum time that counts between two checks (periods). If more has passed, the process was stopped or busy. */
const MOST_PERIODS = 2;
const LONGEST_PERIOD_MS = 2 ** 30;
/**
 * Pings are called for this long until the event loop turns. 8,000 of them in one go kept timers waiting for 200 to
 * 310 ms, and with turns 35 to 100 ms.
 */
const LONGEST_PING_RUN_MS = 10;

/** The part of a heartbeat that its clock calls. */
export interface Beat {
  /** Looks at the connection, and returns true if it has called its ping. `time` is that of the clock (ms). */
  check(time: number): boolean;
}

/** Clocks by their period. Periods are powers of two, so there are at most 31. */
const clocks = new Map<number, HeartbeatClock>();

/**
 * Checks all heartbeats whose times are of about the same length with one timer. A timer for each, which every read
 * restarts, would cost more than the reads.
 *
 * Its time is monotonic, and nearly stands still while the process is stopped or computes, since nobody can hear a peer
 * then. The timer does not keep the process alive.
 */
export class HeartbeatClock {
  readonly #periodMs: number;
  readonly #beats = new Set<Beat>();
  #time = 0;
  /** The runtime's time at the last check (ms). */
  #lastCheck = 0;
  #stopTimer: (() => void) | undefined;

  /** Returns the clock for heartbeats with this shortest time (ms). */
  static of(shortestMs: number): HeartbeatClock {
    const most = Math.min(shortestMs / CHECKS_PER_TIME, LONGEST_PERIOD_MS);
    const period = 2 ** Math.floor(Math.log2(Math.max(1, most)));
    const known = clocks.get(period);
    if (known !== undefined) return known;
    const made = new HeartbeatClock(period);
    clocks.set(period, made);
    return made;
  }

  private constructor(periodMs: number) {
    this.#periodMs = periodMs;
  }

  /** The time of this clock now (ms). */
  get time(): number {
    const passed = performance.now() - this.#lastCheck;
    return this.#time + Math.min(passed, MOST_PERIODS * this.#periodMs);
  }

  add(beat: Beat): void {
    this.#beats.add(beat);
    if (this.#stopTimer !== undefined) return;
    this.#lastCheck = performance.now();
    this.#startTimer();
  }

  remove(beat: Beat): void {
    if (!this.#beats.delete(beat) || this.#beats.size > 0) return;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }

  #startTimer(): void {
    this.#stopTimer = startDeadline(this.#periodMs, () => {
      this.#time = this.time;
      this.#lastCheck = performance.now();
      this.#check(this.#beats.values());
    }, false);
  }

  /** Checks the heartbeats that are left of a round, and starts the timer for the next one. */
  #check(left: SetIterator<Beat>): void {
    this.#stopTimer = undefined;
    const { time } = this;
    const end = performance.now() + LONGEST_PING_RUN_MS;
    for (let next = left.next(); !next.done; next = left.next()) {
      if (!next.value.check(time) || performance.now() < end) continue;
      this.#stopTimer = startTimer(1, () => this.#check(left), false);
      return;
    }
    if (this.#beats.size > 0 && this.#stopTimer === undefined) this.#startTimer();
  }
}
