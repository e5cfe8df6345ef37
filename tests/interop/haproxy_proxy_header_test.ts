/**
 * HAProxy as a receiver: it understands what encodeProxyHeader() writes, and accepts what the parser accepts, with the
 * same addresses.
 */
import { assert, assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import { crc32c } from "../../proxy_protocol/crc32c.ts";
import { encodeProxyHeader, type ProxyHeaderInit } from "../../mod.ts";
import {
  ascii,
  IPV4_ADDRESSES,
  IPV6_ADDRESSES,
  rawTlv,
  rawV2,
  verdict,
} from "../support/proxy_bytes.ts";
import { ACCEPTED_LINES, REFUSED_LINES } from "../support/proxy_lines.ts";
import { type Agreement, compare, differences, read } from "./support/agreement.ts";
import { type HAProxy, startHAProxy } from "./support/haproxy.ts";
import { ask, explainingFrontend, REQUEST } from "./support/understanding.ts";

function startExplaining(): Promise<HAProxy> {
  return startHAProxy(["explaining"], ({ ports }) => explainingFrontend(ports.explaining));
}

const IPV4 = {
  source: { host: "192.0.2.1", port: 56324 },
  destination: { host: "192.0.2.2", port: 443 },
};
const IPV6 = {
  source: { host: "2001:db8::1", port: 1 },
  destination: { host: "2001:db8::ffff:0:2", port: 65535 },
};
const EVERYTHING: ProxyHeaderInit = {
  crc32c: true,
  alpn: "h2",
  authority: "exämple.com",
  uniqueId: Uint8Array.from({ length: 128 }, (_, index) => index * 2),
  ssl: {
    tls: true,
    certificateOnConnection: true,
    certificateInSession: true,
    verify: 0,
    version: "TLSv1.3",
    commonName: "Zoë",
    cipher: "TLS_AES_128_GCM_SHA256",
    signatureAlgorithm: "RSA-SHA256",
    keyAlgorithm: "RSA2048",
    group: "x25519",
    signatureScheme: "rsa_pss_rsae_sha256",
    clientCertificate: new Uint8Array(2000),
    tlvs: [{ type: 0x29, value: ascii("later") }],
  },
  netns: "blue",
  tlvs: [{ type: 0xea, value: ascii("\x01vpce-1") }, { type: 0xf0, value: new Uint8Array() }],
};

const ENCODED: readonly (readonly [1 | 2, ProxyHeaderInit])[] = [
  [1, IPV4],
  [1, IPV6],
  [1, { source: IPV4.source, destination: IPV6.destination }],
  [1, { source: IPV6.source, destination: IPV4.destination }],
  [1, { source: { host: "0.0.0.0", port: 0 }, destination: { host: "255.255.255.255", port: 0 } }],
  [1, {}],
  [2, IPV4],
  [2, IPV6],
  [2, { source: IPV4.source, destination: IPV6.destination }],
  [2, { source: { host: "::", port: 0 }, destination: { host: "ffff::", port: 65535 } }],
  [2, { command: "LOCAL" }],
  [2, { ...IPV4, crc32c: true }],
  [2, { ...IPV6, crc32c: true }],
  [2, { ...IPV4, ...EVERYTHING }],
  [2, { ...IPV6, ...EVERYTHING }],
  [2, { ...IPV4, authority: "a".repeat(255) }],
];

Deno.test("P6: HAProxy understands what encodeProxyHeader() writes", async () => {
  await using haproxy = await startExplaining();
  for (const [version, init] of ENCODED) {
    const bytes = encodeProxyHeader(init, { version });
    const theirs = await ask(haproxy.ports.explaining, bytes);
    assert(theirs !== undefined, `HAProxy dropped ${Deno.inspect(init)}`);
    const { source, destination, authority, uniqueId } = init;
    // These are the fields that the test gave, not those that the parser reads.
    const expected = { ...read(bytes), source, destination, authority, uniqueId };
    assertEquals(differences(expected, theirs), undefined);
  }
});

Deno.test("P5: HAProxy refuses our checksum after a bit of the header was flipped", async () => {
  await using haproxy = await startExplaining();
  const good = encodeProxyHeader({ ...IPV4, crc32c: true, alpn: "h2" }, { version: 2 });
  assertEquals(await compare(haproxy.ports.explaining, good), "both accept");
  // Bits of the addresses, the ports, the checksum and the field behind it.
  for (const at of [16, 20, 24, 27, 31, 34, good.length - 1]) {
    const bad = good.slice();
    bad[at] ^= 1;
    assertEquals(await compare(haproxy.ports.explaining, bad), "both refuse", `byte ${at}`);
  }
});

Deno.test("P2: HAProxy has the same limit on the length of a header as the parser", async () => {
  await using haproxy = await startExplaining();
  const padded = (length: number) =>
    rawV2({}, IPV4_ADDRESSES, rawTlv(0xe0, new Uint8Array(length - 16 - 12 - 3)));
  assertEquals(await compare(haproxy.ports.explaining, padded(16 * 1024)), "both accept");
  assertEquals(await compare(haproxy.ports.explaining, padded(16 * 1024 + 1)), "both refuse");
});

/** Lines that HAProxy accepts: it reads an IPv4 address and a port up to the first byte that it cannot use. */
const LAX_LINES = [
  "PROXY TCP4    \r\n",
  "PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n",
  "PROXY TCP4 256.2.3.4 5.6.7.8 1 2\r\n",
  "PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n",
  "PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n",
  "PROXY TCP4 1.2.3.4 5.6.7.8 123456 2\r\n",
  "PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n",
  "PROXY TCP4 1.2.3.4 5.6.7.8 00 2\r\n",
  "PROXY TCP4 1.2.3.4 5.6.7.8 1 02\r\n",
  "PROXY TCP4 255.255.255.255 255.255.255.255 65535 655350\r\n",
];

Deno.test("P2: HAProxy and the parser agree on lines of version 1, except for a list", async () => {
  await using haproxy = await startExplaining();
  const found = new Map<string, Agreement>();
  for (const [line] of ACCEPTED_LINES) {
    found.set(line, await compare(haproxy.ports.explaining, ascii(`${line}\r\n`)));
  }
  for (const [line] of REFUSED_LINES) {
    if (!("error" in verdict(ascii(line)))) continue;
    found.set(line, await compare(haproxy.ports.explaining, ascii(line)));
  }
  // The specification has receivers ignore the bytes behind UNKNOWN.
  const ignored = ACCEPTED_LINES.map(([line]) => line).filter((line) =>
    /^PROXY UNKNOWN ./.test(line + ".")
  );
  expectDifferences(haproxy, found, { stricter: LAX_LINES, haproxyStricter: ignored });
});

/** Compares with exact lists, which hold for HAProxy 2.6 only: others may be stricter or laxer. */
function expectDifferences(
  { version }: HAProxy,
  found: ReadonlyMap<string, Agreement>,
  known: { stricter: readonly string[]; haproxyStricter: readonly string[] },
): void {
  if (!version.startsWith("2.6.")) return;
  const names = (agreement: Agreement) =>
    [...found].filter(([, value]) => value === agreement).map(([name]) => name).sort();
  assertEquals(names("we are stricter"), [...known.stricter].sort());
  assertEquals(names("HAProxy is stricter"), [...known.haproxyStricter].sort());
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}

Deno.test("P2: HAProxy and the parser agree on the family bytes of version 2, except for a list", async () => {
  await using haproxy = await startExplaining();
  const found = new Map<string, Agreement>();
  for (let family = 0; family < 256; family++) {
    const addresses = family === 0x11
      ? IPV4_ADDRESSES
      : family === 0x21
      ? IPV6_ADDRESSES
      : undefined;
    for (const command of [0x20, 0x21]) {
      const bytes = rawV2({ command, family }, addresses ?? new Uint8Array(216));
      const name = `${hex(command)} ${hex(family)}`;
      found.set(name, await compare(haproxy.ports.explaining, bytes));
      if (command === 0x20) assertEquals(found.get(name), "both accept");
    }
  }
  // It knows TCP only, and drops others, although the specification lets it use the connection's own addresses.
  const others = [0x00, 0x01, 0x02, 0x10, 0x12, 0x20, 0x22, 0x30, 0x31, 0x32];
  expectDifferences(haproxy, found, {
    stricter: [],
    haproxyStricter: others.map((family) => `21 ${hex(family)}`),
  });
});

function tlvs(...fields: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return rawV2({}, IPV4_ADDRESSES, ...fields);
}

function sealed(bytes: Uint8Array<ArrayBuffer>, at: number): Uint8Array<ArrayBuffer> {
  new DataView(bytes.buffer).setUint32(at, crc32c(bytes));
  return bytes;
}

const CRC = rawTlv(0x03, "\0\0\0\0");

/** Fields, whether HAProxy accepts what we refuse, and why we do. */
const FIELDS: readonly (readonly [string, Uint8Array, stricter?: "we are stricter"])[] = [
  ["none", tlvs()],
  ["padding", tlvs(rawTlv(0x04, ""), rawTlv(0x04, "abc"))],
  [
    "all types",
    tlvs(
      ...Array.from({ length: 256 }, (_, type) => type).filter((type) =>
        type !== 3 && type !== 0x20
      ).map((type) => rawTlv(type, "a")),
    ),
  ],
  ["an empty authority and unique id", tlvs(rawTlv(0x02, ""), rawTlv(0x05, ""))],
  ["the longest authority", tlvs(rawTlv(0x02, "a".repeat(255)))],
  ["an authority that is too long", tlvs(rawTlv(0x02, "a".repeat(256)))],
  ["the longest unique id", tlvs(rawTlv(0x05, "a".repeat(128)))],
  ["a unique id that is too long", tlvs(rawTlv(0x05, "a".repeat(129)))],
  ["a checksum", sealed(tlvs(CRC, rawTlv(0x02, "a")), 31)],
  ["a checksum at the end", sealed(tlvs(rawTlv(0x02, "a"), CRC), 35)],
  ["a wrong checksum", tlvs(CRC)],
  ["a short checksum", tlvs(rawTlv(0x03, "\0\0\0"))],
  ["a long checksum", tlvs(rawTlv(0x03, "\0\0\0\0\0"))],
  ["a field that overruns", tlvs(rawTlv(0xe0, "abc", 4))],
  ["a field that overruns far", tlvs(rawTlv(0xe0, "abc", 65535))],
  ["one byte at the end", tlvs(rawTlv(0xe0, "abc"), ascii("\x04"))],
  ["two bytes at the end", tlvs(rawTlv(0xe0, "abc"), ascii("\x04\0"))],
  ["short addresses", rawV2({}, IPV4_ADDRESSES.subarray(1))],
  ["short IPv6 addresses", rawV2({ family: 0x21 }, IPV6_ADDRESSES.subarray(1))],
  ["another command", rawV2({ command: 0x22 }, IPV4_ADDRESSES)],
  ["another version", rawV2({ command: 0x11 }, IPV4_ADDRESSES)],
  ["a TLS field", tlvs(rawTlv(0x20, "\x01\0\0\0\0"))],
  // HAProxy does not look into fields that it does not use.
  ["a short TLS field", tlvs(rawTlv(0x20, "\0\0\0\0")), "we are stricter"],
  ["a TLS field that overruns", tlvs(rawTlv(0x20, "\0\0\0\0\0\x21\0\x01")), "we are stricter"],
  ["a namespace that is no text", tlvs(rawTlv(0x30, "\xff")), "we are stricter"],
  // It accepts any bytes as authority.
  ["an authority that is no text", tlvs(rawTlv(0x02, "\xff")), "we are stricter"],
  // Of two fields it takes the last one; other receivers may take the first.
  ["two authorities", tlvs(rawTlv(0x02, "a"), rawTlv(0x02, "b")), "we are stricter"],
  ["two unique ids", tlvs(rawTlv(0x05, "a"), rawTlv(0x05, "b")), "we are stricter"],
  ["two protocols", tlvs(rawTlv(0x01, "a"), rawTlv(0x01, "b")), "we are stricter"],
];

Deno.test("P2: HAProxy and the parser agree on the fields of version 2, except for a list", async () => {
  await using haproxy = await startExplaining();
  const found = new Map<string, Agreement>();
  for (const [name, bytes] of FIELDS) {
    found.set(name, await compare(haproxy.ports.explaining, bytes));
  }
  const stricter = FIELDS.filter(([, , how]) => how !== undefined).map(([name]) => name);
  expectDifferences(haproxy, found, { stricter, haproxyStricter: [] });
});

const RUNS = 1_000;
const octet = fc.integer({ min: 0, max: 255 });

function lineOf(keyword: string, ...hosts: fc.Arbitrary<string>[]): fc.Arbitrary<Uint8Array> {
  return fc.tuple(
    fc.oneof(...hosts),
    fc.oneof(...hosts),
    fc.oneof(fc.nat(65535).map(String), fc.stringMatching(/^[0-9+-]{0,6}$/)),
    fc.nat(65535).map(String),
    fc.constantFrom("", "", "", "", "", " ", " 7", "\0"),
  ).map(([source, destination, sourcePort, port, rest]) =>
    ascii(`PROXY ${keyword} ${source} ${destination} ${sourcePort} ${port}${rest}\r\n`)
  );
}

/** Lines that are valid, or nearly. */
const line = fc.oneof(
  lineOf("TCP4", fc.ipV4(), fc.ipV4(), fc.ipV4(), fc.ipV4Extended()),
  lineOf("TCP6", fc.ipV6(), fc.ipV6(), fc.ipV6(), fc.ipV4()),
  lineOf("UNKNOWN", fc.ipV6()),
  fc.constant(ascii("PROXY UNKNOWN\r\n")),
);

/** Binary headers that are valid, or nearly. */
const binary = fc.tuple(
  fc.constantFrom(0x21, 0x21, 0x21, 0x20, 0x22),
  fc.constantFrom(0x11, 0x21, 0x11, 0x21, 0x12, 0x31, 0x00, 0x41),
  fc.uint8Array({ minLength: 36, maxLength: 36 }),
  fc.constantFrom(0, 0, 0, 0, -1, 1),
  fc.array(
    fc.tuple(
      fc.constantFrom(0x01, 0x02, 0x04, 0x05, 0x20, 0x30, 0xe0, 0xff),
      fc.oneof(
        fc.string({ unit: "grapheme-ascii" }),
        fc.array(octet).map((all) => String.fromCharCode(...all)),
      ),
      fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, 1, -1),
    ),
    { maxLength: 4 },
  ),
  fc.constantFrom("none", "right", "wrong"),
).map(([command, family, random, slip, fields, sum]) => {
  const length = (family === 0x11 || family === 0x12 ? 12 : family === 0x31 ? 216 : 36) + slip;
  const addresses = concat([new Uint8Array(random), new Uint8Array(216)]).subarray(0, length);
  const all = fields.map(([type, value, slip]) =>
    rawTlv(type, value, Math.max(0, value.length + slip))
  );
  if (sum === "none") return rawV2({ command, family }, addresses, ...all);
  const bytes = rawV2({ command, family }, addresses, CRC, ...all);
  return sum === "right" ? sealed(bytes, 16 + length + 3) : bytes;
});

for (const [name, header] of [["lines", line], ["binary headers", binary]] as const) {
  Deno.test(`P2: HAProxy accepts the random ${name} that the parser accepts, with the same addresses`, async () => {
    await using haproxy = await startExplaining();
    const counts = new Map<Agreement, number>();
    await fc.assert(
      fc.asyncProperty(header, async (header) => {
        const ours = verdict(concat([header, REQUEST]));
        fc.pre(!("atLeast" in ours) && (!("length" in ours) || ours.length === header.length));
        const agreement = await compare(haproxy.ports.explaining, header);
        counts.set(agreement, (counts.get(agreement) ?? 0) + 1);
      }),
      { numRuns: RUNS },
    );
    // Without headers that both accept, the property would prove nothing.
    assert((counts.get("both accept") ?? 0) > RUNS / 20, Deno.inspect(counts));
  });
}
