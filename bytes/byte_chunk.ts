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
