import {
  type Codec,
  type Connection,
  delimited,
  encodeProxyHeader,
  framed,
  lengthPrefixed,
  lines,
  netstrings,
  type OperationOptions,
  recv,
  recvExactly,
  recvFrame,
  recvFrames,
  recvInto,
  recvLine,
  recvProxyHeader,
  recvUntil,
  varintPrefixed,
} from "../../mod.ts";
import { encodeAll } from "./codec_streams.ts";
import { bytesOf, textOf } from "./text.ts";

/** A way to receive, used to read short texts. */
export interface Reader {
  readonly name: string;
  /** The function that its errors name. */
  readonly operation: string;
  /** Encodes a text, which has no control characters, no brackets and no spaces. */
  wire(text: string): Uint8Array<ArrayBuffer>;
  /** Receives a text of `length` characters, or `null` at the end of stream. */
  read(connection: Connection, length: number, options?: OperationOptions): Promise<string | null>;
  /** True if it takes all waiting bytes, and no options. */
  readonly greedy?: true;
  /** True if it may give a part of a text. */
  readonly partial?: true;
  /** True if it rejects with `UnexpectedEof` at the end of stream. */
  readonly wantsAll?: true;
}

const UNTIL = bytesOf("<>");
const HEADER_PORT = 443;

async function into(connection: Connection, length: number, options?: OperationOptions) {
  const buffer = new Uint8Array(length);
  const count = await recvInto(connection, buffer, options);
  return count === null ? null : textOf(buffer.subarray(0, count));
}

function ofFrames(name: string, codec: Codec<Uint8Array>): Reader {
  return {
    name: `recvFrame() of ${name}`,
    operation: "recvFrame",
    wire: (text) => encodeAll(codec, bytesOf(text)),
    read: async (connection, _length, options) =>
      textOf(await recvFrame(framed(connection, codec), options)),
  };
}

/** The reader of PROXY headers. The text is the authority. */
const ofHeaders: Reader = {
  name: "recvProxyHeader()",
  operation: "recvProxyHeader",
  wire: (authority) => {
    const address = { host: "192.0.2.1", port: HEADER_PORT };
    return encodeProxyHeader({ source: address, destination: address, authority }, { version: 2 });
  },
  read: async (connection, _length, options) =>
    (await recvProxyHeader(connection, options)).authority!,
  wantsAll: true,
};

/** The readers that give any waiting bytes. */
const OF_ANY_BYTES: readonly Reader[] = [
  {
    name: "recv()",
    operation: "recv",
    wire: bytesOf,
    read: async (connection, length, options) =>
      textOf(await recv(connection, { ...options, maxBytes: length })),
    partial: true,
  },
  { name: "recvInto()", operation: "recvInto", wire: bytesOf, read: into, partial: true },
  {
    name: "recvInto() with a timeout",
    operation: "recvInto",
    wire: bytesOf,
    read: (connection, length, options) =>
      into(connection, length, { timeout: 60_000, ...options }),
    partial: true,
  },
  {
    name: "the iteration",
    operation: "recv",
    wire: bytesOf,
    async read(connection) {
      for await (const bytes of connection) return textOf(bytes);
      return null;
    },
    greedy: true,
    partial: true,
  },
  {
    name: "readable",
    operation: "recv",
    wire: bytesOf,
    async read(connection) {
      const reader = connection.readable.getReader();
      const { value } = await reader.read();
      reader.releaseLock();
      return textOf(value ?? null);
    },
    greedy: true,
    partial: true,
  },
];

/** The readers that look for a boundary. */
export const FRAMING_READERS: readonly Reader[] = [
  {
    name: "recvExactly()",
    operation: "recvExactly",
    wire: bytesOf,
    read: async (connection, length, options) =>
      textOf(await recvExactly(connection, length, options)),
    wantsAll: true,
  },
  {
    name: "recvUntil()",
    operation: "recvUntil",
    wire: (text) => bytesOf(`${text}<>`),
    read: async (connection, _length, options) =>
      textOf(await recvUntil(connection, UNTIL, options)),
  },
  {
    name: "recvLine()",
    operation: "recvLine",
    wire: (text) => bytesOf(`${text}\r\n`),
    read: (connection, _length, options) => recvLine(connection, options),
  },
  ofFrames("lengthPrefixed", lengthPrefixed({ bytes: 2 })),
  ofFrames("varintPrefixed", varintPrefixed()),
  ofFrames("netstrings", netstrings()),
  ofFrames("delimited", delimited(UNTIL)),
  {
    name: "recvFrame() of lines",
    operation: "recvFrame",
    wire: (text) => bytesOf(`${text}\n`),
    read: (connection, _length, options) => recvFrame(framed(connection, lines()), options),
  },
  {
    name: "the iteration of frames",
    operation: "recvFrame",
    wire: (text) => bytesOf(`${text}\n`),
    async read(connection) {
      for await (const line of framed(connection, lines())) return line;
      return null;
    },
  },
  {
    name: "recvFrames() of one frame",
    operation: "recvFrames",
    wire: (text) => bytesOf(`${text}\n`),
    async read(connection, _length, options) {
      const stream = framed(connection, lines());
      return (await recvFrames(stream, { maxFrames: 1, ...options }))?.[0] ?? null;
    },
  },
  ofHeaders,
];

export const READERS: readonly Reader[] = [...OF_ANY_BYTES, ...FRAMING_READERS];

/** The framing readers that take `signal` and `timeout`. */
export const CANCELLABLE: readonly Reader[] = FRAMING_READERS.filter(({ name }) =>
  !name.includes("iteration")
);
