import { type ByteChunk, LARGE } from "../bytes/chunk_list.ts";
import {
  borrowedLeft,
  ByteQueue,
  copyBorrowed,
  moveQueue,
  pushBorrowed,
} from "../bytes/byte_queue.ts";

const SMALLEST = 4 * 1024;
/**
 * Just below the 128 KiB from which glibc maps fresh pages for each buffer and gives them back after it.
 * Fresh buffers in a loop of their own: 8.0 GB/s at 124 KiB, 5.2 at 64, 3.5 at 128.
 */
const LARGEST = 124 * 1024;
/**
 * Buffers of connections that have closed, for those that open: a fresh one costs 0.8 of the 1.6 µs that
 * this side of a short connection takes.
 */
const spares: Uint8Array<ArrayBuffer>[] = [];
const MOST_SPARES = 64;
/** A read is small that fills no more than this part of a buffer. */
const FEW = 8;
/** So many small reads in a row give a large buffer back: an idle connection should hold little. */
const PATIENCE = 16;

/** Not what a caller's buffer has in its place. */
const { set: setBytes } = Uint8Array.prototype;

/** A buffer that the queue has something of. */
interface Lent {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly loan: ByteChunk;
}

/**
 * What reads of the runtime fill, and what is left of them. The buffer grows with what comes: 4 KiB for a
 * connection that says little, 124 KiB under load. Where frames are looked for, what is left is in a queue,
 * and the buffer comes after it.
 */
export class ReadBuffer {
  #bytes: Uint8Array<ArrayBuffer> | undefined;
  #size = SMALLEST;
  #start = 0;
  #end = 0;
  #smallReads = 0;
  #queue: ByteQueue | undefined;
  /** The queue has what the buffer has. */
  #loan: ByteChunk | undefined;
  /** Another buffer, of which the queue still had much when it was this one's turn. */
  #other: Lent | undefined;

  /** How many bytes were read and not taken. */
  get length(): number {
    const left = this.#end - this.#start;
    return this.#queue === undefined ? left : this.#queue.length + left;
  }

  /** Room for the next read; only while nothing is left of the last. */
  room(): Uint8Array<ArrayBuffer> {
    if (this.#loan !== undefined) this.#endLoan(this.#loan);
    // A codec that transfers what it may only look at takes the memory with it.
    if (this.#bytes?.length === 0) this.#forget();
    return this.#bytes ??= this.#size === SMALLEST && spares.pop() || new Uint8Array(this.#size);
  }

  /** Notes that a read filled the first `count` bytes of the room. */
  filled(count: number): void {
    this.#start = 0;
    this.#end = count;
    if (count === this.#size) {
      this.#size = Math.min(this.#size * 4, LARGEST);
      this.#smallReads = 0;
    } else if (this.#size > SMALLEST && count <= this.#size / FEW) {
      this.#smallReads += 1;
      this.#freeOther();
    } else {
      this.#smallReads = 0;
    }
  }

  /**
   * Takes up to `most` bytes in an `ArrayBuffer` of their own, never more than twice their size or 4 KiB:
   * more than half a buffer is handed over as it is, less is copied out.
   *
   * A small buffer is kept then, a large one is not: reading into fresh ones all the time was 1.0 to 1.1 of
   * raw reads into fresh 64 KiB buffers, keeping it 0.8 to 1.0, and cutting everything out of one that is
   * kept 0.7 to 1.0. It is the allocator that decides: the same loop does 4 to 8 GB/s in one process and
   * another, by what was allocated before.
   */
  take(most: number): Uint8Array<ArrayBuffer> {
    if (this.#queue !== undefined && this.#queue.length > 0) {
      return this.#queue.take(Math.min(most, this.#queue.length));
    }
    const left = this.#end - this.#start;
    const count = Math.min(most, left);
    if (this.#start === 0 && count === left && count > this.#bytes!.length / 2) {
      const bytes = this.#bytes!;
      this.#forget();
      return bytes.subarray(0, count);
    }
    const taken = this.#bytes!.slice(this.#start, this.#start + count);
    this.#consume(count);
    if (count === left && this.#size > SMALLEST) this.#forget();
    return taken;
  }

  /** All of it as a queue, until the next read; so many bytes of the stream were taken by now. */
  asQueue(taken: number): ByteQueue {
    const queue = this.#queue ??= new ByteQueue();
    // Where nothing waited in it, others have read past it: what a decoder knows of the place is old.
    if (queue.length === 0) moveQueue(queue, taken);
    const left = this.#end - this.#start;
    if (left > 0) {
      const bytes = this.#bytes!.subarray(this.#start, this.#end);
      this.#consume(left);
      if (left < LARGE) queue.push(bytes);
      else if (this.#bytes === undefined) queue.pushOwned(bytes);
      else {
        // Mostly the frames in it are taken before the next read, which the buffer can serve again.
        this.#loan = pushBorrowed(queue, bytes);
      }
    }
    return queue;
  }

  /**
   * What little still waits is copied. Of frames as large as a buffer much does: then two buffers take turns.
   */
  #endLoan(loan: ByteChunk): void {
    const queue = this.#queue!;
    const left = borrowedLeft(queue, loan);
    this.#loan = undefined;
    // Nobody knows when the next frame comes: one buffer is enough to wait for it.
    if (queue.length === 0) this.#other = undefined;
    if (left < LARGE || left <= this.#bytes!.length / FEW) return copyBorrowed(queue, loan);
    const free = this.#freeOther();
    this.#other = { bytes: this.#bytes!, loan };
    this.#forget();
    if (free?.length === this.#size) this.#bytes = free;
  }

  /**
   * Takes the other buffer back from the queue. What fills it by half stays there for good, which is a part of
   * a still larger frame; a peer that sends 4 KiB at a time must not hold 124 KiB with each of them.
   */
  #freeOther(): Uint8Array<ArrayBuffer> | undefined {
    const other = this.#other;
    if (other === undefined) return undefined;
    this.#other = undefined;
    if (2 * borrowedLeft(this.#queue!, other.loan) < other.bytes.length) {
      copyBorrowed(this.#queue!, other.loan);
      return other.bytes;
    }
    other.loan.given = true;
    return undefined;
  }

  /** Copies what fits into a caller's buffer: how many bytes. */
  copyInto(target: Uint8Array): number {
    if (this.#queue !== undefined && this.#queue.length > 0) {
      const count = Math.min(target.length, this.#queue.length);
      setBytes.call(target, this.#queue.peek(count));
      this.#queue.skip(count);
      return count;
    }
    const count = Math.min(target.length, this.#end - this.#start);
    setBytes.call(target, this.#bytes!.subarray(this.#start, this.#start + count));
    this.#consume(count);
    return count;
  }

  /** Drops what is left. */
  clear(): void {
    this.#start = this.#end = 0;
    // A codec may have kept the queue, which must not see what is read from now on.
    if (this.#loan !== undefined) this.#forget();
    this.#dropQueue();
  }

  /** Hands the memory on; only once nobody can write to it any more, and nothing is taken after. */
  recycle(): void {
    const bytes = this.#bytes;
    this.#forget();
    // A codec may have kept the queue, which must not see what others read.
    const free = this.#loan === undefined && bytes?.length === SMALLEST;
    if (free && spares.length < MOST_SPARES) {
      // Where the next connection hands it over, the caller gets the whole buffer: nothing of this one's.
      spares.push(bytes.fill(0));
    }
    this.#dropQueue();
  }

  #dropQueue(): void {
    this.#queue = undefined;
    this.#loan = undefined;
    this.#other = undefined;
  }

  #consume(count: number): void {
    this.#start += count;
    if (this.#start < this.#end) return;
    this.#start = this.#end = 0;
    if (this.#smallReads >= PATIENCE) {
      this.#size = SMALLEST;
      this.#smallReads = 0;
    }
    if (this.#bytes!.length !== this.#size) this.#forget();
  }

  #forget(): void {
    this.#bytes = undefined;
    this.#start = this.#end = 0;
  }
}
