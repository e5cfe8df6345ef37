// Above this, timers of the runtime fire at once.
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** A timer that fires later than this did not fire late by the runtime's own rounding alone. */
const LATE_MS = 3;
/** A late deadline waits at least this long, so that the runtime asks the system for new events. */
const SHORTEST_GRACE_MS = 20;
const LONGEST_GRACE_MS = 1000;

/**
 * Calls `fire` after `ms`, whatever its size, never for `Infinity`; the returned function stops that.
 *
 * @param referenced True if the timer keeps the process alive.
 */
export function startTimer(ms: number, fire: () => void, referenced = true): () => void {
  if (ms === Infinity) return () => {};
  let left = ms;
  let id: ReturnType<typeof setTimeout>;
  const arm = () => {
    const step = Math.min(left, LONGEST_TIMER_MS);
    left -= step;
    id = setTimeout(left > 0 ? arm : fire, step);
    if (!referenced) Deno.unrefTimer(id);
  };
  arm();
  return () => clearTimeout(id);
}

/**
 * Calls `fire` after `ms` as `startTimer` does, but not before the I/O that was possible until then.
 *
 * After the program has computed for long, or was stopped and continued, the runtime runs timers before it looks
 * at its sockets: a send with 50 ms tore down a fresh connection 30 of 30 times, since nothing had been written yet.
 * So a deadline that is late waits once more, for as long as it was late, but at most as long as it was to be or
 * 1 s: long enough for what has come meanwhile to be answered, too.
 */
export function startDeadline(ms: number, fire: () => void, referenced = true): () => void {
  // A wait of 0 ms is none: nothing was to come in it.
  if (ms === 0 || ms === Infinity) return startTimer(ms, fire, referenced);
  const due = performance.now() + ms;
  let stop = startTimer(ms, () => {
    const late = performance.now() - due;
    if (late <= LATE_MS) return fire();
    const grace = Math.min(late, Math.max(ms, SHORTEST_GRACE_MS), LONGEST_GRACE_MS);
    stop = startTimer(grace, fire, referenced);
  }, referenced);
  return () => stop();
}
