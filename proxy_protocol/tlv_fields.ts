import { checkChecksum } from "./crc32c.ts";
import {
  type Bytes,
  encodeText,
  encodeTlv,
  invalidHeader,
  readText,
  splitTlvs,
  type Writable,
} from "./tlv.ts";
import type { ProxyHeader, ProxyTlv } from "../types.ts";
import { encodeSsl, parseSsl } from "./tlv_ssl.ts";

const ALPN = 0x01;
const AUTHORITY = 0x02;
const CRC32C = 0x03;
/** Padding, which means nothing. */
export const NOOP = 0x04;
const UNIQUE_ID = 0x05;
const SSL = 0x20;
const NETNS = 0x30;

/** Types that a header has a property for: they cannot be given as `tlvs` too. */
export const FIELD_OF_TYPE: ReadonlyMap<number, string> = new Map([
  [ALPN, "alpn"],
  [AUTHORITY, "authority"],
  [CRC32C, "crc32c"],
  [UNIQUE_ID, "uniqueId"],
  [SSL, "ssl"],
  [NETNS, "netns"],
]);

/** HAProxy refuses a longer one, and no host name is longer; the specification has no limit. */
export const LONGEST_AUTHORITY_BYTES = 255;
/** The limit of section 2.2.5. */
export const LONGEST_UNIQUE_ID_BYTES = 128;

type Fields = Pick<
  ProxyHeader,
  "crc32c" | "alpn" | "authority" | "uniqueId" | "ssl" | "netns" | "tlvs"
>;

/** Reads the fields of a whole header, from `start` on. */
export function parseTlvs(header: Uint8Array, start: number): Fields {
  const tlvs: ProxyTlv[] = [];
  const fields: Writable<Fields> = { crc32c: false, tlvs };
  for (const { type, value, at } of splitTlvs(header, start, FIELD_OF_TYPE, "PROXY header")) {
    switch (type) {
      case ALPN:
        fields.alpn = Array.from(value, (byte) => String.fromCharCode(byte)).join("");
        break;
      case AUTHORITY:
        checkLength("authority", value, LONGEST_AUTHORITY_BYTES);
        fields.authority = readText("authority", value);
        break;
      case CRC32C:
        checkChecksum(header, at, value);
        fields.crc32c = true;
        break;
      case NOOP:
        break;
      case UNIQUE_ID:
        checkLength("unique id", value, LONGEST_UNIQUE_ID_BYTES);
        fields.uniqueId = new Uint8Array(value);
        break;
      case SSL:
        fields.ssl = parseSsl(value);
        break;
      case NETNS:
        fields.netns = readText("network namespace", value);
        break;
      default:
        tlvs.push(Object.freeze({ type, value: new Uint8Array(value) }));
    }
  }
  Object.freeze(tlvs);
  return fields;
}

function checkLength(what: string, { length }: Uint8Array, longest: number): void {
  if (length <= longest) return;
  throw invalidHeader(
    `the ${what} in the PROXY header has ${length} bytes, at most ${longest} are allowed`,
  );
}

/** Writes the fields that stand behind the addresses; room for the checksum, if there is one, comes first. */
export function encodeTlvs(header: ProxyHeader): Bytes[] {
  const { alpn, authority, uniqueId, ssl, netns, tlvs } = header;
  const pieces: Bytes[] = [];
  if (header.crc32c) pieces.push(encodeTlv(CRC32C, new Uint8Array(4)));
  if (alpn !== undefined) pieces.push(encodeTlv(ALPN, bytesOf(alpn)));
  if (authority !== undefined) pieces.push(encodeTlv(AUTHORITY, encodeText(authority)));
  if (uniqueId !== undefined) pieces.push(encodeTlv(UNIQUE_ID, uniqueId));
  if (ssl !== undefined) pieces.push(encodeTlv(SSL, encodeSsl(ssl)));
  if (netns !== undefined) pieces.push(encodeTlv(NETNS, encodeText(netns)));
  for (const { type, value } of tlvs) pieces.push(encodeTlv(type, value));
  return pieces;
}

/** Writes one byte for each character: ALPN names are bytes of any kind (RFC 7301, section 3.1), not UTF-8. */
function bytesOf(text: string): Bytes {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
