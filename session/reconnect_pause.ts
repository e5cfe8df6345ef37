import { startTimer } from "../core/timer.ts";

/** The checked numbers of a backoff. */
export interface BackoffSettings {
  /** Limit of the first pause (ms). */
  readonly first: number;
  /** Each limit is the last one times this. */
  readonly factor: number;
  /** Limit of every pause (ms). */
  readonly longest: number;
}

/**
 * Measures the pauses between attempts. A pause is random between 0 and a limit that grows ("full jitter"). Clients
 * that lost one server at the same moment then come back spread over that time, and not in waves.
 */
export class ReconnectPause {
  readonly #settings: BackoffSettings;
  /** Limit of the next pause (ms). */
  #limit = 0;
  #skipped = false;
  #stopTimer: (() => void) | undefined;
  #end: (() => void) | undefined;

  constructor(settings: BackoffSettings) {
    this.#settings = settings;
    this.reset();
  }

  /** Limit of a first pause (ms). */
  get firstLimit(): number {
    const { first, longest } = this.#settings;
    return Math.min(first, longest);
  }

  /** Makes the next pause a first one. */
  reset(): void {
    this.#limit = this.firstLimit;
  }

  /** Waits for the next pause. Even a pause that is skipped lets the event loop turn, so that no loop runs without it. */
  wait(): Promise<void> {
    const { factor, longest } = this.#settings;
    const length = this.#skipped ? 0 : Math.random() * this.#limit;
    this.#skipped = false;
    this.#limit = Math.min(longest, this.#limit * factor);
    return new Promise((resolve) => {
      this.#end = () => {
        this.#stopTimer?.();
        this.#end = this.#stopTimer = undefined;
        resolve();
      };
      this.#stopTimer = startTimer(length, this.#end);
    });
  }

  /** Ends the pause now, or skips the one that is to come. */
  skip(): void {
    if (this.#end === undefined) this.#skipped = true;
    else this.#end();
  }

  /** Ends the pause, if there is one, because nobody will try again. */
  stop(): void {
    this.#end?.();
  }
}
