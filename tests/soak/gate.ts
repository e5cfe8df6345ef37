/**
 * Stops all loads between two of their rounds, so that the open resources can be counted.
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

  /** Waits until the load's next round may begin. Resolves to false if there is none any more. */
  async pass(name: string): Promise<boolean> {
    this.leave(name);
    if (!this.#isOpen) await this.#open.promise;
    if (this.#over) return false;
    this.#inside.add(name);
    return true;
  }

  /** Ends the load's round. */
  leave(name: string): void {
    this.#inside.delete(name);
    if (this.#inside.size === 0) this.#onEmpty?.();
  }

  /** Stops all loads after their current rounds. Returns the loads whose rounds did not end within `timeout` ms. */
  async close(timeout: number): Promise<string[]> {
    this.#isOpen = false;
    this.#open = Promise.withResolvers<void>();
    if (this.#inside.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#onEmpty = resolve;
      const timer = setTimeout(resolve, timeout);
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
