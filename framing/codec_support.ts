import { concat } from "@std/bytes/concat";
import { checkBytes } from "../bytes/byte_arguments.ts";
import { type ByteQueue, isByteQueue } from "../bytes/byte_queue.ts";
import {
  checkLimit,
  checkOptions,
  describe,
  invalidInput,
  readArguments,
} from "../core/arguments.ts";
import { SocketError } from "../errors.ts";
import type { Codec } from "./codec.ts";

/** Default limit of a frame and of a part that `recvUntil` receives (bytes). */
export const DEFAULT_MAX_LENGTH = 1024 * 1024;
/** Default limit of a line (bytes). */
export const DEFAULT_MAX_LINE_LENGTH = 64 * 1024;
/** Size from which a copy costs more than a system call, so that pieces are sent as they are (bytes). */
export const LARGE_FRAME_BYTES = 16 * 1024;
/** Reason of the error for a frame of `null`, which would read as the end of stream. */
export const NULL_FRAME = "the decoder gave null, which is the end of stream and no frame";

/** Returns the `maxLength` of options as a number that lengths can be compared with exactly. */
export function readMaxLength(
  operation: string,
  options: { readonly maxLength?: number } | undefined,
  fallback: number = DEFAULT_MAX_LENGTH,
): number {
  return readArguments(operation, () => {
    const { maxLength } = checkOptions(operation, options);
    const limit = checkLimit(operation, "maxLength", maxLength, fallback, { whole: true });
    return Math.min(limit, Number.MAX_SAFE_INTEGER);
  });
}

/** Throws `InvalidInput` for a value that is no codec. */
export function checkIsCodec(operation: string, codec: Codec<unknown>): void {
  readArguments(operation, () => {
    if (typeof codec?.encode === "function" && typeof codec.decoder === "function") return;
    throw invalidInput(operation, "the codec has no encode and decoder functions");
  });
}

/** Returns the bytes of a frame to send, or throws `InvalidInput` or `TooLarge`. */
export function checkFrame(frame: unknown, maxLength: number): Uint8Array {
  const bytes = checkBytes("sendFrame", "the frame", frame);
  if (bytes.length > maxLength) throw frameTooLarge("sendFrame", bytes.length, maxLength);
  return bytes;
}

/** Throws `InvalidInput` for a value that no decoder can read from. */
export function checkInput(input: unknown): asserts input is ByteQueue {
  if (isByteQueue(input)) return;
  throw invalidInput("recvFrame", `the input is ${describe(input)}, not a ByteQueue`);
}

/** Throws `UnexpectedEof` if the stream has ended and bytes that are no frame are left. */
export function checkNothingLeft({ length }: ByteQueue, operation: string = "recvFrame"): void {
  if (length === 0) return;
  const reason = `the stream ended inside a frame, after ${length} of its bytes`;
  throw new SocketError("UnexpectedEof", operation, reason);
}

/** Returns true if a decoder may be called again after an error, by the rules of {@linkcode Decoder}. */
export function mayGoOn(error: unknown, tookBytes: boolean): boolean {
  return tookBytes && error instanceof SocketError && error.kind !== "UnexpectedEof";
}

/** Makes the error for a frame whose length is known. */
export function frameTooLarge(operation: string, length: number, maxLength: number): SocketError {
  const reason = `the frame has ${length} bytes, at most ${maxLength} are allowed`;
  return new SocketError("TooLarge", operation, reason);
}

/** Makes the error for a frame of unknown length, of which more than the limit has come. */
export function overLimit(
  what: string,
  maxLength: number,
  operation: string = "recvFrame",
): SocketError {
  const reason = `the ${what} has more than ${maxLength} bytes, the limit`;
  return new SocketError("TooLarge", operation, reason);
}

/** Makes the error for bytes that are no frame. */
export function invalidFrame(reason: string, cause?: unknown): SocketError {
  return new SocketError("InvalidData", "recvFrame", reason, cause === undefined ? {} : { cause });
}

/** Joins the pieces of a small frame, so that it is sent at once; gives those of a large frame as they are. */
export function frameBytes(...pieces: Uint8Array[]): Uint8Array | Uint8Array[] {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  return length > LARGE_FRAME_BYTES ? pieces : concat(pieces);
}
