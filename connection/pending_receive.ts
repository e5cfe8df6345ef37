import type { ByteQueue } from "../bytes/byte_queue.ts";
import { deferred } from "../core/waiting_calls.ts";
import type { SocketError } from "../errors.ts";

/** Bytes that a receiving call gives; they belong to its caller. */
export type ReceivedBytes = Uint8Array<ArrayBuffer>;

/** The result of a receiving call: bytes, a count, a frame, or `null` at the end. */
export type Received = unknown;

/** Finds what a call looks for in the bytes that have come. */
export interface StreamReader<T> {
  /** Takes it out of the queue; `undefined` if more has to come. */
  decode(input: ByteQueue): T | undefined;
  /** Takes what there is at the end of stream, after `decode` gave nothing. */
  end(input: ByteQueue): T | null;
  /** Gives the result of a call that waits while this side closes. Without this function, the call rejects `Closed`. */
  close?(): T;
}

/** A call of a stream view. It takes the bytes in the moment they come, and may be given up silently. */
export interface ViewCall {
  /** The most bytes that it takes. */
  readonly most: number;
  /** Finds what it looks for; undefined if any bytes will do. */
  readonly decoding: StreamReader<unknown> | undefined;
  /** Returns true if nobody waits for it any more. */
  isAbandoned(): boolean;
  resolve(value: Received): void;
  reject(error: unknown): void;
}

/** The reason for which a `recvInto` fails whose buffer is not whole any more. */
export const TARGET_GONE = "the buffer was transferred or shortened during the call";

/** The limit of a call without one. It is a small integer: Infinity would be an object in every slot. */
export const ANY = 2 ** 31 - 1;

const ignore: (settled: unknown) => void = () => {};

/**
 * The slot of the one call that waits for bytes. A connection has one, and each call uses its fields again: a call
 * without options makes one promise and nothing else.
 */
export class PendingReceive {
  /** The function that waits, if one does. */
  operation: string | undefined;
  /** The most bytes that it takes. */
  most = 0;
  /** The caller's buffer for the bytes; undefined if they get one of their own. */
  target: Uint8Array | undefined;
  /** Finds what the call looks for; undefined if any bytes will do. */
  decoding: StreamReader<unknown> | undefined;
  promise: Promise<Received> | undefined;
  /** True if the promise is that of the read itself, which settles when the runtime's read has ended. */
  settlesItself = false;
  /** Ends the watch on the call's signal and timeout. */
  stop: (() => void) | undefined;
  /** Called when a call begins to wait and when it no longer does. */
  onChange: (() => void) | undefined;
  /** The call, if a stream view made it. */
  viewCall: ViewCall | undefined;
  #resolve: (value: Received) => void = ignore;
  #reject: (error: unknown) => void = ignore;

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
    const { promise, resolve, reject } = deferred<Received>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.onChange?.();
    return promise;
  }

  /**
   * Opens the slot for a stream view. Bytes that went through a promise would belong to nobody until its continuation
   * runs, and would be lost if the view's reader is gone by then.
   */
  openForView(call: ViewCall): void {
    this.operation = "recv";
    this.most = call.most;
    this.decoding = call.decoding;
    this.viewCall = call;
    this.#resolve = (value) => call.resolve(value);
    this.#reject = (error) => call.reject(error);
    this.onChange?.();
  }

  /** Opens the slot for a call whose promise settles by itself, until it is released. */
  occupy(operation: string, promise: Promise<Received>): void {
    this.operation = operation;
    this.promise = promise;
    this.settlesItself = true;
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

  /** Frees the slot without settling its call, and lets go of what the call was given. */
  release(): void {
    this.operation = undefined;
    this.target = undefined;
    this.decoding = undefined;
    this.promise = undefined;
    this.settlesItself = false;
    this.viewCall = undefined;
    this.#resolve = this.#reject = ignore;
    this.stop?.();
    this.stop = undefined;
    this.onChange?.();
  }
}
