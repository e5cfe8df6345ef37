/**
 * Finds requests and replies of RESP 2 in a stream. `decode` reads no byte twice, in any chunks, and takes nothing
 * out of the queue before a message is whole. `decodeAll` is the fast way for requests that have come whole.
 */
import { type ByteQueue, type Decoder, SocketError } from "../mod.ts";
import { NIL, type Reply, type Request, textAt } from "./resp_message.ts";
import { RequestRun } from "./resp_run.ts";

const [CR, LF, ZERO] = [13, 10, 48];
const [STATUS, FAILURE, INTEGER, BULK, LIST] = [..."+-:$*"].map((type) => type.charCodeAt(0));
/** Length behind `$` or `*` of a value that does not exist. */
const NONE = [..."-1\r\n"].map((character) => character.charCodeAt(0));
/** Limit of Redis for words on a line (bytes). */
const LONGEST_LINE_BYTES = 64 * 1024;
/** Size of the shortest part of a list, an empty status: `+`, CR, LF. */
const SHORTEST_PART = 3;
/** First capacity for the words of a request: an array that grows from nothing takes 17 at once. */
const USUAL_WORDS = 4;

/** Reads the parts of a frame, for both decoders. */
abstract class RespDecoder<T> implements Decoder<T> {
  protected readonly maxLength: number;
  /** Offset of the next part from the frame's first byte. */
  protected at = 0;
  /** Offset up to which the end of the line was searched for. */
  #scanned = 0;
  /** Position of the frame in the stream. */
  #begin = 0;
  #failure: SocketError | undefined;

  constructor(maxLength: number) {
    this.maxLength = maxLength;
  }

  /** Returns the frame after it has come whole. Each call goes on where the last one stopped. */
  protected abstract read(input: ByteQueue): T | undefined;
  /** Prepares the next call of `read` for another frame. */
  protected abstract restart(): void;

  decode(input: ByteQueue): T | undefined {
    // A failure loses the beginning of the next frame.
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#begin !== input.consumed) this.#restart(input);
    try {
      const frame = this.read(input);
      if (frame !== undefined) this.finish(input);
      return frame;
    } catch (error) {
      throw this.#failure = error as SocketError;
    }
  }

  /** Takes the bytes of the frame out of the queue. */
  protected finish(input: ByteQueue): void {
    input.skip(this.at);
    this.#restart(input);
  }

  /** Goes on behind a part, if that is still within the limit. */
  protected advance(end: number): void {
    if (end > this.maxLength) throw tooLarge(this.maxLength);
    this.at = end;
  }

  /** Reads a type, a length and CRLF. */
  protected length(input: ByteQueue, unit: number): number | undefined {
    const begin = this.at + 1;
    let length = 0;
    for (let index = begin; index < input.length; index++) {
      const byte = input.at(index);
      if (byte === CR && index > begin) {
        if (index + 1 === input.length) return undefined;
        if (input.at(index + 1) !== LF) throw invalidData("a length has no line feed behind it");
        this.advance(index + 2);
        return length;
      }
      if (byte < ZERO || byte > ZERO + 9) throw invalidData("a length is no decimal number");
      if (length === 0 && index > begin) throw invalidData("a length has a leading zero");
      length = length * 10 + byte - ZERO;
      // Checked after each digit: a length without an end must not be waited for.
      if (begin + length * unit > this.maxLength) throw tooLarge(this.maxLength);
    }
    return undefined;
  }

  /** Reads a bulk string. */
  protected bulk(input: ByteQueue): string | undefined {
    const begin = this.at;
    const length = this.length(input, 1);
    if (length === undefined) return undefined;
    const from = this.at;
    const end = from + length;
    this.advance(end + 2);
    if (input.length < end + 2) {
      this.at = begin;
      return undefined;
    }
    if (input.at(end) !== CR || input.at(end + 1) !== LF) {
      throw invalidData("a string is not as long as it says");
    }
    return textAt(input, from, length);
  }

  /** Reads a line, without its line feed. */
  protected line(input: ByteQueue, maxLength: number): string | undefined {
    const from = this.at;
    const end = input.indexOf(LF, Math.max(from, this.#scanned));
    if ((end < 0 ? input.length : end) >= maxLength) throw tooLarge(maxLength);
    this.#scanned = input.length;
    if (end < 0) return undefined;
    this.#scanned = 0;
    this.advance(end + 1);
    return textAt(input, from, end - from);
  }

  /** Returns true if a part of the next frame has been read. */
  protected hasBegun(input: ByteQueue): boolean {
    return this.#begin === input.consumed && this.at + this.#scanned > 0;
  }

  #restart(input: ByteQueue): void {
    this.at = this.#scanned = 0;
    this.#begin = input.consumed;
    this.restart();
  }
}

/** Finds requests. */
export class RequestDecoder extends RespDecoder<Request> {
  /** Words of a request that has begun. */
  #words: string[] | undefined;
  #count = 0;
  #have = 0;

  /**
   * Takes the requests that lie whole in one piece, as `decode` would. It leaves all others to that, and a request of
   * which `decode` has read a part, so that a long one that comes in many pieces is not read again with each.
   */
  decodeAll(input: ByteQueue, requests: Request[], maxRequests: number): void {
    if (this.hasBegun(input)) return;
    const run = new RequestRun(input.peekRun(), this.maxLength);
    while (requests.length < maxRequests) {
      const request = run.next();
      if (request === undefined) break;
      requests.push(request);
    }
    input.skip(run.at);
  }

  protected restart(): void {
    this.#words = undefined;
  }

  protected read(input: ByteQueue): Request | undefined {
    // An empty line and an empty list are no requests, but Redis skips them.
    for (;;) {
      if (input.length === 0) return undefined;
      const request = input.at(0) === LIST ? this.#list(input) : this.#inline(input);
      if (request === undefined || request.length > 0) return request;
      this.finish(input);
    }
  }

  #list(input: ByteQueue): string[] | undefined {
    if (this.#words === undefined) {
      const count = this.length(input, SHORTEST_PART);
      if (count === undefined) return undefined;
      // With room for a usual request: an array that grows from nothing takes room for 17 at once.
      this.#words = new Array(Math.min(count, USUAL_WORDS));
      this.#count = count;
      this.#have = 0;
    }
    while (this.#have < this.#count) {
      if (input.length > this.at && input.at(this.at) !== BULK) {
        throw invalidData("a part of a request is no bulk string");
      }
      const word = this.bulk(input);
      if (word === undefined) return undefined;
      this.#words[this.#have++] = word;
    }
    return this.#words;
  }

  #inline(input: ByteQueue): string[] | undefined {
    const line = this.line(input, Math.min(this.maxLength, LONGEST_LINE_BYTES));
    if (line === undefined) return undefined;
    const text = line.endsWith("\r") ? line.slice(0, -1) : line;
    if (/["']/.test(text)) throw invalidData("words on a line have no quotes, send a list instead");
    // Most requests are one word.
    const words = /[\t-\r ]/.test(text)
      ? text.split(/[\t-\r ]+/).filter((word) => word !== "")
      : text === ""
      ? []
      : [text];
    // The same words take more bytes as a list; both forms of a request have the same limit.
    if (listLength(words) > this.maxLength) throw tooLarge(this.maxLength);
    return words;
  }
}

/** Finds replies. */
export class ReplyDecoder extends RespDecoder<Reply> {
  readonly #maxDepth: number;
  /** Lists that have begun, the outermost first. */
  readonly #open: { readonly parts: Reply[]; readonly count: number }[] = [];

  constructor(maxLength: number, maxDepth: number) {
    super(maxLength);
    this.#maxDepth = maxDepth;
  }

  protected restart(): void {
    this.#open.length = 0;
  }

  protected read(input: ByteQueue): Reply | undefined {
    for (;;) {
      const depth = this.#open.length;
      let part = this.#part(input);
      if (part === undefined) {
        // More bytes have to come, or a list has begun.
        if (depth === this.#open.length) return undefined;
        continue;
      }
      for (let list = this.#open.at(-1);; list = this.#open.at(-1)) {
        if (list === undefined) return part;
        list.parts.push(part);
        if (list.parts.length < list.count) break;
        part = this.#open.pop()!.parts;
      }
    }
  }

  #part(input: ByteQueue): Reply | undefined {
    if (input.length <= this.at) return undefined;
    const type = input.at(this.at);
    if (type === BULK || type === LIST) {
      if (input.length === this.at + 1) return undefined;
      if (input.at(this.at + 1) === NONE[0]) return this.#none(input);
      return type === BULK ? this.bulk(input) : this.#list(input);
    }
    if (type !== STATUS && type !== FAILURE && type !== INTEGER) {
      throw invalidData("a reply begins with none of + - : $ *");
    }
    const line = this.line(input, this.maxLength);
    if (line === undefined) return undefined;
    if (line.indexOf("\r") !== line.length - 1) throw invalidData("a line does not end with CRLF");
    const text = line.slice(1, -1);
    if (type === INTEGER) return parseInteger(text);
    return type === STATUS ? { status: text } : { error: text };
  }

  #list(input: ByteQueue): Reply | undefined {
    if (this.#open.length >= this.#maxDepth) {
      throw new SocketError("TooLarge", "recvFrame", "lists lie too deep in lists");
    }
    const count = this.length(input, SHORTEST_PART);
    if (count === 0) return [];
    if (count !== undefined) this.#open.push({ parts: [], count });
    return undefined;
  }

  #none(input: ByteQueue): typeof NIL | undefined {
    for (const [index, expected] of NONE.entries()) {
      const at = this.at + 1 + index;
      if (at === input.length) return undefined;
      if (input.at(at) !== expected) throw invalidData("a length is no decimal number");
    }
    this.advance(this.at + 1 + NONE.length);
    return NIL;
  }
}

/** Returns the length of words as a list: `*2`, CRLF, `$3`, CRLF, `GET`, CRLF, and so on. */
function listLength(words: readonly string[]): number {
  let length = headerLength(words.length);
  for (const word of words) length += headerLength(word.length) + word.length + 2;
  return length;
}

/** Returns the size of a type, a length and CRLF. */
function headerLength(length: number): number {
  return `$${length}\r\n`.length;
}

/** Returns a number if that is exact, else a bigint. */
function parseInteger(text: string): number | bigint {
  if (!/^(?:0|-?[1-9]\d{0,18})$/.test(text)) throw invalidData("an integer is not decimal");
  const value = BigInt(text);
  if (BigInt.asIntN(64, value) !== value) throw invalidData("an integer has more than 64 bits");
  return Number.isSafeInteger(Number(text)) ? Number(text) : value;
}

function tooLarge(maxLength: number): SocketError {
  const reason = `the message has more than ${maxLength} bytes, the limit`;
  return new SocketError("TooLarge", "recvFrame", reason);
}

function invalidData(reason: string): SocketError {
  return new SocketError("InvalidData", "recvFrame", reason);
}
