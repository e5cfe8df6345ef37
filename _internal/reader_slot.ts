import type { SocketError } from "../errors.ts";

/** What a receiving call resolves to: bytes, a count, or `null` at the end. */
export type Received = Uint8Array<ArrayBuffer> | number | null;

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
export class ReaderSlot {
  /** Which function waits, or nothing. */
  operation: "recv" | "recvInto" | undefined;
  /** How many bytes it takes at the most. */
  most = 0;
  /** Where the bytes should go; nothing for a buffer of their own. */
  target: Uint8Array | undefined;
  promise: Promise<Received> | undefined;
  /** Ends the watch on the call's signal and timeout. */
  stop: (() => void) | undefined;
  #resolve: (value: Received) => void = nobody;
  #reject: (error: unknown) => void = nobody;

  open(
    operation: "recv" | "recvInto",
    most: number,
    target: Uint8Array | undefined,
  ): Promise<Received> {
    this.operation = operation;
    this.most = most;
    this.target = target;
    this.promise = new Promise<Received>(capture);
    this.#resolve = resolveMade;
    this.#reject = rejectMade;
    return this.promise;
  }

  /**
   * Opens it for a caller that takes the bytes in the very moment they come. Through a promise they
   * would belong to nobody until its continuation runs, and be lost where that caller is gone by then.
   */
  openDirectly(resolve: (value: Received) => void, reject: (error: unknown) => void): void {
    this.operation = "recv";
    this.most = ANY;
    this.#resolve = resolve;
    this.#reject = reject;
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
    this.promise = undefined;
    this.#resolve = this.#reject = nobody;
    this.stop?.();
    this.stop = undefined;
  }
}
