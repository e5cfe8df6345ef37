import { SocketError } from "../../../mod.ts";
import { Unanswered } from "../../../examples/pending_calls.ts";
import type { RestartingServer } from "./restarting_server.ts";

/** Options of links whose servers restart often. */
export const RESTART_LINK = {
  backoff: { first: 2, longest: 40 },
  stableAfter: 50,
} as const;
/** Two ways to die, in turn. */
const SIGNALS: readonly Deno.Signal[] = ["SIGKILL", "SIGTERM", "SIGKILL", "SIGTERM", "SIGKILL"];
/** Answers that come between two restarts, at least. */
const ANSWERS_BETWEEN = 200;
/** Number of calls under way at once. */
export const WORKERS = 16;

/** Results of calls under load, by their numbers. */
export interface LoadResult {
  readonly answered: ReadonlySet<number>;
  /** Calls of which only the server knows. */
  readonly unanswered: ReadonlySet<number>;
  /** Number of times that a call rejected because nothing was sent. It was made again. */
  readonly notSent: number;
  readonly restarts: number;
}

/**
 * Makes calls with a number of their own while a server restarts again and again. A call is made again only if its error
 * says that nothing was sent. Any other error is a failure.
 */
export async function callThroughRestarts(
  server: RestartingServer,
  call: (number: number, worker: number) => Promise<void>,
): Promise<LoadResult> {
  const answered = new Set<number>();
  const unanswered = new Set<number>();
  let [last, notSent, over] = [0, 0, false];
  let progress = Promise.withResolvers<void>();
  const callOnce = async (number: number, worker: number) => {
    for (;;) {
      try {
        await call(number, worker);
        answered.add(number);
        return progress.resolve();
      } catch (error) {
        if (error instanceof Unanswered) return void unanswered.add(number);
        if (!(error instanceof SocketError && error.retryable)) throw error;
        notSent++;
      }
    }
  };
  const work = async (worker: number) => {
    while (!over) await callOnce(++last, worker);
  };
  const restart = async () => {
    for (const signal of SIGNALS) {
      for (const least = answered.size + ANSWERS_BETWEEN; answered.size < least;) {
        await progress.promise;
        progress = Promise.withResolvers();
      }
      await server.restart(signal);
    }
    over = true;
  };
  await Promise.all([restart(), ...Array.from({ length: WORKERS }, (_, worker) => work(worker))]);
  return { answered, unanswered, notSent, restarts: SIGNALS.length };
}
