import { isBytes } from "../bytes/byte_arguments.ts";
import { LARGE_BYTES } from "../bytes/chunk_list.ts";
import { invalidInput } from "../core/arguments.ts";
import { ignoreRejection } from "../core/waiting_calls.ts";
import type { Encoder } from "./codec.ts";

/**
 * Size of the memory that small frames of all connections are encoded into, one behind the other. No byte of it is used
 * twice. An array of its own takes 300 ns a frame, a view of this 30.
 */
const POOL_BYTES = 16 * 1024;
/** Size of the memory that a batch is encoded into. A larger batch takes more than one. */
const BATCH_BYTES = 256 * 1024;
const NOTHING = new Uint8Array();

let pool: Uint8Array<ArrayBuffer> = NOTHING;
let poolUsed = 0;
/** The memory of the last batch, for the next one. It is taken out while a batch is encoded. */
let spareBatch: Uint8Array<ArrayBuffer> | undefined;

/** Encodes the frames of one connection. */
export class FrameEncoder<In> {
  readonly #encoder: Encoder<In>;
  readonly #writes: boolean;

  constructor(encoder: Encoder<In>) {
    if (typeof encoder.encode !== "function") {
      ignoreRejection(encoder);
      throw invalidInput("framed", "the codec's encoder has no encode function");
    }
    this.#encoder = encoder;
    this.#writes = typeof encoder.encodeInto === "function";
  }

  /** Encodes one frame. Small ones share memory with others, so nobody outside may see the result. */
  encode(frame: In): Uint8Array | readonly Uint8Array[] {
    if (!this.#writes) return this.#encode(frame);
    if (pool.length - poolUsed < LARGE_BYTES) {
      pool = new Uint8Array(POOL_BYTES);
      poolUsed = 0;
    }
    const target = pool;
    const from = poolUsed;
    // The encoder may send a frame itself, which must not be written to the same place.
    poolUsed = POOL_BYTES;
    const end = this.#write(frame, target, from);
    if (pool === target) poolUsed = Math.max(from, end);
    return end < 0 ? this.#encode(frame) : new Uint8Array(target.buffer, from, end - from);
  }

  /** Encodes frames as pieces that leave as one. */
  encodeBatch(frames: readonly In[]): Uint8Array[] {
    const batch = new EncodedBatch();
    for (const frame of frames) {
      if (!this.#writes) {
        batch.push(this.#encode(frame));
        continue;
      }
      let end = this.#write(frame, batch.target, batch.end);
      if (end < 0 && batch.makeRoom()) end = this.#write(frame, batch.target, batch.end);
      if (end < 0) batch.push(this.#encode(frame));
      else batch.end = end;
    }
    return batch.finish();
  }

  #write(frame: In, target: Uint8Array, offset: number): number {
    const end: unknown = this.#encoder.encodeInto!(frame, target, offset);
    if (end === -1) return -1;
    if (Number.isInteger(end) && end as number >= offset && end as number <= target.length) {
      return end as number;
    }
    ignoreRejection(end);
    throw new TypeError("encodeInto gave neither the end of the frame nor -1");
  }

  #encode(frame: In): Uint8Array | readonly Uint8Array[] {
    const encoded = this.#encoder.encode(frame);
    if (isBytes(encoded)) return encoded;
    const pieces: readonly unknown[] = Array.isArray(encoded) ? encoded : [encoded];
    // A loop sees the holes of an array as well, unlike `every`.
    let allBytes = Array.isArray(encoded);
    for (const piece of pieces) allBytes &&= isBytes(piece);
    if (allBytes) return encoded;
    pieces.forEach(ignoreRejection);
    throw new TypeError("encode gave neither bytes nor an array of bytes");
  }
}

/** The pieces of a batch: some written into memory of the batch, some made by the encoder. */
class EncodedBatch {
  /** The memory to write the next frame into. */
  target: Uint8Array<ArrayBuffer> = spareBatch ?? NOTHING;
  /** Index behind the last frame in it. */
  end = 0;
  readonly #pieces: Uint8Array[] = [];
  /** Index of the first byte that is in no piece. */
  #begin = 0;

  constructor() {
    spareBatch = undefined;
  }

  /** Takes other memory if little of this is left. Returns false if a frame that did not fit will not fit then. */
  makeRoom(): boolean {
    if (this.target.length - this.end >= LARGE_BYTES) return false;
    this.#cut();
    this.target = new Uint8Array(BATCH_BYTES);
    this.#begin = this.end = 0;
    return true;
  }

  push(encoded: Uint8Array | readonly Uint8Array[]): void {
    this.#cut();
    if (isBytes(encoded)) this.#pieces.push(encoded);
    else for (const piece of encoded) this.#pieces.push(piece);
  }

  /** Returns the pieces. A copy of what was written is smaller than its memory, which serves the next batch. */
  finish(): Uint8Array[] {
    if (this.#pieces.length > 0) {
      this.#cut();
      return this.#pieces;
    }
    const { target, end } = this;
    const frames = end === 0 ? [] : [target.slice(0, end)];
    // An encoder that writes less than it says must not send the bytes of another connection.
    spareBatch = target.fill(0, 0, end);
    return frames;
  }

  #cut(): void {
    if (this.end === this.#begin) return;
    this.#pieces.push(this.target.subarray(this.#begin, this.end));
    this.#begin = this.end;
  }
}
