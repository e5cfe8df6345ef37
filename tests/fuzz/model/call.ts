import { SocketError } from "../../../mod.ts";
import { countedSignal } from "../../support/listener_count.ts";

/** What may end a call before its time. */
export interface Limits {
  /** Milliseconds, or nothing. */
  readonly timeout: number | undefined;
  readonly signal: "none" | "own" | "aborted";
}

/** How a call ended. */
export type Outcome<T> = { readonly value: T } | { readonly error: SocketError };

/** The controllers of a sequence's calls, so that it can cancel one, and see what they leave behind. */
export class Cancels {
  readonly #controllers: AbortController[] = [];
  readonly #counts: (() => number)[] = [];

  /** Options for a call, and whether they cancel it before it begins. */
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

  /** Listeners that are still there. */
  get listeners(): number {
    return this.#counts.reduce((sum, count) => sum + count(), 0);
  }
}

export interface Options {
  signal?: AbortSignal;
  timeout?: number;
}

/** A call that was made, and how it ended once it has. */
export class Call<T> {
  outcome: Outcome<T> | undefined;
  readonly what: string;
  readonly limits: Limits;
  readonly settled: Promise<void>;

  /** `judge` hears the outcome in the turn in which it comes; what it throws, `failure` has. */
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
        throw new Error(`${what} rejected with what is no SocketError: ${error}`, { cause: error });
      },
    ).then((outcome) => {
      this.outcome = outcome;
      judge(this, outcome);
    });
    // It is awaited at the end of the sequence.
    this.settled.catch(() => {});
  }

  get pending(): boolean {
    return this.outcome === undefined;
  }
}
