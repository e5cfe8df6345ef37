import { assert, assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import {
  encodeProxyHeader,
  type EncodeProxyHeaderOptions,
  type ProxyHeaderInit,
} from "../../../mod.ts";
import { parseProxyHeader } from "../../../proxy_protocol/read_header.ts";
import { WRONG_TYPES } from "../../support/hostile.ts";
import { ascii, IPV4_ADDRESSES, IPV6_ADDRESSES, rawTlv, rawV2 } from "../../support/proxy_bytes.ts";
import { thrown } from "../../support/socket_errors.ts";
import { bytesOf, textOf } from "../../support/text.ts";

const IPV4 = {
  source: { host: "192.0.2.1", port: 56324 },
  destination: { host: "192.0.2.2", port: 443 },
};
const IPV6 = {
  source: { host: "2001:db8::1", port: 56324 },
  destination: { host: "2001:db8::2", port: 443 },
};
const NAMED = { host: "localhost", port: 1 };

function line(header: ProxyHeaderInit): string | null {
  return textOf(encodeProxyHeader(header, { version: 1 }));
}

Deno.test("P6: encodeProxyHeader() writes version 1 as one line", () => {
  assertEquals(line(IPV4), "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n");
  assertEquals(line(IPV6), "PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n");
  assertEquals(line({}), "PROXY UNKNOWN\r\n");
  assertEquals(line({ transport: "unknown", tlvs: [], crc32c: false }), "PROXY UNKNOWN\r\n");
  assertEquals(
    line({
      source: { host: "255.255.255.255", port: 0 },
      destination: { host: "0.0.0.0", port: 65535 },
    }),
    "PROXY TCP4 255.255.255.255 0.0.0.0 0 65535\r\n",
  );
});

Deno.test("P6: encodeProxyHeader() writes an address in one form, in whatever form it is given", () => {
  const source = { host: "2001:0DB8:0:0:0::1", port: 1 };
  assertEquals(
    line({ source, destination: { host: "0:0:0:0:0:0:0:0", port: 2 } }),
    "PROXY TCP6 2001:db8::1 :: 1 2\r\n",
  );
  assertEquals(
    line({ source: { host: "::ffff:c000:201", port: 1 }, destination: IPV4.destination }),
    "PROXY TCP4 192.0.2.1 192.0.2.2 1 443\r\n",
  );
});

Deno.test("P6: encodeProxyHeader() maps IPv4 into IPv6 if the two addresses differ in family", () => {
  const header = { source: IPV4.source, destination: IPV6.destination };
  const back = { source: IPV6.source, destination: IPV4.destination };
  assertEquals(line(header), "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 56324 443\r\n");
  assertEquals(line(back), "PROXY TCP6 2001:db8::1 ::ffff:192.0.2.2 56324 443\r\n");
  const mapped = Uint8Array.fromHex("00000000000000000000ffffc0000201");
  assertEquals(
    encodeProxyHeader(header, { version: 2 }),
    rawV2({ family: 0x21 }, mapped, IPV6_ADDRESSES.subarray(16)),
  );
});

Deno.test("P6: encodeProxyHeader() writes each family of version 2", () => {
  const cases: readonly (readonly [ProxyHeaderInit, Uint8Array])[] = [
    [IPV4, rawV2({ family: 0x11 }, IPV4_ADDRESSES)],
    [{ ...IPV4, transport: "udp" }, rawV2({ family: 0x12 }, IPV4_ADDRESSES)],
    [IPV6, rawV2({ family: 0x21 }, IPV6_ADDRESSES)],
    [{ ...IPV6, transport: "udp" }, rawV2({ family: 0x22 }, IPV6_ADDRESSES)],
    [{}, rawV2({ family: 0x00 })],
    [{ command: "PROXY", transport: "unknown" }, rawV2({ family: 0x00 })],
    [{ command: "LOCAL" }, rawV2({ command: 0x20, family: 0x00 })],
    [{ command: "LOCAL", transport: "unknown" }, rawV2({ command: 0x20, family: 0x00 })],
  ];
  for (const [header, bytes] of cases) {
    assertEquals(encodeProxyHeader(header, { version: 2 }), bytes);
  }
});

Deno.test("P6: encodeProxyHeader() writes every field of version 2", () => {
  const bytes = encodeProxyHeader({
    ...IPV4,
    tlvs: [{ type: 0xea, value: ascii("\x01vpce") }, { type: 0, value: ascii("") }],
    netns: "blue",
    ssl: {
      tls: true,
      certificateOnConnection: true,
      certificateInSession: true,
      verify: 0xfffffffe,
      tlvs: [{ type: 0x29, value: ascii("later") }],
      clientCertificate: ascii("DER"),
      signatureScheme: "scheme",
      group: "group",
      keyAlgorithm: "key",
      signatureAlgorithm: "signature",
      cipher: "cipher",
      commonName: "Zoë",
      version: "TLSv1.3",
    },
    uniqueId: ascii("\0\xff"),
    authority: "exämple.com",
    alpn: "h2\xff",
  }, { version: 2 });
  assertEquals(
    bytes,
    rawV2(
      {},
      IPV4_ADDRESSES,
      rawTlv(0x01, "h2\xff"),
      rawTlv(0x02, bytesOf("exämple.com")),
      rawTlv(0x05, "\0\xff"),
      rawTlv(
        0x20,
        concat([
          ascii("\x07\xff\xff\xff\xfe"),
          rawTlv(0x21, "TLSv1.3"),
          rawTlv(0x22, bytesOf("Zoë")),
          rawTlv(0x23, "cipher"),
          rawTlv(0x24, "signature"),
          rawTlv(0x25, "key"),
          rawTlv(0x26, "group"),
          rawTlv(0x27, "scheme"),
          rawTlv(0x28, "DER"),
          rawTlv(0x29, "later"),
        ]),
      ),
      rawTlv(0x30, "blue"),
      rawTlv(0xea, "\x01vpce"),
      rawTlv(0, ""),
    ),
  );
});

Deno.test("encodeProxyHeader() writes an SSL field as not verified by default", () => {
  assertEquals(
    encodeProxyHeader({ ...IPV4, ssl: {} }, { version: 2 }),
    rawV2({}, IPV4_ADDRESSES, rawTlv(0x20, "\0\0\0\0\x01")),
  );
});

Deno.test("P5: encodeProxyHeader() adds a checksum that is right", () => {
  const bytes = encodeProxyHeader({ ...IPV4, crc32c: true, alpn: "h2" }, { version: 2 });
  // The expected sum was computed bit by bit, without a table.
  assertEquals(bytes.subarray(28).toHex(), "030004" + "ebe29779" + "0100026832");
});

Deno.test("encodeProxyHeader() gives bytes in a buffer of their own", () => {
  const one = encodeProxyHeader(IPV4, { version: 2 });
  one.fill(0);
  const two = encodeProxyHeader(IPV4, { version: 2 });
  assertEquals(two, rawV2({}, IPV4_ADDRESSES));
  assertEquals(two.buffer.byteLength, two.length);
});

const LONGEST = 65535 - IPV4_ADDRESSES.length - 3;

Deno.test("P6: encodeProxyHeader() fills a header to its last byte", () => {
  const largest = { ...IPV4, tlvs: [{ type: 0xe0, value: new Uint8Array(LONGEST) }] };
  const bytes = encodeProxyHeader(largest, { version: 2 });
  assertEquals(bytes.length, 16 + 65535);
  assert("header" in parseProxyHeader(bytes, Infinity));
});

/** Headers that cannot be written, the versions for which that holds, and the reason. */
const REFUSED: readonly (readonly [unknown, (1 | 2)[], string])[] = [
  [{ source: IPV4.source }, [1, 2], "source and destination go together, one of them is missing"],
  [
    { destination: IPV4.source },
    [1, 2],
    "source and destination go together, one of them is missing",
  ],
  [
    { ...IPV4, source: NAMED },
    [1, 2],
    'the host of source is "localhost", not an IPv4 or IPv6 address written out',
  ],
  [
    { ...IPV4, destination: { host: "[::1]", port: 1 } },
    [1, 2],
    'the host of destination is "[::1]", not an IPv4 or IPv6 address written out',
  ],
  [
    { ...IPV4, source: { host: "01.2.3.4", port: 1 } },
    [1, 2],
    'the host of source is "01.2.3.4", not an IPv4 or IPv6 address written out',
  ],
  [
    { ...IPV6, source: { host: "fe80::1%eth0", port: 1 } },
    [1, 2],
    'the host of source is "fe80::1%eth0", not an IPv4 or IPv6 address written out',
  ],
  [
    { ...IPV4, source: { host: "", port: 1 } },
    [1, 2],
    'the host of source is "", not an IPv4 or IPv6 address written out',
  ],
  [
    { ...IPV4, source: { port: 1 } },
    [1, 2],
    "the host of source is undefined, not an IPv4 or IPv6 address written out",
  ],
  [{ ...IPV4, source: null }, [1, 2], "source is null, not { host, port }"],
  ...[-1, 65536, 1.5, NaN, "80", undefined].map((port) =>
    [
      { ...IPV4, destination: { host: "192.0.2.2", port } },
      [1, 2],
      `the port of destination is ${
        typeof port === "string" ? '"80"' : port
      }, not a whole number from 0 to 65535`,
    ] as [unknown, (1 | 2)[], string]
  ),
  [{ command: "proxy" }, [1, 2], 'command is "proxy", not "PROXY" or "LOCAL"'],
  [
    { ...IPV4, command: "LOCAL" },
    [1, 2],
    "a LOCAL header has no addresses, leave out source and destination",
  ],
  [
    { command: "LOCAL" },
    [1],
    'version 1 has no command LOCAL: leave out the addresses and say "PROXY"',
  ],
  [{ command: "LOCAL", transport: "tcp" }, [1, 2], "transport tcp needs source and destination"],
  [{ transport: "udp" }, [1, 2], "transport udp needs source and destination"],
  [
    { ...IPV4, transport: "unknown" },
    [1, 2],
    "transport unknown has no addresses, leave out source and destination",
  ],
  [
    { transport: "unix" },
    [1, 2],
    'transport is "unix", only tcp, udp and unknown can be written',
  ],
  [
    { ...IPV4, transport: "TCP4" },
    [1, 2],
    'transport is "TCP4", only tcp, udp and unknown can be written',
  ],
  [{ ...IPV4, transport: "udp" }, [1], "version 1 cannot say udp, version 2 can"],
  ...Object.entries({
    alpn: "h2",
    authority: "a",
    uniqueId: ascii("a"),
    ssl: {},
    netns: "a",
    crc32c: true,
    tlvs: [{ type: 0xe0, value: ascii("") }],
  }).flatMap(([name, value]): [unknown, (1 | 2)[], string][] => [
    [{ ...IPV4, [name]: value }, [1], `version 1 cannot say ${name}, version 2 can`],
    [
      { [name]: value },
      [2],
      `a header without addresses can say nothing else, leave out ${name}`,
    ],
    [
      { command: "LOCAL", [name]: value },
      [2],
      `a header without addresses can say nothing else, leave out ${name}`,
    ],
  ]),
  [{ ...IPV4, crc32c: 1 }, [1, 2], "crc32c is 1, not true or false"],
  [
    { ...IPV4, alpn: "€" },
    [2],
    'alpn is "€", not a text of at most 65535 characters up to U+00FF',
  ],
  [
    { ...IPV4, alpn: ascii("h2") },
    [2],
    "alpn is an object of another kind, not a text of at most 65535 characters up to U+00FF",
  ],
  [{ ...IPV4, authority: 5 }, [2], "authority is 5, not a string"],
  [{ ...IPV4, authority: "\ud800" }, [2], 'authority is "\\ud800", which UTF-8 cannot write'],
  [
    { ...IPV4, authority: "ä".repeat(128) },
    [2],
    "authority has 256 bytes, at most 255 are allowed",
  ],
  [
    { ...IPV4, authority: "a".repeat(100_000) },
    [2],
    "authority has 100000 bytes, at most 255 are allowed",
  ],
  [{ ...IPV4, uniqueId: "text" }, [2], 'uniqueId is "text", not a Uint8Array'],
  [
    { ...IPV4, uniqueId: new Uint8Array(129) },
    [2],
    "uniqueId has 129 bytes, at most 128 are allowed",
  ],
  [{ ...IPV4, netns: null }, [2], "netns is null, not a string"],
  [{ ...IPV4, ssl: true }, [2], "ssl is true, not an object"],
  [{ ...IPV4, ssl: { tls: "yes" } }, [2], 'ssl.tls is "yes", not true or false'],
  [
    { ...IPV4, ssl: { verify: -1 } },
    [2],
    "ssl.verify is -1, not a whole number from 0 to 4294967295",
  ],
  [
    { ...IPV4, ssl: { verify: 2 ** 32 } },
    [2],
    "ssl.verify is 4294967296, not a whole number from 0 to 4294967295",
  ],
  [{ ...IPV4, ssl: { cipher: 1 } }, [2], "ssl.cipher is 1, not a string"],
  [
    { ...IPV4, ssl: { clientCertificate: "DER" } },
    [2],
    'ssl.clientCertificate is "DER", not a Uint8Array',
  ],
  [
    { ...IPV4, ssl: { tlvs: [{ type: 0x22, value: ascii("a") }] } },
    [2],
    "the type of ssl.tlvs[0] is 0x22, which ssl has a property for: commonName",
  ],
  [
    { ...IPV4, ssl: { tlvs: [{ type: 0x28, value: ascii("a") }] } },
    [2],
    "the type of ssl.tlvs[0] is 0x28, which ssl has a property for: clientCertificate",
  ],
  [{ ...IPV4, tlvs: ascii("a") }, [2], "tlvs is an object of another kind, not an array"],
  [{ ...IPV4, tlvs: [null] }, [2], "tlvs[0] is null, not { type, value }"],
  [
    { ...IPV4, tlvs: [{ type: 256, value: ascii("") }] },
    [2],
    "the type of tlvs[0] is 256, not a whole number from 0 to 255",
  ],
  [
    { ...IPV4, tlvs: [{ type: 0xe0, value: ascii("") }, { type: 0xe0 }] },
    [2],
    "the value of tlvs[1] is undefined, not a Uint8Array",
  ],
  [
    { ...IPV4, tlvs: [{ type: 0x02, value: ascii("a") }] },
    [2],
    "the type of tlvs[0] is 0x02, which the header has a property for: authority",
  ],
  [
    { ...IPV4, tlvs: [{ type: 0x04, value: ascii("a") }] },
    [2],
    "the type of tlvs[0] is 0x04, which says nothing",
  ],
  [
    { ...IPV4, tlvs: [{ type: 0xe0, value: new Uint8Array(LONGEST + 1) }] },
    [2],
    "the fields of the header do not fit its 65535 bytes",
  ],
  [
    { ...IPV4, ssl: { cipher: "a".repeat(65535), commonName: "a".repeat(65535) } },
    [2],
    "the fields of the header do not fit its 65535 bytes",
  ],
  [
    { ...IPV4, tlvs: [{ type: 0xe0, value: new Uint8Array(65536) }] },
    [2],
    "the value of tlvs[0] has 65536 bytes, at most 65535 are allowed",
  ],
  [
    { ...IPV4, tlvs: Array(21_846).fill({ type: 0xe0, value: ascii("") }) },
    [2],
    "tlvs has more than the 65535 bytes that fit a header",
  ],
];

Deno.test("P6: encodeProxyHeader() refuses what the format cannot say, and gives the reason", () => {
  for (const [header, versions, reason] of REFUSED) {
    for (const version of versions) {
      const error = thrown(
        () => encodeProxyHeader(header as ProxyHeaderInit, { version }),
        "InvalidInput",
        "encodeProxyHeader",
        reason,
      );
      assertEquals(error.message, `encodeProxyHeader: ${reason}`);
    }
  }
});

Deno.test("E1: encodeProxyHeader() with arguments of the wrong type is InvalidInput", () => {
  const good = { ...IPV4, ssl: {}, tlvs: [] };
  const encode = (header: unknown, ...[options]: [unknown?]) =>
    encodeProxyHeader(header as ProxyHeaderInit, options as EncodeProxyHeaderOptions);
  const version2 = { version: 2 };
  const refuse = (call: () => unknown, what: string) =>
    thrown(call, "InvalidInput", "encodeProxyHeader", what);

  for (const [what, value] of [["undefined", undefined], ...WRONG_TYPES] as const) {
    refuse(() => encode(value, version2), `${what} as header`);
    refuse(() => encode(IPV4, value), `${what} as options`);
    refuse(() => encode(IPV4, { version: value }), `${what} as version`);
    if (value === undefined) continue;
    for (const name of [...Object.keys(good), "command", "transport", "crc32c", "uniqueId"]) {
      if (name === "crc32c" && value === true) continue;
      refuse(() => encode({ ...good, [name]: value }, version2), `${what} as ${name}`);
    }
  }
});
