import type { Target, Worst } from "./target.ts";

/** The maximum factor of the time when the input doubles. */
export const MOST = 2.5;
const DOUBLINGS = 3;
/** Minimum time of one measurement, which repeats the run until then (ms). */
const SHORTEST_MS = 4;
const REPEATS = 7;
/** The maximum number of measurements of a case that looks too slow, because the machine may be busy. */
const ATTEMPTS = 4;

/** The growth of a worst case's time. */
export interface Growth {
  readonly name: string;
  readonly size: number;
  /** Time of one run at the smallest size (ms). */
  readonly milliseconds: number;
  /** The factor of the time when the size doubles: the geometric mean over all doublings. */
  readonly factor: number;
}

/**
 * Measures the factor of the time when the size doubles, at sizes from one to eight times the first. It uses the
 * fastest of several runs, because other work of the machine only adds time. With medians, one of 94 cases exceeded
 * the limit by 0.02 on a busy machine.
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

/** Returns the number of runs that takes at least `SHORTEST_MS`. The code is compiled by then. */
async function calibrate(run: () => unknown): Promise<number> {
  let times = 1;
  while (await timed(run, times) < SHORTEST_MS) times *= 2;
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

/** Runs each worst case once, at a size that would take minutes in quadratic time. */
export async function readWorstCases({ worst }: Target): Promise<void> {
  for (const { size, make } of worst) await make(size * 8)();
}
