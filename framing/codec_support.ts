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
export const DEFAULT_MAX_LENGTH_BYTES = 1024 * 1024;
/** Default limit of a line (bytes). */
export const DEFAULT_MAX_LINE_LENGTH_BYTES = 64 * 1024;
/** Size from which a copy costs more than a system call, so that pieces are sent as they are (bytes). */
export const LARGE_FRAME_BYTES = 16 * 1024;
/** Reason of the error for a frame of `null`, which would read as the end of stream. */
export const NULL_FRAME = "the decoder gave null, which is the end of stream and no frame";

/** Returns the `maxLength` of options as a number that lengths can be compared with exactly. */
export function readMaxLength(
  operation: string,
  options: { readonly maxLength?: number } | undefined,
  fallback: number = DEFAULT_MAX_LENGTH_BYTES,
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

/**
 * Gives a codec an `encodeInto`. A codec that spreads this one and has an `encode` of its own must not get it: object
 * spread leaves out what is not enumerable.
 */
export function withEncodeInto<In, Out>(
  codec: Codec<In, Out>,
  encodeInto: NonNullable<Codec<In>["encodeInto"]>,
): Codec<In, Out> {
  return Object.defineProperty(codec, "encodeInto", { value: encodeInto });
}

/** Returns the bytes of a frame to send, or throws `InvalidInput` or `TooLarge`. */
export function checkFrame(frame: unknown, maxLength: number): Uint8Array {
  const bytes = checkBytes("sendFrame", "the frame", frame);
  if (bytes.length > maxLength) throw frameTooLarge(bytes.length, maxLength, "sendFrame");
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

/**
 * Makes the error for a frame over a codec's limit. A {@linkcode Decoder} throws it as soon as it knows the
 * length, before it waits for the bytes.
 *
 * @param length Length of the frame (bytes).
 * @param maxLength The limit (bytes).
 * @param operation The call that fails: `sendFrame` in `encode`, else `recvFrame`.
 * @returns The error, `TooLarge`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "jsr:@std/assert";
 * import { frameTooLarge } from "jsr:@aivi/sockets";
 *
 * const error = frameTooLarge(70_000, 65_535);
 * assertEquals(error.reason, "the frame has 70000 bytes, at most 65535 are allowed");
 * ```
 */
export function frameTooLarge(
  length: number,
  maxLength: number,
  operation?: "recvFrame" | "sendFrame",
): SocketError;
export function frameTooLarge(
  length: number,
  maxLength: number,
  operation: "recvFrame" | "sendFrame" = "recvFrame",
): SocketError {
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

/**
 * Makes the error for received bytes that are no frame.
 *
 * @param reason The part of the message after the operation, such as `the frame has no checksum`.
 * @param cause The error that led to this one, if there was one.
 * @returns The error, `InvalidData`. {@linkcode Decoder} says how frames go on after it.
 *
 * @example
 * ```ts
 * import { assertEquals } from "jsr:@std/assert";
 * import { invalidFrame } from "jsr:@aivi/sockets";
 *
 * const error = invalidFrame("packet type 9 is unknown");
 * assertEquals([error.kind, error.reason], ["InvalidData", "packet type 9 is unknown"]);
 * ```
 */
export function invalidFrame(reason: string, cause?: unknown): SocketError {
  return new SocketError("InvalidData", "recvFrame", reason, cause === undefined ? {} : { cause });
}

/**
 * Joins the pieces of a frame that {@linkcode Codec.encode} returns, such as a header and a body.
 *
 * @param pieces The pieces, in order.
 * @returns A copy in one piece for a frame of at most 16 KiB, which then leaves in one write; the pieces
 * themselves for a larger frame, since a copy would cost more than another write.
 * @throws {SocketError} `InvalidInput` if a piece is no `Uint8Array`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "jsr:@std/assert";
 * import { frameBytes } from "jsr:@aivi/sockets";
 *
 * const frame = frameBytes(new Uint8Array([0, 2]), new Uint8Array([7, 8]));
 * assertEquals(frame, new Uint8Array([0, 2, 7, 8]));
 * ```
 */
export function frameBytes(...pieces: Uint8Array[]): Uint8Array | Uint8Array[] {
  let length = 0;
  for (const piece of pieces) {
    length += checkBytes("sendFrame", "a piece of the frame", piece).length;
  }
  return length > LARGE_FRAME_BYTES ? pieces : concat(pieces);
}
