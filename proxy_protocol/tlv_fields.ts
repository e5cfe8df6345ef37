import { crc32c } from "./crc32c.ts";
import {
  type Bytes,
  encodeText,
  encodeTlv,
  invalidHeader,
  OnceOnly,
  type ProxyContext,
  readText,
  splitTlvs,
} from "./tlv.ts";
import type { ProxyHeader, ProxyTlv } from "../types.ts";
import { encodeSsl, parseSsl } from "./tlv_ssl.ts";

const ALPN = 0x01;
const AUTHORITY = 0x02;
const CRC32C = 0x03;
const NOOP = 0x04;
const UNIQUE_ID = 0x05;
const SSL = 0x20;
const NETNS = 0x30;

/** The types that a header has a field for: they cannot be given as `tlvs` too. */
export const FIELD_OF_TYPE: ReadonlyMap<number, string> = new Map([
  [ALPN, "alpn"],
  [AUTHORITY, "authority"],
  [CRC32C, "crc32c"],
  [UNIQUE_ID, "uniqueId"],
  [SSL, "ssl"],
  [NETNS, "netns"],
]);

/** Padding, which says nothing. */
export const NOOP_TYPE = NOOP;

/** HAProxy refuses a longer one, and no host name is: the specification leaves it open. */
export const LONGEST_AUTHORITY = 255;
/** Section 2.2.5. */
export const LONGEST_UNIQUE_ID = 128;

type Fields = Pick<
  ProxyHeader,
  "crc32c" | "alpn" | "authority" | "uniqueId" | "ssl" | "netns" | "tlvs"
>;
type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/**
 * Reads what stands behind the addresses of a whole header. A type that has a field of its own may
 * come once: of two, one receiver would believe the first, the next one the last.
 */
export function parseTlvs(header: Uint8Array, start: number, context: ProxyContext): Fields {
  const tlvs: ProxyTlv[] = [];
  const fields: Writable<Fields> = { crc32c: false, tlvs };
  const once = new OnceOnly("PROXY header", context);
  for (const { type, value, at } of splitTlvs(header, start, "PROXY header", context)) {
    if (FIELD_OF_TYPE.has(type)) once.check(type);
    switch (type) {
      case ALPN:
        fields.alpn = Array.from(value, (byte) => String.fromCharCode(byte)).join("");
        break;
      case AUTHORITY:
        checkLength("authority", value, LONGEST_AUTHORITY, context);
        fields.authority = readText("authority", value, context);
        break;
      case CRC32C:
        checkCrc(header, at, value, context);
        fields.crc32c = true;
        break;
      case NOOP:
        break;
      case UNIQUE_ID:
        checkLength("unique id", value, LONGEST_UNIQUE_ID, context);
        fields.uniqueId = new Uint8Array(value);
        break;
      case SSL:
        fields.ssl = parseSsl(value, context);
        break;
      case NETNS:
        fields.netns = readText("network namespace", value, context);
        break;
      default:
        tlvs.push(Object.freeze({ type, value: new Uint8Array(value) }));
    }
  }
  Object.freeze(tlvs);
  return fields;
}

function checkLength(
  what: string,
  { length }: Uint8Array,
  longest: number,
  context: ProxyContext,
): void {
  if (length <= longest) return;
  throw invalidHeader(
    context,
    `the ${what} in the PROXY header has ${length} bytes, at most ${longest} are allowed`,
  );
}

const FOUR_ZEROS = new Uint8Array(4);

/** The sum is over the whole header with zeros in the place of the sum itself (section 2.2.3). */
function crcOf(header: Uint8Array, at: number): number {
  return crc32c(header.subarray(0, at), FOUR_ZEROS, header.subarray(at + 4));
}

function checkCrc(
  header: Uint8Array,
  at: number,
  value: Uint8Array,
  context: ProxyContext,
): void {
  if (value.length !== 4) {
    throw invalidHeader(
      context,
      `the CRC32C in the PROXY header has ${value.length} bytes instead of 4`,
    );
  }
  const said = new DataView(value.buffer, value.byteOffset, 4).getUint32(0);
  if (said !== crcOf(header, at)) {
    throw invalidHeader(context, "the CRC32C in the PROXY header does not match its bytes");
  }
}

/** What stands behind the addresses, for fields that were checked; the checksum, if any, is first. */
export function encodeTlvs(header: ProxyHeader): Bytes[] {
  const { alpn, authority, uniqueId, ssl, netns, tlvs } = header;
  const pieces: Bytes[] = [];
  if (header.crc32c) pieces.push(encodeTlv(CRC32C, FOUR_ZEROS));
  if (alpn !== undefined) pieces.push(encodeTlv(ALPN, bytesOf(alpn)));
  if (authority !== undefined) pieces.push(encodeTlv(AUTHORITY, encodeText(authority)));
  if (uniqueId !== undefined) pieces.push(encodeTlv(UNIQUE_ID, uniqueId));
  if (ssl !== undefined) pieces.push(encodeTlv(SSL, encodeSsl(ssl)));
  if (netns !== undefined) pieces.push(encodeTlv(NETNS, encodeText(netns)));
  for (const { type, value } of tlvs) pieces.push(encodeTlv(type, value));
  return pieces;
}

/** Puts the checksum into a header whose first field behind the addresses is the one for it. */
export function sealCrc(header: Bytes, start: number): void {
  const at = start + 3;
  new DataView(header.buffer).setUint32(at, crcOf(header, at));
}

/** ALPN names are bytes of any kind (RFC 7301, section 3.1), not UTF-8. */
function bytesOf(text: string): Bytes {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
