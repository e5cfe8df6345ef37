/**
 * The messages of PostgreSQL's protocol 3.0 that a client of simple queries needs, and its SCRAM-SHA-256 (RFC 5802,
 * RFC 7677). The manual's chapter "Frontend/Backend Protocol" has the formats:
 *
 *     startup   length (4)   version (4)   names and values           (`untyped`: it has no type)
 *     others    type (1)     length (4)    fields                     (`messages`)
 *
 * In your own program, import from "jsr:@aivi/sockets" instead.
 */
import { createHash, createHmac, pbkdf2, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { concat } from "@std/bytes/concat";
import { type Codec, invalidFrame, lengthField, mapCodec, SocketError } from "../mod.ts";

/** Maximum number of rounds that a server may ask for, since each costs time. PostgreSQL's default is 4096. */
const MOST_SCRAM_ROUNDS = 100_000;
/** A nonce, a salt in Base64, and a number of rounds. */
const SCRAM_CHALLENGE =
  /^r=([!-+\--~]+),s=((?:[A-Za-z\d+/]{4})*(?:[A-Za-z\d+/]{2}==|[A-Za-z\d+/]{3}=)?),i=(\d{1,9})(?:,|$)/;

/** A message to send: its type, and its fields. A string is sent with a zero byte behind it. */
export type Request = readonly [type: string, ...fields: (string | Uint8Array)[]];

/** A received message. Notices, parameters and notifications are `ignored`. */
export type Reply =
  | { readonly kind: "authentication"; readonly method: number; readonly data: Uint8Array }
  | { readonly kind: "key"; readonly key: Uint8Array }
  | { readonly kind: "columns"; readonly columns: readonly string[] }
  | { readonly kind: "row"; readonly row: readonly (string | null)[] }
  | { readonly kind: "complete"; readonly tag: string }
  | { readonly kind: "copyData"; readonly bytes: Uint8Array }
  | { readonly kind: "error"; readonly error: PostgresError }
  | { readonly kind: "copyIn" | "copyOut" | "copyDone" | "ready" | "ignored" };

/** An error that the server reports. */
export class PostgresError extends Error {
  override readonly name = "PostgresError";
  /** The SQLSTATE, such as `42P01` for a table that does not exist. */
  readonly code: string;
  /** True if the server ends the connection after it. */
  readonly fatal: boolean;
  /** All fields by their letters, such as `D` for details and `H` for a hint. */
  readonly fields: ReadonlyMap<string, string>;

  constructor(fields: ReadonlyMap<string, string>) {
    super(`${fields.get("S")}: ${fields.get("M")} (${fields.get("C")})`);
    this.code = fields.get("C") ?? "";
    this.fatal = /^(?:FATAL|PANIC)$/.test(fields.get("V") ?? fields.get("S") ?? "");
    this.fields = fields;
  }
}

/** Messages without a type: the first of each connection. */
export const untyped: Codec<Uint8Array> = lengthField({ adjust: -4 });

/** Makes the codec of all other messages. `maxLength` counts their 5 bytes of type and length. */
export function messages(maxLength: number): Codec<Request, Reply> {
  return mapCodec(lengthField({ offset: 1, adjust: -4, maxLength }), {
    encode: (request: Request) => encodeMessage(...request),
    // An error here is InvalidData, as is a DataView's error behind the end of the message.
    decode(message: Uint8Array): Reply {
      const fields = new Fields(message.subarray(5));
      const reply = readReply(String.fromCharCode(message[0]), fields);
      if (fields.left > 0) throw new Error(`${fields.left} bytes are left behind the last field`);
      return reply;
    },
  });
}

/** Encodes a message; the type of the first one is empty. */
export function encodeMessage(type: string, ...fields: (string | Uint8Array)[]): Uint8Array {
  const body = fields.map((field) => typeof field === "string" ? zeroTerminated(field) : field);
  const length = body.reduce((sum, { length }) => sum + length, 4);
  return concat([encoder.encode(type), uint32(length), ...body]);
}

export function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

const encoder = new TextEncoder();
/** A byte order mark at the beginning of a value is a part of the value. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** The server cannot convert an error that comes before it knows the database. */
const lenientDecoder = new TextDecoder();

function zeroTerminated(text: string): Uint8Array {
  if (text.includes("\0")) throw new Error("PostgreSQL's texts have no zero bytes");
  return encoder.encode(`${text}\0`);
}

function readReply(type: string, fields: Fields): Reply {
  switch (type) {
    case "R":
      return { kind: "authentication", method: fields.int32(), data: fields.bytes(fields.left) };
    case "K":
      return { kind: "key", key: fields.bytes(8) };
    case "T":
      return { kind: "columns", columns: fields.list(() => fields.column()) };
    case "D":
      return { kind: "row", row: fields.list(() => fields.value()) };
    case "C":
      return { kind: "complete", tag: fields.text() };
    case "I":
      return { kind: "complete", tag: "" };
    case "E":
      return { kind: "error", error: new PostgresError(fields.errorFields()) };
    case "d":
      return { kind: "copyData", bytes: fields.bytes(fields.left) };
    case "G":
    case "H":
      fields.bytes(fields.left); // Formats of the columns.
      return { kind: type === "G" ? "copyIn" : "copyOut" };
    case "c":
      return { kind: "copyDone" };
    case "Z":
      fields.bytes(1); // State of the transaction.
      return { kind: "ready" };
    case "N":
    case "S":
    case "A":
      fields.bytes(fields.left);
      return { kind: "ignored" };
    default:
      throw new Error(`a message of type ${JSON.stringify(type)} is not expected`);
  }
}

/** Reads the fields of a message, and throws behind its end. */
class Fields {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    // The bytes of a batch lie in one buffer.
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  int32(): number {
    this.#at += 4;
    return this.#view.getInt32(this.#at - 4);
  }

  bytes(length: number): Uint8Array {
    if (length < 0 || length > this.left) throw new Error("a field is longer than its message");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** Reads a text with a zero byte behind it. */
  text(by: TextDecoder = decoder): string {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0) throw new Error("a text has no end");
    const text = by.decode(this.bytes(end - this.#at));
    this.#at++;
    return text;
  }

  list<T>(read: () => T): T[] {
    const count = this.#view.getUint16(this.#at);
    this.#at += 2;
    const items: T[] = [];
    while (items.length < count) items.push(read());
    return items;
  }

  value(): string | null {
    const length = this.int32();
    return length === -1 ? null : decoder.decode(this.bytes(length));
  }

  column(): string {
    const name = this.text();
    this.bytes(18); // Table, number, type and format.
    return name;
  }

  errorFields(): Map<string, string> {
    const found = new Map<string, string>();
    for (let letter; (letter = this.bytes(1)[0]) !== 0;) {
      found.set(String.fromCharCode(letter), this.text(lenientDecoder));
    }
    return found;
  }
}

/** Proves to a server that this side knows a password, and has the server prove the same. */
export class Scram {
  static readonly MECHANISM = "SCRAM-SHA-256";
  /** True after the server has proved that it knows the password. */
  verified = false;
  readonly #nonce = randomBytes(18).toBase64();
  #signature?: string;

  /** Makes the first message. The server takes the user's name from the startup message. */
  begin(): Uint8Array {
    return encoder.encode(`n,,n=,r=${this.#nonce}`);
  }

  /** Answers the server's challenge with the proof. */
  async prove(data: Uint8Array, password: string): Promise<Uint8Array> {
    const challenge = lenientDecoder.decode(data);
    const [, nonce = "", salt = "", rounds = ""] = SCRAM_CHALLENGE.exec(challenge) ?? [];
    const extended = nonce.startsWith(this.#nonce) && nonce.length > this.#nonce.length;
    if (!extended || this.#signature !== undefined || Number(rounds) < 1) {
      throw invalidFrame("the server's SCRAM challenge is wrong");
    }
    if (Number(rounds) > MOST_SCRAM_ROUNDS) {
      throw new SocketError("TooLarge", "recvFrame", `the server asks for ${rounds} SCRAM rounds`);
    }
    const saltBytes = Uint8Array.fromBase64(salt);
    // SASLprep (RFC 4013) does more, such as to drop soft hyphens: a password with those is refused here.
    const normal = password.normalize("NFKC");
    const salted = await promisify(pbkdf2)(normal, saltBytes, Number(rounds), 32, "sha256");
    const unproved = `c=biws,r=${nonce}`;
    const exchange = `n=,r=${this.#nonce},${challenge},${unproved}`;
    const key = hmac(salted, "Client Key");
    const mask = hmac(createHash("sha256").update(key).digest(), exchange);
    this.#signature = hmac(hmac(salted, "Server Key"), exchange).toBase64();
    return encoder.encode(`${unproved},p=${key.map((byte, at) => byte ^ mask[at]).toBase64()}`);
  }

  /** Checks the server's proof. */
  verify(data: Uint8Array): void {
    const [signature] = lenientDecoder.decode(data).split(",");
    this.verified = this.#signature !== undefined && signature === `v=${this.#signature}`;
    if (!this.verified) throw invalidFrame("the server does not know the password");
  }
}

function hmac(key: Uint8Array, text: string): Uint8Array {
  return new Uint8Array(createHmac("sha256", key).update(text).digest());
}
