import { SocketError } from "../errors.ts";
import type { Address, OperationOptions } from "../types.ts";
import { Backoff } from "./backoff.ts";
import { Cancellation, type Cancelled, cancelledError } from "./cancellation.ts";
import { toSocketError } from "./error_mapping.ts";
import { afterTurn, turnDue, type TurnWaiter } from "./event_loop_turn.ts";
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

/** What a failure of the source means. */
export type Verdict =
  /** It belongs to one peer and is over: ask again at once. */
  | "retry"
  /** Nobody knows: ask again, but where it repeats, only after a pause. */
  | "retry-after-pause"
  /** The caller should know, and the next call pauses first. */
  | "reject";

/** Where the things come from, and how its failures are meant. */
export interface Source<Given, T> {
  /** The function that waits for them, for errors. */
  readonly operation: "accept" | "recvFrom";
  readonly address: Address;
  /** What is closed when it is closed, in words. */
  readonly noun: string;
  /** Asks for the next; called again only after it has settled. */
  next(): Promise<Given>;
  /** Makes of what the runtime gives what the caller gets. */
  open(given: Given): T;
  judge(error: SocketError): Verdict;
  /** Called when the last call that waited was cancelled, and when the next one waits: `awaited` has changed. */
  onAwaitedChange?(): void;
}

/**
 * One request to the runtime at a time, whatever the number of callers: they are served in the order
 * they came, and what comes when its caller was cancelled is parked for the next one.
 */
export class CallQueue<Given, T> implements TurnWaiter {
  readonly #source: Source<Given, T>;
  readonly #calls: WaitingCalls<T>;
  readonly #backoff = new Backoff(() => this.#ask());
  #parked: T | undefined;
  #asking: Promise<void> | undefined;
  #repeated = false;
  /** The next request waits for the event loop to turn. */
  #awaitingTurn = false;
  #awaited = true;
  #closed = false;

  constructor(source: Source<Given, T>) {
    this.#source = source;
    this.#calls = new WaitingCalls(
      source.operation,
      source.address,
      () => this.#onDeserted(),
    );
  }

  /** False after the last call was cancelled, until the next call that waits. */
  get awaited(): boolean {
    return this.#awaited;
  }

  get closed(): boolean {
    return this.#closed;
  }

  take(options: OperationOptions | undefined): Promise<T> {
    try {
      const cancellation = Cancellation.read(this.#source.operation, options);
      if (this.#closed) throw this.closedError(this.#source.operation);
      const already = cancellation?.already;
      if (already !== undefined) {
        throw cancelledError(already, this.#source.operation, this.#source.address);
      }
      const parked = this.#parked;
      if (parked !== undefined) {
        this.#parked = undefined;
        return Promise.resolve(parked);
      }
      const taken = this.#calls.wait(cancellation);
      if (!this.#awaited) this.#setAwaited(true);
      this.#ask();
      return taken;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Takes them until it is closed, which ends the iteration without an error. */
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

  /** Rejects all callers; what was parked is the closer's to dispose of. */
  close(): T | undefined {
    this.#closed = true;
    this.#backoff.stop();
    this.#calls.close(() => this.closedError(this.#source.operation));
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

  #onDeserted(): void {
    this.#backoff.stop();
    this.#setAwaited(false);
  }

  #setAwaited(awaited: boolean): void {
    this.#awaited = awaited;
    if (!this.#closed) this.#source.onAwaitedChange?.();
  }

  #ask(): void {
    if (this.#asking !== undefined || this.#awaitingTurn || this.#closed || this.#calls.empty) {
      return;
    }
    // Whoever asks waits the pause out: a caller's own loop cannot spin either.
    if (this.#backoff.wait()) return;
    this.#asking = this.#source.next().then(this.#onGiven, this.#onError);
  }

  readonly #onGiven = (given: Given): void => {
    const taken = this.#source.open(given);
    this.#asking = undefined;
    this.#repeated = false;
    this.#backoff.succeeded();
    if (!this.#calls.succeed(taken)) this.#parked = taken;
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
      this.#backoff.failed();
    }
    this.#repeated = verdict === "retry-after-pause";
    if (verdict === "reject") this.#calls.fail(mapped);
    this.#ask();
  };
}
