import type { PendingSend, SendQueue } from "./send_queue.ts";

/** The most bytes that go out together: what one system call moves with little overhead. */
const GATHER_LIMIT = 256 * 1024;
/** Larger sends go out as they are: from about here a copy costs more than a system call. */
const LARGE_SEND = 64 * 1024;

// One buffer to gather in serves a program whose connections rarely gather at the same moment.
let spareBuffer: Uint8Array | undefined;

function takeBuffer(): Uint8Array {
  const buffer = spareBuffer ?? new Uint8Array(GATHER_LIMIT);
  spareBuffer = undefined;
  return buffer;
}

/** What one write carries: the sends in it, and their bytes as one piece. */
export class Batch {
  readonly sends: PendingSend[] = [];
  /** What of it is still to be written. */
  bytes: Uint8Array | undefined;
  #settled = 0;
  #buffer: Uint8Array | undefined;

  /** Moves the next sends out of the queue: a large one alone, small ones together. */
  fill(queue: SendQueue): void {
    const first = queue.front();
    if (first === undefined) return;
    this.#take(queue, first);
    const second = queue.front();
    if (second === undefined || first.length + second.length > GATHER_LIMIT || isLarge(first)) {
      this.bytes = first.bytes;
      return;
    }
    const buffer = this.#buffer = takeBuffer();
    buffer.set(first.bytes, 0);
    let length = first.length;
    for (let send = queue.front(); send !== undefined; send = queue.front()) {
      if (length + send.length > GATHER_LIMIT || isLarge(send)) break;
      this.#take(queue, send);
      buffer.set(send.bytes, length);
      length += send.length;
    }
    this.bytes = buffer.subarray(0, length);
  }

  #take(queue: SendQueue, send: PendingSend): void {
    queue.remove(send);
    send.handed = true;
    this.sends.push(send);
  }

  /** A batch of one that the runtime has already got, outside the queue. */
  adopt(send: PendingSend): void {
    send.handed = true;
    this.sends.push(send);
    this.bytes = send.bytes;
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
    this.bytes = this.bytes!.subarray(count);
  }

  /** Ends the batch. Its buffer serves the next one only if the runtime is done with it. */
  clear(writeEnded: boolean): void {
    this.sends.length = this.#settled = 0;
    this.bytes = undefined;
    if (writeEnded && this.#buffer !== undefined) spareBuffer = this.#buffer;
    this.#buffer = undefined;
  }
}

function isLarge(send: PendingSend): boolean {
  return send.length >= LARGE_SEND;
}
