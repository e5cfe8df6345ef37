import type { ByteQueue } from "../bytes/byte_queue.ts";
import type { Codec, CodecOptions } from "./codec.ts";
import {
  checkFrame,
  checkInput,
  frameBytes,
  frameTooLarge,
  invalidFrame,
  readMaxLength,
  withEncodeInto,
} from "./codec_support.ts";
import { FrameRunDecoder } from "./frame_run.ts";

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
  const codec: Codec<Uint8Array> = {
    encode(frame) {
      const bytes = checkFrame(frame, maxLength);
      return frameBytes(varint(bytes.length), bytes);
    },
    decoder: () => new VarintPrefixedDecoder(maxLength),
  };
  return withEncodeInto(codec, (frame, target, offset) => {
    const bytes = checkFrame(frame, maxLength);
    if (offset + LONGEST_LENGTH_BYTES + bytes.length > target.length) return -1;
    const first = writeVarint(target, offset, bytes.length);
    target.set(bytes, first);
    return first + bytes.length;
  });
}

class VarintPrefixedDecoder extends FrameRunDecoder {
  readonly #maxLength: number;

  constructor(maxLength: number) {
    super();
    this.#maxLength = maxLength;
  }

  decode(input: ByteQueue): Uint8Array | undefined {
    checkInput(input);
    let length = 0;
    for (let index = 0, scale = 1; index < input.length; index++, scale *= 128) {
      const byte = input.at(index);
      length += (byte & 127) * scale;
      if (index === LONGEST_LENGTH_BYTES - 1 && byte > 15) {
        throw invalidFrame("the frame's length has more than 53 bits");
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
      throw invalidFrame("the frame's length has more bytes than it needs");
    }
    if (length > this.#maxLength) throw frameTooLarge(length, this.#maxLength);
    if (input.length < size + length) return undefined;
    input.skip(size);
    return input.take(length);
  }

  /** Finds frames with a length of one or two bytes, up to 16,383. Longer frames come alone anyway. */
  find(bytes: Uint8Array, at: number): boolean {
    let first = at + 1;
    let length = bytes[at];
    if (length > 127) {
      const high = bytes[first++];
      if (!(high > 0 && high < 128)) return false;
      length += (high - 1) * 128;
    }
    if (!(first + length <= bytes.length) || length > this.#maxLength) return false;
    this.first = first;
    this.behind = this.next = first + length;
    return true;
  }
}

function varint(value: number): Uint8Array {
  const bytes = new Uint8Array(LONGEST_LENGTH_BYTES);
  return bytes.subarray(0, writeVarint(bytes, 0, value));
}

/** Writes a varint. Returns the index behind it. */
function writeVarint(target: Uint8Array, offset: number, value: number): number {
  let at = offset;
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) target[at++] = rest % 128 + 128;
  target[at++] = rest;
  return at;
}
