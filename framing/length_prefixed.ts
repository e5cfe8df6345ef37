import type { ByteQueue } from "../bytes/byte_queue.ts";
import {
  checkBoolean,
  checkOptions,
  describe,
  invalidInput,
  readArguments,
} from "../core/arguments.ts";
import type { SocketError } from "../errors.ts";
import type { Codec, CodecOptions } from "./codec.ts";
import {
  checkFrame,
  checkInput,
  frameTooLarge,
  invalidFrame,
  LARGE_FRAME_BYTES,
  readMaxLength,
  withEncodeInto,
} from "./codec_support.ts";
import { FrameRunDecoder } from "./frame_run.ts";
import { checkEndian, lengthAt, type LengthForm, lengthIn, writeLength } from "./length_value.ts";

/** Options of {@linkcode lengthPrefixed}. */
export interface LengthPrefixedOptions extends CodecOptions {
  /**
   * Size of the length (bytes).
   *
   * @default {4}
   */
  bytes?: 1 | 2 | 4 | 8;
  /**
   * Byte order of the length: `big` is network order.
   *
   * @default {"big"}
   */
  endian?: "big" | "little";
  /**
   * True if the length counts its own bytes as well.
   *
   * @default {false}
   */
  lengthIncludesPrefix?: boolean;
}

/** The options, checked and completed. */
interface Format extends LengthForm {
  /** Difference between the length that is written and that of the frame (bytes). */
  readonly extra: number;
  readonly maxLength: number;
}

/**
 * Makes a codec of frames with their length in front, a whole number of 1, 2, 4 or 8 bytes:
 *
 * ```text
 * +----+----+----+----+----+----+----+----+----+
 * | 00   00   00   05 | h    e    l    l    o  |   bytes: 4, endian: "big"
 * +----+----+----+----+----+----+----+----+----+
 *    length               frame
 * ```
 *
 * @param options Form of the length, and maximum length of a frame. The limit is at most the largest length
 * that the form can express.
 * @returns The codec. It encodes and decodes with `TooLarge`. It decodes with `InvalidData` if a length that
 * counts its own bytes is smaller than those. After either error the decoder gives no more frames.
 * @throws {SocketError} `InvalidInput` if an option has another value than those above.
 *
 * @example
 * ```ts
 * import { assertEquals } from "jsr:@std/assert";
 * import { ByteQueue, lengthPrefixed } from "jsr:@aivi/sockets";
 *
 * const codec = lengthPrefixed({ bytes: 2 });
 * assertEquals(codec.encode(new Uint8Array([7, 8])), new Uint8Array([0, 2, 7, 8]));
 *
 * const input = new ByteQueue();
 * input.push(new Uint8Array([0, 2, 7, 8, 0, 1]));
 * const decoder = codec.decoder();
 * assertEquals(decoder.decode(input), new Uint8Array([7, 8]));
 * assertEquals(decoder.decode(input), undefined); // one byte is missing
 * ```
 */
export function lengthPrefixed(options?: LengthPrefixedOptions): Codec<Uint8Array> {
  const format = readFormat("lengthPrefixed", options);
  const { size, extra, maxLength } = format;
  const codec: Codec<Uint8Array> = {
    encode(frame) {
      const bytes = checkFrame(frame, maxLength);
      const large = size + bytes.length > LARGE_FRAME_BYTES;
      // One buffer for a small frame: a prefix to join would be another, which is half of the time.
      const encoded = new Uint8Array(large ? size : size + bytes.length);
      writeLength(encoded, 0, bytes.length + extra, format);
      if (large) return [encoded, bytes];
      encoded.set(bytes, size);
      return encoded;
    },
    decoder: () => new LengthPrefixedDecoder(format),
  };
  return withEncodeInto(codec, (frame, target, offset) => {
    const bytes = checkFrame(frame, maxLength);
    const end = offset + size + bytes.length;
    if (end > target.length) return -1;
    writeLength(target, offset, bytes.length + extra, format);
    target.set(bytes, offset + size);
    return end;
  });
}

class LengthPrefixedDecoder extends FrameRunDecoder {
  readonly #format: Format;
  readonly #size: number;
  readonly #extra: number;
  readonly #maxLength: number;

  constructor(format: Format) {
    super();
    this.#format = format;
    this.#size = format.size;
    this.#extra = format.extra;
    this.#maxLength = format.maxLength;
  }

  decode(input: ByteQueue): Uint8Array | undefined {
    checkInput(input);
    const { size, extra, maxLength } = this.#format;
    if (input.length < size) return undefined;
    const length = lengthAt(input, 0, this.#format) - extra;
    if (length < 0 || length > maxLength) throw wrongLength(length, this.#format);
    if (input.length < size + length) return undefined;
    input.skip(size);
    return input.take(length);
  }

  find(bytes: Uint8Array, at: number): boolean {
    const first = at + this.#size;
    if (first > bytes.length) return false;
    const length = lengthIn(bytes, at, this.#format) - this.#extra;
    if (length < 0 || length > this.#maxLength || first + length > bytes.length) return false;
    this.first = first;
    this.behind = this.next = first + length;
    return true;
  }
}

function wrongLength(length: number, { extra, maxLength }: Format): SocketError {
  if (length > maxLength) return frameTooLarge(length, maxLength);
  return invalidFrame(`the length ${length + extra} does not even count its own ${extra} bytes`);
}

function readFormat(operation: string, options: LengthPrefixedOptions | undefined): Format {
  const limit = readMaxLength(operation, options);
  return readArguments(operation, () => {
    const { bytes = 4, endian = "big", lengthIncludesPrefix } = checkOptions(operation, options);
    if (bytes !== 1 && bytes !== 2 && bytes !== 4 && bytes !== 8) {
      throw invalidInput(operation, `bytes is ${describe(bytes)}, not 1, 2, 4 or 8`);
    }
    checkEndian(operation, endian);
    const counted = checkBoolean(operation, "lengthIncludesPrefix", lengthIncludesPrefix, false);
    const extra = counted ? bytes : 0;
    const maxLength = Math.min(limit, 256 ** bytes - 1 - extra);
    return { size: bytes, endian, extra, maxLength };
  });
}
