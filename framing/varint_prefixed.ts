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

/** Size of a varint of 53 bits, at seven bits a byte. */
const LONGEST_LENGTH_BYTES = 8;

/**
 * Makes a codec of frames with their length in front as a varint, as Protocol Buffers delimit messages:
 * seven bits a byte, the lowest first, the eighth bit set in all but the last byte (unsigned LEB128).
 *
 * ```text
 * +-----------+-----------+---------------
 * | 1 0101100 | 0 0000010 | 300 bytes …       300 = 0000010 0101100
 * +-----------+-----------+---------------
 *   length                  frame
 * ```
 *
 * @param options Maximum length of a frame.
 * @returns The codec. It encodes and decodes with `TooLarge`. It decodes with `InvalidData` if the length has
 * more than 53 bits or more bytes than it needs. After either error the decoder gives no more frames.
 * @throws {SocketError} `InvalidInput` if `maxLength` is neither a whole number nor `Infinity`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "jsr:@std/assert";
 * import { varintPrefixed } from "jsr:@aivi/sockets";
 *
 * const codec = varintPrefixed({ maxLength: 64 * 1024 });
 * assertEquals(codec.encode(new Uint8Array([7, 8])), new Uint8Array([2, 7, 8]));
 * ```
 */
export function varintPrefixed(options?: CodecOptions): Codec<Uint8Array> {
  const maxLength = readMaxLength("varintPrefixed", options);
  return {
    encode(frame) {
      const bytes = checkFrame(frame, maxLength);
      return frameBytes(varint(bytes.length), bytes);
    },
    decoder: () => new VarintPrefixedDecoder(maxLength),
  };
}

class VarintPrefixedDecoder implements Decoder<Uint8Array> {
  readonly #maxLength: number;
  #failure: SocketError | undefined;

  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  decode(input: ByteQueue): Uint8Array | undefined {
    checkInput(input);
    if (this.#failure !== undefined) throw this.#failure;
    let length = 0;
    for (let index = 0, scale = 1; index < input.length; index++, scale *= 128) {
      const byte = input.at(index);
      length += (byte & 127) * scale;
      if (index === LONGEST_LENGTH_BYTES - 1 && byte > 15) {
        throw this.#failure = invalidFrame("the frame's length has more than 53 bits");
      }
      if (byte < 128) return this.#finish(input, index + 1, length, byte);
    }
    return undefined;
  }

  #finish(
    input: ByteQueue,
    size: number,
    length: number,
    last: number,
  ): Uint8Array | undefined {
    if (last === 0 && size > 1) {
      throw this.#failure = invalidFrame("the frame's length has more bytes than it needs");
    }
    if (length > this.#maxLength) {
      throw this.#failure = frameTooLarge(length, this.#maxLength);
    }
    if (input.length < size + length) return undefined;
    input.skip(size);
    return input.take(length);
  }
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push(rest % 128 + 128);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
