import { invalidInput } from "../core/arguments.ts";
import { type Linked, LinkedList } from "../core/linked_list.ts";
import { SocketError } from "../errors.ts";
import type { Address } from "../types.ts";

/** The function that was called, for errors. */
export type SendOperation = "send" | "sendFrame" | "flush";

const GONE_WAITING = "the buffer was transferred or resized while its send waited";
const NO_MORE: readonly Uint8Array[] = [];

/**
 * A send that waits or is being written. Plain records: a queue of closures costs twice as much. One of no
 * bytes is a flush, which waits in the queue for all before it and is never handed to the runtime.
 */
export interface PendingSend extends Linked<PendingSend> {
  readonly operation: SendOperation;
  readonly bytes: Uint8Array;
  /** Further pieces, which follow the bytes and belong to them: all of them leave, or none. */
  readonly more: readonly Uint8Array[];
  /** Of all pieces when the send was called: a buffer that is transferred meanwhile reads 0. */
  readonly length: number;
  /** How many of its bytes are known to have left. */
  sent: number;
  /** Whether the runtime has it: then it cannot be taken back. */
  handed: boolean;
  /** Ends the watch on its signal and timeout. */
  stop: (() => void) | undefined;
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

let resolveMade: () => void;
let rejectMade: (error: Error) => void;
// One executor for all of them: `Promise.withResolvers` makes an object more, 5 ns of some 50.
const capture = (resolve: () => void, reject: (error: Error) => void) => {
  resolveMade = resolve;
  rejectMade = reject;
};

export function pendingSend(
  operation: SendOperation,
  bytes: Uint8Array,
  length: number,
  more: readonly Uint8Array[] = NO_MORE,
): PendingSend {
  const promise = new Promise<void>(capture);
  return {
    operation,
    bytes,
    more,
    length,
    sent: 0,
    handed: false,
    stop: undefined,
    promise,
    resolve: resolveMade,
    reject: rejectMade,
    previous: undefined,
    next: undefined,
  };
}

/** Whether it is a flush: a send of no bytes does not wait. */
export function isFlush({ length }: PendingSend): boolean {
  return length === 0;
}

/** The error of a send for which there is no room. */
export function queueFullError(
  operation: SendOperation,
  address: Address | undefined,
  { waiting, length, limit }: Record<"waiting" | "length" | "limit", number>,
): SocketError {
  const reason = `${waiting} bytes wait already, ${length} more would pass the limit of ${limit}`;
  return new SocketError("QueueFull", operation, reason, { address });
}

/** The error of a send whose buffer was taken from it while it was written. */
export function goneError(
  operation: SendOperation,
  address: Address | undefined,
  bytesSent: number,
): SocketError {
  const reason = "the buffer was transferred or resized while it was being sent";
  return new SocketError("InvalidInput", operation, reason, { address, bytesSent });
}

/** Whether it still has all its bytes. */
export function isWhole({ bytes, more, length }: PendingSend): boolean {
  return more.reduce((sum, piece) => sum + piece.length, bytes.length) === length;
}

/** The sends that wait and were not copied yet: those that can be cancelled, large ones, and all behind. */
export class SendQueue {
  readonly #sends = new LinkedList<PendingSend>();
  /** Bytes that wait, for the limit. */
  bytes = 0;

  get empty(): boolean {
    return this.#sends.first === undefined;
  }

  /**
   * The next to be written. One whose buffer was transferred while it waited has no bytes any more:
   * it fails, with nothing of it sent, and the stream stays whole.
   */
  front(): PendingSend | undefined {
    for (let send = this.#sends.first; send !== undefined; send = this.#sends.first) {
      if (isWhole(send)) return send;
      this.remove(send);
      send.stop?.();
      send.reject(invalidInput(send.operation, GONE_WAITING));
    }
    return undefined;
  }

  /** Every one that waits, in order. */
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

/** The most bytes that go out together: what one system call moves with little overhead. */
const GATHER_LIMIT = 256 * 1024;
/** Larger sends go out as they are: from about here a copy costs more than a system call. */
const LARGE_SEND = 64 * 1024;
/** The first room to gather in: a peer that takes nothing must not cost 256 KiB for a few bytes. */
const FIRST_ROOM = 4 * 1024;

// While one is written the next is filled: two serve a program whose connections rarely gather at once.
const spareBuffers: Uint8Array[] = [];
const MOST_SPARES = 2;

/** What one write carries: the sends in it, and their bytes as one piece. */
export class SendBatch {
  readonly sends: PendingSend[] = [];
  #buffer: Uint8Array | undefined;
  /** The one send whose own bytes are written, where nothing was gathered. */
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

  /** What is to be written now; nothing where the caller has transferred its buffer. */
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

  /** Copies a send that nothing can cancel, where it goes out with others: its promise. */
  gather(
    operation: SendOperation,
    bytes: Uint8Array,
    limit: number,
  ): Promise<void> | undefined {
    const { length } = bytes;
    const end = this.#length + length;
    if (length >= LARGE_SEND || end > GATHER_LIMIT || end > limit) return undefined;
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
      // Alone it goes out as it is.
      if (first.length >= LARGE_SEND || !goesWith(first.length, queue.front())) {
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

  /** Notes that the next `count` bytes have left, and settles the sends that are whole with them. */
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

  /** Ends the batch. Its buffer serves the next one only if the runtime is done with it. */
  clear(writeEnded: boolean): void {
    const buffer = this.#buffer;
    if (writeEnded && buffer !== undefined && spareBuffers.length < MOST_SPARES) {
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
    let room = before?.length ?? FIRST_ROOM;
    while (room < end) room *= 4;
    const after = before?.length === room ? before : new Uint8Array(room);
    if (this.#length > 0) after.set(before!.subarray(0, this.#length));
    this.#buffer = after;
  }
}

/** The next send that has bytes; a flush in front of it has nothing left to wait for. */
function firstToWrite(queue: SendQueue): PendingSend | undefined {
  for (let send = queue.front(); send !== undefined; send = queue.front()) {
    if (!isFlush(send)) return send;
    queue.remove(send);
    send.stop?.();
    send.resolve();
  }
  return undefined;
}

/** Whether there is a next send, and it goes out with those before it, which have so many bytes. */
function goesWith(length: number, next: PendingSend | undefined): next is PendingSend {
  return next !== undefined && !isFlush(next) && next.length < LARGE_SEND &&
    length + next.length <= GATHER_LIMIT;
}

/**
 * What the sending direction holds beside a direct write. Most connections never need it: it is made
 * where the first send has to wait.
 */
export class SendBacklog {
  #writing = new SendBatch();
  /** What goes out next; nothing joins it while others wait in the queue, which comes after it. */
  #next = new SendBatch();
  readonly #queue = new SendQueue();

  /** What the runtime is writing, but for a direct write. */
  get writing(): SendBatch {
    return this.#writing;
  }

  /** Nothing waits. */
  get empty(): boolean {
    return this.#next.empty && this.#queue.empty;
  }

  /** Bytes that wait, for the limit: the runtime's own do not count. */
  get bytes(): number {
    return this.#next.left + this.#queue.bytes;
  }

  /** Copies a small send that nothing can cancel, where none waits before it that was not: its promise. */
  gather(
    operation: SendOperation,
    bytes: Uint8Array,
    limit: number,
  ): Promise<void> | undefined {
    return this.#queue.empty ? this.#next.gather(operation, bytes, limit) : undefined;
  }

  push(send: PendingSend): void {
    this.#queue.push(send);
  }

  /** Takes out one that was pushed and is not handed to the runtime. */
  remove(send: PendingSend): void {
    this.#queue.remove(send);
  }

  /** Makes what goes out next the batch to write; whether there is anything in it. */
  advance(): boolean {
    [this.#writing, this.#next] = [this.#next, this.#writing];
    this.#writing.fill(this.#queue);
    return !this.#writing.empty;
  }

  /** Every send that is not settled, in order. */
  pending(): PendingSend[] {
    return [...this.#writing.sends, ...this.#next.sends, ...this.#queue.all()];
  }

  /** Takes everything out. The buffer that is written from serves again only if the runtime is done. */
  clear(writeEnded: boolean): void {
    this.#writing.clear(writeEnded);
    this.#next.clear(true);
    this.#queue.clear();
  }
}
