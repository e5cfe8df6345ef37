import { checkSomeBytes } from "../bytes/byte_arguments.ts";
import type { ByteQueue } from "../bytes/byte_queue.ts";
import { ByteSearch } from "../bytes/byte_search.ts";
import { invalidInput } from "../core/arguments.ts";
import type { Codec, CodecOptions } from "./codec.ts";
import {
  checkFrame,
  checkInput,
  frameBytes,
  overLimit,
  readMaxLength,
  withEncodeInto,
} from "./codec_support.ts";
import { DelimiterScanner } from "./delimiter_scanner.ts";
import { FrameRunDecoder } from "./frame_run.ts";

/**
 * Makes a codec of frames that end with a delimiter, which is not part of them:
 *
 * ```text
 * +---+---+---+---+---+----+----+
 * | h   e   l   l   o | \r   \n |   delimiter: 13, 10
 * +---+---+---+---+---+----+----+
 *        frame
 * ```
 *
 * @param delimiter The end of a frame: at least one byte.
 * @param options Maximum length of a frame.
 * @returns The codec. It encodes with `TooLarge`, and with `InvalidInput` for a frame in which a reader would
 * find the delimiter before the frame's end. It decodes with `TooLarge` once for a frame over the limit, drops
 * the rest of that frame, and goes on with the next one.
 * @throws {SocketError} `InvalidInput` if the delimiter is empty or no `Uint8Array`, or `maxLength` is neither
 * a whole number nor `Infinity`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "jsr:@std/assert";
 * import { ByteQueue, delimited } from "jsr:@aivi/sockets";
 *
 * const input = new ByteQueue();
 * input.push(new Uint8Array([7, 8, 0, 9]));
 * const decoder = delimited(new Uint8Array([0])).decoder();
 * assertEquals(decoder.decode(input), new Uint8Array([7, 8]));
 * assertEquals(decoder.decode(input), undefined); // no delimiter yet
 * ```
 */
export function delimited(delimiter: Uint8Array, options?: CodecOptions): Codec<Uint8Array> {
  const operation = "delimited";
  const own = new Uint8Array(checkSomeBytes(operation, "the delimiter", delimiter));
  const maxLength = readMaxLength(operation, options);
  const codec: Codec<Uint8Array> = {
    encode(frame) {
      const content = checkFrame(frame, maxLength);
      checkWithout(content, own);
      return frameBytes(content, new Uint8Array(own));
    },
    decoder: () => new DelimitedDecoder(own, maxLength),
  };
  return withEncodeInto(codec, (frame, target, offset) => {
    const content = checkFrame(frame, maxLength);
    const end = offset + content.length + own.length;
    if (end > target.length) return -1;
    checkWithout(content, own);
    target.set(content, offset);
    target.set(own, end - own.length);
    return end;
  });
}

class DelimitedDecoder extends FrameRunDecoder {
  readonly #scanner: DelimiterScanner;
  readonly #search: ByteSearch;
  readonly #maxLength: number;

  constructor(delimiter: Uint8Array, maxLength: number) {
    super();
    this.#scanner = new DelimiterScanner(delimiter, maxLength, () => overLimit("frame", maxLength));
    this.#search = new ByteSearch(delimiter);
    this.#maxLength = maxLength;
  }

  decode(input: ByteQueue): Uint8Array | undefined {
    checkInput(input);
    const length = this.#scanner.next(input);
    if (length < 0) return undefined;
    const frame = input.take(length);
    input.skip(this.#search.length);
    return frame;
  }

  override decodeAll(input: ByteQueue, frames: Uint8Array[], maxFrames: number): void {
    // The bytes that the scanner has seen already are not scanned again.
    if (this.#scanner.isAtBeginning(input)) super.decodeAll(input, frames, maxFrames);
  }

  find(bytes: Uint8Array, at: number): boolean {
    const { length } = this.#search;
    this.#search.reset();
    const end = this.#search.scan(bytes, at, Math.min(bytes.length, at + this.#maxLength + length));
    if (end < 0) return false;
    this.first = at;
    this.behind = end - length;
    this.next = end;
    return true;
  }

  end(input: ByteQueue): undefined {
    checkInput(input);
    // The oversized frame was already reported; drop its tail.
    if (this.#scanner.discarding) input.skip(input.length);
  }
}

/** Throws `InvalidInput` if a reader would find the delimiter before the frame's end. */
function checkWithout(frame: Uint8Array, delimiter: Uint8Array): void {
  const search = new ByteSearch(delimiter);
  const inside = search.scan(frame, 0, frame.length) >= 0;
  // With the delimiter "aa", the frame "a" makes "aaa": an empty frame, and one "a" too many.
  if (inside || search.scan(delimiter, 0, delimiter.length) < delimiter.length) {
    throw invalidInput("sendFrame", "the frame has the delimiter in it");
  }
}
