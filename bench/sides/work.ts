/**
 * What is measured, as words that every side understands. A side is one way to use sockets: this
 * package, the runtime's own, another runtime's. Each does the same work in its own best code.
 */

/** The other end: a process or a worker that takes all, sends without end, or echoes. */
export interface Peer {
  readonly tcp: number;
  readonly udp: number;
}

export interface WorkOptions {
  readonly noDelay: boolean;
  /** Bytes in a message. */
  readonly size: number;
  readonly connections: number;
}

/** Work that is set up and can be done again and again. */
export interface Work {
  /** Does some of it: how many messages, bytes, round trips or connections that was. */
  batch(): Promise<number>;
  end(): unknown;
}

export const WORK_NAMES = [
  /** Messages, each awaited before the next. */
  "send_awaited",
  /** Messages, every 1,024th awaited. */
  "send_pipelined",
  /** Messages of 1 byte and of 1 MiB in turn, each awaited. */
  "send_mixed",
  /** A message on each of the connections at once, then all awaited. */
  "send_on_all",
  /** Bytes of an endless stream. */
  "recv",
  /** The same into a buffer of 128 KiB. */
  "recv_into",
  /** Bytes of a sender that sends each on its own. */
  "recv_single_bytes",
  /** Round trips on all connections at once, one after the other on each. */
  "echo",
  /** The same into one buffer. */
  "echo_into",
  /** Connect, a byte each way, close without ceremony. */
  "connect",
  /** Datagrams of 64 bytes, each awaited. */
  "send_to",
  /** Datagrams of a flood. */
  "recv_from",
  /** Datagrams that were asked for. */
  "recv_from_asked",
  "udp_echo",
] as const;

export type WorkName = typeof WORK_NAMES[number];

export type MakeWork = (peer: Peer, options: WorkOptions) => Promise<Work>;

/** What a side cannot do, or does no differently, it leaves out. */
export type Side = Readonly<Partial<Record<WorkName, MakeWork>>>;

export const HOST = "127.0.0.1";

/** The first byte of a connection says what the peer does with it. */
export const SINK = 115; // s
export const SOURCE = 103; // g
export const SINGLE_BYTES = 98; // b
export const ECHO = 101; // e
/** Frames with 4 bytes of length in front, without end, of so many bytes; only `peer.ts` knows them. */
export const SMALL_FRAMES = 102; // f
export const LARGE_FRAMES = 108; // l
export const SMALL_FRAME = 64;
export const LARGE_FRAME = 64 * 1024;

/** The first byte of a datagram. */
export const ECHO_DATAGRAM = 0;
/** A count follows, 4 bytes, big-endian. */
export const ASK_FOR_DATAGRAMS = 1;
export const START_FLOOD = 2;
export const END_FLOOD = 3;
/** Neither echoed nor answered. */
export const SINK_DATAGRAM = 9;

/** How much one batch is: enough that its own loop costs nothing, little enough to be timed. */
export const SENDS = 256;
export const PIPELINED = 1024;
export const RECEIVED = 4 * 1024 * 1024;
export const SINGLE_BYTES_RECEIVED = 16 * 1024;
export const ROUND_TRIPS = 64;
export const CONNECTS = 16;
export const DATAGRAMS = 256;
/** So many fit into a socket's receive buffer, so that none is lost. */
export const ASKED_DATAGRAMS = 100;
export const LARGEST_MESSAGE = 1024 * 1024;

/** Large messages make long batches: of those a few are enough. */
export function sends(size: number): number {
  return Math.max(4, Math.min(SENDS, RECEIVED / size));
}

export function pipelined(size: number): number {
  return Math.max(4, Math.min(PIPELINED, RECEIVED / size));
}

/** Every connection makes as many round trips as keep one batch short. */
export function roundTrips(connections: number): number {
  return Math.max(1, Math.floor(ROUND_TRIPS / connections));
}

/** A message that one write takes, and one read brings. */
export function isSmall(size: number): boolean {
  return size <= 4096;
}

export function askForDatagrams(): Uint8Array {
  const request = new Uint8Array(5);
  request[0] = ASK_FOR_DATAGRAMS;
  new DataView(request.buffer).setUint32(1, ASKED_DATAGRAMS);
  return request;
}
