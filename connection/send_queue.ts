import { invalidInput } from "../core/arguments.ts";
import { deferred, type Linked, LinkedList } from "../core/waiting_calls.ts";
import { SocketError } from "../errors.ts";
import type { SocketAddress } from "../types.ts";

/** The function that was called, for errors. */
export type SendOperation = "send" | "sendFrame" | "sendFrames" | "flush" | "startTls";

const GONE_WAITING = "the buffer was transferred or resized while its send waited";
/** The further pieces of a send that has one. */
export const NO_MORE: readonly Uint8Array[] = [];

/**
 * A send that waits or is being written. It is a plain record: a queue of closures costs twice as much. A send of no
 * bytes is a flush, which waits in the queue for all before it and is never handed to the runtime.
 */
export interface PendingSend extends Linked<PendingSend> {
  readonly operation: SendOperation;
  readonly bytes: Uint8Array;
  /** Further pieces, which follow the bytes and belong to them: all of them leave, or none. */
  readonly more: readonly Uint8Array[];
  /** True if what is sent later depends on these bytes: they leave, or the connection is aborted. */
  readonly mustLeave: boolean;
  /** Length of all pieces at the call. The length of a buffer that is transferred meanwhile reads 0. */
  readonly length: number;
  /** Bytes that are known to have left. */
  sent: number;
  /** True if the runtime has it: then it cannot be taken back. */
  handed: boolean;
  /** Ends the watch on its signal and timeout. */
  stop: (() => void) | undefined;
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Makes the record of a send that waits. */
export function pendingSend(
  operation: SendOperation,
  bytes: Uint8Array,
  length: number,
  more: readonly Uint8Array[] = NO_MORE,
  mustLeave: boolean = false,
): PendingSend {
  const { promise, resolve, reject } = deferred<void>();
  return {
    operation,
    bytes,
    more,
    mustLeave,
    length,
    sent: 0,
    handed: false,
    stop: undefined,
    promise,
    resolve,
    reject,
    previous: undefined,
    next: undefined,
  };
}

/** Returns true for a flush: a send of no bytes does not wait. */
export function isFlush({ length }: PendingSend): boolean {
  return length === 0;
}

/** Makes the error of a send that the queue has no room for. */
export function queueFullError(
  operation: SendOperation,
  address: SocketAddress | undefined,
  { waiting, length, limit }: Record<"waiting" | "length" | "limit", number>,
): SocketError {
  const reason = `${waiting} bytes wait already, ${length} more would pass the limit of ${limit}`;
  return new SocketError("QueueFull", operation, reason, { address });
}

/** Makes the error of a send whose buffer was taken away while it was written. */
export function goneError(
  operation: SendOperation,
  address: SocketAddress | undefined,
  bytesSent: number,
): SocketError {
  const reason =
    "the buffer was transferred or resized while it was being sent, the connection is aborted";
  return new SocketError("InvalidInput", operation, reason, { address, bytesSent });
}

/** Returns true if a send still has all its bytes. */
export function isWhole({ bytes, more, length }: PendingSend): boolean {
  return more.reduce((sum, piece) => sum + piece.length, bytes.length) === length;
}

/** The sends that wait and are not copied yet: large ones, those that can be cancelled, and all behind them. */
export class SendQueue {
  readonly #sends = new LinkedList<PendingSend>();
  /** Bytes that wait, for the limit. */
  bytes = 0;

  get empty(): boolean {
    return this.#sends.first === undefined;
  }

  /**
   * Returns the next send to write. A send whose buffer was transferred while it waited has no bytes any more: it fails
   * with nothing of it sent, and the stream stays whole. One that must leave is returned all the same, to be torn.
   */
  front(): PendingSend | undefined {
    for (let send = this.#sends.first; send !== undefined; send = this.#sends.first) {
      if (send.mustLeave || isWhole(send)) return send;
      this.remove(send);
      send.stop?.();
      send.reject(invalidInput(send.operation, GONE_WAITING));
    }
    return undefined;
  }

  /** Returns the sends that wait, in order. */
  all(): PendingSend[] {
    return [...this.#sends];
  }

  /** Takes everything out. */
  clear(): void {
    this.#sends.clear();
    this.bytes = 0;
  }

  push(send: PendingSend): void {
    this.bytes += send.length;
    this.#sends.push(send);
  }

  remove(send: PendingSend): void {
    this.bytes -= send.length;
    this.#sends.remove(send);
  }
}

/** The most bytes that go out together: one system call moves them with little overhead. */
export const GATHER_LIMIT_BYTES = 256 * 1024;
/** Sends of this size and more go out as they are: from about here a copy costs more than a system call. */
export const LARGE_SEND_BYTES = 64 * 1024;
/** The first buffer to gather in. A few bytes for a peer that takes nothing must not cost 256 KiB. */
const FIRST_ROOM_BYTES = 4 * 1024;

// While one is written, the next is filled. Two serve a program whose connections rarely gather at once.
const spareBuffers: Uint8Array[] = [];
const MOST_SPARE_BUFFERS = 2;

/** The sends that one write carries, and their bytes as one piece. */
export class SendBatch {
  readonly sends: PendingSend[] = [];
  #buffer: Uint8Array | undefined;
  /** The one send whose own bytes are written, if nothing was gathered. */
  #single: PendingSend | undefined;
  #length = 0;
  #written = 0;
  #settled = 0;

  /** Bytes that are still to be written. */
  get left(): number {
    return this.#length - this.#written;
  }

  get empty(): boolean {
    return this.sends.length === 0;
  }

  /** The bytes to write now; undefined if the caller has transferred its buffer. */
  get bytes(): Uint8Array | undefined {
    if (this.#single === undefined) return this.#buffer!.subarray(this.#written, this.#length);
    if (!isWhole(this.#single)) return undefined;
    let piece = this.#single.bytes;
    let start = this.#written;
    for (let index = 0; start >= piece.length; index++) {
      start -= piece.length;
      piece = this.#single.more[index];
    }
    return start === 0 ? piece : piece.subarray(start);
  }

  /** Copies a send that nothing can cancel, and returns its promise; undefined if it is too large to be copied. */
  gather(
    operation: SendOperation,
    bytes: Uint8Array,
    limit: number,
  ): Promise<void> | undefined {
    const { length } = bytes;
    const end = this.#length + length;
    if (length >= LARGE_SEND_BYTES || end > GATHER_LIMIT_BYTES || end > limit) return undefined;
    const send = pendingSend(operation, bytes, length);
    this.#append(send, end);
    return send.promise;
  }

  /** Moves the next sends out of the queue: a large one alone, small ones together with those here. */
  fill(queue: SendQueue): void {
    if (this.empty) {
      const first = firstToWrite(queue);
      if (first === undefined) return;
      queue.remove(first);
      // A send that is alone goes out as it is. One that has lost its bytes is alone: it must not be copied.
      const alone = first.length >= LARGE_SEND_BYTES || !isWhole(first);
      if (alone || !goesWith(first.length, queue.front())) {
        return this.adopt(first);
      }
      this.#copy(first);
    }
    for (let send = queue.front(); goesWith(this.#length, send); send = queue.front()) {
      queue.remove(send);
      this.#copy(send);
    }
  }

  /** Makes it a batch of one, which goes out as it is. */
  adopt(send: PendingSend): void {
    send.handed = true;
    this.sends.push(send);
    this.#single = send;
    this.#length = send.length;
  }

  /** Notes that `count` more bytes have left, and settles the sends that are whole with them. */
  credit(count: number): void {
    let left = count;
    for (; this.#settled < this.sends.length; this.#settled++) {
      const send = this.sends[this.#settled];
      const missing = send.length - send.sent;
      if (left < missing) {
        send.sent += left;
        break;
      }
      left -= missing;
      send.sent = send.length;
      send.stop?.();
      send.resolve();
    }
    this.#written += count;
  }

  /** Ends the batch. Its buffer serves the next one only if the write has ended. */
  clear(writeEnded: boolean): void {
    const buffer = this.#buffer;
    if (writeEnded && buffer !== undefined && spareBuffers.length < MOST_SPARE_BUFFERS) {
      spareBuffers.push(buffer);
    }
    this.#buffer = this.#single = undefined;
    this.sends.length =
      this.#length =
      this.#written =
      this.#settled =
        0;
  }

  #copy(send: PendingSend): void {
    send.handed = true;
    this.#append(send, this.#length + send.length);
  }

  #append(send: PendingSend, end: number): void {
    if (this.#buffer === undefined || this.#buffer.length < end) this.#makeRoom(end);
    const buffer = this.#buffer!;
    buffer.set(send.bytes, this.#length);
    let start = this.#length + send.bytes.length;
    for (const piece of send.more) {
      buffer.set(piece, start);
      start += piece.length;
    }
    this.#length = end;
    this.sends.push(send);
  }

  #makeRoom(end: number): void {
    const before = this.#buffer ?? spareBuffers.pop();
    let room = before?.length ?? FIRST_ROOM_BYTES;
    while (room < end) room *= 4;
    const after = before?.length === room ? before : new Uint8Array(room);
    if (this.#length > 0) after.set(before!.subarray(0, this.#length));
    this.#buffer = after;
  }
}

/** Returns the next send that has bytes. A flush in front of it has nothing left to wait for. */
function firstToWrite(queue: SendQueue): PendingSend | undefined {
  for (let send = queue.front(); send !== undefined; send = queue.front()) {
    if (!isFlush(send)) return send;
    queue.remove(send);
    send.stop?.();
    send.resolve();
  }
  return undefined;
}

/** Returns true if there is a next send, and it goes out together with the `length` bytes before it. */
function goesWith(length: number, next: PendingSend | undefined): next is PendingSend {
  return next !== undefined && !isFlush(next) && next.length < LARGE_SEND_BYTES &&
    length + next.length <= GATHER_LIMIT_BYTES && (!next.mustLeave || isWhole(next));
}

/** The sends beside a direct write. It is made when the first send has to wait, which most connections never see. */
export class SendBacklog {
  #writing = new SendBatch();
  /** The batch that goes out next. Nothing joins it while others wait in the queue, which comes after it. */
  #next = new SendBatch();
  /** The sends that go out after the next batch. */
  readonly queue = new SendQueue();

  /** The batch that the runtime is writing; a direct write is not in it. */
  get writing(): SendBatch {
    return this.#writing;
  }

  /** True if nothing waits. */
  get empty(): boolean {
    return this.#next.empty && this.queue.empty;
  }

  /** Bytes that wait, for the limit. Those that the runtime has do not count. */
  get bytes(): number {
    return this.#next.left + this.queue.bytes;
  }

  /** Copies a small send that nothing can cancel, and returns its promise; undefined if it has to queue up. */
  gather(
    operation: SendOperation,
    bytes: Uint8Array,
    limit: number,
  ): Promise<void> | undefined {
    return this.queue.empty ? this.#next.gather(operation, bytes, limit) : undefined;
  }

  /** Makes the next batch the one to write. It returns false if nothing is in it. */
  advance(): boolean {
    [this.#writing, this.#next] = [this.#next, this.#writing];
    this.#writing.fill(this.queue);
    return !this.#writing.empty;
  }

  /** Returns the sends that have not settled, in order. */
  pending(): PendingSend[] {
    return [...this.#writing.sends, ...this.#next.sends, ...this.queue.all()];
  }

  /** Takes everything out. The buffer that is written from serves again only if the write has ended. */
  clear(writeEnded: boolean): void {
    this.#writing.clear(writeEnded);
    this.#next.clear(true);
    this.queue.clear();
  }
}
