import type { ByteQueue } from "../bytes/byte_queue.ts";
import type { Codec, CodecOptions, Decoder } from "./codec.ts";
import {
  checkFrame,
  checkInput,
  frameBytes,
  frameTooLarge,
  invalidFrame,
  overLimit,
  readMaxLength,
} from "./codec_support.ts";

/** Limit of a header block with the blank line behind it (bytes). Real ones have fewer than 100. */
const MAX_HEADER_BYTES = 8192;
/** End of the header block: the last header's CRLF, and the blank line. */
const BLANK_LINE = Uint8Array.of(13, 10, 13, 10);
/** A header by RFC 9110, section 5.1: a token, a colon, and visible ASCII with spaces and tabs. */
const HEADER = /^([\w!#$%&'*+.^`|~-]+):([\t\x20-\x7e]*)$/;

const encoder = new TextEncoder();

/**
 * Makes a codec of frames behind a header block with their length, as in the Language Server Protocol and the
 * Debug Adapter Protocol:
 *
 * ```text
 * +----------------------+------+------+---+---+
 * | Content-Length: 2    | \r\n | \r\n | {   } |
 * +----------------------+------+------+---+---+
 *  header block                   blank   frame
 * ```
 *
 * `json(contentLength())` gives the messages themselves. Names of headers are read in any case, and headers
 * other than `Content-Length`, such as LSP's `Content-Type`, are ignored. Only `Content-Length` is sent.
 *
 * @param options Maximum length of a frame. A header block has at most 8,192 bytes.
 * @returns The codec. It encodes and decodes with `TooLarge`. It decodes with `InvalidData` for a header block
 * that has not exactly one `Content-Length` with a decimal number, or has a line that is no header or does not
 * end with CRLF. After either error the decoder gives no more frames.
 * @throws {SocketError} `InvalidInput` if `maxLength` is neither a whole number nor `Infinity`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "jsr:@std/assert";
 * import { contentLength, json } from "jsr:@aivi/sockets";
 *
 * const messages = json(contentLength());
 * const encoded = messages.encode({ jsonrpc: "2.0", method: "exit" });
 * const text = 'Content-Length: 33\r\n\r\n{"jsonrpc":"2.0","method":"exit"}';
 * assertEquals(encoded, new TextEncoder().encode(text));
 * ```
 */
export function contentLength(options?: CodecOptions): Codec<Uint8Array> {
  const maxLength = readMaxLength("contentLength", options);
  return {
    encode(frame) {
      const bytes = checkFrame(frame, maxLength);
      return frameBytes(encoder.encode(`Content-Length: ${bytes.length}\r\n\r\n`), bytes);
    },
    decoder: () => new ContentLengthDecoder(maxLength),
  };
}

class ContentLengthDecoder implements Decoder<Uint8Array> {
  readonly #maxLength: number;
  /** Position in the stream of the header block that was looked at last. */
  #at = -1;
  /** Number of its bytes that were scanned for the blank line. */
  #scanned = 0;
  /** Size of the whole header block, and length of the frame behind it (bytes). */
  #header: { readonly size: number; readonly length: number } | undefined;

  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  decode(input: ByteQueue): Uint8Array | undefined {
    checkInput(input);
    // The last frame was taken, or another reader took bytes.
    if (this.#at !== input.consumed) {
      this.#at = input.consumed;
      this.#scanned = 0;
      this.#header = undefined;
    }
    this.#header ??= this.#readHeader(input);
    if (this.#header === undefined) return undefined;
    const { size, length } = this.#header;
    if (input.length < size + length) return undefined;
    input.skip(size);
    return input.take(length);
  }

  #readHeader(input: ByteQueue): { size: number; length: number } | undefined {
    const found = input.indexOf(BLANK_LINE, this.#scanned);
    // Noted before an error as well; without a find, the last bytes may be the beginning of the blank line.
    this.#scanned = found < 0 ? Math.max(0, input.length - BLANK_LINE.length + 1) : found;
    const size = found + BLANK_LINE.length;
    if (found < 0 ? input.length >= MAX_HEADER_BYTES : size > MAX_HEADER_BYTES) {
      throw overLimit("header block", MAX_HEADER_BYTES);
    }
    if (found < 0) return undefined;
    const length = lengthIn(String.fromCharCode(...input.peek(found)));
    if (length > this.#maxLength) throw frameTooLarge(length, this.#maxLength);
    return { size, length };
  }
}

/** Returns the length that a header block says. Above 2^53 it is not exact, but larger than any limit. */
function lengthIn(block: string): number {
  let length: number | undefined;
  for (const line of block.split("\r\n")) {
    const [, name, value] = HEADER.exec(line) ?? [];
    if (name === undefined) throw invalidFrame("a line of the header block is no header");
    if (name.toLowerCase() !== "content-length") continue;
    // Two lengths are two ends of the frame: another reader may choose the other one.
    if (length !== undefined) throw invalidFrame("the header block has two Content-Length headers");
    const digits = value.trim();
    if (!/^[0-9]+$/.test(digits)) throw invalidFrame("Content-Length is no decimal number");
    length = Number(digits);
  }
  if (length === undefined) throw invalidFrame("the header block has no Content-Length");
  return length;
}
