import { toAddress } from "../core/address_check.ts";
import type { Address, ProxyHeader } from "../types.ts";
import { hostOf, octetsOf } from "../core/ip_address.ts";
import { invalidHeader } from "./tlv.ts";

/*
 * Version 1 is one line of US-ASCII, of at most 107 bytes with its CRLF:
 *
 *     P R O X Y SP  T C P 4  SP  source  SP  destination  SP  source port  SP  destination port  CR LF
 *     P R O X Y SP  T C P 6  SP  source  SP  destination  SP  source port  SP  destination port  CR LF
 *     P R O X Y SP  U N K N O W N  [ SP anything but CR and LF ]  CR LF
 *
 *     50 52 4F 58 59 20 54 43 50 34 20 31 2E 32 2E 33 2E 34 20 …  20 35 36 33 32 34 20 34 34 33 0D 0A
 *     P  R  O  X  Y     T  C  P  4     1  .  2  .  3  .  4        5  6  3  2  4     4  4  3  CR LF
 *
 * The fields are single-spaced, the ports decimal without leading zeros, the addresses literals of the
 * family that the line names. What follows the LF is the stream's.
 */

const LF = 0x0a;

/** Length of the longest line, CRLF included: an UNKNOWN one that has two full IPv6 addresses. */
const LONGEST_LINE_BYTES = 107;
/** Length of the longest line with IPv4 addresses, CRLF included. */
const LONGEST_TCP4_LINE_BYTES = 56;
/** Length of `PROXY UNKNOWN` and CRLF. */
const SHORTEST_LINE_BYTES = 15;

const OPENINGS = ["PROXY TCP4 ", "PROXY TCP6 ", "PROXY UNKNOWN\r", "PROXY UNKNOWN "];

/**
 * Reads a line from the front of the stream: the header and its length, or the number of bytes needed at least.
 * Each call looks at 107 bytes at most, so reading byte by byte stays cheap. Addresses and ports are judged after the
 * line is whole, as the specification wants it.
 */
export function parseProxyV1(
  bytes: Uint8Array,
): { header: ProxyHeader; length: number } | { atLeast: number } {
  const text = String.fromCharCode(...bytes.subarray(0, LONGEST_LINE_BYTES));
  if (!OPENINGS.some((opening) => text.startsWith(opening) || opening.startsWith(text))) {
    throw invalidHeader(
      "a PROXY line goes on with TCP4, TCP6 or UNKNOWN, this one does not",
    );
  }
  const longest = text.startsWith("PROXY TCP4") ? LONGEST_TCP4_LINE_BYTES : LONGEST_LINE_BYTES;
  const end = text.search(/[\r\n]/);
  if (end > longest - 2 || (end < 0 && text.length > longest - 2)) {
    throw invalidHeader(`the PROXY line has no CRLF in its first ${longest} bytes`);
  }
  if (end < 0) return { atLeast: Math.max(SHORTEST_LINE_BYTES, text.length + 2) };
  if (bytes[end] === LF) throw invalidHeader("the PROXY line ends in LF, not in CRLF");
  if (end + 1 === bytes.length) return { atLeast: end + 2 };
  if (bytes[end + 1] !== LF) throw invalidHeader("the PROXY line has a CR that no LF follows");
  return { header: parseLine(text.slice(0, end)), length: end + 2 };
}

function parseLine(line: string): ProxyHeader {
  const [, protocol, ...fields] = line.split(" ");
  // The specification has receivers ignore the rest of an UNKNOWN line.
  if (protocol === "UNKNOWN") return header({ transport: "unknown" });
  if (fields.length !== 4) {
    throw invalidHeader(
      "the PROXY line does not have two addresses and two ports, with one space before each",
    );
  }
  const [source, destination, sourcePort, destinationPort] = fields;
  return header({
    transport: "tcp",
    source: parseEndpoint("source", protocol, source, sourcePort),
    destination: parseEndpoint("destination", protocol, destination, destinationPort),
  });
}

function header(parts: Pick<ProxyHeader, "transport" | "source" | "destination">): ProxyHeader {
  const tlvs = Object.freeze([]);
  return Object.freeze({ version: 1, command: "PROXY", ...parts, crc32c: false, tlvs });
}

/**
 * Reads an address and its port. The specification has only hexadecimal groups for IPv6, but HAProxy writes
 * `::ffff:1.2.3.4` if it relays between families, so a dotted end is accepted too.
 */
function parseEndpoint(
  which: string,
  protocol: string,
  host: string,
  port: string,
): Address {
  const octets = octetsOf(host);
  if (octets?.length !== (protocol === "TCP4" ? 4 : 16)) {
    const family = protocol === "TCP4" ? "IPv4" : "IPv6";
    throw invalidHeader(`the ${which} of a ${protocol} line is not an ${family} address`);
  }
  if (!/^(0|[1-9][0-9]{0,4})$/.test(port) || Number(port) > 65535) {
    throw invalidHeader(
      `the ${which} port of the PROXY line is not a decimal number from 0 to 65535`,
    );
  }
  return toAddress(hostOf(octets), Number(port));
}

/** Writes the line for a header whose fields were checked. */
export function encodeProxyV1({ source, destination }: ProxyHeader): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(
    source === undefined || destination === undefined
      ? "PROXY UNKNOWN\r\n"
      : `PROXY ${endpoints(source, destination)} ${source.port} ${destination.port}\r\n`,
  );
}

/** Writes both addresses as IPv6 if one of them is, with the other one mapped into it, as HAProxy does. */
function endpoints({ host: source }: Address, { host: destination }: Address): string {
  const hosts = [source, destination];
  if (!hosts.some(isIPv6)) return `TCP4 ${source} ${destination}`;
  return `TCP6 ${hosts.map((host) => isIPv6(host) ? host : `::ffff:${host}`).join(" ")}`;
}

function isIPv6(host: string): boolean {
  return host.includes(":");
}
