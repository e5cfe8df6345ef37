import process from "node:process";

/** Signals that end the examples from outside; Windows has only one of them. */
const SIGNALS = process.platform === "win32" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];

/**
 * Calls `end` at each signal to end. A server calls this before it prints that it serves, because whoever waits for
 * that line may end it at once.
 */
export function onInterrupt(end: () => void): void {
  for (const signal of SIGNALS) process.on(signal, end);
}

/** Resolves at a signal to end. Call it as early as {@linkcode onInterrupt}. */
export function waitInterrupt(): Promise<void> {
  return new Promise(onInterrupt);
}
