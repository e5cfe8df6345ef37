import type { WorkName, WorkOptions } from "./contenders/work.ts";

/** The name of a contender that a row is compared with. */
export type PeerName =
  | "raw Deno"
  | "Conn.readable"
  | "node: API on Deno"
  | "Node"
  | "Node, corked"
  | "Bun"
  | "C";

/** One kind of work, and the lowest ratio of ours to a peer's that is good enough. */
export interface RowSpec {
  readonly name: string;
  readonly unit: string;
  readonly work: WorkName;
  readonly options: WorkOptions;
  /** The number of counts of the work that make one of the unit. */
  readonly counts: number;
  readonly peers: Readonly<Partial<Record<PeerName, number | "no target">>>;
  /** The runtime that this package runs on, Deno if it is left out. */
  readonly on?: "Node" | "Bun";
}

export const MIB = 1024 * 1024;
const NO = "no target";

function options(options: Partial<WorkOptions> = {}): WorkOptions {
  return { noDelay: true, size: 64, connections: 1, ...options };
}

/** Peers that do the work in their own way. They have no target. */
const OTHERS = { "node: API on Deno": NO, Node: NO, Bun: NO, C: NO } as const;

/** The most common kinds of work, with the targets that this package sets itself. */
const USUAL: readonly RowSpec[] = [
  {
    name: "64 B send, each awaited",
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
    unit: "MiB/s",
    work: "recv",
    options: options(),
    counts: MIB,
    peers: { "raw Deno": 1.1, "Conn.readable": 1.3, ...OTHERS, Node: 1.2 },
  },
  {
    name: "recvInto, one 128 KiB buffer",
    unit: "MiB/s",
    work: "recv_into",
    options: options(),
    counts: MIB,
    peers: { "raw Deno": 0.97, Node: NO, C: NO },
  },
  {
    name: "64 B ping-pong by recv (raw: one buffer)",
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
  {
    name: "connect, a byte each way, abort",
    unit: "connections/s",
    work: "connect",
    options: options(),
    counts: 1,
    peers: { "raw Deno": 0.93, ...OTHERS, Node: 1 },
  },
  {
    name: "sendTo, each awaited",
    unit: "datagrams/s",
    work: "send_to",
    options: options(),
    counts: 1,
    peers: { "raw Deno": 0.97, ...OTHERS },
  },
  {
    name: "recvFrom, flood of 64 B datagrams",
    unit: "datagrams/s",
    work: "recv_from",
    options: options(),
    counts: 1,
    peers: { "raw Deno": 1.2, ...OTHERS },
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
