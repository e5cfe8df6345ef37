/** How the examples are ended from outside. */
const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT"]
  : ["SIGINT", "SIGTERM"];

/**
 * Calls `end` whenever the program is told to end. For a server before it says that it serves: whoever waits for that
 * may end it at once.
 */
export function onInterrupt(end: () => void): void {
  for (const signal of SIGNALS) Deno.addSignalListener(signal, end);
}

/** Resolves when the program is told to end; it is to be called as early as {@linkcode onInterrupt}. */
export function whenInterrupted(): Promise<void> {
  return new Promise(onInterrupt);
}
