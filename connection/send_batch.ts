import {
  isFlush,
  isWhole,
  type PendingSend,
  pendingSend,
  type SendOperation,
  type SendQueue,
} from "./send_queue.ts";

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
