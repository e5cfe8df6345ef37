import type { SocketError } from "../errors.ts";
import { invalidInput } from "./arguments.ts";

/**
 * Throws where the buffer of a datagram is gone when the call is made. Transferred bytes read as none:
 * `Deno.listenDatagram` would send an empty datagram, and `node:dgram` ends the process.
 */
export function checkThere(bytes: Uint8Array): void {
  if (bytes.length > 0 || isReadable(bytes)) return;
  throw invalidInput("sendTo", "the buffer of the bytes has been transferred or shortened");
}

/** Whether the bytes are still as many as when the call was made. */
export function isStillThere(bytes: Uint8Array, length: number): boolean {
  return bytes.length === length && (length > 0 || isReadable(bytes));
}

/** The error for bytes that went away while their call waited. */
export function noLongerThere(): SocketError {
  return invalidInput("sendTo", "the buffer was transferred or resized while its send waited");
}

/** Whether an empty view is one of no bytes, not of a buffer that ends before it. */
function isReadable(bytes: Uint8Array): boolean {
  try {
    Uint8Array.prototype.at.call(bytes, 0);
    return true;
  } catch {
    return false;
  }
}
