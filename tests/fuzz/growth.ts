import type { Target, Worst } from "./target.ts";

/** Double the input may cost so many times as much. */
export const MOST = 2.5;
const DOUBLINGS = 3;
/** One measurement takes so many milliseconds at least, by doing the same again. */
const SHORTEST = 4;
const REPEATS = 7;
/** A machine has other things to do: what looks too slow is measured again, so often in all. */
const ATTEMPTS = 4;

/** How the time of a worst case grows. */
export interface Growth {
  readonly name: string;
  readonly size: number;
  /** Milliseconds for once the smallest size. */
  readonly milliseconds: number;
  /** How many times as long twice as much took, in the mean over all doublings. */
  readonly factor: number;
}

/**
 * Measures what doubling costs: the quickest of several runs at sizes from one to eight times the first, since what
 * else a machine does only adds. Medians passed the limit by 0.02 once in 94 cases on a busy one.
 */
export async function growthOf(worst: Worst): Promise<Growth> {
  let best: Growth | undefined;
  for (let attempt = 0; attempt < ATTEMPTS && (best?.factor ?? Infinity) > MOST; attempt++) {
    const growth = await measure(worst);
    if (best === undefined || growth.factor < best.factor) best = growth;
  }
  return best!;
}

async function measure({ name, size, make }: Worst): Promise<Growth> {
  const times = await calibrate(make(size));
  const quickest: number[] = [];
  for (let doubling = 0; doubling <= DOUBLINGS; doubling++) {
    const run = make(size << doubling);
    const samples: number[] = [];
    for (let repeat = 0; repeat < REPEATS; repeat++) samples.push(await timed(run, times));
    quickest.push(Math.min(...samples));
  }
  const factor = (quickest[DOUBLINGS] / quickest[0]) ** (1 / DOUBLINGS);
  return { name, size, milliseconds: quickest[0] / times, factor };
}

/** How often it must run to be timed; it has been compiled by then. */
async function calibrate(run: () => unknown): Promise<number> {
  let times = 1;
  while (await timed(run, times) < SHORTEST) times *= 2;
  return times;
}

async function timed(run: () => unknown, times: number): Promise<number> {
  const started = performance.now();
  for (let time = 0; time < times; time++) {
    const result = run();
    if (result instanceof Promise) await result;
  }
  return performance.now() - started;
}

/** Does each worst case once at a size at which quadratic time would be minutes. */
export async function readWorstCases({ worst }: Target): Promise<void> {
  for (const { size, make } of worst) await make(size * 8)();
}
