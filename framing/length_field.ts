import type { ByteQueue } from "../bytes/byte_queue.ts";
import {
  checkOptions,
  checkWhole,
  describe,
  invalidInput,
  readArguments,
} from "../core/arguments.ts";
import type { Codec, CodecOptions } from "./codec.ts";
import {
  checkFrame,
  checkInput,
  frameTooLarge,
  invalidFrame,
  readMaxLength,
} from "./codec_support.ts";
import { FrameRunDecoder } from "./frame_run.ts";
import { checkEndian, lengthAt, type LengthForm, lengthIn } from "./length_value.ts";

/** Maximum of `offset` (bytes). Headers are short, and a decoder waits for this many bytes. */
const LARGEST_OFFSET_BYTES = 65_535;
/** Maximum of `adjust`, above and below 0 (bytes). */
const LARGEST_ADJUST_BYTES = 2 ** 31;

/** Options of {@linkcode lengthField}. */
export interface LengthFieldOptions extends CodecOptions {
  /**
   * Number of bytes before the length field, from 0 to 65,535.
   *
   * @default {0}
   */
  offset?: number;
  /**
   * Size of the length field (bytes).
   *
   * @default {4}
   */
  bytes?: 1 | 2 | 3 | 4 | 8;
  /**
   * Byte order of the length field: `big` is network order.
   *
   * @default {"big"}
   */
  endian?: "big" | "little";
  /**
   * Number of bytes behind the length field that its value does not count; negative if the value counts the
   * field itself or bytes before it.
   *
   * @default {0}
   */
  adjust?: number;
  /**
   * Maximum number of bytes in a frame, with its header: a whole number, or `Infinity`. It holds in both
   * directions; for a received frame it is checked as soon as the length field has come.
   *
   * @default {1048576}
   */
  maxLength?: number;
}

/** The options, checked and completed. */
interface Format extends LengthForm {
  readonly offset: number;
  /** Number of bytes before the end of the length field: no frame is shorter. */
  readonly header: number;
  /** Difference between the length of a frame and the value of its field (bytes). */
  readonly extra: number;
  readonly maxLength: number;
}

/**
 * Makes a codec of messages with a length field somewhere in their header. A frame is the whole message with
 * its header, `offset + bytes + value + adjust` bytes:
 *
 * ```text
 * +-----+---------------------+--------------------+
 * | 'Q' | 00   00   00   0A   | B  E  G  I  N  00  |   offset: 1, bytes: 4, adjust: -4
 * +-----+---------------------+--------------------+
 *  offset  length field: 10      10 - 4 bytes
 * ```
 *
 * `adjust` follows from what the value of the field counts:
 *
 * | the value counts                              | `adjust`               |
 * | --------------------------------------------- | ---------------------- |
 * | all bytes behind the field                    | `0`, the default       |
 * | the field and all bytes behind it             | `-bytes`               |
 * | the whole message                             | `-(offset + bytes)`    |
 * | the bytes behind a header of `n` bytes        | `n - (offset + bytes)` |
 *
 * The layouts of some protocols:
 *
 * | protocol                     | options                                     |
 * | ---------------------------- | ------------------------------------------- |
 * | PostgreSQL                   | `{ offset: 1, adjust: -4 }`                 |
 * | PostgreSQL's startup message | `{ adjust: -4 }`                            |
 * | MySQL                        | `{ bytes: 3, endian: "little", adjust: 1 }` |
 * | MongoDB                      | `{ endian: "little", adjust: -4 }`          |
 * | Kafka                        | `{}`                                        |
 * | AMQP 0-9-1                   | `{ offset: 3, adjust: 1 }`                  |
 * | HTTP/2                       | `{ bytes: 3, adjust: 6 }`                   |
 * | TLS records                  | `{ offset: 3, bytes: 2 }`                   |
 * | Diameter                     | `{ offset: 1, bytes: 3, adjust: -4 }`       |
 * | BGP                          | `{ offset: 16, bytes: 2, adjust: -18 }`     |
 * | memcached's binary protocol  | `{ offset: 8, adjust: 12 }`                 |
 * | FLV tag and its size behind  | `{ offset: 1, bytes: 3, adjust: 11 }`       |
 *
 * The field is read without a sign: a negative length is a very large one, and over the limit.
 * {@linkcode lengthPrefixed} gives the message without its length instead, and {@linkcode mapCodec} gives the
 * fields of the header names.
 *
 * @param options Place and form of the length field, and maximum length of a frame.
 * @returns The codec. It encodes a whole message as it is, with `InvalidInput` if its length field does not
 * fit its length, and with `TooLarge`. It decodes with `TooLarge`, and with `InvalidData` for a length that
 * ends the frame before the end of the field. After either error the decoder gives no more frames.
 * @throws {SocketError} `InvalidInput` if an option has another value than those above, or if `maxLength` is
 * smaller than `offset + bytes`.
 *
 * @example Messages of a type, the length of their text in 2 bytes, and the text
 * ```ts
 * import { accept, connect, framed, listen, recvFrame, sendFrame } from "jsr:@aivi/sockets";
 * import { lengthField, mapCodec } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * const messages = mapCodec(lengthField({ offset: 1, bytes: 2 }), {
 *   encode(message: { type: number; text: string }) {
 *     const text = new TextEncoder().encode(message.text);
 *     return Uint8Array.of(message.type, text.length >> 8, text.length & 255, ...text);
 *   },
 *   decode: (frame) => ({ type: frame[0], text: new TextDecoder().decode(frame.subarray(3)) }),
 * });
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * await using client = framed(await connect(listener.address), messages);
 * await using server = framed(await accept(listener), messages);
 * await sendFrame(client, { type: 7, text: "hello" });
 * assertEquals(await recvFrame(server), { type: 7, text: "hello" });
 * ```
 *
 * @example Bytes of PostgreSQL
 * ```ts
 * import { assertEquals } from "jsr:@std/assert";
 * import { ByteQueue, lengthField } from "jsr:@aivi/sockets";
 *
 * const postgres = lengthField({ offset: 1, adjust: -4 });
 * const query = new TextEncoder().encode("Q\0\0\0\x0aBEGIN\0");
 * assertEquals(postgres.encode(query), query);
 *
 * const input = new ByteQueue();
 * input.push(query);
 * input.push(new TextEncoder().encode("X\0\0\0")); // one byte of the next message is missing
 * const decoder = postgres.decoder();
 * assertEquals(decoder.decode(input), query);
 * assertEquals(decoder.decode(input), undefined);
 * ```
 */
export function lengthField(options?: LengthFieldOptions): Codec<Uint8Array> {
  const format = readFormat("lengthField", options);
  return {
    encode(frame) {
      const bytes = checkFrame(frame, format.maxLength);
      checkLength(bytes, format);
      return bytes;
    },
    decoder: () => new LengthFieldDecoder(format),
  };
}

class LengthFieldDecoder extends FrameRunDecoder {
  readonly #format: Format;

  constructor(format: Format) {
    super();
    this.#format = format;
  }

  decode(input: ByteQueue): Uint8Array | undefined {
    checkInput(input);
    const { offset, header, extra, maxLength } = this.#format;
    if (input.length < header) return undefined;
    const value = lengthAt(input, offset, this.#format);
    const length = value + extra;
    // Nothing is taken before an error: without a length, nobody knows the beginning of the next frame.
    if (length > maxLength) throw frameTooLarge(length, maxLength);
    if (length < header) {
      throw invalidFrame(`the length field says ${value}, which ends the frame inside its header`);
    }
    return input.length < length ? undefined : input.take(length);
  }

  find(bytes: Uint8Array, at: number): boolean {
    const { offset, header, extra, maxLength } = this.#format;
    if (at + header > bytes.length) return false;
    const length = lengthIn(bytes, at + offset, this.#format) + extra;
    if (length < header || length > maxLength || at + length > bytes.length) return false;
    this.first = at;
    this.behind = this.next = at + length;
    return true;
  }
}

/** Throws `InvalidInput` if a receiver would find another end of a frame than its own. */
function checkLength(frame: Uint8Array, format: Format): void {
  const { offset, header, extra } = format;
  const operation = "sendFrame";
  if (frame.length < header) {
    const reason = `the frame has ${frame.length} bytes, but its length field ends at ${header}`;
    throw invalidInput(operation, reason);
  }
  const value = lengthIn(frame, offset, format);
  if (value + extra === frame.length) return;
  const wanted = frame.length - extra;
  throw invalidInput(
    operation,
    `the frame has ${frame.length} bytes, so its length field should say ${wanted}, not ${value}`,
  );
}

function readFormat(operation: string, options: LengthFieldOptions | undefined): Format {
  const maxLength = readMaxLength(operation, options);
  return readArguments(operation, () => {
    const { offset = 0, bytes = 4, endian = "big", adjust = 0 } = checkOptions(operation, options);
    checkWhole(operation, "offset", offset, 0, LARGEST_OFFSET_BYTES);
    if (bytes !== 1 && bytes !== 2 && bytes !== 3 && bytes !== 4 && bytes !== 8) {
      throw invalidInput(operation, `bytes is ${describe(bytes)}, not 1, 2, 3, 4 or 8`);
    }
    checkEndian(operation, endian);
    checkWhole(operation, "adjust", adjust, -LARGEST_ADJUST_BYTES, LARGEST_ADJUST_BYTES);
    const header = offset + bytes;
    const largest = 256 ** bytes - 1 + adjust;
    if (largest < 0) {
      const reason = `adjust is ${adjust}, but a length of ${bytes} bytes is at most ` +
        `${256 ** bytes - 1}`;
      throw invalidInput(operation, reason);
    }
    if (maxLength < header) {
      const reason = `maxLength is ${maxLength}, but the length field ends at ${header}: ` +
        "the limit counts the whole message";
      throw invalidInput(operation, reason);
    }
    const extra = header + adjust;
    const limit = Math.min(maxLength, header + largest);
    return { offset, size: bytes, endian, header, extra, maxLength: limit };
  });
}
