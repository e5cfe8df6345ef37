import { isBytes } from "../bytes/byte_arguments.ts";
import { quote, UNSEEN } from "../core/arguments.ts";

/** Longest text of a value (characters). */
const LONGEST_TEXT = 80;
/** Number of bytes that are shown of an array of bytes. */
const SHOWN_BYTES = 16;

/** Writes a value for the message of a check: on one line, and cut off if it is long. */
export function showValue(value: unknown): string {
  if (typeof value === "string") return quote(value);
  let text: string;
  try {
    text = textOf(value).replace(UNSEEN, "\uFFFD");
  } catch {
    // A structure that contains itself, or a toJSON that throws.
    return "an object that cannot be shown";
  }
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT - 1)}…` : text;
}

/** Writes bytes in hexadecimal: `05 74 68`, with `…` if there are more. */
export function showBytes(bytes: Uint8Array): string {
  const shown = Array.from(
    bytes.subarray(0, SHOWN_BYTES),
    (byte) => byte.toString(16).padStart(2, "0"),
  );
  if (bytes.length > SHOWN_BYTES) shown.push("…");
  return shown.join(" ");
}

function textOf(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return String(value);
  if (isBytes(value)) {
    const { length } = value;
    return length === 0 ? "no bytes" : `bytes (${length}: ${showBytes(value)})`;
  }
  if (value instanceof Error) return `${value.name} ${quote(value.message)}`;
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain = prototype === null || prototype === Object.prototype || Array.isArray(value);
  const text = JSON.stringify(value, replaceForJson);
  return isPlain ? text : `${value.constructor.name} ${text}`;
}

/** Replaces what JSON does not have. */
function replaceForJson(_key: string, value: unknown): unknown {
  if (value instanceof Map || value instanceof Set) return [...value];
  if (typeof value === "bigint" || typeof value === "symbol") return textOf(value);
  return value !== null && typeof value === "object" && isBytes(value) ? textOf(value) : value;
}
