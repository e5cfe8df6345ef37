import { assert, assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import { parseProxyHeader } from "../../../proxy_protocol/read_header.ts";
import type { ProxyHeader, ProxyTransport } from "../../../mod.ts";
import {
  ascii,
  IPV4_ADDRESSES,
  IPV6_ADDRESSES,
  rawTlv,
  rawV2,
  refusal,
  SIGNATURE,
  verdict,
} from "../../support/proxy_bytes.ts";

const IPV4 = {
  source: { host: "192.0.2.1", port: 56324 },
  destination: { host: "192.0.2.2", port: 443 },
};
const IPV6 = {
  source: { host: "2001:db8::1", port: 56324 },
  destination: { host: "2001:db8::2", port: 443 },
};

function header(transport: ProxyTransport, parts: Partial<ProxyHeader> = {}): ProxyHeader {
  return { version: 2, command: "PROXY", transport, crc32c: false, tlvs: [], ...parts };
}

const LOCAL = header("unknown", { command: "LOCAL" });
const UNIX_ADDRESSES = concat([ascii("/run/a".padEnd(108, "\0")), ascii("\0b".padEnd(108, "\0"))]);

/** Family bytes of the protocol, each with addresses and the header that they make. */
const FAMILIES = new Map<number, readonly [addresses: Uint8Array, header: ProxyHeader]>([
  // If one half or both are unspecified, the rest is skipped.
  ...[0x00, 0x01, 0x02, 0x10, 0x20, 0x30].map((family) =>
    [family, [new Uint8Array(), header("unknown")]] as const
  ),
  [0x11, [IPV4_ADDRESSES, header("tcp", IPV4)]],
  [0x12, [IPV4_ADDRESSES, header("udp", IPV4)]],
  [0x21, [IPV6_ADDRESSES, header("tcp", IPV6)]],
  [0x22, [IPV6_ADDRESSES, header("udp", IPV6)]],
  [0x31, [UNIX_ADDRESSES, header("unix")]],
  [0x32, [UNIX_ADDRESSES, header("unixpacket")]],
]);

Deno.test("P2: each of the 256 family bytes is read or refused as the specification says", () => {
  for (let family = 0; family < 256; family++) {
    const known = FAMILIES.get(family);
    const bytes = rawV2({ family }, known?.[0] ?? new Uint8Array(216));
    if (known !== undefined) {
      assertEquals(parseProxyHeader(bytes), { header: known[1], length: bytes.length });
    } else {
      const hex = family.toString(16).padStart(2, "0");
      const reason = `the family of the PROXY header is 0x${hex}, which the protocol does not have`;
      // This is certain before the length has come.
      for (const length of [14, 15, 16, bytes.length]) {
        assertEquals(refusal(bytes.subarray(0, length)), reason);
      }
    }
  }
});

Deno.test("P4: a LOCAL header names no client, whatever its family byte and its rest are", () => {
  for (let family = 0; family < 256; family++) {
    for (const rest of [new Uint8Array(), IPV4_ADDRESSES, ascii("\x02\xff\xffno field")]) {
      const bytes = rawV2({ command: 0x20, family }, rest);
      assertEquals(parseProxyHeader(bytes), { header: LOCAL, length: bytes.length });
    }
  }
});

Deno.test("P2: only 0x20 and 0x21 are accepted as version and command", () => {
  for (let command = 0; command < 256; command++) {
    if (command === 0x20 || command === 0x21) continue;
    const bytes = rawV2({ command }, IPV4_ADDRESSES);
    const hex = command.toString(16).padStart(2, "0");
    assertEquals(
      refusal(bytes.subarray(0, 13)),
      `version and command are 0x${hex}, they must be 0x20 (LOCAL) or 0x21 (PROXY)`,
    );
    refusal(bytes);
  }
});

Deno.test("P2: a wrong byte of the signature is refused as soon as it has come", () => {
  const good = rawV2({}, IPV4_ADDRESSES);
  for (let at = 0; at < SIGNATURE.length; at++) {
    const bad = good.slice();
    bad[at] ^= 0x80;
    assertEquals(
      refusal(bad.subarray(0, at + 1)),
      "the stream does not begin with a PROXY header of version 1 or 2",
    );
    refusal(bad);
  }
});

const WITH_EVERYTHING = rawV2(
  { family: 0x21 },
  IPV6_ADDRESSES,
  rawTlv(0x01, "h2"),
  rawTlv(0x02, "example.com"),
  rawTlv(0x04, "\0\0"),
  rawTlv(0x05, "unique"),
  rawTlv(0x20, concat([ascii("\x01\0\0\0\0"), rawTlv(0x21, "TLSv1.3")])),
  rawTlv(0x30, "blue"),
  rawTlv(0xea, "\x01vpce-1"),
);

Deno.test("P2: a header that is cut off needs 16 bytes first, then all of them", () => {
  const headers = [...FAMILIES].map(([family, [addresses]]) => rawV2({ family }, addresses));
  headers.push(WITH_EVERYTHING, rawV2({ command: 0x20 }), rawV2({ command: 0x20 }, IPV4_ADDRESSES));
  for (const bytes of headers) {
    assert("header" in verdict(bytes));
    for (let length = 0; length < bytes.length; length++) {
      const atLeast = length === 0 ? 15 : length < 16 ? 16 : bytes.length;
      assertEquals(verdict(bytes.subarray(0, length)), { atLeast }, `${length}`);
    }
  }
});

Deno.test("P2: bytes behind a header of version 2 belong to the stream", () => {
  for (const rest of [SIGNATURE, ascii("PROXY UNKNOWN\r\n"), new Uint8Array(70_000)]) {
    const said = parseProxyHeader(concat([WITH_EVERYTHING, rest]));
    assertEquals(said, parseProxyHeader(WITH_EVERYTHING));
    assert("length" in said && said.length === WITH_EVERYTHING.length);
  }
});

Deno.test("a header shares no memory with the bytes that it was read from", () => {
  const bytes = WITH_EVERYTHING.slice();
  const said = parseProxyHeader(bytes);
  bytes.fill(0xff);
  assertEquals(said, parseProxyHeader(WITH_EVERYTHING));
  assert("header" in said);
  for (const { value } of said.header.tlvs) assertEquals(value.buffer.byteLength, value.length);
  assertEquals(said.header.uniqueId!.buffer.byteLength, 6);
});

Deno.test("a header of version 2 is frozen", () => {
  const said = parseProxyHeader(WITH_EVERYTHING);
  assert("header" in said);
  const { header } = said;
  const parts = [header, header.source, header.destination, header.tlvs, ...header.tlvs];
  for (const part of [...parts, header.ssl, header.ssl!.tlvs]) assert(Object.isFrozen(part));
});

Deno.test("P2: addresses that do not fit the header are InvalidData from its 16th byte on", () => {
  for (const [family, [{ length }]] of FAMILIES) {
    for (let short = 0; short < length; short++) {
      const bytes = rawV2({ family, length: short });
      const hex = family.toString(16);
      assertEquals(
        refusal(bytes),
        `the PROXY header has ${short} bytes for addresses of family 0x${hex}, which take ${length}`,
      );
    }
    assertEquals(verdict(rawV2({ family, length: length + 1 })), { atLeast: 16 + length + 1 });
  }
});

Deno.test("P2: a header over the limit is TooLarge from its 16th byte on, one at the limit is read", () => {
  const longest = 16 * 1024;
  for (const command of [0x20, 0x21]) {
    assertEquals(verdict(rawV2({ command, length: longest - 16 })), { atLeast: longest });
    assertEquals(
      refusal(rawV2({ command, length: longest - 15 }), "TooLarge"),
      "the PROXY header has 16385 bytes, the limit is 16384",
    );
  }
  const bytes = rawV2({}, IPV4_ADDRESSES);
  assert("header" in verdict(bytes, bytes.length));
  assertEquals(
    refusal(bytes.subarray(0, 16), "TooLarge", bytes.length - 1),
    "the PROXY header has 28 bytes, the limit is 27",
  );
  const most = rawV2({ family: 0 }, new Uint8Array(65535));
  assertEquals(
    verdict(most, Infinity),
    { header: header("unknown"), length: 65551 },
  );
});

Deno.test("P4: IPv6 addresses are given in their shortest form, those that carry IPv4 as IPv4", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["00000000000000000000000000000000", "::"],
    ["00000000000000000000000000000001", "::1"],
    ["00010000000000000000000000000000", "1::"],
    ["20010db8000000010001000100010001", "2001:db8:0:1:1:1:1:1"],
    ["20010db8000000000001000000000001", "2001:db8::1:0:0:1"],
    ["00000000000100000000000000000001", "0:0:1::1"],
    ["ffffffffffffffffffffffffffffffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
    ["0000000000000000000000000a0b0c0d", "::a0b:c0d"],
    ["00000000000000000000ffff0a0b0c0d", "10.11.12.13"],
    ["0000000000000001000000ff0a0b0c0d", "::1:0:ff:a0b:c0d"],
    ["0064ff9b00000000000000000a0b0c0d", "64:ff9b::a0b:c0d"],
  ];
  for (const [octets, host] of cases) {
    const addresses = Uint8Array.fromHex(octets + octets + "00010002");
    const said = parseProxyHeader(rawV2({ family: 0x21 }, addresses));
    assert("header" in said);
    assertEquals(said.header.source, { host, port: 1 });
    assertEquals(said.header.destination, { host, port: 2 });
  }
});
