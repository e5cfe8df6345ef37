import { SocketError } from "../errors.ts";

/**
 * Characters that JSON leaves as they are, and that a log or a terminal takes for a line break (U+0085, U+2028), the
 * beginning of a command (U+009B, as ESC [ is) or another direction of the text (U+202E).
 */
export const UNSEEN: RegExp = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const LONGEST_QUOTE = 80;

/**
 * Writes a caller's text for a message: on one line, with every character visible, and cut off if it is long.
 *
 * @param longest Number of characters from which it is cut off.
 */
export function quote(text: string, longest: number = LONGEST_QUOTE): string {
  const short = text.length > longest ? `${text.slice(0, longest - 3)}...` : text;
  return JSON.stringify(short)
    .replace(UNSEEN, (character) => character.split("").map(escaped).join(""));
}

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/**
 * Quotes the message of what a caller's own function threw, to follow a reason: `: "no type"`. Gives nothing for a value
 * without a message.
 */
export function quoteMessage(thrown: unknown, longest?: number): string {
  const message: unknown = thrown instanceof Error ? thrown.message : thrown;
  return typeof message === "string" && message !== "" ? `: ${quote(message, longest)}` : "";
}

/** Describes a value for a message about it. */
export function describe(value: unknown): string {
  if (typeof value === "string") return quote(value);
  if (typeof value === "number" || typeof value === "boolean" || value == null) return `${value}`;
  if (isArray(value)) return "an array";
  return typeof value === "object" ? "an object of another kind" : `a ${typeof value}`;
}

/** Makes the error for an argument that can't be right; thrown before any I/O. */
export function invalidInput(operation: string, reason: string, cause?: unknown): SocketError {
  return new SocketError("InvalidInput", operation, reason, cause === undefined ? {} : { cause });
}

/** Reads a caller's arguments. Anything that is thrown meanwhile, such as by a getter, becomes `InvalidInput`. */
export function readArguments<T>(operation: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw asInvalidInput(operation, error);
  }
}

/** Returns an error for what was thrown while a caller's arguments were read. */
export function asInvalidInput(operation: string, error: unknown): SocketError {
  return error instanceof SocketError
    ? error
    : invalidInput(operation, "an argument could not be read", error);
}

/** Returns a whole number in a range, or throws `InvalidInput`. */
export function checkWhole(
  operation: string,
  name: string,
  value: unknown,
  lowest: number,
  highest: number,
): number {
  if (Number.isInteger(value) && (value as number) >= lowest && (value as number) <= highest) {
    return value as number;
  }
  throw invalidInput(
    operation,
    `${name} is ${describe(value)}, not a whole number from ${lowest} to ${highest}`,
  );
}

/** Returns a number from `lowest` to `Infinity`, a whole one if `whole` says so, or throws `InvalidInput`. */
export function checkLimit(
  operation: string,
  name: string,
  value: unknown,
  fallback: number,
  { lowest = 0, whole = false }: { lowest?: number; whole?: boolean } = {},
): number {
  if (value === undefined) return fallback;
  if (
    typeof value === "number" && value >= lowest &&
    (!whole || value === Infinity || Number.isInteger(value))
  ) return value;
  throw invalidInput(
    operation,
    `${name} is ${describe(value)}, not a ${
      whole ? "whole " : ""
    }number from ${lowest} to Infinity`,
  );
}

/** Returns `true` or `false`, or throws `InvalidInput`. */
export function checkBoolean(
  operation: string,
  name: string,
  value: unknown,
  fallback: boolean,
): boolean {
  if (value === undefined) return fallback;
  if (typeof value === "boolean") return value;
  throw invalidInput(operation, `${name} is ${describe(value)}, not true or false`);
}

/** Returns an options object, an empty one if it was left out, or throws `InvalidInput`. */
export function checkOptions<T extends object>(operation: string, options: T | undefined): T {
  if (options === undefined) return {} as T;
  if (typeof options === "object" && options !== null && !isArray(options)) return options;
  throw invalidInput(operation, `options is ${describe(options)}, not an object`);
}

/** Returns true for an array. Unlike `Array.isArray` it tells TypeScript about readonly arrays as well. */
export function isArray(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}
