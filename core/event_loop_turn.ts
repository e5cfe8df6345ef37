/** Deno 2.7 has it, but not its type. */
declare function setImmediate(callback: () => void): unknown;

/** Receiving calls are answered for this long until the event loop has to turn. */
const LONGEST_RUN_MS = 10;
/** A pause between answers, with a turn in it, is long enough for the runtime to have looked at its sockets. */
const PAUSE_MS = 2;
/** The clock takes 47 ns to read, so it is read once in up to this many answers. */
const MOST_UNCHECKED_ANSWERS = 64;
/**
 * The runtime asks the system for new events once in 61 turns while it always has something to do (its scheduler's
 * budget for one task). With one turn a time another client's request took 700 ms beside a flood, with these 11 ms.
 */
const TURNS = 64;

/** Waits for the event loop to turn. An object, because a function would be a closure for each. */
export interface TurnWaiter {
  onTurn(): void;
}

let unchecked = 0;
/** The clock is read once in this many answers, which adapts so that it is read about every millisecond. */
let answersPerCheck = 1;
let lastCheck = 0;
/** Time since which answers follow one another without a pause (ms). */
let busySince = 0;
let turnNoted = true;
let notingTurn = false;
let due = false;
let turnsLeft = 0;
let waiters: TurnWaiter[] = [];

/**
 * Counts an answer to a receiving call. True if the event loop has to turn before the call is answered.
 *
 * Calls that find a message in the buffer settle in microtasks, and the runtime lets up to 128 reads through in one
 * turn: one client with empty lines kept timers waiting for 5.3 s, ten with plain reads kept another client waiting
 * for 0.6 s. It stays true for every connection until the turn: else another flood would keep the microtasks running.
 */
export function turnDue(): boolean {
  if (due || ++unchecked < answersPerCheck) return due;
  unchecked = 0;
  const now = Date.now();
  const sinceCheck = now - lastCheck;
  lastCheck = now;
  if (sinceCheck > 1) answersPerCheck = Math.ceil(answersPerCheck / 2);
  else if (sinceCheck < 1) answersPerCheck = Math.min(answersPerCheck * 2, MOST_UNCHECKED_ANSWERS);
  // A clock that was set back says nothing about the time that has passed.
  if (sinceCheck < 0 || turnNoted && sinceCheck >= PAUSE_MS) busySince = now;
  if (now - busySince < LONGEST_RUN_MS) {
    noteTurn();
    return false;
  }
  due = true;
  turnsLeft = TURNS;
  // 1.8 µs; a timer of 0 ms takes 2.2 ms, which would be a fifth of all time.
  setImmediate(turn);
  return true;
}

/**
 * Counts the further messages of an answer that has many. 64 batches of 4096 lines kept timers waiting for 1 s beside a
 * program that takes 9 µs for a line.
 */
export function countMessages(further: number): void {
  unchecked += further;
}

/** Resolves to a value at once, or at the next turn if one is due. It counts as an answer. */
export function answerInTurn<T>(value: T): Promise<T> {
  return turnDue() ? waitTurn().then(() => value) : Promise.resolve(value);
}

/** Resolves at the turn that `turnDue` has announced. */
export function waitTurn(): Promise<void> {
  return new Promise((resolve) => afterTurn({ onTurn: resolve }));
}

/** Calls `waiter.onTurn()` at the turn that `turnDue` has announced. */
export function afterTurn(waiter: TurnWaiter): void {
  waiters.push(waiter);
}

function turn(): void {
  if (--turnsLeft > 0) {
    setImmediate(turn);
    return;
  }
  due = false;
  busySince = lastCheck = Date.now();
  const ready = waiters;
  waiters = [];
  for (const waiter of ready) waiter.onTurn();
}

/** Finds out if the event loop turns by itself until the next check. */
function noteTurn(): void {
  turnNoted = false;
  if (notingTurn) return;
  notingTurn = true;
  setImmediate(onTurnNoted);
}

function onTurnNoted(): void {
  notingTurn = false;
  turnNoted = true;
}

/** Tells if a turn is announced that has not come. */
export function turnAwaited(): boolean {
  return due;
}

/**
 * Lets calls be answered without turns until the returned function is called. In a simulation no time passes while the
 * program computes, and the counts of one simulation must not change what happens in the next. No turn may be awaited.
 */
export function suspendTurns(): () => void {
  // Each answer counts one up, and never reaches a limit from here.
  unchecked = -Infinity;
  return () => {
    unchecked = 0;
  };
}
