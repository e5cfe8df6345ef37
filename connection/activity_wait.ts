import { startDeadline } from "../core/timer.ts";

/** Why a wait ended: the event came, nothing happened for too long, or things happened for too long. */
export type WaitEnd = "done" | "quiet" | "too long";

/** How long a wait goes on, in milliseconds. */
export interface ActivityLimits {
  /** At most this long without activity. */
  readonly quiet: number;
  /** At most this long in all. */
  readonly longest: number;
}

/**
 * Waits for an event as long as something happens meanwhile. Activity only notes the time: the timer looks at it
 * when it fires and starts again for what is left. To start it again with each read would cost more than the read.
 */
export class ActivityWait {
  #last = 0;
  #stop: (() => void) | undefined;

  /** Notes that something happened. */
  readonly note = (): void => {
    this.#last = performance.now();
  };

  /** Waits for the first of the events, which do not reject. */
  async wait(events: Promise<void>[], { quiet, longest }: ActivityLimits): Promise<WaitEnd> {
    const { promise: over, resolve } = Promise.withResolvers<WaitEnd>();
    const begin = this.#last = performance.now();
    const check = () => {
      const now = performance.now();
      const quietLeft = this.#last + quiet - now;
      const left = begin + longest - now;
      if (quietLeft <= 0) resolve("quiet");
      else if (left <= 0) resolve("too long");
      else this.#stop = startDeadline(Math.min(quietLeft, left), check);
    };
    this.#stop = startDeadline(Math.min(quiet, longest), check);
    const end = await Promise.race([over, Promise.race(events).then(() => "done" as const)]);
    this.#stop();
    return end;
  }
}
