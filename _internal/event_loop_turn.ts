/** Receiving calls are answered without a turn of the event loop for this long. */
const LONGEST_RUN_MS = 10;
/** The clock takes 47 ns to read, so it is read once in up to this many answers. */
const MOST_UNCHECKED_ANSWERS = 64;

/** An object that waits for the event loop to turn: a function would be a closure for each. */
export interface TurnWaiter {
  onTurn(): void;
}

let unchecked = 0;
/** The clock is read once in this many answers, which adapts so that it is read about every millisecond. */
let answersPerCheck = 1;
let lastCheck = 0;
let lastTurn = 0;
let due = false;
let waiters: TurnWaiter[] = [];

/**
 * Counts an answer to a receiving call. True if the event loop has to turn before the call is answered.
 *
 * Calls that find a message in the buffer settle in microtasks, and the runtime lets up to 128 reads through in one
 * turn: one client with empty lines kept timers waiting for 5.3 s. With this the worst gap was 33 ms, at 1 ns a
 * frame. It stays true for every connection until the turn: else another flood would keep the microtasks running.
 */
export function turnDue(): boolean {
  if (due || ++unchecked < answersPerCheck) return due;
  unchecked = 0;
  const now = Date.now();
  const sinceCheck = now - lastCheck;
  lastCheck = now;
  if (sinceCheck > 1) answersPerCheck = Math.ceil(answersPerCheck / 2);
  else if (sinceCheck < 1) answersPerCheck = Math.min(answersPerCheck * 2, MOST_UNCHECKED_ANSWERS);
  // A clock that was set back says nothing about the time since the last turn.
  if (now - lastTurn < LONGEST_RUN_MS && now >= lastTurn) return false;
  due = true;
  // 1.8 µs; a timer of 0 ms takes 2.2 ms, which would be a fifth of all time.
  setImmediate(turn);
  return true;
}

/** Calls `waiter.onTurn()` at the turn that `turnDue` has announced. */
export function afterTurn(waiter: TurnWaiter): void {
  waiters.push(waiter);
}

function turn(): void {
  due = false;
  lastTurn = Date.now();
  const ready = waiters;
  waiters = [];
  for (const waiter of ready) waiter.onTurn();
}
