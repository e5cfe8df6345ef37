/**
 * Lets simulations run one after the other, since each replaces global functions.
 *
 * A call that comes while a simulation runs may be one of its own program: then the program waits for itself. Nothing
 * tells these calls from others, so they all wait, and are rejected if the simulation ends in a deadlock.
 */
class SimulationQueue {
  #lastEnd: Promise<void> = Promise.resolve();
  #isRunning = false;
  readonly #callsDuring = new Set<(error: unknown) => void>();

  /** True if somebody has called `enter` since the simulation that runs began. */
  get isAwaited(): boolean {
    return this.#callsDuring.size > 0;
  }

  /** Resolves when it is the caller's turn. The function that it gives ends the turn. */
  async enter(): Promise<() => void> {
    const before = this.#lastEnd;
    const { promise: end, resolve: leave } = Promise.withResolvers<void>();
    this.#lastEnd = end;
    try {
      await this.#waitTurn(before);
    } catch (error) {
      before.then(leave);
      throw error;
    }
    this.#isRunning = true;
    return () => {
      this.#isRunning = false;
      leave();
    };
  }

  async #waitTurn(before: Promise<void>): Promise<void> {
    const { promise: turn, resolve, reject } = Promise.withResolvers<void>();
    before.then(resolve);
    if (this.#isRunning) this.#callsDuring.add(reject);
    try {
      await turn;
    } finally {
      this.#callsDuring.delete(reject);
    }
  }

  /** Rejects the calls that have come since the simulation that runs began. */
  rejectCalls(error: unknown): void {
    for (const reject of this.#callsDuring) reject(error);
  }
}

/** The one queue of the process. */
export const simulations: SimulationQueue = new SimulationQueue();
