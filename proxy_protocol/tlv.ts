import { SocketError } from "../errors.ts";
import type { Address } from "../types.ts";

/** On whose behalf a header is read. */
export interface ProxyContext {
  /** The exported function that errors name. */
  readonly operation: string;
  /** Who sent the header. */
  readonly peer?: Address;
}

/** The error for bytes that no header of the protocol has. */
export function invalidHeader({ operation, peer }: ProxyContext, reason: string): SocketError {
  return new SocketError("InvalidData", operation, reason, { address: peer });
}

/*
 * A field of version 2, and of the SSL field inside of it:
 *
 *     +------+-------------+---------------------
 *     | type |   length    | value …
 *     +------+-------------+---------------------
 *      1 byte  2, big-endian  `length` bytes
 */

/** Bytes in memory of their own. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** What stands before a value. */
export const TLV_HEADER = 3;

/** One field where it stands. */
export interface TlvView {
  readonly type: number;
  /** A view on the bytes that were given. */
  readonly value: Uint8Array;
  /** Where the value begins in them. */
  readonly at: number;
}

/** The fields from `start` on, which must end where `bytes` end. */
export function* splitTlvs(
  bytes: Uint8Array,
  start: number,
  where: string,
  context: ProxyContext,
): Generator<TlvView> {
  for (let next = start; next < bytes.length;) {
    const left = bytes.length - next - TLV_HEADER;
    if (left < 0) {
      throw invalidHeader(context, `${left + TLV_HEADER} bytes too many end the ${where}`);
    }
    const at = next + TLV_HEADER;
    const type = bytes[next];
    const length = bytes[next + 1] << 8 | bytes[next + 2];
    if (length > left) {
      throw invalidHeader(
        context,
        `a field of type ${hex(type)} says ${length} bytes where ${left} are left in the ${where}`,
      );
    }
    next = at + length;
    yield { type, value: bytes.subarray(at, next), at };
  }
}

/** `0x0a` for 10. */
export function hex(byte: number): string {
  return `0x${byte.toString(16).padStart(2, "0")}`;
}

/** Refuses a type that comes a second time. */
export class OnceOnly {
  readonly #seen = new Set<number>();
  readonly #where: string;
  readonly #context: ProxyContext;

  constructor(where: string, context: ProxyContext) {
    this.#where = where;
    this.#context = context;
  }

  check(type: number): void {
    if (this.#seen.has(type)) {
      throw invalidHeader(
        this.#context,
        `the field of type ${hex(type)} stands more than once in the ${this.#where}`,
      );
    }
    this.#seen.add(type);
  }
}

// Without `ignoreBOM` the decoder would drop a byte order mark, which is part of the value here.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text in a value: UTF-8, of which the US-ASCII that the specification has for some is a part. */
export function readText(what: string, value: Uint8Array, context: ProxyContext): string {
  try {
    return decoder.decode(value);
  } catch {
    throw invalidHeader(context, `the ${what} in the PROXY header is not UTF-8`);
  }
}

export function encodeText(text: string): Bytes {
  return new TextEncoder().encode(text);
}

export function encodeTlv(type: number, value: Uint8Array): Bytes {
  const tlv = new Uint8Array(TLV_HEADER + value.length);
  tlv.set([type, value.length >> 8, value.length & 0xff]);
  tlv.set(value, TLV_HEADER);
  return tlv;
}

/** The pieces as one. */
export function joined(pieces: readonly Bytes[]): Bytes {
  const whole = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
