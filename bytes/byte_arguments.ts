import type { SocketError } from "../errors.ts";
import { describe, invalidInput } from "../core/arguments.ts";

/** Bytes to send or a buffer to fill, as {@linkcode plainBytes} gives them, or `InvalidInput`. */
export function checkBytes(operation: string, name: string, bytes: unknown): Uint8Array {
  if (!isBytes(bytes)) {
    throw invalidInput(operation, `${name} is ${describe(bytes)}, not a Uint8Array`);
  }
  const plain = plainBytes(bytes);
  // Nobody means to send nothing by that.
  if (plain.length > 0 || isThere(bytes)) return plain;
  throw invalidInput(operation, `the buffer of ${name} has been transferred or shortened`);
}

/** Bytes as {@linkcode checkBytes} gives them, at least one. */
export function checkSomeBytes(operation: string, name: string, bytes: unknown): Uint8Array {
  const checked = checkBytes(operation, name, bytes);
  if (checked.length > 0) return checked;
  throw invalidInput(operation, `${name} is empty`);
}

const [typedArrayTag, bufferOf, byteOffsetOf, lengthOf] = [
  ...[Symbol.toStringTag, "buffer", "byteOffset", "length"],
].map((name) =>
  Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), name)!.get!
);
const EMPTY = new Uint8Array();

/**
 * Asks the value itself, not its prototype, which a proxy has as well, or an array of another type that
 * was given this one's. That costs 15 ns more than `instanceof`.
 */
export function isBytes(value: unknown): value is Uint8Array {
  return typedArrayTag.call(value) === "Uint8Array";
}

/**
 * The same bytes in a plain array. In a subclass, such as `Buffer` of Node, `length`, `set` and `subarray` can be
 * anything: a `length` that lies made the runtime write nothing for ever, a `set` that throws lost a read.
 */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  const length = lengthOf.call(bytes);
  const plain = Object.getPrototypeOf(bytes) === Uint8Array.prototype &&
    statedLength(bytes) === length;
  if (plain) return bytes;
  // Of a buffer that was transferred no view can be made.
  return length === 0
    ? EMPTY
    : new Uint8Array(bufferOf.call(bytes), byteOffsetOf.call(bytes), length);
}

/** The length that bytes say they have, which may be any number; 0 where they say none. */
export function statedLength(bytes: Uint8Array): number {
  try {
    return bytes.length;
  } catch {
    return 0;
  }
}

/** Whether a view that reads as empty is one of no bytes, not of a buffer that was transferred or ends before it. */
export function isThere(bytes: Uint8Array): boolean {
  try {
    Uint8Array.prototype.at.call(bytes, 0);
    return true;
  } catch {
    return false;
  }
}

/** Whether bytes are as many as when they were made, whatever somebody did to their buffer since. */
export function keepsItsLength(bytes: Uint8Array): boolean {
  return isThere(bytes) && (bufferOf.call(bytes) as ArrayBuffer).resizable !== true;
}

/** Whether the bytes are still as many as when the call was made. */
export function isStillThere(bytes: Uint8Array, length: number): boolean {
  return bytes.length === length && (length > 0 || isThere(bytes));
}

/** The error for bytes that went away while their call waited. */
export function noLongerThere(): SocketError {
  return invalidInput("sendTo", "the buffer was transferred or resized while its send waited");
}
