import type { SocketError } from "../errors.ts";
import type { ByteQueue } from "../bytes/byte_queue.ts";

/** What a receiving call resolves to: bytes, a count, a frame, or `null` at the end. */
export type Received = unknown;

/** How a call that wants more than any bytes finds it in what has come. */
export interface StreamReader<T> {
  /** Takes it out of the queue; `undefined` where more has to come. */
  decode(input: ByteQueue): T | undefined;
  /** What it is at the end of stream, when `decode` gave nothing. */
  end(input: ByteQueue): T | null;
}

/** A call that takes the bytes in the very moment they come, and may be given up without a word. */
export interface DirectCall {
  /** How many bytes it takes at the most. */
  readonly most: number;
  /** What it looks for; nothing where any bytes will do. */
  readonly decoding: StreamReader<unknown> | undefined;
  /** Returns true if nobody waits for it any more. */
  abandoned(): boolean;
  resolve(value: Received): void;
  reject(error: unknown): void;
}

/** No limit to what a call takes. A small integer, where Infinity would be an object in every slot. */
export const ANY = 2 ** 31 - 1;

let resolveMade: (value: Received) => void;
let rejectMade: (error: unknown) => void;
// One executor for all of them, as in the send queue.
const capture = (resolve: (value: Received) => void, reject: (error: unknown) => void) => {
  resolveMade = resolve;
  rejectMade = reject;
};

const nobody: (settled: unknown) => void = () => {};

/**
 * The one call that waits for bytes. There is one slot a connection, its fields used again by each
 * call: a call without options makes one promise and nothing else.
 */
export class PendingReceive {
  /** Which function waits, or nothing. */
  operation: string | undefined;
  /** How many bytes it takes at the most. */
  most = 0;
  /** Where the bytes should go; nothing for a buffer of their own. */
  target: Uint8Array | undefined;
  /** What it looks for; nothing where any bytes will do. */
  decoding: StreamReader<unknown> | undefined;
  promise: Promise<Received> | undefined;
  /** Ends the watch on the call's signal and timeout. */
  stop: (() => void) | undefined;
  /** Called when a call begins to wait, and when it no longer does. */
  onChange: (() => void) | undefined;
  /** The call, if it was opened directly. */
  direct: DirectCall | undefined;
  #resolve: (value: Received) => void = nobody;
  #reject: (error: unknown) => void = nobody;

  open(
    operation: string,
    most: number,
    target: Uint8Array | undefined,
    decoding: StreamReader<unknown> | undefined,
  ): Promise<Received> {
    this.operation = operation;
    this.most = most;
    this.target = target;
    this.decoding = decoding;
    this.promise = new Promise<Received>(capture);
    this.#resolve = resolveMade;
    this.#reject = rejectMade;
    this.onChange?.();
    return this.promise;
  }

  /**
   * Opens it for a caller that takes the bytes in the very moment they come. Through a promise they
   * would belong to nobody until its continuation runs, and be lost where that caller is gone by then.
   */
  openDirectly(call: DirectCall): void {
    this.operation = "recv";
    this.most = call.most;
    this.decoding = call.decoding;
    this.direct = call;
    this.#resolve = (value) => call.resolve(value);
    this.#reject = (error) => call.reject(error);
    this.onChange?.();
  }

  succeed(value: Received): void {
    const resolve = this.#resolve;
    this.release();
    resolve(value);
  }

  fail(error: SocketError): void {
    const reject = this.#reject;
    this.release();
    reject(error);
  }

  /** Frees the slot without a word to its caller, and lets go of what the call was given. */
  release(): void {
    this.operation = undefined;
    this.target = undefined;
    this.decoding = undefined;
    this.promise = undefined;
    this.direct = undefined;
    this.#resolve = this.#reject = nobody;
    this.stop?.();
    this.stop = undefined;
    this.onChange?.();
  }
}
