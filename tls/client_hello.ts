import { SocketError } from "../errors.ts";
import type { Transport } from "../types.ts";

/** Bytes in which a client must have said hello: real ones need 200 to 2,000. */
const LONGEST_HELLO_BYTES = 16 * 1024;
/** Records in which a client must have said hello: real ones need one or two, and each read looks at all of them again. */
const MOST_HELLO_RECORDS = 64;
const FIRST_READ_BYTES = 4 * 1024;
const RECORD_HEADER_BYTES = 5;
const ALERT_RECORD = 21;
const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME_EXTENSION = 0;
/** RFC 8446, 4.2.1: a client that offers TLS 1.3 has it. */
const VERSIONS_EXTENSION = 43;
const TLS_1_2 = 0x0303;
const TLS_1_3 = 0x0304;
const HOST_NAME = 0;
/** Labels of a host name, none of which is empty. */
const HOST_NAME_TEXT = /^[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/;
/** Characters of a host name (RFC 1035, 2.3.4). */
const LONGEST_NAME = 253;

/** The first message of a client. */
export interface ClientHello {
  /** All bytes that were read, for the TLS that follows. */
  readonly bytes: Uint8Array;
  /** The host that the client asks for, in lower case, if it names one. */
  readonly serverName: string | undefined;
  /** True if it offers TLS 1.2 or 1.3. */
  readonly offersVersion: boolean;
}

/**
 * Reads the first message of a client (RFC 8446, 4.1.2). The certificate can be chosen by it, at leisure, before the TLS
 * begins.
 */
export async function readClientHello(
  transport: Transport,
  operation: string,
): Promise<ClientHello> {
  let buffer = new Uint8Array(FIRST_READ_BYTES);
  let length = 0;
  for (let needed = 1;;) {
    if (length === buffer.length) buffer = enlarge(buffer);
    const count = await transport.read(buffer.subarray(length));
    if (count === null) {
      const reason = length === 0
        ? "the peer ended before the handshake"
        : "the peer ended during the handshake";
      throw new SocketError("UnexpectedEof", operation, reason);
    }
    length += count;
    // A client may send byte by byte, and to look at all of them each time would be dear.
    if (length < needed && length > 1) continue;
    const bytes = buffer.subarray(0, length);
    const message = readMessage(bytes, operation);
    if (typeof message !== "number") {
      return { bytes, ...readHello(message, operation) };
    }
    if (message > LONGEST_HELLO_BYTES) {
      const reason = `the peer's first message has more than ${LONGEST_HELLO_BYTES} bytes`;
      throw failed(operation, reason);
    }
    needed = message;
  }
}

function enlarge(buffer: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(LONGEST_HELLO_BYTES);
  larger.set(buffer);
  return larger;
}

/** Joins the records of the first message, or returns the least number of bytes that it needs. */
function readMessage(bytes: Uint8Array, operation: string): Uint8Array | number {
  const parts: number[] = [];
  for (let at = 0, records = 1; at < bytes.length; records++) {
    if (records > MOST_HELLO_RECORDS) {
      throw failed(
        operation,
        `the peer's first message has more than ${MOST_HELLO_RECORDS} records`,
      );
    }
    // Type 22, and version 3.x, which every TLS has had.
    const isTls = bytes[at] === HANDSHAKE_RECORD && (bytes[at + 1] ?? 3) === 3;
    if (!isTls) {
      const isAlert = at === 0 && bytes[0] === ALERT_RECORD && bytes[1] === 3;
      const reason = isAlert ? "sent an alert instead of its first message" : "does not speak TLS";
      throw failed(operation, `the peer ${reason}`);
    }
    if (at + RECORD_HEADER_BYTES > bytes.length) return at + RECORD_HEADER_BYTES;
    const end = at + RECORD_HEADER_BYTES + (bytes[at + 3] << 8 | bytes[at + 4]);
    parts.push(...bytes.subarray(at + RECORD_HEADER_BYTES, end));
    if (parts.length > 0 && parts[0] !== CLIENT_HELLO) {
      throw failed(operation, "the peer's first message is no ClientHello");
    }
    if (parts.length >= 4) {
      const length = parts[1] << 16 | parts[2] << 8 | parts[3];
      if (length > LONGEST_HELLO_BYTES) {
        throw failed(operation, `the peer's first message has ${length} bytes`);
      }
      if (parts.length >= 4 + length) return new Uint8Array(parts.slice(4, 4 + length));
    }
    if (end > bytes.length) return end;
    if (end === at + RECORD_HEADER_BYTES) throw failed(operation, "a record of the peer is empty");
    at = end;
  }
  return bytes.length + 1;
}

/** Reads big-endian lengths and what they count. Throws a `RangeError` at a length that is too large. */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  number(bytes: number): number {
    return this.take(bytes).reduce((number, byte) => number * 256 + byte, 0);
  }

  take(count: number): Uint8Array {
    const end = this.#at + count;
    if (end > this.#bytes.length) throw new RangeError("a length is too large");
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  /** Takes what a length of this many bytes counts. */
  counted(bytes: number): Uint8Array {
    return this.take(this.number(bytes));
  }
}

function readHello(message: Uint8Array, operation: string): Omit<ClientHello, "bytes"> {
  try {
    const hello = new Reader(message);
    let offersVersion = hello.number(2) >= TLS_1_2;
    let serverName: string | undefined;
    hello.take(32); // random
    hello.counted(1); // session
    hello.counted(2); // cipher suites
    hello.counted(1); // compression methods
    const extensions = new Reader(hello.done ? new Uint8Array() : hello.counted(2));
    while (!extensions.done) {
      const type = extensions.number(2);
      const content = extensions.counted(2);
      if (type === SERVER_NAME_EXTENSION) serverName ??= readHostName(content);
      else if (type === VERSIONS_EXTENSION) offersVersion = hasVersion(content);
    }
    return { serverName, offersVersion };
  } catch (error) {
    throw failed(operation, "the peer's first message is malformed", error);
  }
}

function hasVersion(content: Uint8Array): boolean {
  const versions = new Reader(new Reader(content).counted(1));
  while (!versions.done) {
    const version = versions.number(2);
    if (version === TLS_1_2 || version === TLS_1_3) return true;
  }
  return false;
}

function readHostName(content: Uint8Array): string | undefined {
  const names = new Reader(new Reader(content).counted(2));
  while (!names.done) {
    const type = names.number(1);
    const name = names.counted(2);
    if (type !== HOST_NAME) continue;
    const text = String.fromCharCode(...name).toLowerCase().replace(/\.$/, "");
    // The runtime's TLS judges what is no name; here it chooses no certificate. `..` could choose another folder.
    return text.length <= LONGEST_NAME && HOST_NAME_TEXT.test(text) ? text : undefined;
  }
  return undefined;
}

function failed(operation: string, reason: string, cause?: unknown): SocketError {
  return new SocketError("TlsFailed", operation, reason, cause === undefined ? {} : { cause });
}
