import { checkSomeBytes } from "../bytes/byte_arguments.ts";
import { invalidInput } from "../core/arguments.ts";
import type { ByteQueue } from "../bytes/byte_queue.ts";
import {
  checkFrame,
  checkInput,
  type Codec,
  type CodecOptions,
  type Decoder,
  pieces,
  readMaxLength,
  tooLong,
} from "./codec.ts";
import { DelimiterScanner } from "./delimiter_scanner.ts";
import { ByteSearch } from "../bytes/byte_search.ts";

/**
 * Frames that end with a delimiter, which is not part of them:
 *
 * ```text
 * +---+---+---+---+---+----+----+
 * | h   e   l   l   o | \r   \n |   delimiter: 13, 10
 * +---+---+---+---+---+----+----+
 *        frame
 * ```
 *
 * @param delimiter What ends a frame: at least one byte.
 * @param options How long a frame may be.
 * @returns The codec. It encodes with `TooLarge`, and `InvalidInput` for a frame in which the
 * delimiter would be found before the frame's end. It decodes with `TooLarge` once for a frame that is
 * too long, drops the rest of that one, and goes on with the next.
 * @throws {SocketError} `InvalidInput`, where the delimiter is empty or no `Uint8Array`, or
 * `maxLength` is not a whole number or `Infinity`.
 *
 * @example
 * ```ts
 * import { ByteQueue, delimited } from "jsr:@aivi/sockets";
 *
 * const input = new ByteQueue();
 * input.push(new Uint8Array([7, 8, 0, 9]));
 * const decoder = delimited(new Uint8Array([0])).decoder();
 * console.log(decoder.decode(input)); // Uint8Array [ 7, 8 ]
 * console.log(decoder.decode(input)); // undefined: no delimiter yet
 * ```
 */
export function delimited(delimiter: Uint8Array, options?: CodecOptions): Codec<Uint8Array> {
  const operation = "delimited";
  const own = new Uint8Array(checkSomeBytes(operation, "the delimiter", delimiter));
  const maxLength = readMaxLength(operation, options);
  return {
    encode(frame) {
      const content = checkFrame(frame, maxLength);
      checkWithout(content, own);
      return pieces(content, new Uint8Array(own));
    },
    decoder: () => new DelimitedDecoder(own, maxLength),
  };
}

class DelimitedDecoder implements Decoder<Uint8Array> {
  readonly #scanner: DelimiterScanner;
  readonly #size: number;

  constructor(delimiter: Uint8Array, maxLength: number) {
    this.#scanner = new DelimiterScanner(delimiter, maxLength, () => tooLong("frame", maxLength));
    this.#size = delimiter.length;
  }

  decode(input: ByteQueue): Uint8Array | undefined {
    checkInput(input);
    const length = this.#scanner.next(input);
    if (length < 0) return undefined;
    const frame = input.take(length);
    input.skip(this.#size);
    return frame;
  }

  end(input: ByteQueue): undefined {
    checkInput(input);
    // The frame that was too long has been told of: what is left of it is not told of again.
    if (this.#scanner.discarding) input.skip(input.length);
  }
}

/** `InvalidInput` where a reader would find the delimiter before the frame's end. */
function checkWithout(frame: Uint8Array, delimiter: Uint8Array): void {
  const search = new ByteSearch(delimiter);
  const inside = search.scan(frame, 0, frame.length) >= 0;
  // With the delimiter "aa", the frame "a" makes "aaa": an empty frame, and an "a" too much.
  if (inside || search.scan(delimiter, 0, delimiter.length) < delimiter.length) {
    throw invalidInput("sendFrame", "the frame has the delimiter in it");
  }
}
