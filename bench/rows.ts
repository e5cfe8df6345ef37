import type { WorkName, WorkOptions } from "./contenders/work.ts";

/** The name of a contender that a row is compared with. */
export type PeerName =
  | "raw Deno"
  | "raw, fresh buffers"
  | "ours, one by one"
  | "Conn.readable"
  | "node: API on Deno"
  | "Node"
  | "Node, corked"
  | "Bun"
  | "C";

/** One kind of work, and the lowest ratio of ours to a peer's that is good enough. */
export interface RowSpec {
  readonly name: string;
  /** A short name, if the row is part of the overview, which has at most a dozen. */
  readonly overview?: string;
  readonly unit: string;
  readonly work: WorkName;
  readonly options: WorkOptions;
  /** The number of counts of the work that make one of the unit. */
  readonly counts: number;
  readonly peers: Readonly<Partial<Record<PeerName, number | "no target">>>;
  /** The runtime that this package runs on, Deno if it is left out. */
  readonly on?: "Node" | "Bun";
  /**
   * True for work that allocates much: each measurement has a process of its own. The allocator decides, and the same
   * loop does 4 to 8 GB/s in one process or another.
   */
  readonly freshProcesses?: true;
}

export const MIB = 1024 * 1024;
const NO = "no target";

function options(options: Partial<WorkOptions> = {}): WorkOptions {
  return { noDelay: true, unix: false, size: 64, connections: 1, ...options };
}

/** Peers that do the work in their own way. They have no target. */
const OTHERS = { "node: API on Deno": NO, Node: NO, Bun: NO, C: NO } as const;

/** The most common kinds of work, with the targets that this package sets itself. */
const USUAL: readonly RowSpec[] = [
  {
    name: "64 B send, each awaited",
    overview: "send of 64 B, awaited",
    unit: "messages/s",
    work: "send_awaited",
    options: options(),
    counts: 1,
    peers: { "raw Deno": 0.97, ...OTHERS },
  },
  {
    name: "64 B send, each awaited, without noDelay",
    unit: "messages/s",
    work: "send_awaited",
    options: options({ noDelay: false }),
    counts: 1,
    peers: { "raw Deno": 0.92, ...OTHERS },
  },
  {
    name: "64 B send, every 1,024th awaited",
    overview: "send of 64 B, every 1,024th awaited",
    unit: "messages/s",
    work: "send_pipelined",
    options: options(),
    counts: 1,
    peers: { "raw Deno": 15, ...OTHERS, Node: 4, "Node, corked": NO },
  },
  {
    name: "64 B send, every 1,024th awaited, without noDelay",
    unit: "messages/s",
    work: "send_pipelined",
    options: options({ noDelay: false }),
    counts: 1,
    peers: { "raw Deno": NO, ...OTHERS, "Node, corked": NO, C: 2 },
  },
  {
    name: "64 KiB send, each awaited",
    unit: "MiB/s",
    work: "send_awaited",
    options: options({ size: 64 * 1024 }),
    counts: 16,
    peers: { "raw Deno": 0.98, ...OTHERS, Node: 1 },
  },
  {
    name: "recv (raw: fresh 64 KiB buffers)",
    overview: "recv of a stream",
    unit: "MiB/s",
    work: "recv",
    options: options(),
    counts: MIB,
    freshProcesses: true,
    peers: { "raw Deno": 1.1, "Conn.readable": 1.3, ...OTHERS, Node: 1.2 },
  },
  {
    name: "recvInto, one 128 KiB buffer",
    overview: "recvInto of a stream",
    unit: "MiB/s",
    work: "recv_into",
    options: options(),
    counts: MIB,
    peers: { "raw Deno": 0.97, Node: NO, C: NO },
  },
  {
    name: "64 B ping-pong by recv (raw: one buffer)",
    overview: "64 B ping-pong by recv",
    unit: "round trips/s",
    work: "echo",
    options: options(),
    counts: 1,
    peers: { "raw Deno": 0.97, ...OTHERS, Node: 1, Bun: 0.95 },
  },
  {
    name: "64 B ping-pong by recvInto, one buffer",
    unit: "round trips/s",
    work: "echo_into",
    options: options(),
    counts: 1,
    peers: { "raw Deno": 0.97, Node: 1, Bun: 0.95 },
  },
  ...[64, 256, 1024].map((kibibytes): RowSpec => ({
    name: `${kibibytes} KiB echo by recv (raw: one buffer)`,
    ...kibibytes === 1024 ? { overview: "1 MiB echo by recv" } : {},
    unit: "round trips/s",
    work: "echo",
    options: options({ size: kibibytes * 1024 }),
    counts: 1,
    freshProcesses: true,
    peers: { "raw, fresh buffers": 0.95, "raw Deno": NO, Node: NO, Bun: NO },
  })),
  {
    name: "connect, a byte each way, abort",
    overview: "connect and abort",
    unit: "connections/s",
    work: "connect",
    options: options(),
    counts: 1,
    peers: { "raw Deno": 0.93, ...OTHERS, Node: 1 },
  },
  {
    name: "Unix socket: 64 B ping-pong by recvInto, one buffer",
    unit: "round trips/s",
    work: "echo_into",
    options: options({ unix: true }),
    counts: 1,
    peers: { "raw Deno": 0.97 },
  },
  {
    name: "Unix socket: 64 KiB send, each awaited",
    unit: "MiB/s",
    work: "send_awaited",
    options: options({ unix: true, size: 64 * 1024 }),
    counts: 16,
    peers: { "raw Deno": 0.97 },
  },
  {
    name: "Unix socket: recvInto, one 128 KiB buffer",
    unit: "MiB/s",
    work: "recv_into",
    options: options({ unix: true }),
    counts: MIB,
    peers: { "raw Deno": 0.97 },
  },
  {
    name: "sendTo, each awaited",
    overview: "sendTo, awaited",
    unit: "datagrams/s",
    work: "send_to",
    options: options(),
    counts: 1,
    peers: { "raw Deno": 0.97, ...OTHERS },
  },
  {
    name: "sendTo, 64 at once",
    unit: "datagrams/s",
    work: "send_to_at_once",
    options: options(),
    counts: 1,
    peers: { "raw Deno": 0.95, ...OTHERS, "node: API on Deno": 1 },
  },
  {
    name: "sendTo, 64 at once, without --unstable-net",
    unit: "datagrams/s",
    work: "send_to_by_dgram",
    options: options(),
    counts: 1,
    peers: { "node: API on Deno": 0.85, "raw Deno": NO, Node: NO },
  },
  {
    name: "recvFrom, flood of 64 B datagrams",
    overview: "recvFrom",
    unit: "datagrams/s",
    work: "recv_from",
    options: options(),
    counts: 1,
    peers: { "raw Deno": 1.2, ...OTHERS },
  },
  {
    name: "recvFrom, 64 at once, flood of 64 B datagrams",
    unit: "datagrams/s",
    work: "recv_from_at_once",
    options: options(),
    counts: 1,
    peers: { "raw Deno": 1, ...OTHERS },
  },
  {
    name: "UDP ping-pong (raw: one buffer)",
    unit: "round trips/s",
    work: "udp_echo",
    options: options(),
    counts: 1,
    peers: { "raw Deno": 0.97, ...OTHERS, Node: 1 },
  },
];

/** Many small messages at a time. Raw and Bun gather them in one buffer by hand. */
const BATCHES: readonly RowSpec[] = [
  {
    name: "64 B frames by recvFrames (raw: split by hand)",
    overview: "recvFrames of 64 B (raw: by hand)",
    unit: "frames/s",
    work: "recv_frames",
    options: options(),
    counts: 1,
    peers: { "raw Deno": 0.8, "ours, one by one": 8, Node: 1.5, Bun: NO },
  },
  {
    name: "sendFrames of 1,024 frames of 64 B (raw: one write)",
    overview: "sendFrames of 64 B (raw: by hand)",
    unit: "frames/s",
    work: "send_frames",
    options: options(),
    counts: 1,
    peers: { "raw Deno": 0.5, "ours, one by one": NO, Node: NO, "Node, corked": 1, Bun: NO },
  },
  {
    name: "send of 1,024 pieces of 64 B (raw: one write)",
    overview: "send of 1,024 pieces (raw: by hand)",
    unit: "messages/s",
    work: "send_pieces",
    options: options(),
    counts: 1,
    peers: { "raw Deno": 0.5, "ours, one by one": NO, "Node, corked": 1, Bun: 0.8 },
  },
];

/** Kinds of work that are slow in other libraries. */
const BAD: readonly RowSpec[] = [
  {
    name: "1 B send, each awaited",
    unit: "messages/s",
    work: "send_awaited",
    options: options({ size: 1 }),
    counts: 1,
    peers: { "raw Deno": NO, Node: NO },
  },
  {
    name: "1 B send, every 1,024th awaited",
    unit: "messages/s",
    work: "send_pipelined",
    options: options({ size: 1 }),
    counts: 1,
    peers: { "raw Deno": NO, Node: NO },
  },
  {
    name: "recv from a sender of single bytes",
    unit: "MiB/s",
    work: "recv_single_bytes",
    options: options(),
    counts: MIB,
    peers: { "raw Deno": NO, Node: NO },
  },
  {
    name: "1 B and 1 MiB sends in turn",
    unit: "messages/s",
    work: "send_mixed",
    options: options(),
    counts: 1,
    peers: { "raw Deno": NO, Node: NO },
  },
  {
    name: "64 B send on each of 1,000 connections at once",
    unit: "messages/s",
    work: "send_on_all",
    options: options({ connections: 1000 }),
    counts: 1,
    peers: { "raw Deno": NO, Node: NO },
  },
];

/** The kinds of work that this package does on other runtimes too, compared with their own sockets. */
const ELSEWHERE: readonly Omit<RowSpec, "peers">[] = [
  {
    name: "64 B send, each awaited",
    unit: "messages/s",
    work: "send_awaited",
    options: options(),
    counts: 1,
  },
  {
    name: "64 B send, every 1,024th awaited",
    unit: "messages/s",
    work: "send_pipelined",
    options: options(),
    counts: 1,
  },
  {
    name: "64 KiB send, each awaited",
    unit: "MiB/s",
    work: "send_awaited",
    options: options({ size: 64 * 1024 }),
    counts: 16,
  },
  { name: "recv", unit: "MiB/s", work: "recv", options: options(), counts: MIB },
  {
    name: "64 B ping-pong by recv",
    unit: "round trips/s",
    work: "echo",
    options: options(),
    counts: 1,
  },
];

/** The least ratio to a runtime's own sockets. A promise for each call costs a tenth of the smallest calls. */
const TARGETS_ELSEWHERE: Readonly<Partial<Record<WorkName, number>>> = {
  send_awaited: 0.9,
  send_pipelined: 1,
  recv: 1,
  echo: 0.9,
};

function onRuntime(runtime: "Node" | "Bun"): RowSpec[] {
  return ELSEWHERE.map((row) => ({
    ...row,
    name: `on ${runtime}: ${row.name}`,
    on: runtime,
    peers: { [runtime]: row.options.size > 64 ? 1 : TARGETS_ELSEWHERE[row.work] },
  }));
}

export const ROWS: readonly RowSpec[] = [
  ...USUAL,
  ...BATCHES,
  ...BAD,
  ...onRuntime("Node"),
  ...onRuntime("Bun"),
];

/** The same work at several sizes, compared with raw Deno, to show how the cost grows. */
export interface CurveSpec {
  readonly title: string;
  readonly axis: "connections" | "message size in bytes";
  readonly unit: string;
  readonly work: WorkName;
  readonly sizes: readonly number[];
}

const CONNECTIONS = [1, 10, 100, 1000, 10_000];
const SIZES = [16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576];

export const CURVES: readonly CurveSpec[] = [
  {
    title: "64 B echo by recvInto, a buffer a connection",
    axis: "connections",
    unit: "round trips/s",
    work: "echo_into",
    sizes: CONNECTIONS,
  },
  {
    title: "64 B echo by recv (raw: a buffer a connection)",
    axis: "connections",
    unit: "round trips/s",
    work: "echo",
    sizes: CONNECTIONS,
  },
  {
    title: "Awaited send",
    axis: "message size in bytes",
    unit: "MiB/s",
    work: "send_awaited",
    sizes: SIZES,
  },
  {
    title: "Echo by recvInto, one buffer",
    axis: "message size in bytes",
    unit: "MiB/s",
    work: "echo_into",
    sizes: SIZES,
  },
  {
    title: "Echo by recv (raw: one buffer)",
    axis: "message size in bytes",
    unit: "MiB/s",
    work: "echo",
    sizes: SIZES,
  },
];

export function curveOptions({ axis }: CurveSpec, size: number): WorkOptions {
  return options(axis === "connections" ? { connections: size } : { size });
}

/** Returns the number of counts of a curve's work that make one of its unit. */
export function curveCounts({ unit }: CurveSpec, size: number): number {
  return unit === "MiB/s" ? MIB / size : 1;
}
