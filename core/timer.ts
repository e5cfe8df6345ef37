/** Timers of the runtime fire at once if they are set to more than this. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** A timer that fires later than this did not fire late by the runtime's own rounding alone. */
const LATE_MS = 3;
/** A late deadline waits at least this long, so that the runtime asks the system for new events. */
const SHORTEST_GRACE_MS = 20;
const LONGEST_GRACE_MS = 1000;

type TimerId = ReturnType<typeof setTimeout>;

/** A timer as Node, Bun and newer versions of Deno give it. Deno before 2.9 gives a number. */
interface TimerObject {
  ref(): void;
  unref(): void;
}

/** The functions of a runtime that gives numbers for timers, which have no methods. */
export interface TimerReferences {
  ref(id: number): void;
  unref(id: number): void;
}

let numbers: TimerReferences = { ref() {}, unref() {} };

/** Sets the functions that let the process end beside a timer, or not, for a runtime that gives numbers for timers. */
export function useTimerReferences(references: TimerReferences): void {
  numbers = references;
}

/** Lets a timer keep the process alive, as it does at first. */
export function refTimer(id: TimerId | TimerObject): void {
  if (typeof id === "object") id.ref();
  else numbers.ref(id);
}

/** Lets the process end beside a timer. */
export function unrefTimer(id: TimerId | TimerObject): void {
  if (typeof id === "object") id.unref();
  else numbers.unref(id);
}

/** The function as it was when this package was loaded: tests may replace it by a clock, or count what calls leave. */
const { setTimeout: setRealTimeout } = globalThis;

/** Calls `fire` after `ms`, for work that belongs to no call. The process may end before. */
export function startHousekeeping(ms: number, fire: () => void): void {
  unrefTimer(setRealTimeout(fire, ms));
}

/**
 * Calls `fire` after `ms`, which may be of any size, and never for `Infinity`. The returned function stops that.
 *
 * @param referenced True if the timer keeps the process alive.
 */
export function startTimer(ms: number, fire: () => void, referenced = true): () => void {
  if (ms === Infinity) return () => {};
  let left = ms;
  let id: TimerId;
  const arm = () => {
    const step = Math.min(left, LONGEST_TIMER_MS);
    left -= step;
    id = setTimeout(left > 0 ? arm : fire, step);
    if (!referenced) unrefTimer(id);
  };
  arm();
  return () => clearTimeout(id);
}

/**
 * Calls `fire` after `ms` as `startTimer` does, but not before the I/O that was possible until then.
 *
 * After the program has computed for long, or was stopped and continued, the runtime runs timers before it looks
 * at its sockets: a send with 50 ms tore down a fresh connection 30 of 30 times, since nothing had been written yet.
 * So a deadline that is late waits once more: as long as it was late, but at most as long as its own time or 1 s. That
 * is long enough for an answer to what has come meanwhile, too.
 */
export function startDeadline(ms: number, fire: () => void, referenced = true): () => void {
  // Nothing can come within 0 ms.
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
