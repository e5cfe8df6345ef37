/**
 * The client protocol of NATS as a codec: a line, and for PUB and MSG a payload of the length at its end.
 *
 *     to the server     CONNECT {…}   SUB room.* 7   PUB room.1 4 CRLF 21.5   PING
 *     from the server   INFO {…}   MSG room.1 7 4 CRLF 21.5   PONG   -ERR 'Authorization Violation'
 *
 * In your own program, import from "jsr:@aivi/sockets" instead.
 */
import {
  type ByteQueue,
  type Codec,
  type Decoder,
  frameBytes,
  frameTooLarge,
  invalidFrame,
  SocketError,
} from "../mod.ts";

/** A message of a client. `sid` is the client's number of a subscription. */
export type ToServer =
  | { readonly type: "CONNECT"; readonly options: Readonly<Record<string, unknown>> }
  | {
    readonly type: "PUB";
    readonly subject: string;
    readonly reply?: string;
    readonly payload: Uint8Array;
  }
  | {
    readonly type: "SUB";
    readonly subject: string;
    readonly queue?: string;
    readonly sid: number;
  }
  /** Ends a subscription, at once or after `max` messages in all. */
  | { readonly type: "UNSUB"; readonly sid: number; readonly max?: number }
  | { readonly type: "PING" | "PONG" };

/** A message that others have published. */
export interface NatsMessage {
  readonly type: "MSG";
  readonly subject: string;
  readonly sid: number;
  /** The subject for an answer, if the publisher waits for one. */
  readonly reply?: string;
  readonly payload: Uint8Array;
}

/** A message of a server. */
export type FromServer =
  | NatsMessage
  | { readonly type: "INFO"; readonly info: Readonly<Record<string, unknown>> }
  | { readonly type: "-ERR"; readonly reason: string }
  | { readonly type: "PING" | "PONG" | "+OK" };

const LF = 10;
const CRLF = Uint8Array.of(13, LF);
/** Limit for a line of a server (bytes). INFO lists the servers of a cluster. */
const LONGEST_LINE_BYTES = 32 * 1024;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Makes the codec of a client. `maxLength` is that of a payload, in both directions (bytes). */
export function natsMessages(maxLength: number = 2 ** 20): Codec<ToServer, FromServer> {
  return { encode: (frame) => encode(frame, maxLength), decoder: () => new NatsDecoder(maxLength) };
}

function encode(frame: ToServer, maxLength: number): Uint8Array | Uint8Array[] {
  switch (frame.type) {
    case "CONNECT":
      return line("CONNECT", JSON.stringify(frame.options));
    case "PUB": {
      const { subject, reply, payload } = frame;
      if (!(payload instanceof Uint8Array)) throw invalid("a payload is bytes");
      const { length } = payload;
      if (length > maxLength) throw frameTooLarge(length, maxLength, "sendFrame");
      if (/(^|\.)[*>](\.|$)/.test(subject)) throw invalid(`"${subject}" has a wildcard`);
      const header = line("PUB", word(subject), optional(reply), `${length}`);
      return frameBytes(header, payload, CRLF);
    }
    case "SUB":
      return line("SUB", word(frame.subject), optional(frame.queue), `${frame.sid}`);
    case "UNSUB":
      return line("UNSUB", `${frame.sid}`, frame.max);
    case "PING":
    case "PONG":
      return line(frame.type);
    default:
      throw invalid("it is no message that a client sends");
  }
}

function line(...words: (string | number | undefined)[]): Uint8Array {
  return encoder.encode(`${words.filter((word) => word !== undefined).join(" ")}\r\n`);
}

/** Checks a subject or a queue: a space or a line feed in it would begin another word, or another message. */
function word(text: string): string {
  // deno-lint-ignore no-control-regex -- A control character is what must not be there.
  if (typeof text === "string" && text.isWellFormed() && /^[^\s\x00-\x1f\x7f]+$/.test(text)) {
    return text;
  }
  throw invalid(`a subject is text without spaces, such as room.1, not ${JSON.stringify(text)}`);
}

function optional(text: string | undefined): string | undefined {
  return text === undefined ? undefined : word(text);
}

function invalid(reason: string): SocketError {
  return new SocketError("InvalidInput", "sendFrame", reason);
}

interface Header {
  readonly message: Omit<NatsMessage, "payload">;
  /** Position of the line in the stream. */
  readonly at: number;
  /** Offsets of the payload from there (bytes). */
  readonly begin: number;
  readonly end: number;
}

/** Takes a message when it is whole. It reads no byte twice, however the message was cut. */
class NatsDecoder implements Decoder<FromServer> {
  readonly #maxLength: number;
  /** Position in the stream up to which it has looked for the end of a line. */
  #scanned = 0;
  /** The line of a MSG whose payload has not come yet. */
  #header: Header | undefined;

  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  decode(input: ByteQueue): FromServer | undefined {
    // Another reader may have taken the line meanwhile.
    if (this.#header?.at !== input.consumed) {
      const end = this.#findLine(input);
      if (end === undefined) return undefined;
      const text = textOf(input.peek(end));
      if (!/^MSG\s/i.test(text)) {
        input.skip(end + 2);
        return decodeLine(text);
      }
      this.#header = { at: input.consumed, ...this.#decodeHeader(text, end + 2) };
    }
    const { message, begin, end } = this.#header;
    if (input.length < end + 2) return undefined;
    if (input.uint16(end) !== 0x0d0a) {
      throw invalidFrame("a payload is not as long as its MSG says");
    }
    this.#header = undefined;
    input.skip(begin);
    const payload = input.take(end - begin);
    input.skip(2);
    return { ...message, payload };
  }

  /** Returns the length of a line that has come, without its CRLF. */
  #findLine(input: ByteQueue): number | undefined {
    const end = input.indexOf(LF, Math.max(0, this.#scanned - input.consumed));
    this.#scanned = input.consumed + input.length;
    if ((end < 0 ? input.length : end) > LONGEST_LINE_BYTES) {
      throw frameTooLarge(end < 0 ? input.length : end, LONGEST_LINE_BYTES);
    }
    if (end < 0) return undefined;
    this.#scanned = input.consumed + end + 1;
    if (end === 0 || input.at(end - 1) !== 13) throw invalidFrame("a line does not end with CRLF");
    return end - 1;
  }

  #decodeHeader(text: string, begin: number): Omit<Header, "at"> {
    const words = text.split(/[ \t]+/).slice(1);
    const [subject, sid] = words;
    const reply = words.length === 4 ? { reply: words[2] } : {};
    const length = Number(words.at(-1));
    const right = (words.length === 3 || words.length === 4) && subject !== "" &&
      /^[1-9]\d{0,14}$/.test(sid) && /^\d{1,15}$/.test(words.at(-1)!);
    if (!right) throw invalidFrame(`a MSG has the words ${JSON.stringify(words.slice(0, 5))}`);
    if (length > this.#maxLength) throw frameTooLarge(length, this.#maxLength);
    const message = { type: "MSG" as const, subject, sid: Number(sid), ...reply };
    return { message, begin, end: begin + length };
  }
}

function decodeLine(text: string): FromServer {
  const [, name, rest] = /^(\S+)\s*(.*)$/s.exec(text) ?? ["", "", ""];
  switch (name.toUpperCase()) {
    case "PING":
    case "PONG":
    case "+OK":
      if (rest !== "") throw invalidFrame(`${name} has more words`);
      return { type: name.toUpperCase() as "PING" | "PONG" | "+OK" };
    case "-ERR":
      return { type: "-ERR", reason: rest.replace(/^'(.*)'$/s, "$1") };
    case "INFO":
      return { type: "INFO", info: decodeInfo(rest) };
    default:
      throw invalidFrame(`a server sends no ${JSON.stringify(name.slice(0, 20))}`);
  }
}

function decodeInfo(text: string): Readonly<Record<string, unknown>> {
  let info: unknown;
  try {
    info = JSON.parse(text);
  } catch (cause) {
    throw invalidFrame("INFO is no JSON", cause);
  }
  if (typeof info === "object" && info !== null && !Array.isArray(info)) return { ...info };
  throw invalidFrame("INFO is no object");
}

function textOf(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw invalidFrame("a line is not UTF-8", cause);
  }
}
