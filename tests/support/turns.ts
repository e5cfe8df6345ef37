/** Deno 2.7 has it, but not its type. */
declare function setImmediate(callback: () => void): unknown;

// The real functions. A test may have replaced them by a virtual clock when this runs.
const { setTimeout } = globalThis;
const nextTurn: (callback: () => void) => unknown = setImmediate;

/** More turns than a receiving call may wait for if many came before it (E11): 64. */
const SETTLING_TURNS = 70;

/**
 * Lets the event loop turn until everything has run that needs neither time nor I/O. It takes 0.3 ms on Deno, and
 * `turns` 6 ms, in which I/O may happen as well.
 */
export async function loopTurns(): Promise<void> {
  for (let turn = 0; turn < SETTLING_TURNS; turn++) {
    await new Promise<void>((resolve) => void nextTurn(resolve));
  }
}

/** Waits until everything has run that needs neither time nor the network. */
export async function turns(count = 3): Promise<void> {
  for (let turn = 0; turn < count; turn++) {
    await new Promise<void>((resolve) => setTimeout(resolve, 0));
  }
}

/** Tells if a promise is still pending after everything has run that can run. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let pending = true;
  const settle = () => void (pending = false);
  promise.then(settle, settle);
  await turns();
  return pending;
}
