import type { SocketError } from "../errors.ts";
import { invalidInput, isThere } from "../core/arguments.ts";

/** Whether the bytes are still as many as when the call was made. */
export function isStillThere(bytes: Uint8Array, length: number): boolean {
  return bytes.length === length && (length > 0 || isThere(bytes));
}

/** The error for bytes that went away while their call waited. */
export function noLongerThere(): SocketError {
  return invalidInput("sendTo", "the buffer was transferred or resized while its send waited");
}
