import type { SocketError } from "../errors.ts";
import type { Address } from "../types.ts";
import { type Cancellation, type Cancelled, cancelledError } from "./cancellation.ts";
import { type Linked, LinkedList } from "./linked_list.ts";

interface Waiting<T> extends PromiseWithResolvers<T>, Linked<Waiting<T>> {
  /** Ends the watch on its signal and timeout. */
  stop: (() => void) | undefined;
}

/**
 * The calls that wait for one thing after the other, first come first served: what accept and
 * recvFrom have in common. A cancelled call leaves; what comes goes to the next, or waits for it.
 */
export class WaitingCalls<T> {
  readonly #operation: string;
  readonly #address: Address;
  readonly #calls = new LinkedList<Waiting<T>>();
  readonly #onDeserted: () => void;

  /** @param onDeserted Called when the last call that waited was cancelled. */
  constructor(operation: string, address: Address, onDeserted: () => void) {
    this.#operation = operation;
    this.#address = address;
    this.#onDeserted = onDeserted;
  }

  get empty(): boolean {
    return this.#calls.first === undefined;
  }

  wait(cancellation: Cancellation | undefined): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const call: Waiting<T> = {
      promise,
      resolve,
      reject,
      stop: undefined,
      previous: undefined,
      next: undefined,
    };
    if (cancellation !== undefined) call.stop = this.#watch(call, cancellation);
    this.#calls.push(call);
    return promise;
  }

  #watch(call: Waiting<T>, cancellation: Cancellation): () => void {
    return cancellation.watch((why: Cancelled) => {
      this.#calls.remove(call);
      call.reject(cancelledError(why, this.#operation, this.#address));
      if (this.empty) this.#onDeserted();
    }, this.#address);
  }

  /** Gives it to the first, if somebody waits. */
  succeed(value: T): boolean {
    const call = this.#shift();
    call?.resolve(value);
    return call !== undefined;
  }

  /** Rejects the first. */
  fail(error: SocketError): void {
    this.#shift()?.reject(error);
  }

  /** Rejects them all, since this side closes: nobody needs to be watching that. */
  close(error: () => SocketError): void {
    for (let call = this.#shift(); call !== undefined; call = this.#shift()) {
      call.promise.catch(() => {});
      call.reject(error());
    }
  }

  #shift(): Waiting<T> | undefined {
    const call = this.#calls.shift();
    call?.stop?.();
    return call;
  }
}
