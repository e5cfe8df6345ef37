import type { ByteQueue } from "../bytes/byte_queue.ts";
import {
  checkBoolean,
  checkOptions,
  describe,
  invalidInput,
  readArguments,
} from "../core/arguments.ts";
import type { Codec, CodecOptions, Decoder } from "./codec.ts";
import {
  checkInput,
  DEFAULT_MAX_LINE_LENGTH_BYTES,
  invalidFrame,
  overLimit,
  readMaxLength,
  withEncodeInto,
} from "./codec_support.ts";
import { DelimiterScanner } from "./delimiter_scanner.ts";
import { takeLines, writeText } from "./line_run.ts";

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

// The strict decoder takes 260 ns for a short line and 900 ns for 2 KiB, the lenient one 100 and 140 ns. The
// lenient one replaces invalid bytes by U+FFFD, which is rare in lines: only such lines are decoded twice.
const lenientUtf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const strictUtf8 = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
const encoder = new TextEncoder();

/** Options of {@linkcode lines}. */
export interface LinesOptions extends CodecOptions {
  /**
   * Maximum number of UTF-8 bytes in a line, without its ending: a whole number, or `Infinity`.
   *
   * @default {65536}
   */
  maxLength?: number;
  /**
   * Ending of the lines that are sent. Received lines may have either ending, unless `strict` is true.
   *
   * @default {"\n"}, and "\r\n" if `strict` is true
   */
  ending?: "\n" | "\r\n";
  /**
   * True if only CRLF ends a line, as in SMTP (RFC 5321, section 2.3.8). A line feed or carriage return alone
   * is then an error: a peer that took it for an ending would see other lines.
   *
   * @default {false}
   */
  strict?: boolean;
}

/**
 * Makes a codec of lines of UTF-8 text, which end with LF or CRLF. The ending is not part of a line. The end
 * of stream ends the last line as well. A byte order mark is kept. With `strict` only CRLF ends a line: a line
 * feed or carriage return alone is `InvalidData`, and a last line without its ending is `UnexpectedEof`.
 *
 * ```text
 * +---+---+---+---+---+----+    +---+---+---+---+---+----+----+
 * | h   e   l   l   o | \n | or | h   e   l   l   o | \r   \n |
 * +---+---+---+---+---+----+    +---+---+---+---+---+----+----+
 * ```
 *
 * @param options Maximum length of a line, ending of the lines that are sent, and strictness.
 * @returns The codec. It encodes with `TooLarge`, and with `InvalidInput` for a line that would be read as
 * something else: one with a line feed in it, a carriage return at its end or a lone surrogate; with `strict`
 * also for a carriage return anywhere. It decodes
 * with `InvalidData` for bytes that are not UTF-8, and with `TooLarge` once for a line over the limit, whose
 * rest it drops. After either error it goes on with the next line.
 * @throws {SocketError} `InvalidInput` if an option has another value than those above.
 *
 * @example
 * ```ts
 * import { assertEquals } from "jsr:@std/assert";
 * import { ByteQueue, lines } from "jsr:@aivi/sockets";
 *
 * const input = new ByteQueue();
 * input.push(new TextEncoder().encode("one\r\ntwo\nthr"));
 * const decoder = lines().decoder();
 * assertEquals(decoder.decode(input), "one");
 * assertEquals(decoder.decode(input), "two");
 * assertEquals(decoder.decode(input), undefined); // no line feed yet
 * assertEquals(decoder.end?.(input), "thr");
 * ```
 */
export function lines(options?: LinesOptions): Codec<string> {
  const maxLength = readMaxLength("lines", options, DEFAULT_MAX_LINE_LENGTH_BYTES);
  const { ending, strict } = readEnding("lines", options);
  const check = (line: string): void => {
    checkLine(line);
    if (strict && line.includes("\r")) {
      throw invalidInput("sendFrame", "the line has a carriage return in it");
    }
    // A character has at least as many bytes as UTF-16 units: a far too long line need not be encoded.
    if (line.length > maxLength) throw overLimit("line", maxLength, "sendFrame");
  };
  const codec: Codec<string> = {
    encode(line) {
      check(line);
      const bytes = encoder.encode(line + ending);
      if (bytes.length - ending.length > maxLength) throw overLimit("line", maxLength, "sendFrame");
      return bytes;
    },
    decoder: () => strict ? new StrictLineDecoder(maxLength) : new LineDecoder(maxLength),
  };
  return withEncodeInto(codec, (line, target, offset) => {
    check(line);
    const end = writeText(line, target, offset, target.length - ending.length);
    if (end - offset > maxLength) throw overLimit("line", maxLength, "sendFrame");
    return end < 0 ? -1 : writeText(ending, target, end, target.length);
  });
}

/** Finds the lines of one stream, for {@linkcode lines} and for `recvLine`. */
export class LineDecoder implements Decoder<string> {
  #maxLength = 0;
  readonly #scanner: DelimiterScanner;

  constructor(maxLength: number) {
    this.#scanner = new DelimiterScanner(
      Uint8Array.of(LINE_FEED),
      0,
      () => overLimit("line", this.#maxLength),
    );
    this.maxLength = maxLength;
  }

  /** Maximum number of bytes in the lines to come. */
  set maxLength(maxLength: number) {
    this.#maxLength = maxLength;
    // One byte more for the carriage return that may belong to the ending.
    this.#scanner.limit = maxLength + 1;
  }

  decode(input: ByteQueue): string | undefined {
    checkInput(input);
    const end = this.#scanner.next(input);
    return end < 0 ? undefined : this.#take(input, end, end + 1);
  }

  decodeAll(input: ByteQueue, lines: string[], maxLines: number): void {
    if (!this.#scanner.isAtBeginning(input)) return;
    takeLines(input, lines, maxLines, { maxLength: this.#maxLength, strict: false });
  }

  end(input: ByteQueue): string | undefined {
    checkInput(input);
    const { length } = input;
    if (length === 0) return undefined;
    return this.#take(input, length, length);
  }

  /** Takes a line of `end` bytes with its carriage return, and drops its ending. */
  #take(input: ByteQueue, end: number, size: number): string {
    const length = end > 0 && input.at(end - 1) === CARRIAGE_RETURN ? end - 1 : end;
    try {
      if (length > this.#maxLength) throw overLimit("line", this.#maxLength);
      return textOf(input.peek(length));
    } finally {
      input.skip(size);
    }
  }
}

/** Finds the lines of one stream that end with CRLF. */
class StrictLineDecoder implements Decoder<string> {
  readonly #maxLength: number;
  readonly #scanner: DelimiterScanner;

  constructor(maxLength: number) {
    this.#maxLength = maxLength;
    const ending = Uint8Array.of(CARRIAGE_RETURN, LINE_FEED);
    this.#scanner = new DelimiterScanner(ending, maxLength, () => overLimit("line", maxLength));
  }

  decode(input: ByteQueue): string | undefined {
    checkInput(input);
    const length = this.#scanner.next(input);
    if (length < 0) return undefined;
    try {
      const bytes = input.peek(length);
      if (bytes.includes(LINE_FEED)) throw invalidFrame("the line has a line feed in it");
      if (bytes.includes(CARRIAGE_RETURN)) {
        throw invalidFrame("the line has a carriage return in it");
      }
      return textOf(bytes);
    } finally {
      input.skip(length + 2);
    }
  }

  decodeAll(input: ByteQueue, lines: string[], maxLines: number): void {
    if (!this.#scanner.isAtBeginning(input)) return;
    takeLines(input, lines, maxLines, { maxLength: this.#maxLength, strict: true });
  }

  end(input: ByteQueue): undefined {
    checkInput(input);
    // The oversized line was already reported; drop its tail.
    if (this.#scanner.discarding) input.skip(input.length);
  }
}

function textOf(bytes: Uint8Array): string {
  const text = lenientUtf8.decode(bytes);
  if (!text.includes("\ufffd")) return text;
  try {
    return strictUtf8.decode(bytes);
  } catch (cause) {
    throw invalidFrame("the line is not UTF-8", cause);
  }
}

function checkLine(line: unknown): asserts line is string {
  const operation = "sendFrame";
  if (typeof line !== "string") {
    throw invalidInput(operation, `the line is ${describe(line)}, not a string`);
  }
  if (line.includes("\n")) throw invalidInput(operation, "the line has a line feed in it");
  if (line.endsWith("\r")) throw invalidInput(operation, "the line ends in a carriage return");
  if (!line.isWellFormed()) throw invalidInput(operation, "the line has a lone surrogate in it");
}

function readEnding(
  operation: string,
  options: LinesOptions | undefined,
): { readonly ending: "\n" | "\r\n"; readonly strict: boolean } {
  return readArguments(operation, () => {
    const { ending, strict: given } = checkOptions(operation, options);
    const strict = checkBoolean(operation, "strict", given, false);
    if (strict && ending === "\n") {
      throw invalidInput(operation, 'ending is "\\n", but strict lines end with "\\r\\n"');
    }
    if (ending === undefined) return { ending: strict ? "\r\n" : "\n", strict };
    if (ending === "\n" || ending === "\r\n") return { ending, strict };
    throw invalidInput(operation, `ending is ${describe(ending)}, not "\\n" or "\\r\\n"`);
  });
}
