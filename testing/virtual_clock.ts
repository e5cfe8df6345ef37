import { type Clock, type TimedEvent, Timeline } from "./timeline.ts";

/** The time of a simulation: it stands still until the next event is taken. */
export class VirtualClock implements Clock {
  readonly #timeline = new Timeline();
  #now = 0;
  /** Number of events that have happened. */
  events = 0;

  now(): number {
    return this.#now;
  }

  schedule(at: number, fire: () => void): TimedEvent {
    return this.#timeline.add(Math.max(at, this.#now), fire);
  }

  cancel(event: TimedEvent | undefined): void {
    if (event !== undefined) this.#timeline.cancel(event);
  }

  clear(): void {
    this.#timeline.clear();
  }

  /** Time of the next event; undefined if nothing is left that could happen (ms). */
  get next(): number | undefined {
    return this.#timeline.first?.at;
  }

  /** Goes on to the next event, and lets it happen. */
  advance(): void {
    const { next } = this;
    if (next === undefined) return;
    this.#now = next;
    this.events += 1;
    this.#timeline.take()!();
  }
}

/** Timers that were asked for their number, by which they can be stopped as well. */
const byNumber = new Map<number, VirtualTimer>();
/** The runtime's own timers have smaller numbers. */
let lastNumber = 2 ** 40;

/** A timer of a simulation, shaped like that of Node and Deno. */
export class VirtualTimer {
  readonly #clock: VirtualClock;
  readonly #call: () => void;
  readonly #ms: number;
  readonly #repeats: boolean;
  #event: TimedEvent | undefined;
  #number: number | undefined;

  constructor(clock: VirtualClock, call: () => void, ms: number, repeats: boolean) {
    this.#clock = clock;
    this.#call = call;
    this.#ms = ms;
    this.#repeats = repeats;
    this.refresh();
  }

  /** Stops a timer that is given as an object or a number. False if it is none of a simulation. */
  static stop(timer: unknown): boolean {
    const found = typeof timer === "number" ? byNumber.get(timer) : timer;
    if (!(found instanceof VirtualTimer)) return false;
    found.close();
    return true;
  }

  refresh(): this {
    this.#clock.cancel(this.#event);
    this.#event = this.#clock.schedule(this.#clock.now() + this.#ms, () => {
      if (this.#repeats) this.refresh();
      else this.close();
      this.#call();
    });
    return this;
  }

  close(): this {
    this.#clock.cancel(this.#event);
    this.#event = undefined;
    if (this.#number !== undefined) byNumber.delete(this.#number);
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  [Symbol.toPrimitive](): number {
    if (this.#number === undefined) {
      this.#number = ++lastNumber;
      if (this.#event !== undefined) byNumber.set(this.#number, this);
    }
    return this.#number;
  }
}
