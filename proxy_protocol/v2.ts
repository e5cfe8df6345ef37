import { toAddress } from "../core/address_check.ts";
import { SocketError } from "../errors.ts";
import type { Address, ProxyHeader, ProxyTransport } from "../types.ts";
import { hostOf, mapped, octetsOf } from "../core/ip_address.ts";
import { writeChecksum } from "./crc32c.ts";
import { type Bytes, hex, invalidHeader, joined, TLV_HEADER_BYTES } from "./tlv.ts";
import { encodeTlvs, parseTlvs } from "./tlv_fields.ts";

/*
 * Version 2, all numbers big-endian:
 *
 *      0                               4                               8                              12
 *     +-------+-------+-------+-------+-------+-------+-------+-------+-------+-------+-------+-------+
 *     |  0D   |  0A   |  0D   |  0A   |  00   |  0D   |  0A   |  51   |  55   |  49   |  54   |  0A   |
 *     +-------+-------+-------+-------+-------+-------+-------+-------+-------+-------+-------+-------+
 *     |ver|cmd|fam|pro|    length     |  addresses, then fields: `length` bytes …
 *     +---+---+---+---+-------+-------+--------------------------------
 *     12      13      14              16
 *
 *     ver  2
 *     cmd  0 LOCAL, 1 PROXY
 *     fam  0 unspecified, 1 IPv4, 2 IPv6, 3 Unix
 *     pro  0 unspecified, 1 stream, 2 datagram
 *
 * The addresses, by family:
 *
 *     IPv4   | source 4 | destination 4 | source port 2 | destination port 2 |      12 bytes
 *     IPv6   | source 16 | destination 16 | source port 2 | destination port 2 |    36 bytes
 *     Unix   | source path 108 | destination path 108 |                            216 bytes
 *
 * The fields are drawn in tlv.ts. The bytes behind the 16 + `length` ones are the stream's.
 */
export const SIGNATURE: readonly number[] = [
  ...[0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a],
];
const FIXED_BYTES = 16;
const LONGEST_REST_BYTES = 0xffff;

const LOCAL = 0x20;
const PROXY = 0x21;

/** Length of the addresses, by family. */
const ADDRESSES_BYTES: readonly number[] = [0, 12, 36, 216];

const UNSPECIFIED = 0;
const UNIX = 3;

/**
 * Reads a header from the front of the stream: the header and its length, or the number of bytes needed at least. It
 * judges each byte of the fixed part before it asks for more.
 */
export function parseProxyV2(
  bytes: Uint8Array,
  maxLength: number,
): { header: ProxyHeader; length: number } | { atLeast: number } {
  const [command, family] = bytes.subarray(12, 14);
  if (command !== undefined && command !== LOCAL && command !== PROXY) {
    throw invalidHeader(
      `version and command are ${hex(command)}, they must be 0x20 (LOCAL) or 0x21 (PROXY)`,
    );
  }
  if (command === PROXY && family !== undefined) checkFamily(family);
  if (bytes.length < FIXED_BYTES) return { atLeast: FIXED_BYTES };

  const rest = bytes[14] << 8 | bytes[15];
  const length = FIXED_BYTES + rest;
  if (length > maxLength) {
    throw new SocketError(
      "TooLarge",
      "recvProxyHeader",
      `the PROXY header has ${length} bytes, the limit is ${maxLength}`,
    );
  }
  const addresses = command === LOCAL ? 0 : addressesLength(family);
  if (rest < addresses) {
    throw invalidHeader(
      `the PROXY header has ${rest} bytes for addresses of family ${hex(family)}, which take ` +
        `${addresses}`,
    );
  }
  if (bytes.length < length) return { atLeast: length };
  return { header: readHeader(bytes.subarray(0, length)), length };
}

/**
 * Refuses a family that the specification does not name. "Unspecified" is no error in either half: a receiver may
 * accept it, and does without the addresses. The family of LOCAL is not checked: it is to be ignored.
 */
function checkFamily(family: number): void {
  if (family >> 4 <= 3 && (family & 0x0f) <= 2) return;
  throw invalidHeader(
    `the family of the PROXY header is ${hex(family)}, which the protocol does not have`,
  );
}

/** Gives the length of the addresses; if one half is unspecified, so is the length. */
function addressesLength(family: number): number {
  return isUnspecified(family) ? 0 : ADDRESSES_BYTES[family >> 4];
}

function isUnspecified(family: number): boolean {
  return family >> 4 === UNSPECIFIED || (family & 0x0f) === UNSPECIFIED;
}

function transportOf(family: number): ProxyTransport {
  if (isUnspecified(family)) return "unknown";
  const stream = (family & 0x0f) === 1;
  if (family >> 4 === UNIX) return stream ? "unix" : "unixpacket";
  return stream ? "tcp" : "udp";
}

/**
 * Reads a whole header. Without addresses it skips the rest, fields and checksum included: LOCAL is to be discarded
 * as a whole, and if the family is unspecified nobody knows at which byte the addresses end.
 */
function readHeader(bytes: Uint8Array): ProxyHeader {
  const [command, family] = bytes.subarray(12, 14);
  const start = { version: 2, command: command === LOCAL ? "LOCAL" : "PROXY" } as const;
  const transport = command === LOCAL ? "unknown" : transportOf(family);
  if (transport === "unknown") {
    return Object.freeze({ ...start, transport, crc32c: false, tlvs: Object.freeze([]) });
  }
  const endpoints = family >> 4 === UNIX ? undefined : readEndpoints(bytes, family >> 4 === 1);
  const fields = parseTlvs(bytes, FIXED_BYTES + addressesLength(family));
  return Object.freeze({ ...start, transport, ...endpoints, ...fields });
}

interface Endpoints {
  readonly source: Address;
  readonly destination: Address;
}

function readEndpoints(bytes: Uint8Array, isIPv4: boolean): Endpoints {
  const size = isIPv4 ? 4 : 16;
  const ports = FIXED_BYTES + 2 * size;
  const read = (index: 0 | 1) => {
    const octets = bytes.subarray(FIXED_BYTES + index * size, FIXED_BYTES + (index + 1) * size);
    const port = ports + 2 * index;
    return toAddress(hostOf(octets), bytes[port] << 8 | bytes[port + 1]);
  };
  return { source: read(0), destination: read(1) };
}

/** Writes a header whose fields were checked; gives nothing if its bytes are too many for its length field. */
export function encodeProxyV2(header: ProxyHeader): Bytes | undefined {
  const { command, transport, source, destination } = header;
  const isLocal = command === "LOCAL";
  const addresses = source === undefined || destination === undefined
    ? undefined
    : writeEndpoints(source, destination);
  const protocol = transport === "udp" ? 2 : 1;
  const family = addresses === undefined ? 0 : (addresses.length === 12 ? 0x10 : 0x20) | protocol;
  const rest = [addresses ?? new Uint8Array(), ...encodeTlvs(header)];
  const length = rest.reduce((sum, piece) => sum + piece.length, 0);
  if (length > LONGEST_REST_BYTES) return undefined;

  const fixed = new Uint8Array(
    [...SIGNATURE, isLocal ? LOCAL : PROXY, family, length >> 8, length & 0xff],
  );
  const bytes = joined([fixed, ...rest]);
  if (header.crc32c) writeChecksum(bytes, FIXED_BYTES + rest[0].length + TLV_HEADER_BYTES);
  return bytes;
}

/** Writes both addresses as IPv6 if one of them is, with the other one mapped into it, as HAProxy does. */
function writeEndpoints(source: Address, destination: Address): Bytes {
  let hosts = [source, destination].map(({ host }) => octetsOf(host)!);
  if (hosts[0].length !== hosts[1].length) hosts = hosts.map(mapped);
  const ports = new Uint8Array(
    [source, destination].flatMap(({ port }) => [port >> 8, port & 0xff]),
  );
  return joined([...hosts, ports]);
}
