/**
 * Lets a promise that nobody waits for reject: unhandled, its rejection would end the program. Anything that is no
 * promise is left alone.
 */
export function ignoreRejection(value: unknown): void {
  if (value instanceof Promise) value.catch(() => {});
}

/** Returns true if a value is a promise, of any class, and ignores its rejection then. */
export function isIgnoredPromise(value: unknown): boolean {
  ignoreRejection(value);
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}
