import { loopTurns } from "./turns.ts";

interface Timer {
  readonly at: number;
  readonly fire: () => void;
}

/** A clock that only the test advances. */
export interface VirtualTime extends Disposable {
  /** The lengths of the started timers in order, without those of 0 ms (ms). */
  readonly started: number[];
  /** The number of running timers. */
  readonly running: number;
  /** Advances the clock, and lets its timers and their effects happen. */
  pass(ms: number): Promise<void>;
  /** Advances the clock without letting timers fire, as long-running code does. */
  block(ms: number): void;
}

/**
 * Replaces timers and `performance.now()` by a clock until it is disposed.
 *
 * @param settle Waits until everything has run that can run. Tests with real I/O need `turns`, which gives it time.
 */
export function virtualTime(settle: () => Promise<void> = loopTurns): VirtualTime {
  const real = {
    setTimeout: globalThis.setTimeout,
    clearTimeout: globalThis.clearTimeout,
    now: performance.now,
  };
  const timers = new Map<number, Timer>();
  const started: number[] = [];
  // The clock goes on from the real time. A clock that was set back turned a pause of 5 ms into one of seconds.
  let now = Math.ceil(performance.now());
  // Far from the runtime's own, which `Deno.unrefTimer` would find.
  let lastId = 2 ** 40;
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
      await settle();
      for (let due = nextDue(end); due !== undefined; due = nextDue(end)) {
        const [id, { at, fire }] = due;
        timers.delete(id);
        now = Math.max(now, at);
        fire();
        await settle();
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
