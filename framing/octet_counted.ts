import type { ByteQueue } from "../bytes/byte_queue.ts";
import { invalidInput } from "../core/arguments.ts";
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
const SPACE = 0x20;

const encoder = new TextEncoder();

/**
 * Makes a codec of syslog messages over TCP or TLS with octet counting (RFC 6587, section 3.4.1, and RFC 5425):
 * the length in decimal, a space, the message.
 *
 * ```text
 * +-----+---+---+---+---+---+---+---+
 * | 6   |   | <   1   3   >   h   i |
 * +-----+---+---+---+---+---+---+---+
 *  length     frame
 * ```
 *
 * Some senders end each message with a line feed instead and give no length. For those use {@linkcode lines}:
 * their first byte is `<`, which is no digit, and is `InvalidData` here.
 *
 * @param options Maximum length of a frame.
 * @returns The codec. It encodes and decodes with `TooLarge`. It encodes with `InvalidInput` for a frame
 * without bytes, which the format does not have. It decodes with `InvalidData` if the length is 0, has a leading
 * zero or anything but digits before the space. After any of these errors the decoder gives no more frames.
 * @throws {SocketError} `InvalidInput` if `maxLength` is neither a whole number nor `Infinity`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "jsr:@std/assert";
 * import { octetCounted } from "jsr:@aivi/sockets";
 *
 * const encoded = octetCounted().encode(new TextEncoder().encode("<13>hi"));
 * assertEquals(encoded, new TextEncoder().encode("6 <13>hi"));
 * ```
 */
export function octetCounted(options?: CodecOptions): Codec<Uint8Array> {
  const maxLength = readMaxLength("octetCounted", options);
  return {
    encode(frame) {
      const bytes = checkFrame(frame, maxLength);
      if (bytes.length === 0) throw invalidInput("sendFrame", "the frame has no bytes");
      return frameBytes(encoder.encode(`${bytes.length} `), bytes);
    },
    decoder: () => new OctetCountedDecoder(maxLength),
  };
}

class OctetCountedDecoder implements Decoder<Uint8Array> {
  readonly #maxLength: number;

  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  decode(input: ByteQueue): Uint8Array | undefined {
    checkInput(input);
    let length = 0;
    for (let index = 0; index < input.length; index++) {
      const byte = input.at(index);
      if (byte === SPACE && index > 0) {
        const size = index + 1;
        if (input.length < size + length) return undefined;
        input.skip(size);
        return input.take(length);
      }
      if (byte < ZERO || byte > NINE) throw invalidFrame("a frame's length is no decimal number");
      if (byte === ZERO && index === 0) throw invalidFrame("a frame's length begins with a zero");
      length = length * 10 + byte - ZERO;
      // Checked after each digit: a length without an end must not be waited for.
      if (length > this.#maxLength) throw frameTooLarge(length, this.#maxLength);
    }
    return undefined;
  }
}
