import type { ByteQueue } from "../bytes/byte_queue.ts";
import { invalidInput } from "../core/arguments.ts";
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

const encoder = new TextEncoder();

const SPACE = 0x20;
const COMMA = 0x2c;
const COLON = 0x3a;
const ZERO = 0x30;
const NINE = 0x39;

/** The rules of a format whose frames begin with their length in decimal digits. */
interface DecimalForm {
  /** The byte behind the digits. */
  readonly separator: number;
  /** The byte behind the frame, if the format has one. */
  readonly terminator: number | undefined;
  /** Length of the shortest frame (bytes). */
  readonly shortest: number;
  readonly maxLength: number;
}

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
  const form = { separator: COLON, terminator: COMMA, shortest: 0, maxLength };
  const codec: Codec<Uint8Array> = {
    encode(frame) {
      const bytes = checkFrame(frame, maxLength);
      const header = encoder.encode(`${bytes.length}:`);
      return frameBytes(header, bytes, Uint8Array.of(COMMA));
    },
    decoder: () => new DecimalLengthDecoder(form),
  };
  return withEncodeInto(
    codec,
    (frame, target, offset) =>
      writeDecimalFrame(checkFrame(frame, maxLength), target, offset, form),
  );
}

/**
 * Makes a codec of syslog messages over TCP or TLS with octet counting. A frame is its length in decimal, a space, the
 * message (RFC 6587, section 3.4.1, and RFC 5425).
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
  const form = { separator: SPACE, terminator: undefined, shortest: 1, maxLength };
  const codec: Codec<Uint8Array> = {
    encode(frame) {
      const bytes = checkFrame(frame, maxLength);
      if (bytes.length === 0) throw invalidInput("sendFrame", "the frame has no bytes");
      return frameBytes(encoder.encode(`${bytes.length} `), bytes);
    },
    decoder: () => new DecimalLengthDecoder(form),
  };
  return withEncodeInto(
    codec,
    (frame, target, offset) =>
      writeDecimalFrame(checkFrame(frame, maxLength), target, offset, form),
  );
}

/** Finds the frames of one stream that begin with their length in decimal digits. */
class DecimalLengthDecoder extends FrameRunDecoder {
  readonly #form: DecimalForm;

  constructor(form: DecimalForm) {
    super();
    this.#form = form;
  }

  decode(input: ByteQueue): Uint8Array | undefined {
    checkInput(input);
    const { separator, shortest, maxLength } = this.#form;
    let length = 0;
    for (let index = 0; index < input.length; index++) {
      const byte = input.at(index);
      if (byte === separator && index > 0) return this.#take(input, index + 1, length);
      if (!isDigit(byte)) throw invalidFrame("a frame's length is no decimal number");
      if (byte === ZERO && index === 0 && shortest > 0) {
        throw invalidFrame("a frame's length begins with a zero");
      }
      if (index > 0 && length === 0) throw invalidFrame("a frame's length has a leading zero");
      length = length * 10 + byte - ZERO;
      // Checked after each digit: a length without an end must not be waited for.
      if (length > maxLength) throw frameTooLarge(length, maxLength);
    }
    return undefined;
  }

  find(bytes: Uint8Array, at: number): boolean {
    const { separator, terminator, shortest, maxLength } = this.#form;
    let first = at;
    let length = 0;
    for (; first < bytes.length && isDigit(bytes[first]) && length <= maxLength; first++) {
      if (first > at && length === 0) return false;
      length = length * 10 + bytes[first] - ZERO;
    }
    if (first === at || bytes[first] !== separator) return false;
    const behind = ++first + length;
    if (length < shortest || length > maxLength || behind > bytes.length) return false;
    if (terminator !== undefined && bytes[behind] !== terminator) return false;
    this.first = first;
    this.behind = behind;
    this.next = terminator === undefined ? behind : behind + 1;
    return true;
  }

  /** Takes a frame behind the `size` bytes of its header. */
  #take(input: ByteQueue, size: number, length: number): Uint8Array | undefined {
    const { terminator } = this.#form;
    const whole = size + length + (terminator === undefined ? 0 : 1);
    if (input.length < whole) return undefined;
    if (terminator !== undefined && input.at(whole - 1) !== terminator) {
      throw invalidFrame("a frame has no comma behind it");
    }
    input.skip(size);
    const frame = input.take(length);
    if (terminator !== undefined) input.skip(1);
    return frame;
  }
}

/** Writes a frame with its length in front, as `encodeInto` does. */
function writeDecimalFrame(
  bytes: Uint8Array,
  target: Uint8Array,
  offset: number,
  { separator, terminator, shortest }: DecimalForm,
): number {
  const { length } = bytes;
  let digits = 1;
  for (let rest = length; rest > 9; rest = Math.floor(rest / 10)) digits++;
  const first = offset + digits + 1;
  const end = first + length + (terminator === undefined ? 0 : 1);
  if (length < shortest || end > target.length) return -1;
  let rest = length;
  for (let at = first - 2; at >= offset; at--) {
    target[at] = ZERO + rest % 10;
    rest = Math.floor(rest / 10);
  }
  target[first - 1] = separator;
  target.set(bytes, first);
  if (terminator !== undefined) target[end - 1] = terminator;
  return end;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}
