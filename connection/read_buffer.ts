import { type ByteChunk, LARGE_BYTES } from "../bytes/chunk_list.ts";
import {
  borrowedLeft,
  ByteQueue,
  copyBorrowed,
  moveQueue,
  pushBorrowed,
} from "../bytes/byte_queue.ts";

const SMALLEST_READ_BYTES = 4 * 1024;
/**
 * A larger buffer would be filled in part by most traffic, and the rest is allocated and zeroed for nothing. Echoes of
 * 64 KiB, own CPU to raw reads into fresh 64 KiB buffers (medians of 11 fresh processes): 0.79 if the buffer grew to 124
 * KiB at once, 0.93 as it is.
 */
const USUAL_READ_BYTES = 64 * 1024;
/**
 * For a stream that comes one way without end. It has fewer reads, and stays just below the 128 KiB from which glibc
 * maps fresh pages for each buffer. Own CPU to raw reads into fresh 64 KiB buffers: 1.25 with 64 KiB, 1.45 with this
 * after 64 full reads, 1.56 with this at once (medians of 15 fresh processes).
 *
 * Small frames get it at once, since their decoder leaves the buffer to the next read. Own CPU for frames of 64 B by
 * `recvFrames`, to a splitter by hand: 1.21 with 64 KiB, 1.03 to 1.13 with this (medians of 7 fresh processes).
 */
const LARGEST_READ_BYTES = 124 * 1024;
/** 4 MiB without a pause: more than the messages of a conversation. */
const FULL_READS_TO_GROW = 64;
/**
 * Buffers of connections that have closed, for those that open. A fresh one costs 0.8 of the 1.6 µs that this side of a
 * short connection takes.
 */
const spareBuffers: Uint8Array<ArrayBuffer>[] = [];
const MOST_SPARE_BUFFERS = 64;
/** A read is small if it fills at most this part of a buffer: one eighth. */
const SMALL_PART = 8;
/** A large buffer is given back after this many small reads in a row: an idle connection should hold little. */
const SMALL_READS_TO_SHRINK = 16;

/** A buffer, and the part of it that the queue uses. */
interface BorrowedBuffer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly chunk: ByteChunk;
}

/**
 * The buffer that reads of the runtime fill, and the bytes of it that are left. It grows with what comes: 4 KiB for a
 * connection that says little, 64 KiB under load, 124 KiB for a stream one way or of small frames. If a call looks for frames, bytes that
 * are left are in a queue, and those in the buffer come after it.
 */
export class ReadBuffer {
  #bytes: Uint8Array<ArrayBuffer> | undefined;
  #size = SMALLEST_READ_BYTES;
  /** The largest buffer for a conversation, and for a stream one way. */
  #usual = USUAL_READ_BYTES;
  #largest = LARGEST_READ_BYTES;
  #start = 0;
  #end = 0;
  #smallReads = 0;
  /** Reads in a row that filled the buffer. */
  #fullReads = 0;
  /** A decoder has left the last buffer to the next read. */
  #reused = false;
  #queue: ByteQueue | undefined;
  /** The part of the buffer that the queue uses. */
  #borrowed: ByteChunk | undefined;
  /** The other buffer, if the queue used much of it when this one's turn came. */
  #other: BorrowedBuffer | undefined;

  /** Bytes that were read and not taken. */
  get length(): number {
    const left = this.#end - this.#start;
    return this.#queue === undefined ? left : this.#queue.length + left;
  }

  /** Returns the buffer for the next read. It is called only while nothing is left of the last one. */
  room(): Uint8Array<ArrayBuffer> {
    if (this.#borrowed !== undefined) this.#endBorrowing(this.#borrowed);
    // A codec that transfers what it may only look at takes the memory with it.
    if (this.#bytes?.length === 0) this.#forget();
    return this.#bytes ??= this.#size === SMALLEST_READ_BYTES && spareBuffers.pop() ||
      new Uint8Array(this.#size);
  }

  /** Sets the most bytes that a read of this transport ever brings. */
  limitReads(bytes: number): void {
    this.#usual = Math.min(bytes, USUAL_READ_BYTES);
    this.#largest = Math.min(bytes, LARGEST_READ_BYTES);
  }

  /** Notes that a read has filled the first `count` bytes of the buffer. */
  filled(count: number): void {
    this.#start = 0;
    this.#end = count;
    if (count === this.#size) {
      this.#fullReads += 1;
      const most = this.#reused || this.#fullReads > FULL_READS_TO_GROW
        ? this.#largest
        : this.#usual;
      this.#size = Math.min(this.#size * 4, most);
      this.#smallReads = 0;
      return;
    }
    this.#fullReads = 0;
    if (!this.#reused && count <= USUAL_READ_BYTES) {
      this.#size = Math.min(this.#size, USUAL_READ_BYTES);
    }
    if (this.#size > SMALLEST_READ_BYTES && count <= this.#size / SMALL_PART) {
      this.#smallReads += 1;
      this.#freeOther();
    } else {
      this.#smallReads = 0;
    }
  }

  /** Takes over bytes that a transport has read into a buffer of their own, while nothing is left of the last ones. */
  adopt(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#borrowed !== undefined) this.#endBorrowing(this.#borrowed);
    this.#bytes = bytes;
    this.#start = 0;
    this.#end = bytes.length;
  }

  /**
   * Takes at most `most` bytes, in an `ArrayBuffer` of their own of at most twice their size or 4 KiB. More than half a
   * buffer is handed over as it is, less is copied.
   *
   * After a copy a small buffer is kept and a large one is not. Reading into fresh buffers all the time was 1.0 to 1.1
   * of raw reads into fresh 64 KiB buffers, keeping the buffer 0.8 to 1.0, and copying everything out of one that is
   * kept 0.7 to 1.0. The allocator decides: the same loop does 4 to 8 GB/s in one process or another, depending on
   * earlier allocations.
   */
  take(most: number): Uint8Array<ArrayBuffer> {
    if (this.#queue !== undefined && this.#queue.length > 0) {
      return this.#queue.take(Math.min(most, this.#queue.length));
    }
    this.#reused = false;
    const left = this.#end - this.#start;
    const count = Math.min(most, left);
    if (this.#start === 0 && count === left && count > this.#bytes!.length / 2) {
      const bytes = this.#bytes!;
      this.#forget();
      return bytes.subarray(0, count);
    }
    const taken = this.#bytes!.slice(this.#start, this.#start + count);
    this.#consume(count);
    if (count === left && this.#size > SMALLEST_READ_BYTES) this.#forget();
    return taken;
  }

  /**
   * Returns all bytes as a queue, which may be used until the next read.
   *
   * @param taken Bytes of the stream that were taken until now.
   */
  asQueue(taken: number): ByteQueue {
    const queue = this.#queue ??= new ByteQueue();
    // If the queue was empty, other calls have read past it, and a decoder's notes on its positions are old.
    if (queue.length === 0) moveQueue(queue, taken);
    const left = this.#end - this.#start;
    if (left > 0) {
      const bytes = this.#bytes!.subarray(this.#start, this.#end);
      this.#consume(left);
      if (left < LARGE_BYTES) queue.push(bytes);
      else if (this.#bytes === undefined) queue.pushOwned(bytes);
      else {
        // Mostly its frames are taken before the next read, and the buffer can serve that again.
        this.#borrowed = pushBorrowed(queue, bytes);
      }
    }
    return queue;
  }

  /**
   * Appends bytes that came in another buffer.
   *
   * @param taken Bytes of the stream that were taken until now.
   */
  append(bytes: Uint8Array, taken: number): void {
    this.asQueue(taken).push(bytes);
  }

  /**
   * Takes the buffer back from the queue before a read. If little of it is left, that is copied. If frames are as large
   * as a buffer, much is left, and two buffers take turns.
   */
  #endBorrowing(chunk: ByteChunk): void {
    const queue = this.#queue!;
    const left = borrowedLeft(queue, chunk);
    this.#borrowed = undefined;
    // The next frame may take long: one buffer is enough to wait for it.
    if (queue.length === 0) this.#other = undefined;
    this.#reused = left < LARGE_BYTES || left <= this.#bytes!.length / SMALL_PART;
    if (this.#reused) return copyBorrowed(queue, chunk);
    const free = this.#freeOther();
    this.#other = { bytes: this.#bytes!, chunk };
    this.#forget();
    if (free?.length === this.#size) this.#bytes = free;
  }

  /**
   * Takes the other buffer back from the queue. If half of it is still used, that is a part of a larger frame, and the
   * queue keeps it. Else the rest is copied: a peer that sends 4 KiB at a time must not hold 64 KiB with each of them.
   */
  #freeOther(): Uint8Array<ArrayBuffer> | undefined {
    const other = this.#other;
    if (other === undefined) return undefined;
    this.#other = undefined;
    if (2 * borrowedLeft(this.#queue!, other.chunk) < other.bytes.length) {
      copyBorrowed(this.#queue!, other.chunk);
      return other.bytes;
    }
    other.chunk.given = true;
    return undefined;
  }

  /** Copies as much as fits into a caller's buffer, and returns the number of bytes. */
  copyInto(target: Uint8Array): number {
    if (this.#queue !== undefined && this.#queue.length > 0) {
      const count = Math.min(target.length, this.#queue.length);
      target.set(this.#queue.peek(count));
      this.#queue.skip(count);
      return count;
    }
    const count = Math.min(target.length, this.#end - this.#start);
    target.set(this.#bytes!.subarray(this.#start, this.#start + count));
    this.#consume(count);
    return count;
  }

  /** Drops the bytes that are left. */
  clear(): void {
    this.#start = this.#end = 0;
    // A codec may have kept the queue, which must not see later bytes.
    if (this.#borrowed !== undefined) this.#forget();
    this.#dropQueue();
  }

  /** Gives the memory to the next connection. Nobody can write to it any more, and nothing is taken after this. */
  recycle(): void {
    const bytes = this.#bytes;
    this.#forget();
    // A codec may have kept the queue, which must not see the bytes of another connection.
    const free = this.#borrowed === undefined && bytes?.length === SMALLEST_READ_BYTES;
    if (free && spareBuffers.length < MOST_SPARE_BUFFERS) {
      // If the next connection hands the buffer over, its caller must not see bytes of this one behind its own.
      spareBuffers.push(bytes.fill(0));
    }
    this.#dropQueue();
  }

  #dropQueue(): void {
    this.#queue = undefined;
    this.#borrowed = undefined;
    this.#other = undefined;
  }

  #consume(count: number): void {
    this.#start += count;
    if (this.#start < this.#end) return;
    this.#start = this.#end = 0;
    if (this.#smallReads >= SMALL_READS_TO_SHRINK) {
      this.#size = SMALLEST_READ_BYTES;
      this.#smallReads = 0;
    }
    if (this.#bytes!.length !== this.#size) this.#forget();
  }

  #forget(): void {
    this.#bytes = undefined;
    this.#start = this.#end = 0;
  }
}
