import { assert, assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import { crc32c } from "../../../proxy_protocol/crc32c.ts";
import { parseProxyHeader } from "../../../proxy_protocol/read_header.ts";
import type { ProxyHeader } from "../../../mod.ts";
import {
  ascii,
  IPV4_ADDRESSES,
  IPV6_ADDRESSES,
  rawTlv,
  rawV2,
  refusal,
  verdict,
} from "../../support/proxy_bytes.ts";
import { bytesOf } from "../../support/text.ts";

/** Makes a header for TCP and IPv4 with these fields. */
function withTlvs(...tlvs: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return rawV2({}, IPV4_ADDRESSES, ...tlvs);
}

function parsed(bytes: Uint8Array): ProxyHeader {
  const said = parseProxyHeader(bytes);
  assert("header" in said);
  assertEquals(said.length, bytes.length);
  return said.header;
}

const PLAIN = parsed(withTlvs());

Deno.test("P2: the fields that a header can have are read", () => {
  assertEquals(parsed(withTlvs(rawTlv(0x01, "h2"))), { ...PLAIN, alpn: "h2" });
  assertEquals(
    parsed(withTlvs(rawTlv(0x02, bytesOf("exämple.com")))),
    { ...PLAIN, authority: "exämple.com" },
  );
  assertEquals(
    parsed(withTlvs(rawTlv(0x05, "\0\xff"))),
    { ...PLAIN, uniqueId: new Uint8Array([0, 255]) },
  );
  assertEquals(parsed(withTlvs(rawTlv(0x30, "blue"))), { ...PLAIN, netns: "blue" });
});

Deno.test("a field may be empty", () => {
  const empty = [0x01, 0x02, 0x05, 0x30, 0xe0].map((type) => rawTlv(type, ""));
  assertEquals(parsed(withTlvs(...empty)), {
    ...PLAIN,
    alpn: "",
    authority: "",
    uniqueId: new Uint8Array(),
    netns: "",
    tlvs: [{ type: 0xe0, value: new Uint8Array() }],
  });
});

Deno.test("fields of other types are kept in their order, padding is left out", () => {
  const header = parsed(
    withTlvs(
      rawTlv(0xe0, "one"),
      rawTlv(0x04, "padding"),
      rawTlv(0x21, "no SSL field around it"),
      rawTlv(0x04, ""),
      rawTlv(0xe0, "two"),
      rawTlv(0x00, ""),
      rawTlv(0xff, "three"),
    ),
  );
  assertEquals(
    header.tlvs.map(({ type, value }) => [type, new TextDecoder().decode(value)]),
    [[0xe0, "one"], [0x21, "no SSL field around it"], [0xe0, "two"], [0x00, ""], [0xff, "three"]],
  );
});

Deno.test("ALPN names are read byte by byte, whatever they are", () => {
  const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  const { alpn } = parsed(withTlvs(rawTlv(0x01, every)));
  assertEquals(alpn!.length, 256);
  assertEquals(ascii(alpn!), every);
  const long = new Uint8Array(16_000).fill(0x61);
  assertEquals(parsed(withTlvs(rawTlv(0x01, long))).alpn, "a".repeat(16_000));
});

Deno.test("a byte order mark is part of the text that it begins", () => {
  assertEquals(parsed(withTlvs(rawTlv(0x02, "\xef\xbb\xbfa"))).authority, "\ufeffa");
});

Deno.test("P2: a field of any type that overruns the header is InvalidData", () => {
  for (let type = 0; type < 256; type++) {
    const hex = `0x${type.toString(16).padStart(2, "0")}`;
    for (const [length, there] of [[1, 0], [4, 3], [65535, 10], [256, 255]]) {
      const field = rawTlv(type, "x".repeat(there), length);
      const before = rawTlv(0xe0, "before");
      assertEquals(
        refusal(withTlvs(before, field)),
        `a field of type ${hex} claims ${length} bytes, but ${there} are left in the PROXY header`,
      );
    }
  }
});

Deno.test("P2: one or two bytes behind the last field are InvalidData", () => {
  for (const tail of [[0], [4, 0], [0xe0, 0xff]]) {
    for (const before of [[], [rawTlv(0xe0, "before")]]) {
      assertEquals(
        refusal(withTlvs(...before, new Uint8Array(tail))),
        `the PROXY header ends with ${tail.length} bytes too many`,
      );
    }
  }
});

Deno.test("fields are read behind the addresses of each family", () => {
  const field = rawTlv(0x02, "example.com");
  for (
    const [family, addresses] of [
      [0x12, IPV4_ADDRESSES],
      [0x21, IPV6_ADDRESSES],
      [0x22, IPV6_ADDRESSES],
      [0x31, new Uint8Array(216)],
      [0x32, new Uint8Array(216)],
    ] as const
  ) {
    assertEquals(parsed(rawV2({ family }, addresses, field)).authority, "example.com");
    refusal(rawV2({ family }, addresses, field.subarray(1)));
  }
});

Deno.test("P2: a field that has a property of its own may come once", () => {
  const fields = [
    ...[0x01, 0x02, 0x05, 0x30].map((type) => rawTlv(type, "a")),
    rawTlv(0x20, "\0\0\0\0\0"),
  ];
  for (const field of fields) {
    const hex = `0x${field[0].toString(16).padStart(2, "0")}`;
    assertEquals(
      refusal(withTlvs(field, rawTlv(0xe0, "between"), field)),
      `the PROXY header has more than one field of type ${hex}`,
    );
  }
});

Deno.test("P2: an authority has at most 255 bytes, a unique id at most 128", () => {
  for (
    const [type, what, longest] of [[0x02, "authority", 255], [0x05, "unique id", 128]] as const
  ) {
    parsed(withTlvs(rawTlv(type, "a".repeat(longest))));
    assertEquals(
      refusal(withTlvs(rawTlv(type, "a".repeat(longest + 1)))),
      `the ${what} in the PROXY header has ${longest + 1} bytes, at most ${longest} are allowed`,
    );
  }
});

Deno.test("P2: text that is not UTF-8 is InvalidData", () => {
  for (const text of ["\xff", "a\xc3", "\xc0\x80", "\xed\xa0\x80"]) {
    assertEquals(
      refusal(withTlvs(rawTlv(0x02, text))),
      "the authority in the PROXY header is not UTF-8",
    );
    assertEquals(
      refusal(withTlvs(rawTlv(0x30, text))),
      "the network namespace in the PROXY header is not UTF-8",
    );
    const ssl = concat([ascii("\x01\0\0\0\0"), rawTlv(0x22, text)]);
    assertEquals(
      refusal(withTlvs(rawTlv(0x20, ssl))),
      "the SSL commonName in the PROXY header is not UTF-8",
    );
  }
});

function ssl(client: number, verify: string, ...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const value = concat([new Uint8Array([client]), Uint8Array.fromHex(verify), ...parts]);
  return withTlvs(rawTlv(0x20, value));
}

const NO_SSL = {
  tls: false,
  certificateOnConnection: false,
  certificateInSession: false,
  verify: 0,
  tlvs: [],
};

Deno.test("the flags and the verification of the SSL field are read", () => {
  assertEquals(parsed(ssl(0, "00000000")).ssl, NO_SSL);
  assertEquals(parsed(ssl(1, "00000001")).ssl, { ...NO_SSL, tls: true, verify: 1 });
  assertEquals(
    parsed(ssl(2, "ffffffff")).ssl,
    { ...NO_SSL, certificateOnConnection: true, verify: 0xffffffff },
  );
  assertEquals(
    parsed(ssl(4, "01020304")).ssl,
    { ...NO_SSL, certificateInSession: true, verify: 0x01020304 },
  );
  // Flags that are not defined are ignored.
  assertEquals(parsed(ssl(0xf8, "00000000")).ssl, NO_SSL);
});

Deno.test("the SSL field's own fields are read, others are kept", () => {
  const header = parsed(
    ssl(
      7,
      "00000000",
      rawTlv(0x21, "TLSv1.3"),
      rawTlv(0x22, bytesOf("Zoë")),
      rawTlv(0x23, "ECDHE-RSA-AES128-GCM-SHA256"),
      rawTlv(0x24, "RSA-SHA256"),
      rawTlv(0x25, "RSA2048"),
      rawTlv(0x26, "secp256r1"),
      rawTlv(0x27, "rsa_pss_rsae_sha256"),
      rawTlv(0x28, "\x30\x82"),
      rawTlv(0x29, "later"),
      rawTlv(0x02, "not the header's authority"),
      rawTlv(0x29, ""),
    ),
  );
  assertEquals(header.authority, undefined);
  assertEquals(header.ssl, {
    tls: true,
    certificateOnConnection: true,
    certificateInSession: true,
    verify: 0,
    version: "TLSv1.3",
    commonName: "Zoë",
    cipher: "ECDHE-RSA-AES128-GCM-SHA256",
    signatureAlgorithm: "RSA-SHA256",
    keyAlgorithm: "RSA2048",
    group: "secp256r1",
    signatureScheme: "rsa_pss_rsae_sha256",
    clientCertificate: new Uint8Array([0x30, 0x82]),
    tlvs: [
      { type: 0x29, value: ascii("later") },
      { type: 0x02, value: ascii("not the header's authority") },
      { type: 0x29, value: new Uint8Array() },
    ],
  });
});

Deno.test("P2: an SSL field that breaks a rule is InvalidData", () => {
  for (let length = 0; length < 5; length++) {
    assertEquals(
      refusal(withTlvs(rawTlv(0x20, "\0".repeat(length)))),
      `the SSL field of the PROXY header has ${length} bytes, it needs 5`,
    );
  }
  for (let type = 0; type < 256; type++) {
    // The header goes on behind the SSL field, whose own length is the limit.
    const value = concat([ascii("\0\0\0\0\0"), rawTlv(type, "abc", 4)]);
    const hex = `0x${type.toString(16).padStart(2, "0")}`;
    assertEquals(
      refusal(withTlvs(rawTlv(0x20, value), rawTlv(0xe0, "behind"))),
      `a field of type ${hex} claims 4 bytes, but 3 are left in the SSL field of the PROXY header`,
    );
  }
  assertEquals(
    refusal(ssl(0, "00000000", ascii("\x21\0"))),
    "the SSL field of the PROXY header ends with 2 bytes too many",
  );
  for (let type = 0x21; type <= 0x28; type++) {
    const hex = `0x${type.toString(16)}`;
    assertEquals(
      refusal(ssl(0, "00000000", rawTlv(type, "a"), rawTlv(type, "a"))),
      `the SSL field of the PROXY header has more than one field of type ${hex}`,
    );
  }
});

Deno.test("crc32c() gives the checksums of RFC 3720, appendix B.4", () => {
  const bytes = (make: (index: number) => number) =>
    Uint8Array.from({ length: 32 }, (_, i) => make(i));
  // The RFC prints each sum with its first byte on the wire first, which is the lowest one.
  assertEquals(crc32c(bytes(() => 0)), 0x8a9136aa);
  assertEquals(crc32c(bytes(() => 0xff)), 0x62a8ab43);
  assertEquals(crc32c(bytes((index) => index)), 0x46dd794e);
  assertEquals(crc32c(bytes((index) => 31 - index)), 0x113fdb5c);
  const read = Uint8Array.fromHex(
    "01c00000000000000000000000000000" + "14000000000004000000001400000018" +
      "28000000000000000200000000000000",
  );
  assertEquals(crc32c(read), 0xd9963a56);
});

Deno.test("crc32c() of nothing, of a text, and of a text in pieces", () => {
  assertEquals(crc32c(), 0);
  assertEquals(crc32c(new Uint8Array()), 0);
  const text = ascii("123456789");
  assertEquals(crc32c(text), 0xe3069283);
  for (let at = 0; at <= text.length; at++) {
    assertEquals(crc32c(text.subarray(0, at), text.subarray(at)), 0xe3069283);
  }
});

/** Puts the right checksum at `at`. */
function sealed(bytes: Uint8Array<ArrayBuffer>, at: number): Uint8Array<ArrayBuffer> {
  new DataView(bytes.buffer).setUint32(at, 0);
  new DataView(bytes.buffer).setUint32(at, crc32c(bytes));
  return bytes;
}

Deno.test("P5: a checksum is verified at any place, and covers every bit of the header", () => {
  const crc = rawTlv(0x03, "\0\0\0\0");
  const [one, two] = [rawTlv(0xe0, "one"), rawTlv(0x05, "two")];
  for (
    const [tlvs, at] of [[[crc], 31], [[crc, one, two], 31], [[one, crc, two], 37], [[
      one,
      two,
      crc,
    ], 43]] as const
  ) {
    const good = sealed(withTlvs(...tlvs), at);
    assertEquals(parsed(good).crc32c, true);
    for (let bit = 0; bit < good.length * 8; bit++) {
      const bad = good.slice();
      bad[bit >> 3] ^= 1 << (bit & 7);
      // A flip may turn the checksum into a field of another type: then there is none to verify.
      const said = verdict(bad);
      assert(!("header" in said) || !said.header.crc32c, `bit ${bit} of ${good.length * 8}`);
    }
    const wrong = good.slice();
    wrong[at] ^= 1;
    assertEquals(refusal(wrong), "the CRC32C in the PROXY header does not match its bytes");
    const other = good.slice();
    other[16] ^= 1;
    assertEquals(refusal(other), "the CRC32C in the PROXY header does not match its bytes");
  }
});

Deno.test("P5: the bytes behind a header do not count for its checksum", () => {
  const good = sealed(withTlvs(rawTlv(0x03, "\0\0\0\0")), 31);
  const said = parseProxyHeader(concat([good, ascii("rest")]));
  assert("header" in said && said.header.crc32c);
});

Deno.test("P5: a checksum of other than 4 bytes, or a second one, is InvalidData", () => {
  for (const length of [0, 1, 3, 5, 8]) {
    assertEquals(
      refusal(withTlvs(rawTlv(0x03, "\0".repeat(length)))),
      `the CRC32C in the PROXY header has ${length} bytes instead of 4`,
    );
  }
  const twice = sealed(withTlvs(rawTlv(0x03, "\0\0\0\0"), rawTlv(0x03, "\0\0\0\0")), 31);
  assertEquals(
    refusal(twice),
    "the PROXY header has more than one field of type 0x03",
  );
});
