/**
 * Measures frames over a socket, and compares them with `recv` of the same bytes. As a program, it does the works of a
 * group in alternating rounds and prints the ratio of each to the first:
 *
 *     deno run --allow-net bench/frames_over_sockets.ts
 */
import {
  abort,
  ByteQueue,
  connect,
  type Connection,
  framed,
  lengthPrefixed,
  recv,
  recvFrame,
  send,
} from "../mod.ts";
import { median } from "./comparison/rounds.ts";
import {
  HOST,
  LARGE_FRAME,
  LARGE_FRAMES,
  type Peer,
  RECEIVED,
  SMALL_FRAME,
  SMALL_FRAMES,
  type Work,
} from "./contenders/work.ts";
import { startPeer } from "./start_peer.ts";

const CODEC = lengthPrefixed();

interface Group {
  readonly name: string;
  /** The job of the peer, and the length of the frames that it sends (bytes). */
  readonly job: number;
  readonly length: number;
  /** The works by their names. The others are compared with the first. */
  readonly works: Readonly<
    Record<string, (connection: Connection, bytes: number) => () => Promise<number>>
  >;
}

/** Receives without looking at the bytes. */
function bare(connection: Connection, bytes: number): () => Promise<number> {
  return async () => {
    let missing = bytes;
    while (missing > 0) missing -= (await recv(connection))!.length;
    return bytes - missing;
  };
}

/** Receives and decodes in the usual loop: it decodes everything that a `recv` gave, then receives again. */
function byHand(connection: Connection, bytes: number): () => Promise<number> {
  const input = new ByteQueue();
  const decoder = CODEC.decoder();
  return async () => {
    const end = input.consumed + bytes;
    for (;;) {
      while (input.consumed < end) if (decoder.decode(input) === undefined) break;
      if (input.consumed >= end) return input.consumed - end + bytes;
      input.pushOwned((await recv(connection))!);
    }
  };
}

function frames(connection: Connection, bytes: number): () => Promise<number> {
  const stream = framed(connection, CODEC);
  return async () => {
    let missing = bytes;
    while (missing > 0) missing -= 4 + (await recvFrame(stream))!.length;
    return bytes - missing;
  };
}

function iteration(connection: Connection, bytes: number): () => Promise<number> {
  const stream = framed(connection, CODEC);
  return async () => {
    let missing = bytes;
    for await (const frame of stream) {
      missing -= 4 + frame.length;
      if (missing <= 0) break;
    }
    return bytes - missing;
  };
}

export const GROUPS: readonly Group[] = [
  {
    name: "frames of 64 B over a socket",
    job: SMALL_FRAMES,
    length: SMALL_FRAME,
    works: { "recv, decoded by hand": byHand, recvFrame: frames, iteration, "recv alone": bare },
  },
  {
    name: "frames of 64 KiB over a socket",
    job: LARGE_FRAMES,
    length: LARGE_FRAME,
    works: { "recv alone": bare, recvFrame: frames, iteration, "recv, decoded by hand": byHand },
  },
];

/** Sets up one work on a connection of its own. */
export async function open({ job, works }: Group, name: string, peer: Peer): Promise<Work> {
  const connection = await connect({ host: HOST, port: peer.tcp });
  await send(connection, Uint8Array.of(job));
  return { batch: works[name](connection, RECEIVED), end: () => abort(connection) };
}

const ROUNDS = 11;
const MILLISECONDS = 400;

async function rate({ batch }: Work, milliseconds: number): Promise<number> {
  const started = performance.now();
  let bytes = 0;
  let elapsed = 0;
  for (; elapsed < milliseconds; elapsed = performance.now() - started) bytes += await batch();
  return bytes / elapsed;
}

async function compare(group: Group, peer: Peer): Promise<void> {
  const names = Object.keys(group.works);
  const rates: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = -1; round < ROUNDS; round++) {
    for (const name of names) {
      const work = await open(group, name, peer);
      // The work is warmed up first, so that its code is optimised.
      await rate(work, MILLISECONDS / 8);
      const measured = await rate(work, MILLISECONDS);
      if (round >= 0) rates[name].push(measured);
      await work.end();
    }
  }
  console.log(group.name);
  for (const name of names) {
    const ratios = rates[name].map((value, round) => value / rates[names[0]][round]);
    const bytes = median(rates[name]) * 1000;
    console.log(
      `  ${name.padEnd(22)} ${(bytes / 1e6).toFixed(0).padStart(6)} MB/s` +
        ` ${(bytes / (4 + group.length) / 1e6).toFixed(3).padStart(7)} M frames/s` +
        `  ${median(ratios).toFixed(2)}`,
    );
  }
}

if (import.meta.main) {
  const peer = await startPeer();
  for (const group of GROUPS) await compare(group, peer);
  Deno.exit(0);
}
