import { SocketError } from "../errors.ts";

/*
 * A field of version 2 (type, length, value), and of the SSL field inside it:
 *
 *     +------+-------------+---------------------
 *     | type |   length    | value …
 *     +------+-------------+---------------------
 *      1 byte  2, big-endian  `length` bytes
 */

/** Bytes in memory of their own. */
export type Bytes = Uint8Array<ArrayBuffer>;
/** A type whose properties may be set while it is put together. */
export type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Length of the type and the length of a field. */
export const TLV_HEADER_BYTES = 3;

/** One field, still in the bytes that it was read from. */
export interface TlvView {
  readonly type: number;
  /** A view on the bytes that were given. */
  readonly value: Uint8Array;
  /** Offset of the value in these bytes. */
  readonly at: number;
}

/** Makes the error for bytes that no header of the protocol has. */
export function invalidHeader(reason: string): SocketError {
  return new SocketError("InvalidData", "recvProxyHeader", reason);
}

/**
 * Reads the fields from `start` to the end of `bytes`, and refuses any that does not fit.
 *
 * @param single Types that may come once: of two, one receiver would believe the first and the next one the last.
 * @param place Name of the bytes in error messages.
 */
export function* splitTlvs(
  bytes: Uint8Array,
  start: number,
  single: ReadonlyMap<number, string>,
  place: string,
): Generator<TlvView> {
  const seen = new Set<number>();
  for (let next = start; next < bytes.length;) {
    const at = next + TLV_HEADER_BYTES;
    const left = bytes.length - at;
    if (left < 0) {
      throw invalidHeader(`the ${place} ends with ${left + TLV_HEADER_BYTES} bytes too many`);
    }
    const type = bytes[next];
    const length = bytes[next + 1] << 8 | bytes[next + 2];
    if (length > left) {
      throw invalidHeader(
        `a field of type ${hex(type)} claims ${length} bytes, but ${left} are left in the ${place}`,
      );
    }
    if (single.has(type) && seen.has(type)) {
      throw invalidHeader(`the ${place} has more than one field of type ${hex(type)}`);
    }
    seen.add(type);
    next = at + length;
    yield { type, value: bytes.subarray(at, next), at };
  }
}

/** Writes 10 as `0x0a`. */
export function hex(byte: number): string {
  return `0x${byte.toString(16).padStart(2, "0")}`;
}

// Without `ignoreBOM` the decoder would drop a byte order mark, which is part of the value here.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads the text of a value: UTF-8, which includes the US-ASCII that the specification asks for in some fields. */
export function readText(what: string, value: Uint8Array): string {
  try {
    return decoder.decode(value);
  } catch {
    throw invalidHeader(`the ${what} in the PROXY header is not UTF-8`);
  }
}

/** Writes text as UTF-8. */
export function encodeText(text: string): Bytes {
  return new TextEncoder().encode(text);
}

/** Writes one field. */
export function encodeTlv(type: number, value: Uint8Array): Bytes {
  const tlv = new Uint8Array(TLV_HEADER_BYTES + value.length);
  tlv.set([type, value.length >> 8, value.length & 0xff]);
  tlv.set(value, TLV_HEADER_BYTES);
  return tlv;
}

/** Joins pieces into one array of bytes. */
export function joined(pieces: readonly Bytes[]): Bytes {
  const whole = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
