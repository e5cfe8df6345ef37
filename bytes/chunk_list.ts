/** Smaller pushes are copied together, and smaller frames copied out: a view costs as much (bytes). */
export const LARGE_BYTES = 4096;
const SMALLEST_CHUNK_BYTES = 256;
const LARGEST_CHUNK_BYTES = 64 * 1024;
/** The list is closed up once this many leading slots are empty. */
const MOST_EMPTY_SLOTS = 32;

/** A run of bytes in a stream, from `start` to `end` of `bytes`. */
export interface ByteChunk {
  bytes: Uint8Array;
  start: number;
  end: number;
  /** The position in the whole stream of `bytes[0]`. */
  base: number;
  /** True if the list made the buffer, and may fill it beyond `end`. */
  readonly fillable: boolean;
  /** True if nobody else uses the buffer, so that it can be handed over. */
  given: boolean;
}

/** Returns true if to keep these bytes keeps at most twice their size, so that no copy is needed. */
export function fillsItsBuffer(bytes: Uint8Array, length: number): boolean {
  return length >= LARGE_BYTES && 2 * length >= bytes.buffer.byteLength;
}

/** Holds chunks in order and without gaps. Positions count from the beginning of the stream. */
export class ChunkList {
  readonly #chunks: (ByteChunk | undefined)[] = [];
  #first = 0;

  /** The chunk with the next byte. */
  get head(): ByteChunk | undefined {
    return this.#chunks[this.#first];
  }

  /** The chunk with the last byte. */
  get last(): ByteChunk | undefined {
    return this.#chunks.at(-1);
  }

  add(chunk: ByteChunk): void {
    this.#chunks.push(chunk);
  }

  /** Drops the first chunk, not by `shift()`, which moves all the others. */
  dropHead(): void {
    this.#chunks[this.#first++] = undefined;
    if (this.#first < MOST_EMPTY_SLOTS || 2 * this.#first < this.#chunks.length) return;
    this.#chunks.splice(0, this.#first);
    this.#first = 0;
  }

  clear(): void {
    this.#chunks.length = this.#first = 0;
  }

  /** Returns the slot of the chunk with the byte at a position. */
  slotOf(position: number): number {
    let low = this.#first;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const { base, start } = this.#chunks[middle]!;
      if (base + start <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Returns the chunk in a slot. A slot is good until a chunk is dropped. */
  inSlot(slot: number): ByteChunk {
    return this.#chunks[slot]!;
  }

  /**
   * Brings the bytes from a position on into one chunk. A new chunk has room for twice as many: a caller that joins
   * more and more of them copies each byte about twice in all, not once a call.
   */
  join(position: number, length: number): ByteChunk {
    const end = position + length;
    const from = this.slotOf(position);
    const to = this.slotOf(end - 1);
    let target = this.inSlot(from);
    const remaining: ByteChunk[] = [];
    if (spareRoom(target) < end - target.base - target.end) {
      const joined = emptyChunk(2 * length, position);
      move(target, position - target.base, target.end, joined);
      target.end = position - target.base;
      if (target.start < target.end) remaining.push(target);
      target = joined;
    }
    remaining.push(target);
    for (let slot = from + 1; slot <= to; slot++) {
      const chunk = this.inSlot(slot);
      const until = Math.min(chunk.end, end - chunk.base);
      move(chunk, chunk.start, until, target);
      chunk.start = until;
      if (until < chunk.end) remaining.push(chunk);
    }
    this.#replace(from, to, remaining);
    return target;
  }

  /** Puts other chunks into slots; at the front without moving the chunks behind them. */
  #replace(from: number, to: number, remaining: readonly ByteChunk[]): void {
    const first = to + 1 - remaining.length;
    if (from !== this.#first || first < from) {
      this.#chunks.splice(from, to + 1 - from, ...remaining);
      return;
    }
    this.#chunks.fill(undefined, from, first);
    for (let index = 0; index < remaining.length; index++) {
      this.#chunks[first + index] = remaining[index];
    }
    this.#first = first;
  }
}

/** Returns the number of bytes that may still be written into a chunk. */
export function spareRoom(chunk: ByteChunk): number {
  return chunk.fillable ? chunk.bytes.length - chunk.end : 0;
}

/**
 * Makes an empty chunk for small pushes, the first of them of `needed` bytes.
 *
 * It is as large as the bytes that wait, so that a million pushes cost linear time and memory. After a chunk that is not
 * fillable it is small again, or a single byte between large pushes would cost 64 KiB.
 */
export function chunkToFill(
  last: ByteChunk | undefined,
  waiting: number,
  needed: number,
  base: number,
): ByteChunk {
  const grown = last?.fillable
    ? Math.min(2 * last.bytes.length, 2 * waiting, LARGEST_CHUNK_BYTES)
    : 0;
  return emptyChunk(Math.max(grown, SMALLEST_CHUNK_BYTES, needed), base);
}

function emptyChunk(capacity: number, base: number): ByteChunk {
  const bytes = new Uint8Array(capacity);
  return { bytes, start: 0, end: 0, base, fillable: true, given: true };
}

function move(from: ByteChunk, start: number, end: number, target: ByteChunk): void {
  target.bytes.set(from.bytes.subarray(start, end), target.end);
  target.end += end - start;
}
