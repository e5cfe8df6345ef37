import { startTimer } from "../core/timer.ts";
import { type Clock, type TimedEvent, Timeline } from "./timeline.ts";

/** Deno 2.7 has it, but not its type. */
declare function setImmediate(callback: () => void): unknown;

/** The time of the machine, for a network outside of a simulation. One timer waits for the first event. */
export class RealClock implements Clock {
  readonly #timeline = new Timeline();
  readonly #start = performance.now();
  /** Time for which the timer is set; Infinity if none runs (ms). */
  #armedFor = Infinity;
  #stopTimer: (() => void) | undefined;
  #turning = false;

  now(): number {
    return performance.now() - this.#start;
  }

  schedule(at: number, fire: () => void): TimedEvent {
    const event = this.#timeline.add(at, fire);
    this.#arm();
    return event;
  }

  cancel(event: TimedEvent | undefined): void {
    if (event?.fire === undefined) return;
    this.#timeline.cancel(event);
    this.#arm();
  }

  clear(): void {
    this.#timeline.clear();
    this.#arm();
  }

  #arm(): void {
    if (this.#turning) return;
    const at = this.#timeline.first?.at ?? Infinity;
    if (at === this.#armedFor) return;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    this.#armedFor = at;
    if (at === Infinity) return;
    const left = at - this.now();
    // A timer of the runtime takes 1 ms at least.
    if (left <= 0) this.#turn();
    else this.#stopTimer = startTimer(Math.ceil(left), this.#onTimer);
  }

  #turn(): void {
    this.#turning = true;
    setImmediate(this.#onTurn);
  }

  readonly #onTimer = (): void => {
    this.#stopTimer = undefined;
    this.#onTurn();
  };

  /** Lets one event happen, so that all that follows from it comes before the next one. */
  readonly #onTurn = (): void => {
    this.#turning = false;
    this.#armedFor = Infinity;
    const { first } = this.#timeline;
    try {
      if (first !== undefined && first.at <= this.now()) this.#timeline.take()!();
    } finally {
      this.#arm();
    }
  };
}
