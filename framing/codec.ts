import { checkBytes } from "../bytes/byte_arguments.ts";
import { SocketError } from "../errors.ts";
import {
  checkLimit,
  checkOptions,
  describe,
  invalidInput,
  readArguments,
} from "../core/arguments.ts";
import { type ByteQueue, isByteQueue } from "../bytes/byte_queue.ts";

/**
 * How frames become bytes and bytes frames: the message format of a protocol. One codec serves any
 * number of connections; what belongs to one of them is in its {@linkcode Decoder}.
 *
 * {@linkcode checkCodec} tests one.
 *
 * @typeParam T What a frame is to the program. It cannot be `undefined`, `null` or a promise.
 *
 * @example A codec of one's own: every frame is one byte, a number from 0 to 255
 * ```ts
 * import { type Codec, SocketError } from "jsr:@aivi/sockets";
 * import { checkCodec } from "jsr:@aivi/sockets/testing";
 *
 * const numbers: Codec<number> = {
 *   encode(frame) {
 *     if (frame > 255) throw new SocketError("TooLarge", "sendFrame", "numbers go up to 255");
 *     return new Uint8Array([frame]);
 *   },
 *   decoder: () => ({
 *     decode: (input) => input.length > 0 ? input.take(1)[0] : undefined,
 *   }),
 * };
 * checkCodec(numbers, new Uint8Array([1, 2, 3]), [1, 2, 3]);
 * ```
 */
export interface Codec<T> {
  /**
   * Writes a frame.
   *
   * @param frame What to send.
   * @returns Its bytes, in pieces where that saves a copy. They may share memory with the frame, but
   * not with the codec.
   * @throws {SocketError} `InvalidInput` for what is no frame, `TooLarge` for one over the limit, with
   * the operation `sendFrame`.
   */
  encode(frame: T): Uint8Array | readonly Uint8Array[];
  /** A decoder for one stream, at the beginning of a frame. */
  decoder(): Decoder<T>;
}

/**
 * Finds the frames of one stream. It is called whenever more has come, as often as it gives a frame, and
 * goes on where it stopped: what it looked at once it should not scan again.
 *
 * The bytes that a decoder has taken when it throws say whether it can go on:
 *
 * - It threw a `SocketError` and took bytes in that call: they were the bad frame, and the next one begins
 *   behind them. The next call of `recvFrame` calls it again. So `lines` reports a line that is too long
 *   and goes on with the next line.
 * - It threw a `SocketError` and took nothing: the next frame's beginning is lost. {@linkcode framed} does
 *   not call it again; each later call rejects with the same error. So does `lengthPrefixed`.
 * - It threw `UnexpectedEof`, or what is no `SocketError` and so a failure of the codec itself: each later
 *   call rejects with the same, whatever was taken.
 *
 * A decoder that cannot go on therefore checks a header where it lies (`at`, `peek`), and takes it only
 * once it is right: or the body that it refuses would be read as the next header.
 *
 * @typeParam T What a frame is to the program. It cannot be `undefined`, `null` or a promise.
 *
 * @example A decoder that reports a bad frame and goes on with the next one
 * ```ts
 * import { type Codec, lines, SocketError } from "jsr:@aivi/sockets";
 * import { accept, close, connect, framed, listen, recvFrame, send } from "jsr:@aivi/sockets";
 *
 * const numbers: Codec<number> = {
 *   encode: (frame) => lines().encode(String(frame)),
 *   decoder() {
 *     const inner = lines().decoder();
 *     return {
 *       decode(input) {
 *         const line = inner.decode(input);
 *         if (line === undefined) return undefined;
 *         // The line is taken: the next one begins here.
 *         if (!/^\d+$/.test(line)) throw new SocketError("InvalidData", "recvFrame", "no number");
 *         return Number(line);
 *       },
 *     };
 *   },
 * };
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const client = await connect(listener.address);
 * const server = framed(await accept(listener), numbers);
 * await send(client, new TextEncoder().encode("1\nx\n3\n"));
 * console.log(await recvFrame(server)); // 1
 * await recvFrame(server).catch((error) => console.log(error.kind)); // InvalidData
 * console.log(await recvFrame(server)); // 3
 * await Promise.all([close(client), close(server.connection)]);
 * ```
 */
export interface Decoder<T> {
  /**
   * Takes the next frame out of what has come.
   *
   * @param input What has come and is not yet taken. Bytes behind the frame must be left there: another
   * codec may read them. A frame must not be made of views that `peek` gave.
   * @returns The frame, or `undefined` where more bytes are needed. `null` is no frame, but the end of
   * stream: `recvFrame` rejects with `InvalidData` instead of giving it.
   * @throws {SocketError} `TooLarge` for a frame over the limit, as soon as that is certain and before
   * it is waited for; `InvalidData` for what is no frame; with the operation `recvFrame`.
   */
  decode(input: ByteQueue): T | undefined;
  /**
   * Called once at the end of stream, when `decode` has given all frames. What is left in `input`
   * afterwards is an incomplete frame: `UnexpectedEof`, also without this function. A decoder that takes
   * a part of a frame before the rest has come needs this function, to throw `UnexpectedEof` itself.
   *
   * @param input What came after the last frame, often nothing.
   * @returns The last frame, where the end of stream completes one.
   * @throws {SocketError} `UnexpectedEof`, where it keeps a part of a frame in itself; else as `decode`.
   */
  end?(input: ByteQueue): T | undefined;
}

/** What all codecs here take. */
export interface CodecOptions {
  /**
   * The most bytes that a frame may have, without what frames it: a whole number, or `Infinity`. It is
   * checked on both sides, for what comes as soon as the frame's length is known.
   *
   * @default {1048576}
   */
  maxLength?: number;
}

const DEFAULT_MAX_LENGTH = 1024 * 1024;
/** Larger frames are sent as they are: from about here a copy costs more than a system call. */
const LARGE_FRAME = 16 * 1024;

/**
 * Whether a decoder may be called again after an error, which {@linkcode Decoder} says: never with the bytes
 * that it has just failed on.
 */
export function mayGoOn(error: unknown, tookBytes: boolean): boolean {
  return tookBytes && error instanceof SocketError && error.kind !== "UnexpectedEof";
}

/** The largest frame that options ask for, as a number that lengths can be compared with exactly. */
export function readMaxLength(
  operation: string,
  options: CodecOptions | undefined,
  fallback: number = DEFAULT_MAX_LENGTH,
): number {
  return readArguments(operation, () => {
    const { maxLength } = checkOptions(operation, options);
    const limit = checkLimit(operation, "maxLength", maxLength, fallback, { whole: true });
    return Math.min(limit, Number.MAX_SAFE_INTEGER);
  });
}

/** A frame of bytes to be sent, or `InvalidInput` or `TooLarge`. */
export function checkFrame(frame: unknown, maxLength: number): Uint8Array {
  const bytes = checkBytes("sendFrame", "the frame", frame);
  if (bytes.length > maxLength) throw tooLarge("sendFrame", bytes.length, maxLength);
  return bytes;
}

/** The queue that a decoder reads from, or `InvalidInput`. */
export function checkInput(input: unknown): asserts input is ByteQueue {
  if (isByteQueue(input)) return;
  throw invalidInput("recvFrame", `the input is ${describe(input)}, not a ByteQueue`);
}

export function tooLarge(operation: string, length: number, maxLength: number): SocketError {
  const reason = `the frame has ${length} bytes, at most ${maxLength} are allowed`;
  return new SocketError("TooLarge", operation, reason);
}

/** The error for a frame of unknown length, of which more has come than there may be. */
export function tooLong(
  what: string,
  maxLength: number,
  operation: string = "recvFrame",
): SocketError {
  const reason = `the ${what} has more than ${maxLength} bytes, the limit`;
  return new SocketError("TooLarge", operation, reason);
}

export function invalidData(reason: string, cause?: unknown): SocketError {
  return new SocketError("InvalidData", "recvFrame", reason, cause === undefined ? {} : { cause });
}

/** `null` for a frame would be taken for the end of stream. */
export const NULL_FRAME = "the decoder gave null, which is the end of stream and no frame";

/** `UnexpectedEof` where the stream has ended and bytes that are no frame are left. */
export function checkNothingLeft(
  { length }: ByteQueue,
  operation: string = "recvFrame",
): void {
  if (length === 0) return;
  const reason = `the stream ended inside a frame, after ${length} of its bytes`;
  throw new SocketError("UnexpectedEof", operation, reason);
}

/** One piece of bytes where that is small, so that it is sent at once; else the pieces. */
export function pieces(...parts: Uint8Array[]): Uint8Array | Uint8Array[] {
  let length = 0;
  for (const part of parts) length += part.length;
  if (length > LARGE_FRAME) return parts;
  const joined = new Uint8Array(length);
  let end = 0;
  for (const part of parts) {
    joined.set(part, end);
    end += part.length;
  }
  return joined;
}
