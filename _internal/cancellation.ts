import { SocketError } from "../errors.ts";
import type { Address, OperationOptions } from "../types.ts";
import { checkLimit, checkOptions, invalidInput, readArguments } from "./arguments.ts";

// Above this, timers of the runtime fire at once.
const LONGEST_TIMER = 2 ** 31 - 1;

/** Calls `fire` after `ms`, whatever its size, never for `Infinity`; what it gives stops that. */
export function startTimer(ms: number, fire: () => void): () => void {
  if (ms === Infinity) return () => {};
  let left = ms;
  let id: ReturnType<typeof setTimeout>;
  const arm = () => {
    const step = Math.min(left, LONGEST_TIMER);
    left -= step;
    id = setTimeout(left > 0 ? arm : fire, step);
  };
  arm();
  return () => clearTimeout(id);
}

/** Why a call was cancelled, ready to become an error. */
export interface Cancelled {
  readonly kind: "Aborted" | "TimedOut";
  readonly reason: string;
  readonly cause?: unknown;
}

/** A caller's `signal` and `timeout`, which are one thing: the moment a call is given up. */
export class Cancellation {
  readonly #signal: AbortSignal | undefined;
  readonly #timeout: number;

  private constructor(signal: AbortSignal | undefined, timeout: number) {
    this.#signal = signal;
    this.#timeout = timeout;
  }

  /** Reads and checks them; nothing is started yet. Gives nothing where nothing can cancel. */
  static read(
    operation: string,
    options: OperationOptions | undefined,
  ): Cancellation | undefined {
    if (options === undefined) return undefined;
    const { signal, timeout } = readArguments(operation, () => {
      const { signal, timeout } = checkOptions(operation, options);
      // What only inherits from a signal has no state to ask for.
      if (signal === undefined || signal instanceof AbortSignal && signal.aborted !== undefined) {
        return { signal, timeout };
      }
      throw invalidInput(operation, "signal is not an AbortSignal");
    });
    const limit = checkLimit(operation, "timeout", timeout, Infinity);
    return signal === undefined && limit === Infinity ? undefined : new Cancellation(signal, limit);
  }

  /** What cancelled the call before it began. */
  get already(): Cancelled | undefined {
    if (this.#signal?.aborted) return this.#aborted();
    return this.#timeout === 0 ? this.#timedOut() : undefined;
  }

  /** Calls `cancel` at most once; what it gives ends the watch and leaves nothing behind. */
  watch(cancel: (why: Cancelled) => void): () => void {
    const stopTimer = startTimer(this.#timeout, () => {
      stop();
      cancel(this.#timedOut());
    });
    const onAbort = () => {
      stop();
      cancel(this.#aborted());
    };
    const stop = () => {
      stopTimer();
      this.#signal?.removeEventListener("abort", onAbort);
    };
    this.#signal?.addEventListener("abort", onAbort);
    return stop;
  }

  #aborted(): Cancelled {
    return { kind: "Aborted", reason: "aborted by its signal", cause: this.#signal?.reason };
  }

  #timedOut(): Cancelled {
    return { kind: "TimedOut", reason: `timed out after ${this.#timeout} ms` };
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
