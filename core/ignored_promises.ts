/**
 * Takes care of what others gave and nobody here takes: an async function's promise may reject yet, which would
 * end the program.
 */
export function ignoreRejection(refused: unknown): void {
  try {
    // Its own `then` is anybody's code, and what is no promise cannot end the program.
    Promise.prototype.then.call(refused, undefined, () => {});
  } catch {
    // No promise.
  }
}

/** Whether it is a promise, of whatever class; which is disowned then. */
export function isIgnoredPromise(value: unknown): boolean {
  if (typeof (value as { then?: unknown } | null | undefined)?.then !== "function") return false;
  ignoreRejection(value);
  return true;
}
