/**
 * RESP 2, the protocol of Redis, as two codecs: `requests` for clients, `replies` for servers. Both have
 * limits, both are strict, and both take linear time, in any chunks.
 *
 *     request   *2 $3 GET $3 key     (each part ends with CRLF), or words on a line: GET key
 *     reply     +OK   -ERR no   :42   $5 hello   $-1   *2 :1 $1 a
 *
 * In your own program, import from "jsr:@aivi/sockets" instead.
 */
import { type Codec, SocketError, type SocketErrorKind } from "../mod.ts";
import { ReplyDecoder, RequestDecoder } from "./resp_decoder.ts";
import { bytesOf, NIL, type Reply, type Request } from "./resp_message.ts";

export { bytesOf, fromUtf8, NIL, type Reply, type Request, toUtf8 } from "./resp_message.ts";

export interface RespLimits {
  /** Maximum number of bytes in a request or reply, with its headers. Default: 1 MiB. */
  readonly maxLength?: number;
  /** Maximum depth of lists in lists. Default: 8. */
  readonly maxDepth?: number;
}

/** Makes the codec of requests, which clients send. */
export function requests({ maxLength = 2 ** 20 }: RespLimits = {}): Codec<Request> {
  return {
    encode(request) {
      const right = Array.isArray(request) && request.length > 0 &&
        request.every((word) => typeof word === "string");
      if (!right) throw failure("InvalidInput", "a request is an array of strings, at least one");
      return encode(`*${request.length}\r\n${request.map(bulk).join("")}`, maxLength);
    },
    decoder: () => new RequestDecoder(maxLength),
  };
}

/** Makes the codec of replies, which servers send. */
export function replies({ maxLength = 2 ** 20, maxDepth = 8 }: RespLimits = {}): Codec<Reply> {
  return {
    encode: (reply) => encode(replyText(reply, maxDepth), maxLength),
    decoder: () => new ReplyDecoder(maxLength, maxDepth),
  };
}

/** Encodes a reply as a byte string, to gather many; `bytesOf` makes bytes of it. */
export function replyText(reply: Reply, maxDepth: number = 8): string {
  if (typeof reply === "string") return bulk(reply);
  if (typeof reply === "number" || typeof reply === "bigint") return `:${integer(reply)}\r\n`;
  if (reply === NIL) return "$-1\r\n";
  if (Array.isArray(reply)) {
    if (maxDepth < 1) throw failure("TooLarge", "lists lie too deep in lists");
    return `*${reply.length}\r\n${reply.map((part) => replyText(part, maxDepth - 1)).join("")}`;
  }
  const { status, error } = Object(reply) as { status?: unknown; error?: unknown };
  const line = status ?? error;
  if (typeof line !== "string" || /[\r\n]/.test(line)) {
    throw failure("InvalidInput", "a status or an error is one line, and nothing else is a reply");
  }
  return `${status === undefined ? "-" : "+"}${line}\r\n`;
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

function encode(text: string, maxLength: number): Uint8Array {
  if (text.length > maxLength) {
    throw failure("TooLarge", `the message has more than ${maxLength} bytes, the limit`);
  }
  return bytesOf(text);
}

function integer(value: number | bigint): number | bigint {
  const right = typeof value === "number"
    ? Number.isSafeInteger(value)
    : BigInt.asIntN(64, value) === value;
  if (right) return value;
  throw failure("InvalidInput", "an integer is a safe one, or a bigint of 64 bits");
}

function failure(kind: SocketErrorKind, reason: string): SocketError {
  return new SocketError(kind, "sendFrame", reason);
}
