import { SocketError } from "../errors.ts";
import type { Address, OperationOptions } from "../types.ts";
import { checkLimit, checkOptions, invalidInput, readArguments } from "./arguments.ts";
import { SharedAbortListener } from "./shared_abort_listener.ts";
import { startDeadline } from "./timer.ts";

/** Why a call was cancelled, ready to become an error. */
export interface Cancelled {
  readonly kind: "Aborted" | "TimedOut";
  readonly reason: string;
  readonly cause?: unknown;
}

/** A caller's `signal` and `timeout`, which are one thing: the moment a call is given up. */
export class Cancellation {
  /** What cancelled the call before it began. */
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

  /** Reads and checks them; nothing is started yet. Gives nothing where nothing can cancel. */
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
   * Calls `cancel` at most once; what it gives ends the watch and leaves nothing behind. It throws where the call is
   * cancelled already, be it since the options were read, by a getter or a codec; and `InvalidInput` where the
   * signal's own method does: so this comes before anything that would have to be undone.
   */
  watch(cancel: (why: Cancelled) => void, address: Address | undefined): () => void {
    const signal = this.#signal;
    const already = this.already ?? (signal?.aborted ? aborted(signal) : undefined);
    if (already !== undefined) throw cancelledError(already, this.operation, address);
    const stopSignal = signal &&
      readArguments(this.operation, () =>
        SharedAbortListener.add(signal, () => {
          stop();
          cancel(aborted(signal));
        }));
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
 * Waits for what goes on regardless, and fails unheard where nobody waits; unless the caller's options end the wait
 * before.
 */
export async function unlessCancelled(
  work: Promise<void> | undefined,
  cancellation: Cancellation | undefined,
  about: { readonly peer: Address | undefined },
  onCancel: () => void = () => {},
): Promise<void> {
  if (cancellation === undefined) return await work;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
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

/** An abort signal, or `InvalidInput`. What only inherits from one has no state to ask for. */
export function checkSignal(operation: string, signal: unknown): asserts signal is AbortSignal {
  if (signal instanceof AbortSignal && signal.aborted !== undefined) return;
  throw invalidInput(operation, "signal is not an AbortSignal");
}

function aborted(signal: AbortSignal): Cancelled {
  const [kind, reason] = ["Aborted", "aborted by its signal"] as const;
  try {
    return { kind, reason, cause: signal.reason };
  } catch (cause) {
    return { kind, reason, cause };
  }
}

/** The error of a cancelled call. */
export function cancelledError(
  why: Cancelled,
  operation: string,
  address: Address | undefined,
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
