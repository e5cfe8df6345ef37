import { SocketError } from "../../../mod.ts";
import { countedSignal } from "../../support/listener_count.ts";

/** The options that may cancel a call. */
export interface Limits {
  /** The timeout, if there is one (ms). */
  readonly timeout: number | undefined;
  readonly signal: "none" | "own" | "aborted";
}

/** The result of a call, or its error. */
export type Outcome<T> = { readonly value: T } | { readonly error: SocketError };

/** The controllers of a sequence's calls, which cancel calls and count the listeners that they leave behind. */
export class Cancels {
  readonly #controllers: AbortController[] = [];
  readonly #counts: (() => number)[] = [];

  /** Makes the options of a call, and the kind of its error if they cancel it before it begins. */
  make({ timeout, signal }: Limits): { options: Options | undefined; already: string | undefined } {
    if (signal === "none" && timeout === undefined) {
      return { options: undefined, already: undefined };
    }
    const options: Options = timeout === undefined ? {} : { timeout };
    if (signal !== "none") {
      const controller = new AbortController();
      const counted = countedSignal(controller);
      this.#counts.push(counted.listeners);
      this.#controllers.push(controller);
      options.signal = counted.signal;
      if (signal === "aborted") controller.abort(new Error("before it began"));
    }
    const already = signal === "aborted" ? "Aborted" : timeout === 0 ? "TimedOut" : undefined;
    return { options, already };
  }

  /** Aborts one of the signals that were made. */
  cancel(which: number): void {
    this.#controllers.at(which % Math.max(1, this.#controllers.length))?.abort("cancelled");
  }

  /** The number of listeners that are left. */
  get listeners(): number {
    return this.#counts.reduce((sum, count) => sum + count(), 0);
  }
}

export interface Options {
  signal?: AbortSignal;
  timeout?: number;
}

/** A call, and its outcome after it has ended. */
export class Call<T> {
  outcome: Outcome<T> | undefined;
  readonly what: string;
  readonly limits: Limits;
  readonly settled: Promise<void>;

  /** Calls `judge` with the outcome in the turn in which the call ends. `settled` rejects with the error of `judge`. */
  constructor(
    what: string,
    limits: Limits,
    promise: Promise<T>,
    judge: (call: Call<T>, outcome: Outcome<T>) => void,
  ) {
    this.what = what;
    this.limits = limits;
    this.settled = promise.then(
      (value) => ({ value }),
      (error: unknown) => {
        if (error instanceof SocketError) return { error };
        throw new Error(`${what} rejected with an error that is no SocketError: ${error}`, {
          cause: error,
        });
      },
    ).then((outcome) => {
      this.outcome = outcome;
      judge(this, outcome);
    });
    // The sequence awaits it at its end.
    this.settled.catch(() => {});
  }

  get pending(): boolean {
    return this.outcome === undefined;
  }
}
