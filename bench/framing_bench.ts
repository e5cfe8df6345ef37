/**
 * Measures decoding in memory, and frames over a socket. The baseline of a decoding group only makes the arrays of the
 * same frames.
 */
import {
  ByteQueue,
  type Codec,
  delimited,
  lengthPrefixed,
  lines,
  netstrings,
  varintPrefixed,
} from "../mod.ts";
import { GROUPS, open } from "./frames_over_sockets.ts";
import type { Work } from "./contenders/work.ts";
import { startPeer } from "./start_peer.ts";

/** The number of bytes that one read of a busy connection gives. */
const CHUNK = 128 * 1024;
const FRAMES = 100_000;

const CODECS: Record<string, Codec<Uint8Array>> = {
  lengthPrefixed: lengthPrefixed(),
  varintPrefixed: varintPrefixed(),
  netstrings: netstrings(),
  delimited: delimited(new Uint8Array([13, 10])),
};

/** Encodes `FRAMES` frames and cuts them into chunks as a connection would give them. */
function chunksOf<T>(codec: Codec<T>, frame: T): Uint8Array[] {
  const encoded = codec.encode(frame) as Uint8Array;
  const stream = new Uint8Array(FRAMES * encoded.length);
  for (let count = 0; count < FRAMES; count++) stream.set(encoded, count * encoded.length);
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < stream.length; at += CHUNK) chunks.push(stream.slice(at, at + CHUNK));
  return chunks;
}

function decodeAll<T>(codec: Codec<T>, chunks: readonly Uint8Array[]): void {
  const input = new ByteQueue();
  const decoder = codec.decoder();
  let count = 0;
  for (const chunk of chunks) {
    input.push(chunk);
    while (decoder.decode(input) !== undefined) count++;
  }
  if (count !== FRAMES) throw new Error(`${count} frames came out, not ${FRAMES}`);
}

for (const length of [64, 1024]) {
  const group = `${FRAMES} frames of ${length} B`;
  const frame = new Uint8Array(length).fill(65);
  Deno.bench({ name: "their arrays alone", group, baseline: true }, () => {
    for (let count = 0; count < FRAMES; count++) frame.slice();
  });
  for (const [name, codec] of Object.entries(CODECS)) {
    const chunks = chunksOf(codec, frame);
    Deno.bench({ name, group }, () => decodeAll(codec, chunks));
  }
}

for (const length of [16, 256]) {
  const group = `${FRAMES} lines of ${length} B`;
  const line = "A".repeat(length);
  const bytes = new TextEncoder().encode(line);
  const decoder = new TextDecoder();
  Deno.bench({ name: "their strings alone", group, baseline: true }, () => {
    for (let count = 0; count < FRAMES; count++) decoder.decode(bytes);
  });
  const chunks = chunksOf(lines(), line);
  Deno.bench({ name: "lines", group }, () => decodeAll(lines(), chunks));
}

const large = new Uint8Array(1024 * 1024);
Deno.bench("a frame of 1 MiB, a byte at a time", () => {
  const input = new ByteQueue();
  const decoder = lengthPrefixed().decoder();
  const bytes = new Uint8Array(1);
  for (const byte of [0, 16, 0, 0]) input.push(new Uint8Array([byte]));
  let frame: Uint8Array | undefined;
  for (let at = 0; at < large.length; at++) {
    input.push(bytes);
    frame = decoder.decode(input);
  }
  if (frame?.length !== large.length) throw new Error("the frame did not come out");
});

const peer = await startPeer();
for (const group of GROUPS) {
  for (const [index, name] of Object.keys(group.works).entries()) {
    let work: Work | undefined;
    Deno.bench({ name, group: group.name, baseline: index === 0 }, async () => {
      work ??= await open(group, name, peer);
      await work.batch();
    });
  }
}
