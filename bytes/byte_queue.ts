import { checkBytes, checkSomeBytes } from "./byte_arguments.ts";
import { checkWhole, describe, invalidInput } from "../core/arguments.ts";
import {
  type ByteChunk,
  ChunkList,
  chunkToFill,
  fillsItsBuffer,
  LARGE_BYTES,
  spareRoom,
} from "./chunk_list.ts";
import { ByteSearch, indexOfByte } from "./byte_search.ts";

const EMPTY = new Uint8Array();

/** Returns true if a value is a {@linkcode ByteQueue}. */
export let isByteQueue: (value: unknown) => value is ByteQueue;
/** Goes on with a search at `start` of a queue. Returns the index of the needle, or -1. */
export let searchQueue: (queue: ByteQueue, search: ByteSearch, start: number) => number;
/** Moves an empty queue on to a position in its stream, after bytes that did not go through the queue. */
export let moveQueue: (queue: ByteQueue, position: number) => void;
/** Appends bytes without a copy. Their memory is borrowed: {@linkcode copyBorrowed} must free it before it changes. */
export let pushBorrowed: (queue: ByteQueue, bytes: Uint8Array) => ByteChunk;
/** Returns the number of borrowed bytes that still wait; if there are none, their memory is free again. */
export let borrowedLeft: (queue: ByteQueue, borrowed: ByteChunk) => number;
/** Copies the borrowed bytes that still wait, which frees their memory. */
export let copyBorrowed: (queue: ByteQueue, borrowed: ByteChunk) => void;
/**
 * Sets if small takes may share memory, until the next call of this. A buffer of its own is most of what a small frame
 * costs: 330 ns of 64 bytes, and 30 ns as a view of a slab, which is copied out of the queue once for many of them.
 */
export let setSharedTakes: (queue: ByteQueue, on: boolean) => void;

/**
 * Holds bytes that wait to be decoded: a {@linkcode Decoder} reads from it.
 *
 * Chunks go in at the back as they come, and frames come out at the front. Nothing is joined or scanned twice, so the
 * cost is linear even if a large frame comes a byte at a time. Indices and offsets count from the first byte that waits.
 *
 * @example
 * ```ts
 * import { ByteQueue } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * const queue = new ByteQueue();
 * queue.push(new TextEncoder().encode("GET key\r"));
 * queue.push(new TextEncoder().encode("\nQUIT"));
 * const end = queue.indexOf(new Uint8Array([13, 10]));
 * assertEquals(new TextDecoder().decode(queue.take(end)), "GET key");
 * queue.skip(2);
 * assertEquals(queue.length, 4);
 * ```
 */
export class ByteQueue {
  // The first chunk's fields are held here as well: the common case reads nothing else.
  #bytes: Uint8Array = EMPTY;
  #start = 0;
  #end = 0;
  #base = 0;
  /** Position in the whole stream of the end of the bytes that came so far. */
  #total = 0;
  readonly #chunks = new ChunkList();
  #sharesTakes = false;
  /** A copy of bytes of the first chunk, of which small takes are views while they may share memory. */
  #slab: ArrayBuffer | undefined;
  /** Index in the first chunk of the slab's first byte. */
  #slabStart = 0;
  /** Bytes taken out of slabs since takes may share memory. */
  #slabTaken = 0;

  static {
    isByteQueue = (value): value is ByteQueue =>
      typeof value === "object" && value !== null && #chunks in value;
    searchQueue = (queue, search, start) => queue.#search(search, start);
    moveQueue = (queue, position) => queue.#moveTo(position);
    pushBorrowed = (queue, bytes) => queue.#pushBorrowed(bytes);
    borrowedLeft = (queue, chunk) => Math.max(0, chunk.end - queue.#startOf(chunk));
    copyBorrowed = (queue, chunk) => queue.#copyBorrowed(chunk);
    setSharedTakes = (queue, on) => {
      queue.#sharesTakes = on;
      queue.#slab = undefined;
      queue.#slabTaken = 0;
    };
  }

  /** Number of bytes that wait. */
  get length(): number {
    return this.#total - this.#base - this.#start;
  }

  /**
   * Number of bytes taken or skipped since the queue was made; in a connection's queue, since the connection was made.
   * A decoder that notes the end of its scan as `consumed + index` stays right after others took bytes.
   */
  get consumed(): number {
    return this.#base + this.#start;
  }

  /**
   * Appends bytes. Less than 4 KiB is copied, and so is a small part of a large buffer; more is kept as it is.
   *
   * @param bytes The bytes. They must not change afterwards; {@linkcode ByteQueue.take} never gives the same memory
   * out.
   * @throws {SocketError} `InvalidInput` if it is no `Uint8Array`, or if its buffer has been transferred.
   */
  push(bytes: Uint8Array): void {
    this.#push("ByteQueue.push", bytes, false);
  }

  /**
   * Appends bytes whose `ArrayBuffer` the caller gives away: {@linkcode ByteQueue.take} may hand it out instead of a
   * copy.
   *
   * @param bytes The bytes. Neither they nor another view of their buffer may be used afterwards.
   * @throws {SocketError} `InvalidInput` if it is no `Uint8Array`, or if its buffer has been transferred.
   */
  pushOwned(bytes: Uint8Array<ArrayBuffer>): void {
    this.#push("ByteQueue.pushOwned", bytes, true);
  }

  /**
   * Looks at a byte.
   *
   * @param index The byte's index: 0 is the next one.
   * @returns The byte.
   * @throws {SocketError} `InvalidInput` if there is no such byte.
   */
  at(index: number): number {
    if (isIndex(index) && index < this.#end - this.#start) return this.#bytes[this.#start + index];
    if (this.length === 0) throw invalidInput("ByteQueue.at", "the queue is empty");
    checkWhole("ByteQueue.at", "index", index, 0, this.length - 1);
    const position = this.consumed + index;
    const { bytes, base } = this.#chunks.inSlot(this.#chunks.slotOf(position));
    return bytes[position - base];
  }

  /**
   * Reads a byte as a whole number. It stays in the queue.
   *
   * @param offset The byte's index; 0, the next byte, if it is left out.
   * @returns The number, from 0 to 255.
   * @throws {SocketError} `InvalidInput` if there is no such byte.
   */
  uint8(offset?: number): number;
  uint8(offset: number = 0): number {
    return this.#uint("ByteQueue.uint8", offset, 1, "big");
  }

  /**
   * Reads two bytes as a whole number, even if they lie in several chunks. They stay in the queue.
   *
   * @param offset Index of the first of them; 0, the next byte, if it is left out.
   * @param endian Byte order: `big`, which is network order, if it is left out.
   * @returns The number, from 0 to 2¹⁶ − 1.
   * @throws {SocketError} `InvalidInput` if fewer bytes wait, or for another byte order.
   */
  uint16(offset?: number, endian?: "big" | "little"): number;
  uint16(offset: number = 0, endian: "big" | "little" = "big"): number {
    return this.#uint("ByteQueue.uint16", offset, 2, endian);
  }

  /**
   * Reads four bytes as a whole number, even if they lie in several chunks. They stay in the queue.
   *
   * @param offset Index of the first of them; 0, the next byte, if it is left out.
   * @param endian Byte order: `big`, which is network order, if it is left out.
   * @returns The number, from 0 to 2³² − 1.
   * @throws {SocketError} `InvalidInput` if fewer bytes wait, or for another byte order.
   */
  uint32(offset?: number, endian?: "big" | "little"): number;
  uint32(offset: number = 0, endian: "big" | "little" = "big"): number {
    return this.#uint("ByteQueue.uint32", offset, 4, endian);
  }

  /**
   * Reads eight bytes as a whole number, even if they lie in several chunks. They stay in the queue.
   *
   * @param offset Index of the first of them; 0, the next byte, if it is left out.
   * @param endian Byte order: `big`, which is network order, if it is left out.
   * @returns The number, a `bigint`, since a `number` is exact only up to 2⁵³.
   * @throws {SocketError} `InvalidInput` if fewer bytes wait, or for another byte order.
   */
  uint64(offset?: number, endian?: "big" | "little"): bigint;
  uint64(offset: number = 0, endian: "big" | "little" = "big"): bigint {
    const operation = "ByteQueue.uint64";
    this.#checkAreThere(operation, offset, 8);
    const first = BigInt(this.#uint(operation, offset, 4, endian));
    const second = BigInt(this.#uint(operation, offset + 4, 4, endian));
    return endian === "little" ? second << 32n | first : first << 32n | second;
  }

  /**
   * Looks at bytes without consuming them. If they lie in several chunks they are joined, and the joined copy stays in
   * the queue.
   *
   * @param length Number of bytes.
   * @param offset Index of the first of them; 0, the next byte, if it is left out.
   * @returns A view, which must not be changed, and is good only until the queue is used again.
   * @throws {SocketError} `InvalidInput` if fewer bytes wait.
   */
  peek(length: number, offset?: number): Uint8Array;
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
    let chunk = this.#chunks.inSlot(this.#chunks.slotOf(position));
    if (position + length > chunk.base + chunk.end) chunk = this.#join(position, length);
    return chunk.bytes.subarray(position - chunk.base, position - chunk.base + length);
  }

  /**
   * Looks at all bytes that lie in one piece at the front, without a copy. These are often all that wait.
   * {@linkcode Decoder.decodeAll} finds many frames in them at once.
   *
   * @returns A view, which must not be changed, and is good only until the queue is used again. It is empty only if no
   * byte waits.
   */
  peekRun(): Uint8Array {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  /**
   * Removes bytes from the front.
   *
   * @param length Number of bytes.
   * @returns The bytes, which are the caller's own, in an `ArrayBuffer` of their own that is at most twice their size or
   * 4 KiB. Only in a decoder that {@linkcode recvFrames} calls, takes of less than 4 KiB may share one `ArrayBuffer`.
   * @throws {SocketError} `InvalidInput` if fewer bytes wait; then none is removed.
   */
  take(length: number): Uint8Array<ArrayBuffer> {
    if (!isIndex(length) || length >= LARGE_BYTES || length > this.#end - this.#start) {
      return this.#gather(length);
    }
    const end = this.#start + length;
    // Of 185 ns for 64 bytes, 175 are the runtime's for any array of its own, however it is filled.
    const taken = this.#sharesTakes
      ? this.#cut(length)
      : this.#bytes.slice(this.#start, end) as Uint8Array<ArrayBuffer>;
    this.#start = end;
    if (end === this.#end) this.#advance();
    return taken;
  }

  /**
   * Drops bytes from the front.
   *
   * @param length Number of bytes.
   * @throws {SocketError} `InvalidInput` if fewer bytes wait; then none is dropped.
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
   * Finds a byte or a sequence of bytes, even if it spans chunks. The time is linear in the bytes that are scanned, for any
   * needle.
   *
   * @param needle A byte from 0 to 255, or a sequence of at least one byte.
   * @param start Index to begin at; 0 if it is left out. To go on after -1 without scanning anything twice, start at
   * the `length` of that time, less all but one byte of the needle.
   * @returns The index of the needle's first byte, or -1.
   * @throws {SocketError} `InvalidInput` if the needle is something else or empty, or if `start` is beyond the end.
   */
  indexOf(needle: Uint8Array | number, start?: number): number;
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

  /** Reads at most six bytes as a whole number, which is exact. */
  #uint(operation: string, offset: number, size: number, endian: "big" | "little"): number {
    const little = endian === "little";
    if (!little && endian !== "big") {
      throw invalidInput(operation, `endian is ${describe(endian)}, not "big" or "little"`);
    }
    this.#checkAreThere(operation, offset, size);
    let number = 0;
    for (let index = 0; index < size; index++) {
      number = number * 256 + this.at(offset + (little ? size - 1 - index : index));
    }
    return number;
  }

  #checkAreThere(operation: string, offset: number, size: number): void {
    const { length } = this;
    if (isIndex(offset) && offset + size <= length) return;
    if (length < size) throw invalidInput(operation, `${length} bytes wait, not ${size}`);
    checkWhole(operation, "offset", offset, 0, length - size);
  }

  #search(search: ByteSearch, start: number): number {
    const end = this.#scan(start, (bytes, from, to) => search.scan(bytes, from, to));
    return end < 0 ? -1 : end - search.length;
  }

  /** Scans chunk after chunk. Returns the index that `scan` finds, counted from the first byte that waits. */
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
      const { bytes, base, end } = this.#chunks.inSlot(slot++);
      const found = scan(bytes, position - base, end);
      if (found >= 0) return found + base - this.consumed;
      position = base + end;
    }
    return -1;
  }

  #push(operation: string, value: Uint8Array, owned: boolean): void {
    const bytes = checkBytes(operation, "bytes", value);
    const end = bytes.length;
    if (end === 0) return;
    if (!fillsItsBuffer(bytes, end)) return this.#append(bytes);
    const given = owned && isPlainBuffer(bytes.buffer);
    this.#add({ bytes, start: 0, end, base: this.#total, fillable: false, given });
    this.#total += end;
  }

  /** Copies bytes into the spare room of the last chunk, or into a new chunk. */
  #append(bytes: Uint8Array): void {
    let chunk = this.#chunks.last;
    if (chunk === undefined || spareRoom(chunk) < bytes.length) {
      chunk = this.#add(chunkToFill(chunk, this.length, bytes.length, this.#total));
    }
    chunk.bytes.set(bytes, chunk.end);
    chunk.end += bytes.length;
    this.#total += bytes.length;
    if (chunk === this.#chunks.head) this.#end = chunk.end;
  }

  #add(chunk: ByteChunk): ByteChunk {
    const first = this.length === 0;
    // A chunk that was kept for its room has no bytes that wait.
    if (first) this.#chunks.clear();
    this.#chunks.add(chunk);
    if (first) this.#enter(chunk);
    return chunk;
  }

  /** Returns the next bytes as a view of the slab. */
  #cut(length: number): Uint8Array<ArrayBuffer> {
    let slab = this.#slab;
    if (slab === undefined || this.#start + length > this.#slabStart + slab.byteLength) {
      // Twice what was taken so far: a call that takes little, or large frames between, copies little in vain.
      const size = Math.max(LARGE_BYTES, 2 * this.#slabTaken);
      this.#slabStart = this.#start;
      const end = Math.min(this.#start + size, this.#end);
      slab = this.#slab = this.#bytes.slice(this.#start, end).buffer as ArrayBuffer;
    }
    this.#slabTaken += length;
    return new Uint8Array(slab, this.#start - this.#slabStart, length);
  }

  #enter({ bytes, start, end, base }: ByteChunk): void {
    this.#slab = undefined;
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#base = base;
  }

  /** Goes on to the next chunk after the first one is used up. */
  #advance(): void {
    if (this.length > 0) this.#chunks.dropHead();
    else if (!this.#keepRoom()) return this.#clear();
    this.#enter(this.#chunks.head!);
  }

  /** Empties the last chunk for the bytes to come, if it is small enough to wait for them. */
  #keepRoom(): boolean {
    const chunk = this.#chunks.head;
    if (chunk === undefined || !chunk.fillable || chunk.bytes.length > LARGE_BYTES) return false;
    chunk.start = chunk.end = 0;
    chunk.base = this.#total;
    return true;
  }

  #clear(): void {
    this.#slab = undefined;
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
    const chunk = { bytes, start: 0, end, base: this.#total, fillable: false, given: false };
    this.#add(chunk);
    this.#total += end;
    return chunk;
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

  /** Returns the index of a chunk's first byte that waits. The first chunk does not note it itself. */
  #startOf({ base, start }: ByteChunk): number {
    return Math.max(start, this.consumed - base);
  }

  #join(position: number, length: number): ByteChunk {
    this.#chunks.head!.start = this.#start;
    const joined = this.#chunks.join(position, length);
    this.#enter(this.#chunks.head!);
    return joined;
  }

  /** Takes bytes that are many or do not lie in the first chunk: hands a chunk over, or copies. */
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

/** Returns true for a whole number from 0 to 2^32 - 1, and asks values of other types nothing that can throw. */
function isIndex(value: unknown): value is number {
  return typeof value === "number" && value >>> 0 === value;
}

/** Returns true if a buffer can be given away as a caller's own: of a fixed size, and not shared between threads. */
function isPlainBuffer(buffer: ArrayBufferLike): buffer is ArrayBuffer {
  return buffer instanceof ArrayBuffer && !buffer.resizable;
}
