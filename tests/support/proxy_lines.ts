import type { ProxyHeader } from "../../mod.ts";

function line(parts: Partial<ProxyHeader>): ProxyHeader {
  return { version: 1, command: "PROXY", transport: "tcp", crc32c: false, tlvs: [], ...parts };
}

function tcp(source: string, sourcePort: number, destination: string, port: number): ProxyHeader {
  return line({
    source: { host: source, port: sourcePort },
    destination: { host: destination, port },
  });
}

const UNKNOWN = line({ transport: "unknown" });
const FULL_IPV6 = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";

/** Lines without their CRLF, and their headers. */
export const ACCEPTED_LINES: readonly (readonly [string, ProxyHeader])[] = [
  [
    "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443",
    tcp("192.168.0.1", 56324, "192.168.0.11", 443),
  ],
  [
    "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535",
    tcp("255.255.255.255", 65535, "255.255.255.255", 65535),
  ],
  ["PROXY TCP4 0.0.0.0 0.0.0.0 0 0", tcp("0.0.0.0", 0, "0.0.0.0", 0)],
  ["PROXY TCP6 2001:db8::1 2001:db8::2 1 2", tcp("2001:db8::1", 1, "2001:db8::2", 2)],
  ["PROXY TCP6 :: ::1 0 65535", tcp("::", 0, "::1", 65535)],
  [`PROXY TCP6 ${FULL_IPV6} ${FULL_IPV6} 65535 65535`, tcp(FULL_IPV6, 65535, FULL_IPV6, 65535)],
  // An address is given in one form, in whatever form the line has it.
  [
    "PROXY TCP6 2001:0DB8:0:0::1 2001:DB8:0:0:1:0:0:1 1 2",
    tcp("2001:db8::1", 1, "2001:db8::1:0:0:1", 2),
  ],
  ["PROXY TCP6 0:0:0:0:0:0:0:0 1:2:3:4:5:6:7:: 1 2", tcp("::", 1, "1:2:3:4:5:6:7:0", 2)],
  // HAProxy writes this if it relays from IPv4 to IPv6.
  ["PROXY TCP6 ::ffff:1.2.3.4 2001:db8::2 1 2", tcp("1.2.3.4", 1, "2001:db8::2", 2)],
  ["PROXY TCP6 ::ffff:102:304 ::FFFF:5.6.7.8 1 2", tcp("1.2.3.4", 1, "5.6.7.8", 2)],
  ["PROXY UNKNOWN", UNKNOWN],
  ["PROXY UNKNOWN ", UNKNOWN],
  [`PROXY UNKNOWN ${FULL_IPV6} ${FULL_IPV6} 65535 65535`, UNKNOWN],
  ["PROXY UNKNOWN  what\tever \0\x7f\xff", UNKNOWN],
  ["PROXY UNKNOWN TCP4 1.2.3.4 1.2.3.4 1 2", UNKNOWN],
  ["PROXY UNKNOWN " + "x".repeat(107 - 16), UNKNOWN],
];

const OTHER_KEYWORD = "a PROXY line goes on with TCP4, TCP6 or UNKNOWN, this one does not";
const NO_HEADER = "the stream does not begin with a PROXY header of version 1 or 2";
const FIELDS =
  "the PROXY line does not have two addresses and two ports, with one space before each";
const NOT_IPV4 = "the source of a TCP4 line is not an IPv4 address";
const NOT_IPV6 = "the source of a TCP6 line is not an IPv6 address";
const PORT = "the source port of the PROXY line is not a decimal number from 0 to 65535";
const LONE_CR = "the PROXY line has a CR that no LF follows";
const LONE_LF = "the PROXY line ends in LF, not in CRLF";

/** Texts that are no line of the protocol, and why; `undefined` if more bytes may still make it a header. */
export const REFUSED_LINES: readonly (readonly [string, string | undefined])[] = [
  // Other protocols.
  ["GET / HTTP/1.1\r\n", NO_HEADER],
  ["\x16\x03\x01\x02\x00\x01\x00", NO_HEADER],
  ["SSH-2.0-OpenSSH_9.2\r\n", NO_HEADER],
  ["POST / HTTP/1.1\r\n", NO_HEADER],
  ["\r\n", undefined],
  ["\r\n\r\nPROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", NO_HEADER],
  [" PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", NO_HEADER],
  // Keywords.
  ["proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n", NO_HEADER],
  ["PROXY\tTCP4 1.2.3.4 5.6.7.8 1 2\r\n", NO_HEADER],
  ["PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n", OTHER_KEYWORD],
  ["PROXY tcp4 1.2.3.4 5.6.7.8 1 2\r\n", OTHER_KEYWORD],
  ["PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n", OTHER_KEYWORD],
  ["PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n", OTHER_KEYWORD],
  ["PROXY TCP 1.2.3.4 5.6.7.8 1 2\r\n", OTHER_KEYWORD],
  ["PROXY TCP4\r\n", OTHER_KEYWORD],
  ["PROXY UNKNOWN\n", OTHER_KEYWORD],
  ["PROXY UNKNOWNS\r\n", OTHER_KEYWORD],
  ["PROXY unknown\r\n", OTHER_KEYWORD],
  ["PROXY \r\n", OTHER_KEYWORD],
  // Spaces and fields.
  ["PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n", FIELDS],
  ["PROXY TCP4 1.2.3.4  5.6.7.8 1 2\r\n", FIELDS],
  ["PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n", FIELDS],
  ["PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", FIELDS],
  ["PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n", FIELDS],
  ["PROXY TCP4 \r\n", FIELDS],
  ["PROXY TCP4    \r\n", NOT_IPV4],
  ["PROXY TCP4 1.2.3.4 5.6.7.8\t1 2\r\n", FIELDS],
  // Addresses.
  ["PROXY TCP4 ::1 ::1 1 2\r\n", NOT_IPV4],
  ["PROXY TCP4 ::ffff:1.2.3.4 5.6.7.8 1 2\r\n", NOT_IPV4],
  ["PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n", NOT_IPV4],
  ["PROXY TCP4 1.2.3.4.5 5.6.7.8 1 2\r\n", NOT_IPV4],
  ["PROXY TCP4 256.2.3.4 5.6.7.8 1 2\r\n", NOT_IPV4],
  ["PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n", NOT_IPV4],
  ["PROXY TCP4 0x1.2.3.4 5.6.7.8 1 2\r\n", NOT_IPV4],
  ["PROXY TCP4 1.2.3.-4 5.6.7.8 1 2\r\n", NOT_IPV4],
  ["PROXY TCP4 localhost 5.6.7.8 1 2\r\n", NOT_IPV4],
  [
    "PROXY TCP4 1.2.3.4 ::1 1 2\r\n",
    "the destination of a TCP4 line is not an IPv4 address",
  ],
  ["PROXY TCP6 1.2.3.4 ::1 1 2\r\n", NOT_IPV6],
  ["PROXY TCP6 [::1] ::1 1 2\r\n", NOT_IPV6],
  ["PROXY TCP6 ::1%eth0 ::1 1 2\r\n", NOT_IPV6],
  ["PROXY TCP6 1::2::3 ::1 1 2\r\n", NOT_IPV6],
  ["PROXY TCP6 1:2:3:4:5:6:7 ::1 1 2\r\n", NOT_IPV6],
  ["PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 1 2\r\n", NOT_IPV6],
  ["PROXY TCP6 1:2:3:4:5:6:7:8:: ::1 1 2\r\n", NOT_IPV6],
  ["PROXY TCP6 12345::1 ::1 1 2\r\n", NOT_IPV6],
  ["PROXY TCP6 g::1 ::1 1 2\r\n", NOT_IPV6],
  ["PROXY TCP6 ::ffff:1.2.3.256 ::1 1 2\r\n", NOT_IPV6],
  ["PROXY TCP6 ::1 1.2.3.4 1 2\r\n", "the destination of a TCP6 line is not an IPv6 address"],
  // Ports.
  ["PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n", PORT],
  ["PROXY TCP4 1.2.3.4 5.6.7.8 123456 2\r\n", PORT],
  ["PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n", PORT],
  ["PROXY TCP4 1.2.3.4 5.6.7.8 00 2\r\n", PORT],
  ["PROXY TCP4 1.2.3.4 5.6.7.8 -1 2\r\n", PORT],
  ["PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n", PORT],
  ["PROXY TCP4 1.2.3.4 5.6.7.8 1e3 2\r\n", PORT],
  ["PROXY TCP4 1.2.3.4 5.6.7.8 0x1 2\r\n", PORT],
  ["PROXY TCP4 1.2.3.4 5.6.7.8 1.5 2\r\n", PORT],
  [
    "PROXY TCP4 1.2.3.4 5.6.7.8 1 02\r\n",
    "the destination port of the PROXY line is not a decimal number from 0 to 65535",
  ],
  // Ends of line.
  ["PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n", LONE_LF],
  ["PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n\r\n", LONE_LF],
  ["PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r \n", LONE_CR],
  ["PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\r\n", LONE_CR],
  ["PROXY UNKNOWN a\nb\r\n", LONE_LF],
  ["PROXY UNKNOWN a\rb\r\n", LONE_CR],
  ["PROXY UNKNOWN\rb\r\n", LONE_CR],
  // Lengths.
  [
    "PROXY UNKNOWN " + "x".repeat(107 - 15) + "\r\n",
    "the PROXY line has no CRLF in its first 107 bytes",
  ],
  [
    "PROXY TCP4 255.255.255.255 255.255.255.255 65535 655350\r\n",
    "the PROXY line has no CRLF in its first 56 bytes",
  ],
];
