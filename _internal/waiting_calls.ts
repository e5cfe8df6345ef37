import type { SocketError } from "../errors.ts";
import { type Cancellation, type Cancelled, cancelledError } from "./cancellation.ts";
import type { Address } from "../types.ts";

interface Waiting<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: SocketError) => void;
  stop: (() => void) | undefined;
}

/**
 * The calls that wait for one thing after the other, first come first served: what accept and
 * recvFrom have in common. A cancelled call leaves; what comes goes to the next, or waits for it.
 */
export class WaitingCalls<T> {
  readonly #operation: string;
  readonly #address: Address;
  // A Set keeps the order of insertion and takes a cancelled call out of the middle at once.
  readonly #calls = new Set<Waiting<T>>();
  readonly #onDeserted: () => void;

  /** @param onDeserted Called when the last call that waited was cancelled. */
  constructor(operation: string, address: Address, onDeserted: () => void) {
    this.#operation = operation;
    this.#address = address;
    this.#onDeserted = onDeserted;
  }

  get empty(): boolean {
    return this.#calls.size === 0;
  }

  wait(cancellation: Cancellation | undefined): Promise<T> {
    const call: Waiting<T> = { ...Promise.withResolvers<T>(), stop: undefined };
    this.#calls.add(call);
    call.stop = cancellation?.watch((why: Cancelled) => {
      this.#calls.delete(call);
      call.reject(cancelledError(why, this.#operation, this.#address));
      if (this.empty) this.#onDeserted();
    });
    return call.promise;
  }

  /** Gives it to the first, if somebody waits. */
  succeed(value: T): boolean {
    const call = this.#first();
    call?.resolve(value);
    return call !== undefined;
  }

  /** Rejects the first. */
  fail(error: SocketError): void {
    this.#first()?.reject(error);
  }

  /** Rejects them all, since this side closes: nobody needs to be watching that. */
  close(error: () => SocketError): void {
    for (let call = this.#first(); call !== undefined; call = this.#first()) {
      call.promise.catch(() => {});
      call.reject(error());
    }
  }

  #first(): Waiting<T> | undefined {
    const call = this.#calls.values().next().value;
    if (call === undefined) return undefined;
    this.#calls.delete(call);
    call.stop?.();
    return call;
  }
}
