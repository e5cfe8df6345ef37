/**
 * The kinds of work that are measured, and the contenders that do them. A contender is one way to use sockets: this
 * package, the runtime's own sockets, or those of another runtime. Each does the same work in its own best code.
 */

/** The ports of the peer: a process or a worker that takes everything, sends without end, or echoes. */
export interface Peer {
  readonly tcp: number;
  readonly udp: number;
}

export interface WorkOptions {
  readonly noDelay: boolean;
  /** True for connections over the peer's Unix socket. Only this package and the runtime's own sockets use it. */
  readonly unix: boolean;
  /** The size of a message (bytes). */
  readonly size: number;
  readonly connections: number;
}

/** Work that is set up and can be repeated. */
export interface Work {
  /** Does one batch and returns its number of messages, bytes, round trips or connections. */
  batch(): Promise<number>;
  end(): unknown;
}

export const WORK_NAMES = [
  /** Sends messages, and awaits each before the next. */
  "send_awaited",
  /** Sends messages, and awaits every 1,024th. */
  "send_pipelined",
  /** Sends 1,024 messages that are there at once, and awaits them together. */
  "send_pieces",
  /** Sends 1,024 frames, each with 4 bytes of length in front, and awaits them together. */
  "send_frames",
  /** Receives frames without end, each with 4 bytes of length in front. */
  "recv_frames",
  /** Sends messages of 1 byte and of 1 MiB in turn, and awaits each. */
  "send_mixed",
  /** Sends a message on each of the connections at once, then awaits all. */
  "send_on_all",
  /** Receives an endless stream. */
  "recv",
  /** Receives an endless stream into a buffer of 128 KiB. */
  "recv_into",
  /** Receives from a sender that sends single bytes. */
  "recv_single_bytes",
  /** Makes round trips on all connections at once, one after the other on each. */
  "echo",
  /** Makes the same round trips, and receives into one buffer. */
  "echo_into",
  /** Connects, sends a byte each way, and aborts. */
  "connect",
  /** Sends datagrams of 64 bytes, and awaits each. */
  "send_to",
  /** Sends datagrams of 64 bytes, 64 at a time, and awaits these together. */
  "send_to_at_once",
  /** The same by `node:dgram`, which programs without unstable features get. */
  "send_to_by_dgram",
  /** Receives a flood of datagrams. */
  "recv_from",
  /** Receives a flood of datagrams by 64 calls at a time. */
  "recv_from_at_once",
  /** Asks for datagrams and receives them. */
  "recv_from_asked",
  "udp_echo",
] as const;

export type WorkName = typeof WORK_NAMES[number];

export type MakeWork = (peer: Peer, options: WorkOptions) => Promise<Work>;

/** The works of a contender. It leaves out those that it cannot do, or does like another contender. */
export type Contender = Readonly<Partial<Record<WorkName, MakeWork>>>;

export const HOST = "127.0.0.1";

/** Returns the abstract name of the peer's Unix socket. */
export function unixPath({ tcp }: Peer): string {
  return `\0sockets-bench-${tcp}`;
}

/** The first byte of a connection, which says what the peer does with it. */
export const SINK = 115; // s
export const SOURCE = 103; // g
export const SINGLE_BYTES = 98; // b
export const ECHO = 101; // e
/** The peer sends frames without end, each with 4 bytes of length in front. Only `peer.ts` knows large ones. */
export const SMALL_FRAMES = 102; // f
export const LARGE_FRAMES = 108; // l
/** The size of the length in front of a frame (bytes). */
export const FRAME_PREFIX = 4;
export const SMALL_FRAME = 64;
export const LARGE_FRAME = 64 * 1024;

/** The first byte of a datagram. */
export const ECHO_DATAGRAM = 0;
/** A big-endian count of 4 bytes follows. */
export const ASK_FOR_DATAGRAMS = 1;
export const START_FLOOD = 2;
export const END_FLOOD = 3;
/** The peer neither echoes nor answers this datagram. */
export const SINK_DATAGRAM = 9;

/** The sizes of one batch: large enough that its loop costs nothing, small enough to be timed. */
export const SENDS = 256;
export const PIPELINED = 1024;
export const RECEIVED = 4 * 1024 * 1024;
export const SINGLE_BYTES_RECEIVED = 16 * 1024;
export const FRAMES_RECEIVED = 16 * 1024;
export const ROUND_TRIPS = 64;
export const CONNECTS = 16;
export const DATAGRAMS = 256;
/** Datagrams, or calls for one, that are under way together. */
export const AT_ONCE = 64;
/** This number of datagrams fits into a socket's receive buffer, so that none is lost. */
export const ASKED_DATAGRAMS = 100;
export const LARGEST_MESSAGE = 1024 * 1024;

/** Returns the messages of a batch. Large messages take long, so a few are enough. */
export function sends(size: number): number {
  return Math.max(4, Math.min(SENDS, RECEIVED / size));
}

export function pipelined(size: number): number {
  return Math.max(4, Math.min(PIPELINED, RECEIVED / size));
}

/** Returns the round trips of each connection in a batch: as many as keep the batch short. */
export function roundTrips(connections: number): number {
  return Math.max(1, Math.floor(ROUND_TRIPS / connections));
}

/** Tells if one write takes the whole message, and one read gives it. */
export function isSmall(size: number): boolean {
  return size <= 4096;
}

export function askForDatagrams(): Uint8Array {
  const request = new Uint8Array(5);
  request[0] = ASK_FOR_DATAGRAMS;
  new DataView(request.buffer).setUint32(1, ASKED_DATAGRAMS);
  return request;
}
