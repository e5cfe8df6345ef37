/** What the benchmark against other programs measured, as its report and charts take it. */
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

/** Program to version: `{ Deno: "2.9.6" }`. */
export interface Versions {
  [program: string]: string;
}

/** One kind of work, of which more a second is better. */
export interface Row {
  name: string;
  /** "messages/s", "MiB/s", "round trips/s", "connections/s", "datagrams/s" */
  unit: string;
  rounds: number;
  /** Ours, the median of the rounds. */
  rate: number;
  peers: PeerRatio[];
}

/** Ours over one peer: each round gives one ratio, so that both met the same noise. */
export interface PeerRatio {
  peer: string;
  /** The peer's, the median of the rounds. */
  rate: number;
  /** The median of the rounds' ratios: above 1 ours is faster. */
  ratio: number;
  lowest: number;
  highest: number;
  /** The least ratio that is good enough. */
  target?: number;
}

/** Something of which less is better: memory, latency, import time. */
export interface Limit {
  name: string;
  unit: string;
  ours: number;
  baseline: number;
  baselineName: string;
  /** How far ours may lie above the baseline: "1.3 times" or "+15 ms". */
  atMost: string;
  met: boolean;
}

/** The same work at several sizes, against raw Deno sockets. */
export interface Curve {
  title: string;
  /** What x counts: "connections" or "message size in bytes". */
  axis: string;
  points: CurvePoint[];
  unit: string;
}

export interface CurvePoint {
  x: number;
  /** Ours, the median of the rounds. */
  ours: number;
  /** Raw Deno sockets', the median of the rounds. */
  raw: number;
  /** The median of the rounds' ratios of ours over raw. */
  ratio: number;
  lowest: number;
  highest: number;
}
