import { startTimer } from "./timer.ts";

/**
 * A backlog is empty when nobody has come in so many milliseconds in a row. Each is a timer of its own: one
 * that is late, since a handler took long, says nothing about those who wait meanwhile. The runtime fires timers
 * while it has not told of clients that it knows of: five of them in a row, with 30 clients waiting.
 */
const QUIET = 25;
/**
 * Where clients keep coming, they are accepted for so long at most before the port is closed. To settle for less
 * quiet as time goes by resets more of them: behind a proxy they come in bursts.
 */
const LONGEST = 3000;

/**
 * How a server that ends finds out that nobody waits in the kernel's backlog any more, whom closing the port would
 * reset. Nothing tells: what is accepted meanwhile is all there is to go by.
 */
export class BacklogDrain {
  /** How often the listener gave a connection, or failed. */
  #answers = 0;
  #starved = false;

  /** The listener gave a connection. */
  accepted(): void {
    this.#answers++;
    this.#starved = false;
  }

  /** It failed, which is for want of descriptors, and it pauses. */
  failed(): void {
    this.#answers++;
    this.#starved = true;
  }

  /** Waits until the backlog is empty, or `isOver`; `onStarved` is called while there are no descriptors for it. */
  async run(isOver: () => boolean, onStarved: () => void): Promise<void> {
    const begin = performance.now();
    for (let quiet = 0, waited = 0; waited < LONGEST && quiet < QUIET && !isOver();) {
      if (this.#starved) onStarved();
      const before = this.#answers;
      await new Promise<void>((resolve) => startTimer(1, resolve));
      quiet = this.#answers === before && !this.#starved ? quiet + 1 : 0;
      waited = performance.now() - begin;
    }
  }
}
