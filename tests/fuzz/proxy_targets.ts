import { assert, assertEquals } from "@std/assert";
import { concat, equals } from "@std/bytes";
import {
  type Connection,
  encodeProxyHeader,
  type ProxyHeader,
  type ProxyHeaderInit,
  recv,
  recvProxyHeader,
} from "../../mod.ts";
import { parseProxyHeader } from "../../proxy_protocol/read_header.ts";
import { rawTlv, rawV2, type Verdict, verdict } from "../support/proxy_bytes.ts";
import { cuttings } from "./chunks.ts";
import { expected, outcomeOf, sortOf, textOf, utf8 } from "./expectations.ts";
import { feed } from "./feed.ts";
import { HEADERS, repairV2, V1_SEEDS, V1_WORDS, V2_SEEDS, V2_WORDS } from "./proxy_seeds.ts";
import { type ReferenceHeader, referenceV1, referenceV2 } from "./reference_proxy.ts";
import type { Target, Worst } from "./target.ts";

/** Size of one of HAProxy's buffers. */
const LONGEST_BYTES = 16 * 1024;
const KINDS = ["InvalidData", "TooLarge"] as const;

/** Checks the verdict on the input, on its beginnings and on the input with more bytes. */
function checkParser(input: Uint8Array): string {
  const said = verdict(input);
  checkAgainstReference(input, said);
  checkBeginnings(input, said);
  if ("atLeast" in said) {
    assert(Number.isInteger(said.atLeast) && said.atLeast > input.length);
    assert(said.atLeast <= LONGEST_BYTES);
    return "incomplete";
  }
  const more = concat([input, Uint8Array.of(13, 10, 0, 88)]);
  if ("error" in said) {
    expected(said.error, "recvProxyHeader", KINDS);
    const then = verdict(more);
    assert("error" in then && then.error.message === said.error.message, "it becomes right later");
    return sortOf(said.error);
  }
  assertEquals(verdict(more), said);
  checkWrittenAgain(said.header);
  return `${said.header.version} ${said.header.command} ${said.header.transport}`;
}

/** Checks that the reference reads the same headers, with the same addresses and fields. */
function checkAgainstReference(input: Uint8Array, said: Verdict): void {
  const reference = input[0] === 0x50 ? referenceV1(input) : referenceV2(input);
  if (!("header" in said)) {
    // The reference does not read fields or checksums, and has no limit.
    const judged = reference !== undefined && reference.length <= LONGEST_BYTES &&
      (reference.tlvs ?? []).length === 0 &&
      !("error" in said && /CRC|more than one field/.test(said.error.message));
    assert(!judged, "the reference reads a header");
    return;
  }
  assert(reference !== undefined, "the reference reads none");
  const { source, destination, tlvs } = said.header;
  assertEquals([said.length, source, destination], [
    reference.length,
    reference.source,
    reference.destination,
  ]);
  assertEquals(unknownFields(reference), tlvs.map(({ type, value }) => [type, value]));
}

function unknownFields({ tlvs = [] }: ReferenceHeader): (readonly [number, Uint8Array])[] {
  return tlvs.filter(([type]) => ![1, 2, 5, 0x20, 0x30].includes(type));
}

/** Checks that a beginning never needs more than the header has, and is refused only if the whole input is. */
function checkBeginnings(input: Uint8Array, said: Verdict): void {
  const whole = "header" in said ? said.length : input.length;
  for (let length = 0; length < Math.min(input.length, whole); length += 1 + (length >> 4)) {
    const early = verdict(input.subarray(0, length));
    assert(!("header" in early), "a header before its end");
    if ("error" in early) {
      assert("error" in said && said.error.message === early.error.message, "refused too early");
    } else if ("header" in said) {
      assert(early.atLeast > length && early.atLeast <= whole, `${early.atLeast} of ${whole}`);
    }
  }
}

/** Checks that a header that was read can be written, and reads the same then; Unix sockets cannot be written. */
function checkWrittenAgain(header: ProxyHeader): void {
  assert(Object.isFrozen(header) && Object.isFrozen(header.tlvs));
  const { version, transport } = header;
  if (transport === "unix" || transport === "unixpacket") return;
  const written = encodeProxyHeader(header, { version });
  assertEquals(verdict(written, Infinity), { header, length: written.length });
}

const parserWorst: Worst[] = ([
  ["many fields", () => Uint8Array.of(0xe0, 0, 0)],
  ["many paddings", () => Uint8Array.of(4, 0, 0)],
  ["fields of a byte", () => Uint8Array.of(0xe0, 0, 1, 7)],
] as const).map(([name, field]) => ({
  name: `version 2 with ${name}`,
  size: 2048,
  make(size) {
    const fields = Array.from({ length: Math.floor(size / field().length) }, field);
    const header = rawV2({}, new Uint8Array(12), ...fields);
    return () => {
      // The 64 KiB of one header are parsed too quickly to be timed.
      for (let times = 0; times < 8; times++) parseProxyHeader(header, Infinity);
    };
  },
}));

parserWorst.push({
  name: "version 2 with fields in the SSL field",
  size: 2048,
  make(size) {
    const fields = "\x50\0\0".repeat(Math.floor(size / 3));
    const header = rawV2({}, new Uint8Array(12), rawTlv(0x20, `\x01\0\0\0\0${fields}`));
    return () => {
      for (let times = 0; times < 8; times++) parseProxyHeader(header, Infinity);
    };
  },
});

export const proxyV1Target: Target = {
  name: "PROXY v1 parser",
  seeds: V1_SEEDS,
  words: V1_WORDS,
  longest: 200,
  check: checkParser,
  outcomes: ["1 PROXY tcp", "1 PROXY unknown", "incomplete", "InvalidData"],
  worst: [],
};

export const proxyV2Target: Target = {
  name: "PROXY v2 parser",
  seeds: V2_SEEDS,
  words: V2_WORDS,
  longest: 2000,
  repair: repairV2,
  check: checkParser,
  outcomes: [
    ...["2 PROXY tcp", "2 PROXY udp", "2 PROXY unix", "2 PROXY unknown", "2 LOCAL", "incomplete"],
    ...["TooLarge", "InvalidData: recvProxyHeader: the CRC", "InvalidData"],
  ],
  worst: parserWorst,
};

/** Receives the header through a connection, in pieces: the result is the parser's, and the rest stays whole. */
async function checkReceiving(input: Uint8Array): Promise<string> {
  const said = verdict(input);
  for (const chunks of cuttings(input, 2)) {
    const connection = feed(chunks);
    const result = await recvProxyHeader(connection).then(
      (header) => ({ header }),
      (error: unknown) => ({
        error: expected(error, "recvProxyHeader", [...KINDS, "UnexpectedEof"]),
      }),
    );
    if ("header" in result) {
      assert("header" in said);
      assertEquals(result.header, { ...said.header, peer: result.header.peer });
      assertEquals(connection.remoteAddress, said.header.source ?? { host: "", port: 0 });
      assert(connection.bytesReceived === said.length, `${connection.bytesReceived} bytes counted`);
      assert(equals(await rest(connection), input.slice(said.length)), "the rest differs");
    } else if ("error" in said) {
      assertEquals(sortOf(result.error), sortOf(said.error));
    } else {
      assert("atLeast" in said);
      assertEquals(result.error.kind, "UnexpectedEof");
      assert(equals(await rest(connection), input), "the bytes are not left in the stream");
    }
  }
  if ("error" in said) return sortOf(said.error);
  return "header" in said ? `${said.header.version} ${said.header.transport}` : "UnexpectedEof";
}

async function rest(connection: Connection): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for (let bytes = await recv(connection); bytes !== null; bytes = await recv(connection)) {
    chunks.push(bytes);
  }
  return concat(chunks);
}

export const recvProxyHeaderTarget: Target = {
  name: "recvProxyHeader",
  seeds: [...V1_SEEDS, ...V2_SEEDS],
  words: [...V1_WORDS, ...V2_WORDS],
  longest: 800,
  check: checkReceiving,
  outcomes: [
    "1 tcp",
    "1 unknown",
    "2 tcp",
    "2 unknown",
    "UnexpectedEof",
    "InvalidData",
    "TooLarge",
  ],
  worst: [{
    name: "version 2 byte by byte",
    size: 1024,
    make(size) {
      const header = rawV2({}, new Uint8Array(12), rawTlv(0xe0, "a".repeat(size - 31)));
      const chunks = Array.from(header, (byte) => Uint8Array.of(byte));
      return () => recvProxyHeader(feed(chunks));
    },
  }],
};

/** Writes a header from JSON, with bytes as `"hex:…"` and one digit for the version before it. */
function checkEncoder(input: Uint8Array): string {
  const text = textOf(input);
  const version = Number(text[0]) as 1 | 2;
  let init: unknown;
  try {
    init = JSON.parse(text.slice(1), (_, value) => revived(value));
  } catch {
    return "not JSON";
  }
  const encode = () => encodeProxyHeader(init as ProxyHeaderInit, { version });
  const written = outcomeOf(encode, "encodeProxyHeader", "InvalidInput");
  if ("error" in written) return sortOf(written.error);
  const said = verdict(written.value, Infinity);
  assert(
    "header" in said && said.length === written.value.length,
    "the parser does not read what was written",
  );
  const again = encodeProxyHeader(said.header, { version });
  assert(equals(again, written.value), "writing what was read gives other bytes");
  return `${version} ${said.header.command} ${said.header.transport}`;
}

function revived(value: unknown): unknown {
  if (typeof value !== "string" || !/^hex:(?:[0-9a-f]{2})*$/.test(value)) return value;
  return Uint8Array.fromHex(value.slice(4));
}

function written(init: unknown): string {
  return JSON.stringify(
    init,
    (_, value) => value instanceof Uint8Array ? `hex:${value.toHex()}` : value,
  );
}

export const encodeProxyHeaderTarget: Target = {
  name: "encodeProxyHeader",
  seeds: HEADERS.flatMap((header) => utf8(`1${written(header)}`, `2${written(header)}`)),
  words: utf8(
    ...['"', ",", ":", "{}", "[]", "null", "true", "-1", "1.5", "65536", '"hex:00ff"', '"é"'],
    ...['"LOCAL"', '"udp"', '"unix"', '"tls":true', '"host":"::1"', '"port":0', '"type":4'],
    ...['"\\ud800"', '"__proto__":{}', '"tlvs":[{"type":224,"value":"hex:"}]', '"crc32c":true'],
    ...['"uniqueId":"hex:00"', '"authority":"a"', '"command":"LOCAL"', '"ssl":{}'],
  ),
  longest: 1500,
  check: checkEncoder,
  outcomes: ["1 PROXY tcp", "2 PROXY tcp", "2 PROXY udp", "2 LOCAL", "InvalidInput", "not JSON"],
  worst: [],
};
