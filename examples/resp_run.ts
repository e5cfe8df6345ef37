/**
 * Reads requests of RESP 2 out of bytes that lie in one piece, as most requests of a pipeline do. It takes whole requests
 * of the usual forms, and stops before anything else: the decoder goes on there, which knows every form, limit and error.
 */
import type { Request } from "./resp_message.ts";
import { wordOf } from "./resp_words.ts";

const [CR, LF, SPACE, ZERO, NINE] = [13, 10, 32, 48, 57];
const [BULK, LIST, QUOTE, APOSTROPHE] = [..."$*\"'"].map((type) => type.charCodeAt(0));
/** Maximum number of words in a usual request. */
const MOST_WORDS = 16;
/** Maximum length of a word on a line (bytes). */
const LONGEST_WORD_BYTES = 32;
/** Bytes that such a word takes beside its own in a list: `*1`, CRLF, `$32`, CRLF, CRLF. */
const LIST_BYTES = 11;

/** Reads one request after the other. */
export class RequestRun {
  /** Index of the next request's first byte. */
  at = 0;
  readonly #bytes: Uint8Array;
  readonly #maxLength: number;

  constructor(bytes: Uint8Array, maxLength: number) {
    this.#bytes = bytes;
    this.#maxLength = maxLength;
  }

  /** Returns the next request, or `undefined` if it is not whole, too large, or of another form. */
  next(): Request | undefined {
    const begin = this.at;
    if (begin === this.#bytes.length) return undefined;
    const request = this.#bytes[begin] === LIST ? this.#list() : this.#line();
    if (request !== undefined && this.at - begin <= this.#maxLength) return request;
    this.at = begin;
    return undefined;
  }

  #list(): Request | undefined {
    const count = this.#length(LIST);
    if (count < 1 || count > MOST_WORDS) return undefined;
    // An array that grows from nothing takes room for 17 words at once.
    const words = new Array<string>(count);
    for (let index = 0; index < count; index++) {
      const word = this.#bulk();
      if (word === undefined) return undefined;
      words[index] = word;
    }
    return words;
  }

  #bulk(): string | undefined {
    const bytes = this.#bytes;
    const length = this.#length(BULK);
    const from = this.at;
    const end = from + length;
    if (length < 0 || end + 2 > bytes.length) return undefined;
    if (bytes[end] !== CR || bytes[end + 1] !== LF) return undefined;
    this.at = end + 2;
    return wordOf(bytes, from, end);
  }

  /** Reads a type, a length and CRLF. Returns -1 if they are not there. */
  #length(type: number): number {
    const bytes = this.#bytes;
    let at = this.at;
    if (at + 4 > bytes.length || bytes[at] !== type) return -1;
    let length = 0;
    do {
      const byte = bytes[++at];
      // It has no leading zero either.
      if (byte < ZERO || byte > NINE || (length === 0 && at > this.at + 1)) return -1;
      length = length * 10 + byte - ZERO;
    } while (at + 2 < bytes.length && bytes[at + 1] !== CR);
    if (bytes[at + 1] !== CR || bytes[at + 2] !== LF) return -1;
    this.at = at + 3;
    return length;
  }

  /** Reads a single short word on a line. */
  #line(): Request | undefined {
    const bytes = this.#bytes;
    const from = this.at;
    const most = Math.min(
      bytes.length - 2,
      from + LONGEST_WORD_BYTES,
      from + this.#maxLength - LIST_BYTES,
    );
    let end = from;
    while (end <= most && isPlain(bytes[end])) end++;
    if (end === from || end > most || bytes[end] !== CR || bytes[end + 1] !== LF) return undefined;
    this.at = end + 2;
    return [wordOf(bytes, from, end)];
  }
}

/** Returns true for a byte that neither separates nor quotes words. */
function isPlain(byte: number): boolean {
  return byte > SPACE && byte !== QUOTE && byte !== APOSTROPHE;
}
