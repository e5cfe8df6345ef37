import { assert } from "@std/assert";
import {
  abort,
  type Codec,
  type Connection,
  connectionOver,
  contentLength,
  delimited,
  framed,
  lengthField,
  lengthPrefixed,
  lines,
  netstrings,
  octetCounted,
  recvExactly,
  recvFrame,
  recvLine,
  recvProxyHeader,
  recvUntil,
  SocketError,
  varintPrefixed,
} from "../../mod.ts";
import { rawV2 } from "../support/proxy_bytes.ts";
import { utf8 } from "./expectations.ts";

/** The size of the largest read of a connection, which may wait in addition to a frame (bytes). */
const LARGEST_READ = 128 * 1024;

/** A peer that sends without end, and a program that receives it. */
export interface Endless {
  readonly name: string;
  /** The maximum number of bytes that the call may hold. */
  readonly limit: number;
  /** The bytes that the peer repeats. */
  readonly pattern: Uint8Array;
  /** Returns a call, which is repeated until it fails twice without taking bytes. */
  receive(connection: Connection): () => Promise<unknown>;
}

const LIMIT = 1024 * 1024;
const A = utf8("a")[0];

function frames(name: string, codec: Codec<never>, pattern: Uint8Array, around: number): Endless {
  return {
    name: `recvFrame, ${name}`,
    limit: LIMIT + around,
    pattern,
    receive(connection) {
      const stream = framed(connection, codec);
      return () => recvFrame(stream);
    },
  };
}

/** Returns `prefix`, then `length` bytes, then `suffix`. */
function around(prefix: readonly number[], length: number, suffix: number[] = []): Uint8Array {
  const bytes = new Uint8Array(prefix.length + length + suffix.length).fill(65);
  bytes.set(prefix);
  bytes.set(suffix, prefix.length + length);
  return bytes;
}

export const ENDLESS: readonly Endless[] = [
  {
    name: "recvLine, a line without an end",
    limit: LIMIT + 2,
    pattern: A,
    receive: (connection) => () => recvLine(connection, { maxLength: LIMIT }),
  },
  {
    name: "recvUntil, a delimiter that almost appears",
    limit: LIMIT + 64,
    pattern: A,
    receive: (connection) => {
      const delimiter = new Uint8Array(64).fill(97).fill(98, 63);
      return () => recvUntil(connection, delimiter, { maxLength: LIMIT });
    },
  },
  {
    name: "recvExactly",
    limit: LIMIT,
    pattern: A,
    receive: (connection) => () => recvExactly(connection, LIMIT),
  },
  frames(
    "lines of the greatest length",
    lines({ maxLength: LIMIT }) as Codec<never>,
    around([], LIMIT, [10]),
    2,
  ),
  frames(
    "lines that are too long",
    lines({ maxLength: LIMIT }) as Codec<never>,
    around([], LIMIT + 2, [10]),
    2,
  ),
  frames(
    "delimited, without an end",
    delimited(A, { maxLength: LIMIT }) as Codec<never>,
    utf8("b")[0],
    1,
  ),
  frames(
    "lengthPrefixed, large",
    lengthPrefixed({ maxLength: LIMIT }) as Codec<never>,
    around([0, 16, 0, 0], LIMIT),
    4,
  ),
  frames(
    "lengthPrefixed, too large",
    lengthPrefixed({ maxLength: LIMIT }) as Codec<never>,
    around([255, 255, 255, 255], 0),
    4,
  ),
  frames(
    "varintPrefixed, large",
    varintPrefixed({ maxLength: LIMIT }) as Codec<never>,
    around([128, 128, 64], LIMIT),
    8,
  ),
  frames(
    "varintPrefixed, too large",
    varintPrefixed({ maxLength: LIMIT }) as Codec<never>,
    around([255], 0),
    8,
  ),
  frames(
    "netstrings, large",
    netstrings({ maxLength: LIMIT }) as Codec<never>,
    around([...utf8(`${LIMIT}:`)[0]], LIMIT, [44]),
    16,
  ),
  frames(
    "netstrings, a length without an end",
    netstrings({ maxLength: LIMIT }) as Codec<never>,
    utf8("1")[0],
    16,
  ),
  frames(
    "lengthField, large",
    lengthField({ offset: 1, adjust: -4, maxLength: LIMIT }) as Codec<never>,
    around([81, 0, 15, 255, 255], LIMIT - 5),
    0,
  ),
  frames(
    "lengthField, too large",
    lengthField({ maxLength: LIMIT }) as Codec<never>,
    around([255, 255, 255, 255], 0),
    0,
  ),
  frames(
    "contentLength, large",
    contentLength({ maxLength: LIMIT }) as Codec<never>,
    around([...utf8(`Content-Length: ${LIMIT}\r\n\r\n`)[0]], LIMIT),
    32,
  ),
  {
    name: "recvFrame, contentLength, a header block without an end",
    limit: 8192,
    pattern: utf8("X: y\r\n")[0],
    receive(connection) {
      const stream = framed(connection, contentLength({ maxLength: LIMIT }));
      return () => recvFrame(stream);
    },
  },
  frames(
    "octetCounted, large",
    octetCounted({ maxLength: LIMIT }) as Codec<never>,
    around([...utf8(`${LIMIT} `)[0]], LIMIT),
    16,
  ),
  frames(
    "octetCounted, a length without an end",
    octetCounted({ maxLength: LIMIT }) as Codec<never>,
    utf8("1")[0],
    16,
  ),
  {
    name: "recvProxyHeader, version 1",
    limit: 107,
    pattern: utf8("PROXY UNKNOWN x")[0],
    receive: (connection) => () => recvProxyHeader(connection),
  },
  {
    name: "recvProxyHeader, version 2 with a length of 65535",
    limit: 16 * 1024,
    pattern: rawV2({ length: 65535 }, new Uint8Array(12)),
    receive: (connection) => () => recvProxyHeader(connection),
  },
];

/** The result of an endless input: the limit, the sent bytes and the most bytes that were held. */
export interface Held {
  readonly name: string;
  readonly limit: number;
  readonly sent: number;
  readonly most: number;
}

/**
 * Sends `total` bytes and receives them. It throws if the connection holds more than the limit and one read, and calls
 * `watch` before each read.
 */
export async function readEndless(
  { name, limit, pattern, receive }: Endless,
  total: number,
  watch: (sent: number) => void = () => {},
): Promise<Held> {
  let [sent, most] = [0, 0];
  const connection: Connection = connectionOver({
    read(buffer) {
      const waiting = sent - connection.bytesReceived;
      most = Math.max(most, waiting);
      assert(
        waiting <= limit + LARGEST_READ,
        `${name}: ${waiting} bytes wait, at most ${limit} may`,
      );
      watch(sent);
      if (sent >= total) return Promise.resolve(null);
      fill(buffer, pattern, sent);
      sent += buffer.length;
      return Promise.resolve(buffer.length);
    },
    write: ({ length }) => Promise.resolve(length),
    close: () => {},
  });
  const call = receive(connection);
  for (let failedAt = -1;;) {
    const outcome = await call().catch((error) => error);
    if (outcome === null) break;
    if (!(outcome instanceof SocketError)) continue;
    if (failedAt === connection.bytesReceived) break;
    failedAt = connection.bytesReceived;
  }
  most = Math.max(most, sent - connection.bytesReceived);
  assert(most <= limit + LARGEST_READ, `${name}: ${most} bytes wait at the end`);
  abort(connection);
  return { name, limit, sent, most };
}

function fill(buffer: Uint8Array, pattern: Uint8Array, from: number): void {
  if (pattern.length === 1) return void buffer.fill(pattern[0]);
  for (let at = 0; at < buffer.length;) {
    const start = (from + at) % pattern.length;
    const piece = pattern.subarray(start, start + buffer.length - at);
    buffer.set(piece, at);
    at += piece.length;
  }
}
