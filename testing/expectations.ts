import { AssertionError } from "@std/assert/assertion-error";
import { deepEqual } from "./deep_equal.ts";

/** Throws an `AssertionError` unless a condition holds. */
export function expect(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Throws an `AssertionError` unless two values have the same structure. */
export function expectEqual(actual: unknown, expected: unknown, message = "another value"): void {
  if (deepEqual(actual, expected)) return;
  const difference = `got ${shown(actual)}, expected ${shown(expected)}`;
  throw new AssertionError(`${message}: ${difference}`);
}

function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(shown).join(", ")}]`;
  if (typeof value !== "object" || value === null) return String(value);
  return Object.prototype.toString.call(value);
}

/** An abort signal, and the number of its listeners. */
export interface CountedSignal {
  readonly signal: AbortSignal;
  listeners(): number;
}

/** Makes an abort signal that counts its listeners. */
export function countedSignal(): CountedSignal {
  const { signal } = new AbortController();
  const live = new Set<unknown>();
  const add = signal.addEventListener;
  const remove = signal.removeEventListener;
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    live.add(args[1]);
    add.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    live.delete(args[1]);
    remove.apply(signal, args);
  };
  return { signal, listeners: () => live.size };
}
