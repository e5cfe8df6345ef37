import type { SocketError } from "../errors.ts";
import type { ByteQueue } from "../bytes/byte_queue.ts";
import {
  checkFrame,
  checkInput,
  type Codec,
  type CodecOptions,
  type Decoder,
  invalidData,
  pieces,
  readMaxLength,
  tooLarge,
} from "./codec.ts";

const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const COMMA = 0x2c;

/**
 * Netstrings (D. J. Bernstein, 1997): the length in decimal, a colon, the frame, a comma.
 *
 * ```text
 * +---+---+---+---+---+---+---+---+
 * | 5 | : | h   e   l   l   o | , |
 * +---+---+---+---+---+---+---+---+
 *  length       frame
 * ```
 *
 * @param options How long a frame may be.
 * @returns The codec. It encodes and decodes with `TooLarge`, and `InvalidData` for a length that is
 * empty, has a leading zero or anything but digits, and for a missing comma; after any of them the
 * decoder gives no more frames.
 * @throws {SocketError} `InvalidInput`, where `maxLength` is not a whole number or `Infinity`.
 *
 * @example
 * ```ts
 * import { netstrings } from "jsr:@aivi/sockets";
 *
 * const encoded = netstrings().encode(new TextEncoder().encode("hello")) as Uint8Array;
 * console.log(new TextDecoder().decode(encoded)); // 5:hello,
 * ```
 */
export function netstrings(options?: CodecOptions): Codec<Uint8Array> {
  const maxLength = readMaxLength("netstrings", options);
  return {
    encode(frame) {
      const bytes = checkFrame(frame, maxLength);
      const header = new TextEncoder().encode(`${bytes.length}:`);
      return pieces(header, bytes, Uint8Array.of(COMMA));
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
      if (byte < ZERO || byte > NINE) throw invalidData("a frame's length is no decimal number");
      if (index > 0 && length === 0) throw invalidData("a frame's length has a leading zero");
      length = length * 10 + byte - ZERO;
      // Digit by digit, or a length without an end would be waited for.
      if (length > this.#maxLength) throw tooLarge("recvFrame", length, this.#maxLength);
    }
    return undefined;
  }

  #finish(input: ByteQueue, size: number, length: number): Uint8Array | undefined {
    if (input.length <= size + length) return undefined;
    if (input.at(size + length) !== COMMA) throw invalidData("a frame has no comma behind it");
    input.skip(size);
    const frame = input.take(length);
    input.skip(1);
    return frame;
  }
}
