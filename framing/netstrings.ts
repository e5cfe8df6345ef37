import type { ByteQueue } from "../bytes/byte_queue.ts";
import type { SocketError } from "../errors.ts";
import type { Codec, CodecOptions, Decoder } from "./codec.ts";
import {
  checkFrame,
  checkInput,
  frameBytes,
  frameTooLarge,
  invalidFrame,
  readMaxLength,
} from "./codec_support.ts";

const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const COMMA = 0x2c;

/**
 * Makes a codec of netstrings (D. J. Bernstein, 1997): the length in decimal, a colon, the frame, a comma.
 *
 * ```text
 * +---+---+---+---+---+---+---+---+
 * | 5 | : | h   e   l   l   o | , |
 * +---+---+---+---+---+---+---+---+
 *  length       frame
 * ```
 *
 * @param options Maximum length of a frame.
 * @returns The codec. It encodes and decodes with `TooLarge`. It decodes with `InvalidData` if the length is
 * empty, has a leading zero or anything but digits, or if the comma is missing. After any of these errors the
 * decoder gives no more frames.
 * @throws {SocketError} `InvalidInput` if `maxLength` is neither a whole number nor `Infinity`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "jsr:@std/assert";
 * import { netstrings } from "jsr:@aivi/sockets";
 *
 * const encoded = netstrings().encode(new TextEncoder().encode("hello"));
 * assertEquals(encoded, new TextEncoder().encode("5:hello,"));
 * ```
 */
export function netstrings(options?: CodecOptions): Codec<Uint8Array> {
  const maxLength = readMaxLength("netstrings", options);
  return {
    encode(frame) {
      const bytes = checkFrame(frame, maxLength);
      const header = new TextEncoder().encode(`${bytes.length}:`);
      return frameBytes(header, bytes, Uint8Array.of(COMMA));
    },
    decoder: () => new NetstringDecoder(maxLength),
  };
}

class NetstringDecoder implements Decoder<Uint8Array> {
  readonly #maxLength: number;
  #failure: SocketError | undefined;

  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  decode(input: ByteQueue): Uint8Array | undefined {
    checkInput(input);
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return this.#decode(input);
    } catch (error) {
      throw this.#failure = error as SocketError;
    }
  }

  #decode(input: ByteQueue): Uint8Array | undefined {
    let length = 0;
    for (let index = 0; index < input.length; index++) {
      const byte = input.at(index);
      if (byte === COLON && index > 0) return this.#finish(input, index + 1, length);
      if (byte < ZERO || byte > NINE) throw invalidFrame("a frame's length is no decimal number");
      if (index > 0 && length === 0) throw invalidFrame("a frame's length has a leading zero");
      length = length * 10 + byte - ZERO;
      // Checked after each digit: a length without an end must not be waited for.
      if (length > this.#maxLength) throw frameTooLarge(length, this.#maxLength);
    }
    return undefined;
  }

  #finish(input: ByteQueue, size: number, length: number): Uint8Array | undefined {
    if (input.length <= size + length) return undefined;
    if (input.at(size + length) !== COMMA) throw invalidFrame("a frame has no comma behind it");
    input.skip(size);
    const frame = input.take(length);
    input.skip(1);
    return frame;
  }
}
