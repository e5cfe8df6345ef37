import { invalidInput } from "./arguments.ts";

/** A send that waits or is being written. Plain records: a queue of closures costs twice as much. */
export interface PendingSend {
  readonly bytes: Uint8Array;
  /** As it was when the send was called: a buffer that is transferred meanwhile reads 0. */
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
  previous: PendingSend | undefined;
  next: PendingSend | undefined;
}

let resolveMade: () => void;
let rejectMade: (error: Error) => void;
// One executor for all of them: a closure for each send is measurable.
const capture = (resolve: () => void, reject: (error: Error) => void) => {
  resolveMade = resolve;
  rejectMade = reject;
};

export function pendingSend(bytes: Uint8Array): PendingSend {
  const promise = new Promise<void>(capture);
  return {
    bytes,
    length: bytes.length,
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

/**
 * The sends that wait, in call order. A linked list: cancelling takes one out of the middle, and a
 * peer that never reads must not let cancelled ones pile up.
 */
export class SendQueue {
  #head: PendingSend | undefined;
  #tail: PendingSend | undefined;
  /** Bytes that wait, for the limit. */
  bytes = 0;

  get empty(): boolean {
    return this.#head === undefined;
  }

  /**
   * The next to be written. One whose buffer was transferred while it waited has no bytes any more:
   * it fails, with nothing of it sent, and the stream stays whole.
   */
  front(): PendingSend | undefined {
    for (let send = this.#head; send !== undefined; send = this.#head) {
      if (send.bytes.length === send.length) return send;
      this.remove(send);
      send.stop?.();
      send.reject(invalidInput("send", "the buffer was transferred while its send waited"));
    }
    return undefined;
  }

  /** Every one that waits, in order. */
  all(): PendingSend[] {
    const sends: PendingSend[] = [];
    for (let send = this.#head; send !== undefined; send = send.next) sends.push(send);
    return sends;
  }

  /** Takes everything out. */
  drain(): PendingSend[] {
    const sends = this.all();
    this.#head = this.#tail = undefined;
    this.bytes = 0;
    return sends;
  }

  push(send: PendingSend): void {
    this.bytes += send.length;
    send.previous = this.#tail;
    if (this.#tail === undefined) this.#head = send;
    else this.#tail.next = send;
    this.#tail = send;
  }

  remove(send: PendingSend): void {
    this.bytes -= send.length;
    if (send.previous === undefined) this.#head = send.next;
    else send.previous.next = send.next;
    if (send.next === undefined) this.#tail = send.previous;
    else send.next.previous = send.previous;
    send.previous = send.next = undefined;
  }
}
