import { turns } from "./turns.ts";

interface Timer {
  readonly at: number;
  readonly fire: () => void;
}

/** Time that passes only when a test says so. */
export interface VirtualTime extends Disposable {
  /** The lengths of the timers that were started, in order, those of 0 ms left out. */
  readonly started: number[];
  /** How many timers run. */
  readonly running: number;
  /** Lets so much time pass, and all that it sets off happen. */
  pass(ms: number): Promise<void>;
  /** Lets so much time pass in which nothing can happen, as where code runs for long. */
  block(ms: number): void;
}

/** Puts a clock in place of timers and `performance.now()` until it is disposed of. */
export function virtualTime(): VirtualTime {
  const real = {
    setTimeout: globalThis.setTimeout,
    clearTimeout: globalThis.clearTimeout,
    now: performance.now,
  };
  const timers = new Map<number, Timer>();
  const started: number[] = [];
  // A moment that was noted before stays one: a clock that was set back made a pause of 5 ms one of seconds.
  let now = Math.ceil(performance.now());
  let lastId = 0;
  const install = {
    setTimeout(fire: () => void, ms = 0): number {
      if (ms > 0) started.push(ms);
      timers.set(++lastId, { at: now + ms, fire });
      return lastId;
    },
    clearTimeout: (id: number) => void timers.delete(id),
  };
  Object.assign(globalThis, install);
  performance.now = () => now;

  function nextDue(end: number): [number, Timer] | undefined {
    const due = [...timers].filter(([, { at }]) => at <= end);
    return due.sort(([, a], [, b]) => a.at - b.at)[0];
  }

  return {
    started,
    get running(): number {
      return timers.size;
    },
    async pass(ms: number): Promise<void> {
      const end = now + ms;
      await turns();
      for (let due = nextDue(end); due !== undefined; due = nextDue(end)) {
        const [id, { at, fire }] = due;
        timers.delete(id);
        now = Math.max(now, at);
        fire();
        await turns();
      }
      now = Math.max(now, end);
    },
    block: (ms) => void (now += ms),
    [Symbol.dispose](): void {
      performance.now = real.now;
      Object.assign(globalThis, {
        setTimeout: real.setTimeout,
        clearTimeout: real.clearTimeout,
      });
    },
  };
}
