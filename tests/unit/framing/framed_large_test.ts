import { assert, assertEquals } from "@std/assert";
import {
  abort,
  type Connection,
  connectionOver,
  framed,
  lengthPrefixed,
  recv,
  recvExactly,
  recvFrame,
  recvInto,
  recvUntil,
} from "../../../mod.ts";
import { ChunkTransport } from "../../support/chunk_transport.ts";
import { type Random, withSeed } from "../../support/random.ts";

const KIB = 1024;
/** Sizes below the limit for keeping a chunk, near one read of a quiet or a busy connection, and of several reads. */
const SIZES = [1, 63, 4 * KIB, 5 * KIB, 63 * KIB, 64 * KIB, 124 * KIB, 130 * KIB, 300 * KIB];

/** Makes a stream in which no two places look alike; the last byte of every 257 is 0. */
function pattern(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index++) {
    bytes[index] = index % 257 === 256 ? 0 : 1 + (Math.imul(index, 2654435761) >>> 0) % 255;
  }
  return bytes;
}

function aboutOneOf(random: Random): number {
  return Math.max(1, SIZES[random.below(SIZES.length)] + random.below(9) - 4);
}

function chunksOf(stream: Uint8Array, random: Random): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let from = 0; from < stream.length;) {
    const size = random.below(3) === 0 ? 1 + random.below(100) : aboutOneOf(random);
    chunks.push(stream.slice(from, from + size));
    from += size;
  }
  return chunks;
}

/** Bytes that a call gave, and the number of bytes that it dropped, such as a delimiter. */
interface Taken {
  readonly bytes: Uint8Array;
  readonly dropped: 0 | 1;
}

type Call = (connection: Connection, random: Random, left: number) => Promise<Taken>;

const CALLS: readonly Call[] = [
  async (connection, random, left) => {
    const length = Math.min(left, aboutOneOf(random));
    return { bytes: await recvExactly(connection, length), dropped: 0 };
  },
  async (connection, random) => {
    return { bytes: (await recv(connection, { maxBytes: aboutOneOf(random) }))!, dropped: 0 };
  },
  async (connection) => ({ bytes: (await recv(connection))!, dropped: 0 }),
  async (connection, random) => {
    const buffer = new Uint8Array(aboutOneOf(random));
    return { bytes: buffer.subarray(0, (await recvInto(connection, buffer))!), dropped: 0 };
  },
  async (connection, _random, left) => {
    if (left < 257) return { bytes: await recvExactly(connection, left), dropped: 0 };
    return { bytes: (await recvUntil(connection, Uint8Array.of(0)))!, dropped: 1 };
  },
];

Deno.test("F11: large frames that any mixture of readers gave never change", async () => {
  const stream = pattern(1536 * KIB);
  for (let run = 0; run < 30; run++) {
    await withSeed(async (random) => {
      const connection = connectionOver(new ChunkTransport(chunksOf(stream, random)));
      const taken: Taken[] = [];
      for (let at = 0; at < stream.length;) {
        const call = CALLS[random.below(CALLS.length)];
        const one = await call(connection, random, stream.length - at);
        taken.push(one);
        at += one.bytes.length + one.dropped;
      }
      assertEquals(await recv(connection), null);
      let at = 0;
      for (const { bytes, dropped } of taken) {
        const same = bytes.every((byte, index) => byte === stream[at + index]);
        assert(same, `${bytes.length} bytes from ${at} are others now`);
        at += bytes.length + dropped;
      }
      assertEquals([at, connection.bytesReceived], [stream.length, stream.length]);
      abort(connection);
    });
  }
});

Deno.test("F11: large frames in any chunks never change, however many follow", async () => {
  const codec = lengthPrefixed({ maxLength: 400 * KIB });
  const bytes = pattern(400 * KIB);
  for (let run = 0; run < 30; run++) {
    await withSeed(async (random) => {
      const frames = Array.from({ length: 24 }, () => {
        const from = random.below(1000);
        return bytes.subarray(from, from + aboutOneOf(random));
      });
      const wire = frames.flatMap((frame) => codec.encode(frame) as Uint8Array[]);
      const stream = new Uint8Array(
        await new Blob(wire as Uint8Array<ArrayBuffer>[]).arrayBuffer(),
      );
      const connection = connectionOver(new ChunkTransport(chunksOf(stream, random)));
      const received: Uint8Array[] = [];
      const incoming = framed(connection, codec);
      for (let frame; (frame = await recvFrame(incoming)) !== null;) received.push(frame);
      assertEquals(received.length, frames.length);
      for (const [index, frame] of frames.entries()) {
        const same = frame.length === received[index].length &&
          frame.every((byte, at) => byte === received[index][at]);
        assert(same, `frame ${index} of ${frame.length} bytes is another`);
      }
      abort(connection);
    });
  }
});
