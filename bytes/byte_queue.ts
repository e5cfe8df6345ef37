import { checkBytes, checkSomeBytes } from "./byte_arguments.ts";
import { checkWhole, invalidInput } from "../core/arguments.ts";
import {
  type ByteChunk,
  ByteChunks,
  fillsItsBuffer,
  isPlainBuffer,
  LARGE,
  ownCapacity,
  ownChunk,
  spareRoom,
} from "./chunk_list.ts";
import { ByteSearch, indexOfByte } from "./byte_search.ts";

const EMPTY = new Uint8Array();

/** Whether a value is a {@linkcode ByteQueue}, whatever its prototype says. */
export let isByteQueue: (value: unknown) => value is ByteQueue;
/** Goes on with a search at `start` of a queue: where the needle begins, or -1. */
export let searchQueue: (queue: ByteQueue, search: ByteSearch, start: number) => number;
/** Moves an empty queue on to a position in its stream, since the bytes before that went past it. */
export let moveQueue: (queue: ByteQueue, position: number) => void;
/** Appends bytes without a copy, though they are the lender's again some day: the loan. */
export let pushBorrowed: (queue: ByteQueue, bytes: Uint8Array) => ByteChunk;
/** How many bytes of a loan still wait; where there are none, the memory is free again. */
export let borrowedLeft: (queue: ByteQueue, loan: ByteChunk) => number;
/** Copies what still waits of a loan, which frees its memory. */
export let copyBorrowed: (queue: ByteQueue, loan: ByteChunk) => void;

/**
 * Bytes that wait to be decoded: what a {@linkcode Decoder} reads from. Chunks go in at the back as
 * they come, frames come out at the front, and nothing is joined or scanned twice: the cost is
 * linear also where a large frame comes a byte at a time.
 *
 * Indices and offsets count from the first byte that waits.
 *
 * @example
 * ```ts
 * import { ByteQueue } from "jsr:@aivi/sockets";
 *
 * const queue = new ByteQueue();
 * queue.push(new TextEncoder().encode("GET key\r"));
 * queue.push(new TextEncoder().encode("\nQUIT"));
 * const end = queue.indexOf(new Uint8Array([13, 10]));
 * console.log(new TextDecoder().decode(queue.take(end))); // GET key
 * queue.skip(2);
 * console.log(queue.length); // 4
 * ```
 */
export class ByteQueue {
  // The first chunk's fields are held here as well: the common case reads nothing else.
  #bytes: Uint8Array = EMPTY;
  #start = 0;
  #end = 0;
  #base = 0;
  /** Where in the whole stream the bytes end that came so far. */
  #total = 0;
  readonly #chunks = new ByteChunks();

  static {
    isByteQueue = (value): value is ByteQueue =>
      typeof value === "object" && value !== null && #chunks in value;
    searchQueue = (queue, search, start) => queue.#search(search, start);
    moveQueue = (queue, position) => queue.#moveTo(position);
    pushBorrowed = (queue, bytes) => queue.#pushBorrowed(bytes);
    borrowedLeft = (queue, loan) => Math.max(0, loan.end - queue.#startOf(loan));
    copyBorrowed = (queue, loan) => queue.#copyBorrowed(loan);
  }

  /** How many bytes wait. */
  get length(): number {
    return this.#total - this.#base - this.#start;
  }

  /**
   * How many bytes have been taken or skipped since the queue was made; in a connection's, since the
   * connection was. A decoder that notes where it stopped scanning as `consumed + index` is right also
   * after others took bytes.
   */
  get consumed(): number {
    return this.#base + this.#start;
  }

  /**
   * Appends bytes. Less than 4 KiB is copied, and so is a small part of a large buffer; more is kept
   * as it is.
   *
   * @param bytes What came. It must not change afterwards; {@linkcode ByteQueue.take} never gives
   * the same memory out.
   * @throws {SocketError} `InvalidInput`, where it is no `Uint8Array`, or its buffer has been transferred.
   */
  push(bytes: Uint8Array): void {
    this.#push("ByteQueue.push", bytes, false);
  }

  /**
   * Appends bytes whose `ArrayBuffer` the caller gives away: {@linkcode ByteQueue.take} may hand it
   * out instead of a copy.
   *
   * @param bytes What came. Neither it nor another view of its buffer may be used afterwards.
   * @throws {SocketError} `InvalidInput`, where it is no `Uint8Array`, or its buffer has been transferred.
   */
  pushOwned(bytes: Uint8Array<ArrayBuffer>): void {
    this.#push("ByteQueue.pushOwned", bytes, true);
  }

  /**
   * Looks at a byte.
   *
   * @param index Which one: 0 is the next.
   * @returns The byte.
   * @throws {SocketError} `InvalidInput`, where there is no such byte.
   */
  at(index: number): number {
    if (isIndex(index) && index < this.#end - this.#start) return this.#bytes[this.#start + index];
    if (this.length === 0) throw invalidInput("ByteQueue.at", "the queue is empty");
    checkWhole("ByteQueue.at", "index", index, 0, this.length - 1);
    const position = this.consumed + index;
    const { bytes, base } = this.#chunks.inSlot(this.#chunks.slotOf(position))!;
    return bytes[position - base];
  }

  /**
   * Looks at bytes without consuming them. Where they lie in several chunks they are joined, and the
   * joined copy stays in the queue.
   *
   * @param length How many bytes.
   * @param offset From where on; 0, the next byte, where it is left out.
   * @returns A view, which must not be changed, and is good only until the queue is used again.
   * @throws {SocketError} `InvalidInput`, where so many do not wait.
   */
  peek(length: number, offset: number = 0): Uint8Array {
    if (isIndex(length) && isIndex(offset) && offset + length <= this.#end - this.#start) {
      const from = this.#start + offset;
      return this.#bytes.subarray(from, from + length);
    }
    const operation = "ByteQueue.peek";
    checkWhole(operation, "offset", offset, 0, this.length);
    checkWhole(operation, "length", length, 0, this.length - offset);
    if (length === 0) return EMPTY;
    const position = this.consumed + offset;
    let chunk = this.#chunks.inSlot(this.#chunks.slotOf(position))!;
    if (position + length > chunk.base + chunk.end) chunk = this.#join(position, length);
    return chunk.bytes.subarray(position - chunk.base, position - chunk.base + length);
  }

  /**
   * Removes bytes from the front.
   *
   * @param length How many bytes.
   * @returns The bytes, which are the caller's own, in an `ArrayBuffer` of their own that is at most
   * twice their size or 4 KiB.
   * @throws {SocketError} `InvalidInput`, where so many do not wait; then none is removed.
   */
  take(length: number): Uint8Array<ArrayBuffer> {
    if (!isIndex(length) || length >= LARGE || length > this.#end - this.#start) {
      return this.#gather(length);
    }
    const end = this.#start + length;
    // Of 185 ns for 64 bytes, 175 are the runtime's for any array of its own, however it is filled.
    const taken = this.#bytes.slice(this.#start, end) as Uint8Array<ArrayBuffer>;
    this.#start = end;
    if (end === this.#end) this.#advance();
    return taken;
  }

  /**
   * Drops bytes from the front.
   *
   * @param length How many bytes.
   * @throws {SocketError} `InvalidInput`, where so many do not wait; then none is dropped.
   */
  skip(length: number): void {
    if (isIndex(length) && length < this.#end - this.#start) {
      this.#start += length;
      return;
    }
    let left = checkWhole("ByteQueue.skip", "length", length, 0, this.length);
    while (left > 0) {
      const count = Math.min(left, this.#end - this.#start);
      left -= count;
      this.#start += count;
      if (this.#start === this.#end) this.#advance();
    }
  }

  /**
   * Finds a byte or a sequence of bytes, also where it spans chunks. The time is linear in what is
   * scanned, whatever the needle.
   *
   * @param needle A byte from 0 to 255, or at least one byte.
   * @param start From where on; 0 where it is left out. To go on after -1 without scanning
   * anything twice, start at the `length` of that time, less all but one byte of the needle.
   * @returns The index of its first byte, -1 where it is not there.
   * @throws {SocketError} `InvalidInput`, where the needle is something else or empty, or `start` is
   * beyond the end.
   */
  indexOf(needle: Uint8Array | number, start: number = 0): number {
    const operation = "ByteQueue.indexOf";
    checkWhole(operation, "start", start, 0, this.length);
    if (typeof needle !== "number") {
      const bytes = checkSomeBytes(operation, "the needle", needle);
      return this.#search(new ByteSearch(bytes), start);
    }
    checkWhole(operation, "the needle", needle, 0, 255);
    return this.#scan(start, (bytes, from, to) => indexOfByte(bytes, needle, from, to));
  }

  #search(search: ByteSearch, start: number): number {
    const end = this.#scan(start, (bytes, from, to) => search.scan(bytes, from, to));
    return end < 0 ? -1 : end - search.length;
  }

  /** Scans chunk after chunk: the index that `scan` finds, counted from the first byte that waits. */
  #scan(start: number, scan: (bytes: Uint8Array, from: number, to: number) => number): number {
    const head = this.#start + start;
    if (head < this.#end) {
      const found = scan(this.#bytes, head, this.#end);
      if (found >= 0) return found - this.#start;
    }
    let position = this.#base + Math.max(head, this.#end);
    if (position === this.#total) return -1;
    let slot = this.#chunks.slotOf(position);
    while (position < this.#total) {
      const { bytes, base, end } = this.#chunks.inSlot(slot++)!;
      const found = scan(bytes, position - base, end);
      if (found >= 0) return found + base - this.consumed;
      position = base + end;
    }
    return -1;
  }

  #push(operation: string, value: Uint8Array, given: boolean): void {
    const bytes = checkBytes(operation, "bytes", value);
    const end = bytes.length;
    if (end === 0) return;
    if (!fillsItsBuffer(bytes, end)) return this.#append(bytes);
    given &&= isPlainBuffer(bytes.buffer);
    this.#add({ bytes, start: 0, end, base: this.#total, own: false, given });
    this.#total += end;
  }

  /** Copies bytes into what is left of the last chunk, or into a new one. */
  #append(bytes: Uint8Array): void {
    let chunk = this.#chunks.last;
    if (chunk === undefined || spareRoom(chunk) < bytes.length) {
      const capacity = ownCapacity(chunk, this.length, bytes.length);
      chunk = this.#add(ownChunk(capacity, this.#total));
    }
    chunk.bytes.set(bytes, chunk.end);
    chunk.end += bytes.length;
    this.#total += bytes.length;
    if (chunk === this.#chunks.head) this.#end = chunk.end;
  }

  #add(chunk: ByteChunk): ByteChunk {
    const first = this.length === 0;
    // The chunk that was kept for its room has nothing that waits.
    if (first) this.#chunks.clear();
    this.#chunks.add(chunk);
    if (first) this.#enter(chunk);
    return chunk;
  }

  #enter({ bytes, start, end, base }: ByteChunk): void {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#base = base;
  }

  /** The first chunk is used up: goes on to the next one. */
  #advance(): void {
    if (this.length > 0) this.#chunks.dropHead();
    else if (!this.#keepRoom()) return this.#clear();
    this.#enter(this.#chunks.head!);
  }

  /** Empties the last chunk for the bytes to come, if it is small enough to wait for them. */
  #keepRoom(): boolean {
    const chunk = this.#chunks.head;
    if (chunk === undefined || !chunk.own || chunk.bytes.length > LARGE) return false;
    chunk.start = chunk.end = 0;
    chunk.base = this.#total;
    return true;
  }

  #clear(): void {
    this.#chunks.clear();
    this.#bytes = EMPTY;
    this.#start = this.#end = 0;
    this.#base = this.#total;
  }

  #moveTo(position: number): void {
    if (position <= this.#total) return;
    this.#total = position;
    this.#clear();
  }

  #pushBorrowed(bytes: Uint8Array): ByteChunk {
    const end = bytes.length;
    const loan = { bytes, start: 0, end, base: this.#total, own: false, given: false };
    this.#add(loan);
    this.#total += end;
    return loan;
  }

  #copyBorrowed(chunk: ByteChunk): void {
    const start = this.#startOf(chunk);
    if (start >= chunk.end) return;
    chunk.bytes = chunk.bytes.slice(start, chunk.end);
    chunk.base += start;
    chunk.end -= start;
    chunk.start = 0;
    if (chunk === this.#chunks.head) this.#enter(chunk);
  }

  /** Where what waits of a chunk begins; of the first one that is not noted in itself. */
  #startOf({ base, start }: ByteChunk): number {
    return Math.max(start, this.consumed - base);
  }

  #join(position: number, length: number): ByteChunk {
    this.#chunks.head!.start = this.#start;
    const joined = this.#chunks.join(position, length);
    this.#enter(this.#chunks.head!);
    return joined;
  }

  /** Takes what is large or does not lie in the first chunk: hands a chunk over, or copies. */
  #gather(length: number): Uint8Array<ArrayBuffer> {
    checkWhole("ByteQueue.take", "length", length, 0, this.length);
    const [bytes, start, end] = [this.#bytes, this.#start, this.#start + length];
    if (end === this.#end && fillsItsBuffer(bytes, length) && this.#chunks.head!.given) {
      this.#start = end;
      // Never back into the chunk, which is the caller's now.
      if (this.length === 0) this.#clear();
      else this.#advance();
      return bytes.subarray(start, end) as Uint8Array<ArrayBuffer>;
    }
    const taken = new Uint8Array(length);
    for (let filled = 0; filled < length;) {
      const count = Math.min(length - filled, this.#end - this.#start);
      taken.set(this.#bytes.subarray(this.#start, this.#start + count), filled);
      filled += count;
      this.skip(count);
    }
    return taken;
  }
}

/** Whether it is a whole number from 0 to 2^32 - 1; asked so that nothing of another type can throw. */
function isIndex(value: unknown): value is number {
  return typeof value === "number" && value >>> 0 === value;
}
