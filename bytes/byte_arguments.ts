import type { SocketError } from "../errors.ts";
import { describe, invalidInput } from "../core/arguments.ts";

const EMPTY = new Uint8Array();

/** Returns bytes to send or a buffer to fill as {@linkcode plainBytes} does, or throws `InvalidInput`. */
export function checkBytes(operation: string, name: string, bytes: unknown): Uint8Array {
  if (!isBytes(bytes)) {
    throw invalidInput(operation, `${name} is ${describe(bytes)}, not a Uint8Array`);
  }
  // Nobody means to send nothing by sending a buffer that was transferred.
  if (bytes.length > 0 || isThere(bytes)) return plainBytes(bytes);
  throw invalidInput(operation, `the buffer of ${name} has been transferred or shortened`);
}

/** Returns bytes as {@linkcode checkBytes} does, at least one. */
export function checkSomeBytes(operation: string, name: string, bytes: unknown): Uint8Array {
  const checked = checkBytes(operation, name, bytes);
  if (checked.length > 0) return checked;
  throw invalidInput(operation, `${name} is empty`);
}

export function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array;
}

/** Returns the same bytes in a plain array: in a subclass methods differ, and `slice` of Node's `Buffer` is no copy. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  if (Object.getPrototypeOf(bytes) === Uint8Array.prototype) return bytes;
  // No view can be made of a buffer that was transferred.
  return bytes.length === 0 ? EMPTY : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Returns false if the buffer of an array was transferred, or ends before it. The array reads as empty then. */
function isThere(bytes: Uint8Array): boolean {
  try {
    bytes.at(0);
    return true;
  } catch {
    return false;
  }
}

/** Returns true if the number of bytes can change only by a transfer of their buffer. */
export function keepsItsLength(bytes: Uint8Array): boolean {
  return isThere(bytes) && (bytes.buffer as ArrayBuffer).resizable !== true;
}

/** Returns true if there are still as many bytes as when the call was made. */
export function isStillThere(bytes: Uint8Array, length: number): boolean {
  return bytes.length === length && (length > 0 || isThere(bytes));
}

/** Makes the error for a datagram whose buffer went away while its call waited. */
export function noLongerThere(): SocketError {
  return invalidInput("sendTo", "the buffer was transferred or resized while its send waited");
}
