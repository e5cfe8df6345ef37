/**
 * Prints the number of bytes in the buffers that a transport had to fill, and of those that each settled send has left,
 * after garbage collection. It is run with `--v8-flags=--expose-gc`.
 */
import {
  connectionOver,
  framed,
  lengthPrefixed,
  recvFrame,
  send,
  type Transport,
} from "../../../mod.ts";

declare function gc(): void;

const KIB = 1024;
const codec = lengthPrefixed({ maxLength: 2 * KIB * KIB });

/** Gives the prefix of a frame and then zeros in pieces, and then nothing more. It remembers the buffers weakly. */
class Pieces implements Transport {
  readonly #buffers = new Set<WeakRef<ArrayBufferLike>>();
  readonly #known = new WeakSet<ArrayBufferLike>();
  #pieces: Uint8Array[] = [];
  #given = Promise.withResolvers<void>();

  give(frameLength: number, ...sizes: number[]): void {
    this.#pieces = sizes.map((size) => new Uint8Array(size));
    new DataView(this.#pieces[0].buffer).setUint32(0, frameLength);
    this.#given.resolve();
  }

  async read(buffer: Uint8Array): Promise<number> {
    if (!this.#known.has(buffer.buffer)) this.#buffers.add(new WeakRef(buffer.buffer));
    this.#known.add(buffer.buffer);
    while (this.#pieces.length === 0) {
      this.#given = Promise.withResolvers();
      await this.#given.promise;
    }
    const piece = this.#pieces.shift()!;
    const count = Math.min(piece.length, buffer.length);
    buffer.set(piece.subarray(0, count));
    if (count < piece.length) this.#pieces.unshift(piece.subarray(count));
    return count;
  }

  write(bytes: Uint8Array): Promise<number> {
    return Promise.resolve(bytes.length);
  }

  close(): void {}

  async held(): Promise<number> {
    for (let round = 0; round < 5; round++) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      gc();
    }
    let held = 0;
    for (const reference of this.#buffers) held += reference.deref()?.byteLength ?? 0;
    return held;
  }
}

/** Makes a connection that waits for a frame after a large one. */
async function grown(): Promise<Pieces> {
  const pieces = new Pieces();
  const frames = framed(connectionOver(pieces), codec);
  pieces.give(600 * KIB, 4 + 600 * KIB);
  await recvFrame(frames);
  recvFrame(frames).catch(() => {});
  return pieces;
}

const idle = await grown();
const afterFrame = await idle.held();

const slow = await grown();
// Large frames keep the buffer from getting smaller.
slow.give(1024 * KIB, ...Array.from({ length: 100 }, (_, n) => n % 16 === 15 ? 16 * KIB : 4 * KIB));
const inPieces = await slow.held();

const SENDS = 20_000;
const sending = connectionOver(new Pieces());

async function heapAfterSends(): Promise<number> {
  for (let count = 0; count < SENDS; count++) await send(sending, new Uint8Array(1));
  gc();
  return Deno.memoryUsage().heapUsed;
}

await heapAfterSends();
const before = await heapAfterSends();
const perSend = (await heapAfterSends() - before) / SENDS;

console.log(JSON.stringify({ afterFrame, inPieces, perSend }));
Deno.exit(0);
