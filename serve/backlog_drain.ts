import { startTimer } from "../core/timer.ts";

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
/** Part of the time for connections to end that accepting may take: they need the rest. */
const SHARE = 0.1;
/** Accepting may take this much of a short time in any case (ms): an empty backlog takes `QUIET` to be known. */
const LEAST = 2 * QUIET;

/**
 * How a server that ends finds out that nobody waits in the kernel's backlog any more, whom closing the port would
 * reset. Nothing tells: what is accepted meanwhile is all there is to go by.
 */
export class BacklogDrain {
  /** How often the listener gave a connection, or failed. */
  #answers = 0;
  #starved = false;
  #until = Infinity;

  /** Sets how long connections have to end, in milliseconds: the shortest of several counts. */
  limit(timeout: number): void {
    const most = Math.min(LONGEST, Math.max(timeout * SHARE, Math.min(timeout, LEAST)));
    this.#until = Math.min(this.#until, performance.now() + most);
  }

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
    for (let quiet = 0; performance.now() < this.#until && quiet < QUIET && !isOver();) {
      if (this.#starved) onStarved();
      const before = this.#answers;
      await new Promise<void>((resolve) => startTimer(1, resolve));
      quiet = this.#answers === before && !this.#starved ? quiet + 1 : 0;
    }
  }
}
