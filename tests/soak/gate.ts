/**
 * Lets loads be stopped between two of their rounds, so that what is open is known when it is counted.
 */
export class Gate {
  #open = Promise.withResolvers<void>();
  #isOpen = true;
  #over = false;
  readonly #inside = new Set<string>();
  #onEmpty: (() => void) | undefined;

  constructor() {
    this.#open.resolve();
  }

  /** Goes on with the load's next round when that may begin; false where there is none any more. */
  async pass(name: string): Promise<boolean> {
    this.leave(name);
    if (!this.#isOpen) await this.#open.promise;
    if (this.#over) return false;
    this.#inside.add(name);
    return true;
  }

  /** The load's round is over. */
  leave(name: string): void {
    this.#inside.delete(name);
    if (this.#inside.size === 0) this.#onEmpty?.();
  }

  /** Stops all loads after the round they are in; gives those that did not end it in time. */
  async close(patience: number): Promise<string[]> {
    this.#isOpen = false;
    this.#open = Promise.withResolvers<void>();
    if (this.#inside.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#onEmpty = resolve;
      const timer = setTimeout(resolve, patience);
      await promise;
      clearTimeout(timer);
      this.#onEmpty = undefined;
    }
    return [...this.#inside];
  }

  open(): void {
    this.#isOpen = true;
    this.#open.resolve();
  }

  /** Ends all loads. */
  end(): void {
    this.#over = true;
    this.open();
  }
}
