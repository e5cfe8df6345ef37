import { countedSignal } from "../support/listener_count.ts";

const { setTimeout: startTimer, clearTimeout: stopTimer } = globalThis;
const timers = new Set<unknown>();

/** Counts the timers that are started from now on. This package uses the timers of the global object. */
export function countTimers(): void {
  Object.assign(globalThis, {
    setTimeout(fire: (...args: unknown[]) => void, ms?: number, ...args: unknown[]): unknown {
      const id = startTimer(() => {
        timers.delete(id);
        fire(...args);
      }, ms);
      timers.add(id);
      return id;
    },
    clearTimeout(id: ReturnType<typeof startTimer>): void {
      timers.delete(id);
      stopTimer(id);
    },
  });
}

/** A signal that lives as long as the program. Countless calls use it, and must remove their listeners. */
export const lasting = countedSignal();

/** The resources of the process while no load runs. */
export interface Sample {
  readonly seconds: number;
  readonly rss: number;
  readonly heap: number;
  readonly external: number;
  readonly descriptors: number;
  readonly timers: number;
  readonly listeners: number;
}

export async function sample(started: number): Promise<Sample> {
  const { gc } = globalThis as unknown as { gc(): void };
  for (let time = 0; time < 3; time++) {
    gc();
    await new Promise((resolve) => startTimer(resolve, 5));
  }
  const { rss, heapUsed, external } = Deno.memoryUsage();
  return {
    seconds: Math.round((performance.now() - started) / 1000),
    rss,
    heap: heapUsed,
    external,
    descriptors: [...Deno.readDirSync("/proc/self/fd")].length,
    timers: timers.size,
    listeners: lasting.listeners(),
  };
}

type Measure = "rss" | "heap" | "external" | "descriptors" | "timers" | "listeners";

/** The allowed growth from the first quarter to the last: a share of the first, or an amount, if that is more. */
const ALLOWANCE: Readonly<Record<Measure, { readonly share: number; readonly more: number }>> = {
  rss: { share: 0.15, more: 32 * 2 ** 20 },
  heap: { share: 0.1, more: 2 * 2 ** 20 },
  external: { share: 0.1, more: 2 * 2 ** 20 },
  descriptors: { share: 0, more: 0 },
  timers: { share: 0, more: 0 },
  listeners: { share: 0, more: 0 },
};

/** The medians of a measure in the first and in the last quarter of the samples. */
export interface Trend {
  readonly measure: Measure;
  readonly first: number;
  readonly last: number;
  readonly flat: boolean;
}

export function trends(samples: readonly Sample[]): Trend[] {
  const quarter = Math.max(1, Math.floor(samples.length / 4));
  return (Object.keys(ALLOWANCE) as Measure[]).map((measure) => {
    const [first, last] = [samples.slice(0, quarter), samples.slice(-quarter)].map((part) =>
      median(part.map((sample) => sample[measure]))
    );
    const { share, more } = ALLOWANCE[measure];
    return { measure, first, last, flat: last <= first + Math.max(first * share, more) };
  });
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1];
}
