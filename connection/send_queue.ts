import { SocketError } from "../errors.ts";
import type { Address } from "../types.ts";
import { invalidInput } from "../core/arguments.ts";
import { type Linked, LinkedList } from "../core/linked_list.ts";

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
