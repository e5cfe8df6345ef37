/** The results of the comparison with other programs, which the report and the charts show. */
export interface Results {
  machine: Machine;
  versions: Versions;
  rows: Row[];
  limits: Limit[];
  curves: Curve[];
}

export interface Machine {
  cpu: string;
  cores: number;
  memoryGiB: number;
  kernel: string;
  /** YYYY-MM-DD */
  date: string;
}

/** The version of each program: `{ Deno: "2.9.6" }`. */
export interface Versions {
  [program: string]: string;
}

/** One kind of work. A higher rate is better. */
export interface Row {
  name: string;
  /** "messages/s", "MiB/s", "round trips/s", "connections/s", "datagrams/s" */
  unit: string;
  rounds: number;
  /** Our rate: the median of the rounds. */
  rate: number;
  /** The name in the overview, if the row is part of it. */
  overview?: string;
  peers: PeerRatio[];
}

/** Our rate divided by a peer's. Each round gives one ratio, so that both met the same noise. */
export interface PeerRatio {
  peer: string;
  /** The peer's rate: the median of the rounds. */
  rate: number;
  /** The median of the rounds' ratios. Ours is faster above 1. */
  ratio: number;
  lowest: number;
  highest: number;
  /** The lowest ratio that is good enough. */
  target?: number;
}

/** A value that should be small: memory, latency, import time. */
export interface Limit {
  name: string;
  unit: string;
  ours: number;
  baseline: number;
  baselineName: string;
  /** The allowed excess over the baseline: "1.3 times" or "+15 ms". */
  atMost: string;
  met: boolean;
}

/** The same work at several sizes, compared with raw Deno sockets. */
export interface Curve {
  title: string;
  /** The unit of x: "connections" or "message size in bytes". */
  axis: string;
  points: CurvePoint[];
  unit: string;
}

export interface CurvePoint {
  x: number;
  /** Our rate: the median of the rounds. */
  ours: number;
  /** The rate of raw Deno sockets: the median of the rounds. */
  raw: number;
  /** The median of the rounds' ratios of ours to raw. */
  ratio: number;
  lowest: number;
  highest: number;
}

/**
 * Rounds down to two decimals. Rounding to the nearest would print 0.996 as 1.00 in the list of ratios below 1.00, and
 * 0.949 as 0.95 although it misses a target of 0.95. `exact` undoes the error of binary fractions: 0.29 times 100 is
 * 28.999999999999996.
 */
export function roundedDown(ratio: number): string {
  return (Math.floor(exact(ratio * 100)) / 100).toFixed(2);
}

/** Undoes the error of binary fractions. */
export function exact(value: number): number {
  return Number(value.toPrecision(12));
}
