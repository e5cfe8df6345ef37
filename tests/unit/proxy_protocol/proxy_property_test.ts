import { assert, assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import { parseProxyHeader } from "../../../proxy_protocol/read_header.ts";
import { encodeProxyHeader, type ProxyHeader, type ProxyTlv } from "../../../mod.ts";
import { ascii, rawTlv, rawV2, SIGNATURE, verdict } from "../../support/proxy_bytes.ts";
import { randomRuns } from "../../support/runs.ts";

/** fast-check names the seed and the path of a failure by itself. */
const parameters = { numRuns: randomRuns(10_000) };

/** No limit for the parser: the encoder accepts headers over its default. */
const WITHOUT_LIMIT = Infinity;

const host = fc.oneof(
  fc.ipV4(),
  // Only the shortest form, in which addresses are given back; IPv4 in IPv6 becomes IPv4.
  fc.ipV6().map((text) => new URL(`http://[${text}]`).hostname.slice(1, -1))
    .filter((text) => !text.startsWith("::ffff:")),
  fc.constantFrom("::", "::1", "0.0.0.0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
);
const address = fc.record({ host, port: fc.integer({ min: 0, max: 65535 }) });

function bytes(maxLength: number): fc.Arbitrary<Uint8Array<ArrayBuffer>> {
  return fc.uint8Array({ maxLength }).map((value) => new Uint8Array(value));
}

function tlvs(types: fc.Arbitrary<number>): fc.Arbitrary<ProxyTlv[]> {
  return fc.array(fc.record({ type: types, value: bytes(40) }), { maxLength: 5 });
}

function typesBut(...known: number[]): fc.Arbitrary<number> {
  return fc.integer({ min: 0, max: 255 }).filter((type) => !known.includes(type));
}

const text = fc.string({ unit: "binary", maxLength: 30 });
const optionalText = fc.option(text, { nil: undefined });

const ssl = fc.record({
  tls: fc.boolean(),
  certificateOnConnection: fc.boolean(),
  certificateInSession: fc.boolean(),
  verify: fc.integer({ min: 0, max: 0xffffffff }),
  version: optionalText,
  commonName: optionalText,
  cipher: optionalText,
  signatureAlgorithm: optionalText,
  keyAlgorithm: optionalText,
  group: optionalText,
  signatureScheme: optionalText,
  clientCertificate: fc.option(bytes(300), { nil: undefined }),
  tlvs: tlvs(typesBut(0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28)),
}).map(withoutUndefined);

const bare: ProxyHeader = {
  version: 2,
  command: "PROXY",
  transport: "unknown",
  crc32c: false,
  tlvs: [],
};

const header1: fc.Arbitrary<ProxyHeader> = fc.oneof(
  { weight: 9, arbitrary: fc.record({ source: address, destination: address }) },
  { weight: 1, arbitrary: fc.constant(undefined) },
).map((addresses) => ({
  ...bare,
  version: 1,
  ...(addresses === undefined ? {} : { transport: "tcp", ...addresses }),
}));

const header2: fc.Arbitrary<ProxyHeader> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      version: fc.constant(2 as const),
      command: fc.constant("PROXY" as const),
      transport: fc.constantFrom("tcp" as const, "udp" as const),
      source: address,
      destination: address,
      crc32c: fc.boolean(),
      alpn: fc.option(bytes(20).map((value) => String.fromCharCode(...value)), { nil: undefined }),
      authority: fc.option(fc.string({ unit: "binary", maxLength: 60 }), { nil: undefined }),
      uniqueId: fc.option(bytes(128), { nil: undefined }),
      ssl: fc.option(ssl, { nil: undefined }),
      netns: optionalText,
      tlvs: tlvs(typesBut(0x01, 0x02, 0x03, 0x04, 0x05, 0x20, 0x30)),
    }).map(withoutUndefined),
  },
  { weight: 1, arbitrary: fc.constantFrom(bare, { ...bare, command: "LOCAL" as const }) },
);

function withoutUndefined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}

for (const [version, header] of [[1, header1], [2, header2]] as const) {
  Deno.test(`P6: version ${version}: reading gives back what was written, and leaves the bytes behind it`, () => {
    fc.assert(
      fc.property(header, bytes(20), (header, rest) => {
        const encoded = encodeProxyHeader(header, { version });
        const said = parseProxyHeader(concat([encoded, rest]), WITHOUT_LIMIT);
        assertEquals(said, { header, length: encoded.length });
      }),
      parameters,
    );
  });

  Deno.test(`P6: version ${version}: writing what was read gives the same bytes again`, () => {
    fc.assert(
      fc.property(header, (header) => {
        const encoded = encodeProxyHeader(header, { version });
        const said = parseProxyHeader(encoded, WITHOUT_LIMIT);
        assert("header" in said);
        assertEquals(encodeProxyHeader(said.header, { version }), encoded);
      }),
      parameters,
    );
  });

  Deno.test(`P2: version ${version}: every beginning needs more than it has, and no more than the whole`, () => {
    fc.assert(
      fc.property(
        header,
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (header, share) => {
          const encoded = encodeProxyHeader(header, { version });
          const length = Math.floor(encoded.length * share);
          const said = verdict(encoded.subarray(0, length), WITHOUT_LIMIT);
          assert("atLeast" in said, `${length} of ${encoded.length}`);
          assert(said.atLeast > length && said.atLeast <= encoded.length);
        },
      ),
      parameters,
    );
  });

  Deno.test(`P2: version ${version}: a changed header gives a header, a need of more bytes or an error`, () => {
    const edit = fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      remove: fc.nat(3),
      insert: bytes(3),
    });
    fc.assert(
      fc.property(header, fc.array(edit, { minLength: 1, maxLength: 4 }), (header, edits) => {
        let changed = encodeProxyHeader(header, { version });
        for (const { at, remove, insert } of edits) {
          const index = Math.floor(changed.length * at);
          changed = concat([changed.slice(0, index), insert, changed.slice(index + remove)]);
        }
        checkVerdict(changed);
      }),
      parameters,
    );
  });
}

/** Checks that a verdict, of any kind, agrees with the verdicts for fewer and for more bytes. */
function checkVerdict(bytes: Uint8Array): void {
  const said = verdict(bytes);
  if ("atLeast" in said) {
    assert(Number.isInteger(said.atLeast) && said.atLeast > bytes.length);
    assert(said.atLeast <= 16 * 1024);
    return;
  }
  const more = verdict(concat([new Uint8Array(bytes), ascii("\r\n\0x")]));
  if ("error" in said) {
    const { kind, operation, message } = said.error;
    assert(kind === "InvalidData" || kind === "TooLarge", kind);
    assertEquals(operation, "recvProxyHeader");
    assert(message.length < 300 && !message.includes("\n"), message);
    assert("error" in more && more.error.message === message);
    return;
  }
  assert(said.length <= bytes.length);
  assertEquals(more, said);
  assert("atLeast" in verdict(bytes.subarray(0, said.length - 1)));
  checkHeader(said.header);
}

function checkHeader({ version, command, transport, source, destination }: ProxyHeader): void {
  assert(version === 1 || version === 2);
  assert(command === "PROXY" || (command === "LOCAL" && transport === "unknown"));
  const hasAddresses = transport === "tcp" || transport === "udp";
  for (const address of [source, destination]) {
    assertEquals(address !== undefined, hasAddresses);
    if (address === undefined) continue;
    assert(Object.isFrozen(address) && address.host.length > 0);
    assert(Number.isInteger(address.port) && address.port >= 0 && address.port <= 65535);
  }
}

Deno.test("P2: arbitrary bytes give a header, a need of more bytes or an error", () => {
  const start = fc.constantFrom("", "P", "PROXY ", "PROXY TCP4 ", "PROXY TCP6 ", "PROXY UNKNOWN");
  const v1 = fc.tuple(start, fc.stringMatching(/^[0-9a-f.: \r\n]*$/)).map(([a, b]) => ascii(a + b));
  const v2 = bytes(60).map((rest) => concat([SIGNATURE, rest]));
  fc.assert(fc.property(fc.oneof(bytes(120), v1, v2), checkVerdict), parameters);
});

Deno.test("P2: arbitrary fields behind right addresses give a header or an error", () => {
  const known = fc.constantFrom(0x01, 0x02, 0x03, 0x04, 0x05, 0x20, 0x21, 0x30, 0xe0);
  const slip = fc.option(fc.nat(20), { nil: undefined, freq: 20 });
  const field = fc.tuple(known, bytes(12), slip).map(([type, value, length]) =>
    rawTlv(type, value, length)
  );
  fc.assert(
    fc.property(fc.array(field, { maxLength: 5 }), bytes(2), (fields, tail) => {
      const raw = rawV2({}, new Uint8Array(12), ...fields, tail);
      assert(!("atLeast" in verdict(raw)));
      checkVerdict(raw);
    }),
    parameters,
  );
});
