import { SocketError } from "../errors.ts";
import type { OperationOptions, SocketAddress } from "../types.ts";
import { Backoff } from "./backoff.ts";
import { Cancellation, type Cancelled, cancelledError } from "./cancellation.ts";
import { type Deferred, deferred, type Linked, LinkedList } from "./waiting_calls.ts";
import { toSocketError } from "./error_mapping.ts";
import { afterTurn, turnDue, type TurnWaiter } from "./event_loop_turn.ts";

/** The meaning of a failure of the source. */
export type Verdict =
  /** It belongs to one peer and is over: ask again at once. */
  | "retry"
  /** Its meaning is unknown: ask again, after a pause if it repeats. */
  | "retry-after-pause"
  /** The caller gets it, and the next request waits for a pause. */
  | "reject";

/** A runtime object that gives one thing after the other: clients or datagrams. */
export interface Source<Given, T> {
  /** The function that waits for them, for errors. */
  readonly operation: "accept" | "recvFrom";
  /** Its address for errors, if it has one. */
  readonly address: SocketAddress | undefined;
  /** The word for the source in messages: listener or socket. */
  readonly noun: string;
  /** Asks for the next one; called again only after it has settled. */
  next(): Promise<Given>;
  /** Makes what the caller gets of what the runtime gives. */
  open(given: Given): T;
  judge(error: SocketError): Verdict;
  /** Called when `awaited` has changed: the last waiting call was cancelled, or the next one waits. */
  onAwaitedChange?(): void;
}

interface WaitingCall<T> extends Deferred<T>, Linked<WaitingCall<T>> {
  /** Ends the watch on its signal and timeout. */
  stop: (() => void) | undefined;
}

/**
 * Serves the calls that wait for a source, first come first served, with one request to the runtime at a time.
 *
 * A cancelled call leaves the queue. What the runtime gives then goes to the next call, or is parked for it.
 */
export class CallQueue<Given, T> implements TurnWaiter {
  readonly #source: Source<Given, T>;
  readonly #calls = new LinkedList<WaitingCall<T>>();
  readonly #backoff = new Backoff(() => this.#ask());
  #parked: T | undefined;
  #asking: Promise<void> | undefined;
  #repeated = false;
  /** True if the next request waits for the event loop to turn. */
  #awaitingTurn = false;
  #awaited = true;
  #closed = false;

  constructor(source: Source<Given, T>) {
    this.#source = source;
  }

  /** False after the last waiting call was cancelled, until the next call that waits. */
  get awaited(): boolean {
    return this.#awaited;
  }

  get closed(): boolean {
    return this.#closed;
  }

  take(options: OperationOptions | undefined): Promise<T> {
    try {
      const { operation, address } = this.#source;
      const cancellation = Cancellation.read(operation, options);
      if (this.#closed) throw this.closedError(operation);
      const already = cancellation?.already;
      if (already !== undefined) throw cancelledError(already, operation, address);
      const parked = this.#parked;
      if (parked !== undefined) {
        this.#parked = undefined;
        return Promise.resolve(parked);
      }
      const taken = this.#wait(cancellation);
      if (!this.#awaited) this.#setAwaited(true);
      this.#ask();
      return taken;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Takes one after the other until the queue is closed, which ends the iteration without an error. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    while (!this.#closed) {
      let taken: T;
      try {
        taken = await this.take(undefined);
      } catch (error) {
        if (this.#closed) return;
        // The next call pauses, so going on does not spin.
        if (error instanceof SocketError && error.retryable) continue;
        throw error;
      }
      yield taken;
    }
  }

  /** Rejects all calls, and returns what was parked, which the caller has to dispose of. */
  close(): T | undefined {
    this.#closed = true;
    this.#backoff.stop();
    for (let call = this.#shift(); call !== undefined; call = this.#shift()) {
      // This side closes, so nobody needs to be watching the call.
      call.promise.catch(() => {});
      call.reject(this.closedError(this.#source.operation));
    }
    const parked = this.#parked;
    this.#parked = undefined;
    return parked;
  }

  /** Resolves when the runtime has let go of the last request. */
  async waitQuiet(): Promise<void> {
    await this.#asking;
  }

  closedError(operation: string): SocketError {
    const { noun, address } = this.#source;
    return new SocketError("Closed", operation, `the ${noun} is closed`, { address });
  }

  #wait(cancellation: Cancellation | undefined): Promise<T> {
    const { promise, resolve, reject } = deferred<T>();
    const call: WaitingCall<T> = {
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

  #watch(call: WaitingCall<T>, cancellation: Cancellation): () => void {
    const { operation, address } = this.#source;
    return cancellation.watch((why: Cancelled) => {
      this.#calls.remove(call);
      call.reject(cancelledError(why, operation, address));
      if (this.#calls.first !== undefined) return;
      this.#backoff.stop();
      this.#setAwaited(false);
    }, address);
  }

  /** Takes out the call that has waited longest. */
  #shift(): WaitingCall<T> | undefined {
    const call = this.#calls.shift();
    call?.stop?.();
    return call;
  }

  #setAwaited(awaited: boolean): void {
    this.#awaited = awaited;
    if (!this.#closed) this.#source.onAwaitedChange?.();
  }

  #ask(): void {
    if (
      this.#asking !== undefined || this.#awaitingTurn || this.#closed ||
      this.#calls.first === undefined
    ) return;
    // A caller's own loop waits the pause out as well, so it cannot spin either.
    if (this.#backoff.wait()) return;
    this.#asking = this.#source.next().then(this.#onGiven, this.#onError);
  }

  readonly #onGiven = (given: Given): void => {
    const taken = this.#source.open(given);
    this.#asking = undefined;
    this.#repeated = false;
    this.#backoff.reset();
    const call = this.#shift();
    if (call === undefined) this.#parked = taken;
    else call.resolve(taken);
    if (turnDue()) {
      this.#awaitingTurn = true;
      afterTurn(this);
    } else this.#ask();
  };

  onTurn(): void {
    this.#awaitingTurn = false;
    this.#ask();
  }

  readonly #onError = (error: unknown): void => {
    this.#asking = undefined;
    if (this.#closed) return;
    const { operation, address } = this.#source;
    const mapped = toSocketError(error, operation, { address });
    const verdict = this.#source.judge(mapped);
    if (verdict === "reject" || verdict === "retry-after-pause" && this.#repeated) {
      this.#backoff.grow();
    }
    this.#repeated = verdict === "retry-after-pause";
    if (verdict === "reject") this.#shift()?.reject(mapped);
    this.#ask();
  };
}
