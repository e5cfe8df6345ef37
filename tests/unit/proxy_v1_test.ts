import { assert, assertEquals } from "@std/assert";
import { parseProxyHeader } from "../../_internal/proxy_parser.ts";
import type { ProxyHeader } from "../../mod.ts";
import { ascii, refusal, verdict } from "../support/proxy_bytes.ts";

function line(said: Partial<ProxyHeader>): ProxyHeader {
  return { version: 1, command: "PROXY", transport: "tcp", crc32c: false, tlvs: [], ...said };
}

function tcp(source: string, sourcePort: number, destination: string, port: number): ProxyHeader {
  return line({
    source: { host: source, port: sourcePort },
    destination: { host: destination, port },
  });
}

const UNKNOWN = line({ transport: "unknown" });
const FULL_IPV6 = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";

const ACCEPTED: readonly (readonly [string, ProxyHeader])[] = [
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
  // One address has one text, however the line writes it.
  [
    "PROXY TCP6 2001:0DB8:0:0::1 2001:DB8:0:0:1:0:0:1 1 2",
    tcp("2001:db8::1", 1, "2001:db8::1:0:0:1", 2),
  ],
  ["PROXY TCP6 0:0:0:0:0:0:0:0 1:2:3:4:5:6:7:: 1 2", tcp("::", 1, "1:2:3:4:5:6:7:0", 2)],
  // What HAProxy writes where it relays from IPv4 to IPv6.
  ["PROXY TCP6 ::ffff:1.2.3.4 2001:db8::2 1 2", tcp("1.2.3.4", 1, "2001:db8::2", 2)],
  ["PROXY TCP6 ::ffff:102:304 ::FFFF:5.6.7.8 1 2", tcp("1.2.3.4", 1, "5.6.7.8", 2)],
  ["PROXY UNKNOWN", UNKNOWN],
  ["PROXY UNKNOWN ", UNKNOWN],
  [`PROXY UNKNOWN ${FULL_IPV6} ${FULL_IPV6} 65535 65535`, UNKNOWN],
  ["PROXY UNKNOWN  what\tever \0\x7f\xff", UNKNOWN],
  ["PROXY UNKNOWN TCP4 1.2.3.4 1.2.3.4 1 2", UNKNOWN],
  ["PROXY UNKNOWN " + "x".repeat(107 - 16), UNKNOWN],
];

Deno.test("a PROXY line of version 1 gives what it says, and the length of it alone", () => {
  for (const [text, header] of ACCEPTED) {
    const bytes = ascii(`${text}\r\n`);
    for (const rest of ["", "\r\n", "GET / HTTP/1.1\r\n", "PROXY UNKNOWN\r\n", "\0".repeat(200)]) {
      const said = parseProxyHeader(new Uint8Array([...bytes, ...ascii(rest)]));
      assertEquals(said, { header, length: bytes.length }, text);
    }
  }
});

Deno.test("a header of version 1 is frozen", () => {
  const said = parseProxyHeader(ascii("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"));
  assert("header" in said);
  const { header } = said;
  for (const part of [header, header.source, header.destination, header.tlvs]) {
    assert(Object.isFrozen(part));
  }
});

const OTHER_KEYWORD = "a PROXY line goes on with TCP4, TCP6 or UNKNOWN, this one does not";
const NO_HEADER = "the stream does not begin with a PROXY header of version 1 or 2";
const FIELDS =
  "the PROXY line does not have two addresses and two ports, with one space before each";
const NOT_IPV4 = "the source of a TCP4 line is not an IPv4 address";
const NOT_IPV6 = "the source of a TCP6 line is not an IPv6 address";
const PORT = "the source port of the PROXY line is not a decimal number from 0 to 65535";
const LONE_CR = "the PROXY line has a CR that no LF follows";
const LONE_LF = "the PROXY line ends in LF, not in CRLF";

const REFUSED: readonly (readonly [string, string])[] = [
  // Other protocols.
  ["GET / HTTP/1.1\r\n", NO_HEADER],
  ["\x16\x03\x01\x02\x00\x01\x00", NO_HEADER],
  ["SSH-2.0-OpenSSH_9.2\r\n", NO_HEADER],
  ["POST / HTTP/1.1\r\n", NO_HEADER],
  ["\r\n", "needs more"],
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

Deno.test("a PROXY line of version 1 that breaks a rule is InvalidData", () => {
  for (const [text, reason] of REFUSED) {
    if (reason === "needs more") assert("atLeast" in verdict(ascii(text)), text);
    else assertEquals(refusal(ascii(text)), reason, JSON.stringify(text));
  }
});

Deno.test("a stray byte anywhere in a PROXY line is refused, and so is a missing one that is no digit", () => {
  const text = "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n";
  const good = ascii(text);
  for (const byte of ascii("\0 \t\n\rA.:-\xa0\xff")) {
    // An LF before the last one would stand behind the CRLF that it makes.
    for (let at = 0; at < good.length - 1; at++) {
      const said = verdict(new Uint8Array([...good.slice(0, at), byte, ...good.slice(at)]));
      assert(!("header" in said), `${byte} at ${at}`);
    }
  }
  for (let at = 0; at < good.length; at++) {
    const said = verdict(new Uint8Array([...good.slice(0, at), ...good.slice(at + 1)]));
    // Only a digit of a number can go without making it wrong.
    if ("header" in said) assert(/[0-9]/.test(text[at]), `${at}`);
  }
});

Deno.test("every beginning of a PROXY line needs more bytes, and never more than there are", () => {
  for (const [text] of ACCEPTED) {
    const bytes = ascii(`${text}\r\n`);
    for (let length = 0; length < bytes.length; length++) {
      const said = verdict(bytes.subarray(0, length));
      assert("atLeast" in said, `${text} at ${length}`);
      assert(said.atLeast > length && said.atLeast <= bytes.length, `${text} at ${length}`);
    }
  }
});

Deno.test("a reader that asks for exactly what is missing never reads past the PROXY line", () => {
  const bytes = ascii("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n");
  let length = 0, calls = 0;
  for (;;) {
    const said = verdict(bytes.subarray(0, length));
    if (!("atLeast" in said)) break;
    length = said.atLeast;
    calls++;
  }
  assertEquals(length, bytes.length);
  assert(calls <= bytes.length);
});

Deno.test("what is no PROXY line is refused at the first byte that tells", () => {
  const cases: readonly (readonly [string, number])[] = [
    ["GET / HTTP/1.1\r\n", 1],
    ["POST / HTTP/1.1\r\n", 2],
    ["PROXYTCP4", 6],
    ["PROXY UDP4 ", 8],
    ["PROXY TCP5 ", 10],
    ["PROXY TCP4:", 11],
    ["PROXY UNKNOWNX", 14],
    ["PROXY TCP4 1.2.3.4\n", 19],
    ["PROXY TCP4 1.2.3.4\rx", 20],
    ["PROXY TCP4 " + "1".repeat(100), 55],
    ["PROXY TCP6 " + "1".repeat(100), 106],
    ["PROXY UNKNOWN " + "x".repeat(100), 106],
  ];
  for (const [text, certain] of cases) {
    const bytes = ascii(text);
    assert("atLeast" in verdict(bytes.subarray(0, certain - 1)), text);
    assert("error" in verdict(bytes.subarray(0, certain)), text);
  }
});

Deno.test("an error about a header names the operation and the peer that were given", () => {
  const peer = { host: "::1", port: 7 };
  const said = verdict(ascii("GET"), { operation: "serve", peer });
  assert("error" in said);
  assertEquals(
    said.error.message,
    "serve [::1]:7: the stream does not begin with a PROXY header of version 1 or 2",
  );
  assertEquals([said.error.operation, said.error.address], ["serve", peer]);
});
