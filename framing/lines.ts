import { checkOptions, describe, invalidInput, readArguments } from "../core/arguments.ts";
import type { ByteQueue } from "../bytes/byte_queue.ts";
import {
  checkInput,
  type Codec,
  type CodecOptions,
  type Decoder,
  invalidData,
  readMaxLength,
  tooLong,
} from "./codec.ts";
import { DelimiterScanner } from "./delimiter_scanner.ts";

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
/** The most bytes that a line may have where nothing else is said. */
export const DEFAULT_MAX_LENGTH = 64 * 1024;

// The strict one takes 260 ns for a short line and 900 for 2 KiB, the other 100 and 140. What that
// cannot read it replaces by U+FFFD, which hardly any line has: so only those are read twice.
const lenient = new TextDecoder("utf-8", { ignoreBOM: true });
const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
const encoder = new TextEncoder();

/** What {@linkcode lines} takes. */
export interface LinesOptions extends CodecOptions {
  /**
   * The most bytes that a line may have in UTF-8, without its ending: a whole number, or `Infinity`.
   *
   * @default {65536}
   */
  maxLength?: number;
  /**
   * What ends the lines that are sent. Those that are received may end either way.
   *
   * @default {"\n"}
   */
  ending?: "\n" | "\r\n";
}

/**
 * Lines of text in UTF-8, ended by LF or CRLF, which is not part of them. The end of stream ends the
 * last line as well. A byte order mark is kept.
 *
 * ```text
 * +---+---+---+---+---+----+    +---+---+---+---+---+----+----+
 * | h   e   l   l   o | \n | or | h   e   l   l   o | \r   \n |
 * +---+---+---+---+---+----+    +---+---+---+---+---+----+----+
 * ```
 *
 * @param options How long a line may be, and what ends the lines that are sent.
 * @returns The codec. It encodes with `TooLarge`, and `InvalidInput` for a line that has a line feed in
 * it, ends in a carriage return or has a lone surrogate, since it would be read as something else. It
 * decodes with `InvalidData` for what is not UTF-8, and with `TooLarge` once for a line that is too long,
 * the rest of which it drops; after either it goes on with the next line.
 * @throws {SocketError} `InvalidInput`, where an option is none of its values.
 *
 * @example
 * ```ts
 * import { ByteQueue, lines } from "jsr:@aivi/sockets";
 *
 * const input = new ByteQueue();
 * input.push(new TextEncoder().encode("one\r\ntwo\nthr"));
 * const decoder = lines().decoder();
 * console.log(decoder.decode(input)); // one
 * console.log(decoder.decode(input)); // two
 * console.log(decoder.decode(input)); // undefined: no line feed yet
 * console.log(decoder.end?.(input)); // thr
 * ```
 */
export function lines(options?: LinesOptions): Codec<string> {
  const maxLength = readMaxLength("lines", options, DEFAULT_MAX_LENGTH);
  const ending = readEnding("lines", options);
  return {
    encode(line) {
      checkLine(line);
      // No character has fewer bytes than UTF-16 units: what is far too long is not encoded first.
      if (line.length > maxLength) throw tooLong("line", maxLength, "sendFrame");
      const bytes = encoder.encode(line + ending);
      if (bytes.length - ending.length > maxLength) throw tooLong("line", maxLength, "sendFrame");
      return bytes;
    },
    decoder: () => new LineDecoder(maxLength),
  };
}

/** Finds lines, whoever wants them. */
export class LineDecoder implements Decoder<string> {
  #maxLength = 0;
  readonly #scanner: DelimiterScanner;

  constructor(maxLength: number) {
    this.#scanner = new DelimiterScanner(
      Uint8Array.of(LINE_FEED),
      0,
      () => tooLong("line", this.#maxLength),
    );
    this.maxLength = maxLength;
  }

  /** The most bytes that a line may have from now on. */
  set maxLength(maxLength: number) {
    this.#maxLength = maxLength;
    // One byte more, which may be the carriage return of the ending.
    this.#scanner.limit = maxLength + 1;
  }

  decode(input: ByteQueue): string | undefined {
    checkInput(input);
    const end = this.#scanner.next(input);
    return end < 0 ? undefined : this.#take(input, end, end + 1);
  }

  end(input: ByteQueue): string | undefined {
    checkInput(input);
    const { length } = input;
    if (length === 0) return undefined;
    return this.#take(input, length, length);
  }

  /** Takes a line of `end` bytes, perhaps with a carriage return, and drops what ends it. */
  #take(input: ByteQueue, end: number, size: number): string {
    const length = end > 0 && input.at(end - 1) === CARRIAGE_RETURN ? end - 1 : end;
    try {
      if (length > this.#maxLength) throw tooLong("line", this.#maxLength);
      return textOf(input.peek(length));
    } finally {
      input.skip(size);
    }
  }
}

function textOf(bytes: Uint8Array): string {
  const text = lenient.decode(bytes);
  if (!text.includes("\ufffd")) return text;
  try {
    return strict.decode(bytes);
  } catch (cause) {
    throw invalidData("the line is not UTF-8", cause);
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

function readEnding(operation: string, options: LinesOptions | undefined): "\n" | "\r\n" {
  const ending = readArguments(operation, () => checkOptions(operation, options).ending);
  if (ending === undefined || ending === "\n" || ending === "\r\n") return ending ?? "\n";
  throw invalidInput(operation, `ending is ${describe(ending)}, not "\\n" or "\\r\\n"`);
}
