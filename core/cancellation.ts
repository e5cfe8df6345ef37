import { SocketError } from "../errors.ts";
import type { OperationOptions, SocketAddress } from "../types.ts";
import { checkLimit, checkOptions, invalidInput, readArguments } from "./arguments.ts";
import { deferred } from "./waiting_calls.ts";
import { startDeadline } from "./timer.ts";

const all = new WeakMap<AbortSignal, SharedAbortListener>();

/**
 * Serves all calls that wait for one signal with one listener, for as long as any of them waits.
 *
 * A server hands its signal to a call of each of its connections, and the runtime looks through all listeners to add
 * or remove one: an echo took 179 µs beside 8,000 of them, and 22 µs alone.
 */
export class SharedAbortListener {
  readonly #signal: AbortSignal;
  readonly #calls = new Set<() => void>();

  private constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** Calls `onAbort` when the signal aborts. The returned function stops that, and may be called again. */
  static add(signal: AbortSignal, onAbort: () => void): () => void {
    let shared = all.get(signal);
    if (shared === undefined) all.set(signal, shared = new SharedAbortListener(signal));
    return shared.#add(onAbort);
  }

  #add(onAbort: () => void): () => void {
    const calls = this.#calls;
    if (calls.size === 0) this.#signal.addEventListener("abort", this);
    calls.add(onAbort);
    return () => {
      if (calls.delete(onAbort) && calls.size === 0) {
        this.#signal.removeEventListener("abort", this);
      }
    };
  }

  handleEvent(): void {
    // Each call takes itself out, and the last one takes the listener away.
    for (const onAbort of [...this.#calls]) if (this.#calls.has(onAbort)) onAbort();
  }
}

/** The reason why a call was cancelled, ready to become an error. */
export interface Cancelled {
  readonly kind: "Aborted" | "TimedOut";
  readonly reason: string;
  /** The reason of the signal, if that aborted. */
  readonly cause?: unknown;
}

/** Joins a caller's `signal` and `timeout`, which both say when to give a call up. */
export class Cancellation {
  /** The reason if the call was cancelled before it began. */
  readonly already: Cancelled | undefined;
  /** The function that was called. */
  readonly operation: string;
  readonly #signal: AbortSignal | undefined;
  readonly #timeout: number;

  private constructor(operation: string, signal: AbortSignal | undefined, timeout: number) {
    this.operation = operation;
    this.#signal = signal;
    this.#timeout = timeout;
    if (signal?.aborted) this.already = aborted(signal);
    else if (timeout === 0) this.already = this.#timedOut();
  }

  /** Reads and checks the options, and starts nothing yet. Returns `undefined` if nothing can cancel the call. */
  static read(
    operation: string,
    options: OperationOptions | undefined,
  ): Cancellation | undefined {
    if (options === undefined) return undefined;
    return readArguments(operation, () => {
      const { signal, timeout } = checkOptions(operation, options);
      if (signal !== undefined) checkSignal(operation, signal);
      const limit = checkLimit(operation, "timeout", timeout, Infinity);
      if (signal === undefined && limit === Infinity) return undefined;
      return new Cancellation(operation, signal, limit);
    });
  }

  /**
   * Calls `cancel` at most once. The returned function ends the watch and leaves nothing behind.
   *
   * It throws if the call is cancelled already: a codec may have aborted the signal since the options were read. So
   * call it before anything that would have to be undone.
   */
  watch(cancel: (why: Cancelled) => void, address: SocketAddress | undefined): () => void {
    const signal = this.#signal;
    const already = this.already ?? (signal?.aborted ? aborted(signal) : undefined);
    if (already !== undefined) throw cancelledError(already, this.operation, address);
    const stopSignal = signal && SharedAbortListener.add(signal, () => {
      stop();
      cancel(aborted(signal));
    });
    const stopTimer = startDeadline(this.#timeout, () => {
      stop();
      cancel(this.#timedOut());
    });
    const stop = () => {
      stopTimer();
      stopSignal?.();
    };
    return stop;
  }

  #timedOut(): Cancelled {
    return { kind: "TimedOut", reason: `timed out after ${this.#timeout} ms` };
  }
}

/**
 * Waits for work that goes on even if the wait is cancelled; its failure is ignored then.
 *
 * @param about The connection of the call, for errors.
 * @param onCancel Called if the wait is cancelled.
 */
export async function waitUnlessCancelled(
  work: Promise<void> | undefined,
  cancellation: Cancellation | undefined,
  about: { readonly peer: SocketAddress | undefined },
  onCancel: () => void = () => {},
): Promise<void> {
  if (cancellation === undefined) return await work;
  const { promise, resolve, reject } = deferred<void>();
  let stop: () => void;
  try {
    stop = cancellation.watch((why) => {
      reject(cancelledError(why, cancellation.operation, about.peer));
      onCancel();
    }, about.peer);
  } catch (error) {
    onCancel();
    throw error;
  }
  work?.then(resolve, reject);
  try {
    await promise;
  } finally {
    stop();
  }
}

/** Returns if a value is an abort signal, and throws `InvalidInput` otherwise. */
export function checkSignal(operation: string, signal: unknown): asserts signal is AbortSignal {
  if (!(signal instanceof AbortSignal)) {
    throw invalidInput(operation, "signal is not an AbortSignal");
  }
}

function aborted(signal: AbortSignal): Cancelled {
  return { kind: "Aborted", reason: "aborted by its signal", cause: signal.reason };
}

/** Makes the error of a cancelled call. */
export function cancelledError(
  why: Cancelled,
  operation: string,
  address: SocketAddress | undefined,
  bytesSent?: number,
): SocketError {
  const options = { address, bytesSent };
  return new SocketError(
    why.kind,
    operation,
    why.reason,
    "cause" in why ? { ...options, cause: why.cause } : options,
  );
}
