/** Smaller pushes are copied together, and smaller frames copied out: a view costs as much. */
export const LARGE = 4096;
const SMALLEST_OWN = 256;
const LARGEST_OWN = 64 * 1024;

/**
 * A run of bytes in a queue, from `start` to `end` of `bytes`. `base` is where in the whole stream
 * `bytes[0]` is, or would be.
 */
export interface ByteChunk {
  bytes: Uint8Array;
  start: number;
  end: number;
  base: number;
  /** Made by the queue, which may fill it beyond `end`. */
  readonly own: boolean;
  /** Nobody else uses the buffer, so that it can be handed over. */
  given: boolean;
}

/** An empty chunk of the queue's own with room for `capacity` bytes. */
export function ownChunk(capacity: number, base: number): ByteChunk {
  const bytes = new Uint8Array(capacity);
  return { bytes, start: 0, end: 0, base, own: true, given: true };
}

/** How many bytes the queue may still write into the chunk. */
export function spareRoom(chunk: ByteChunk): number {
  return chunk.own ? chunk.bytes.length - chunk.end : 0;
}

/**
 * The capacity of the next chunk for small pushes: as large as what waits, which makes a million of
 * them cost linear time and memory, but from the bottom again after a chunk of another's, or a
 * single byte between large pushes would cost 64 KiB.
 */
export function ownCapacity(
  last: ByteChunk | undefined,
  waiting: number,
  needed: number,
): number {
  const grown = last?.own ? Math.min(2 * last.bytes.length, 2 * waiting, LARGEST_OWN) : 0;
  return Math.max(grown, SMALLEST_OWN, needed);
}

/** Whether keeping these bytes keeps at most twice their size, so that no copy is needed. */
export function fillsItsBuffer(bytes: Uint8Array, length: number): boolean {
  return length >= LARGE && 2 * length >= bytes.buffer.byteLength;
}

/** Whether a buffer can be given away as a caller's own: fixed, and of one thread. */
export function isPlainBuffer(buffer: ArrayBufferLike): buffer is ArrayBuffer {
  return buffer instanceof ArrayBuffer && !buffer.resizable;
}

/** So many slots of chunks that were used up may stay before the array is closed up. */
const USED_UP = 32;

/** The chunks of a queue, in order and without gaps. Positions count from the stream's beginning. */
export class ByteChunks {
  readonly #chunks: (ByteChunk | undefined)[] = [];
  #first = 0;

  /** The chunk that the next byte is in. */
  get head(): ByteChunk | undefined {
    return this.#chunks[this.#first];
  }

  /** The chunk that the last byte is in. */
  get last(): ByteChunk | undefined {
    return this.#chunks.at(-1);
  }

  add(chunk: ByteChunk): void {
    this.#chunks.push(chunk);
  }

  /** Drops the first chunk, not by `shift()`, which moves all the others. */
  dropHead(): void {
    this.#chunks[this.#first++] = undefined;
    if (this.#first < USED_UP || 2 * this.#first < this.#chunks.length) return;
    this.#chunks.splice(0, this.#first);
    this.#first = 0;
  }

  clear(): void {
    this.#chunks.length = this.#first = 0;
  }

  /** The slot of the chunk that has the byte at a position. */
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

  /** The chunk in a slot, which no later one need have. */
  inSlot(slot: number): ByteChunk | undefined {
    return this.#chunks[slot];
  }

  /**
   * Brings the bytes from a position on into one chunk. A new one has room for twice as many: to join
   * more and more of them copies each of them about twice in all, not once a call.
   */
  join(position: number, length: number): ByteChunk {
    const end = position + length;
    const from = this.slotOf(position);
    const to = this.slotOf(end - 1);
    let target = this.#chunks[from]!;
    const remaining: ByteChunk[] = [];
    if (spareRoom(target) < end - target.base - target.end) {
      const joined = ownChunk(2 * length, position);
      move(target, position - target.base, target.end, joined);
      target.end = position - target.base;
      if (target.start < target.end) remaining.push(target);
      target = joined;
    }
    remaining.push(target);
    for (let slot = from + 1; slot <= to; slot++) {
      const chunk = this.#chunks[slot]!;
      const until = Math.min(chunk.end, end - chunk.base);
      move(chunk, chunk.start, until, target);
      chunk.start = until;
      if (until < chunk.end) remaining.push(chunk);
    }
    this.#replace(from, to, remaining);
    return target;
  }

  /** Puts others in the place of some chunks; at the front without moving what comes after. */
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

function move(from: ByteChunk, start: number, end: number, target: ByteChunk): void {
  target.bytes.set(from.bytes.subarray(start, end), target.end);
  target.end += end - start;
}
