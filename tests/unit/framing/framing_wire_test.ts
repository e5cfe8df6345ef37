import { assert, assertEquals } from "@std/assert";
import {
  type Codec,
  lengthPrefixed,
  type LengthPrefixedOptions,
  netstrings,
  type SocketErrorKind,
  varintPrefixed,
} from "../../../mod.ts";
import { checkCodec } from "../../../testing.ts";
import { queueOf } from "../../support/byte_queues.ts";
import { decodeStream, encodeAll, framesOf } from "../../support/codec_streams.ts";
import { thrown } from "../../support/socket_errors.ts";
import { bytesOf } from "../../support/text.ts";

const FRAME = new Uint8Array([7, 8, 9]);
const LIMIT = 1024 * 1024;

const LENGTHS: readonly (readonly [LengthPrefixedOptions, readonly number[]])[] = [
  [{}, [0, 0, 0, 3]],
  [{ bytes: 1 }, [3]],
  [{ bytes: 2 }, [0, 3]],
  [{ bytes: 4 }, [0, 0, 0, 3]],
  [{ bytes: 8 }, [0, 0, 0, 0, 0, 0, 0, 3]],
  [{ bytes: 1, endian: "little" }, [3]],
  [{ bytes: 2, endian: "little" }, [3, 0]],
  [{ endian: "little" }, [3, 0, 0, 0]],
  [{ bytes: 8, endian: "little" }, [3, 0, 0, 0, 0, 0, 0, 0]],
  [{ bytes: 1, lengthIncludesPrefix: true }, [4]],
  [{ bytes: 2, lengthIncludesPrefix: true }, [0, 5]],
  [{ endian: "little", lengthIncludesPrefix: true }, [7, 0, 0, 0]],
  [{ bytes: 8, lengthIncludesPrefix: true, endian: "big" }, [0, 0, 0, 0, 0, 0, 0, 11]],
];

for (const [options, prefix] of LENGTHS) {
  Deno.test(`lengthPrefixed(${JSON.stringify(options)}) has its bytes on the wire`, () => {
    const codec = lengthPrefixed(options);
    assertEquals(codec.encode(FRAME), new Uint8Array([...prefix, ...FRAME]));
    checkCodec(codec, encodeAll(codec, FRAME, new Uint8Array(), FRAME), [
      FRAME,
      new Uint8Array(),
      FRAME,
    ]);
  });
}

Deno.test("lengthPrefixed() reads and writes every byte of a length", () => {
  const frame = new Uint8Array(0x010203);
  for (const [endian, prefix] of [["big", [0, 1, 2, 3]], ["little", [3, 2, 1, 0]]] as const) {
    const codec = lengthPrefixed({ endian });
    const [header, rest] = codec.encode(frame) as Uint8Array[];
    assertEquals(header, new Uint8Array(prefix));
    assertEquals(framesOf(codec, header, rest), [frame]);
  }
});

const VARINTS: readonly (readonly [length: number, varint: readonly number[]])[] = [
  [0, [0]],
  [1, [1]],
  [127, [127]],
  [128, [128, 1]],
  [300, [0xac, 2]],
  [16383, [255, 127]],
  [16384, [128, 128, 1]],
  [LIMIT, [128, 128, 64]],
];

for (const [length, varint] of VARINTS) {
  Deno.test(`varintPrefixed() writes the length ${length} as Protocol Buffers do`, () => {
    const codec = varintPrefixed();
    const encoded = encodeAll(codec, new Uint8Array(length).fill(5));
    assertEquals(encoded.subarray(0, varint.length), new Uint8Array(varint));
    assertEquals(framesOf(codec, encoded), [new Uint8Array(length).fill(5)]);
  });
}

Deno.test("netstrings() writes the example of the specification", () => {
  const codec = netstrings();
  const example = bytesOf("12:hello world!,");
  assertEquals(codec.encode(bytesOf("hello world!")), example);
  checkCodec(codec, example, [bytesOf("hello world!")]);
  assertEquals(codec.encode(new Uint8Array()), bytesOf("0:,"));
  checkCodec(codec, bytesOf("0:,1:,,3:0:,,"), [new Uint8Array(), bytesOf(","), bytesOf("0:,")]);
});

Deno.test("F8: lengthPrefixed() encodes no frame whose length does not fit", () => {
  const cases: readonly (readonly [LengthPrefixedOptions, number])[] = [
    [{ bytes: 1 }, 255],
    [{ bytes: 1, lengthIncludesPrefix: true }, 254],
    [{ bytes: 2 }, 65535],
    [{ bytes: 2, lengthIncludesPrefix: true, maxLength: 1_000_000 }, 65533],
  ];
  for (const [options, most] of cases) {
    const codec = lengthPrefixed(options);
    const frame = new Uint8Array(most).fill(1);
    assertEquals(framesOf(codec, encodeAll(codec, frame)), [frame]);
    const error = thrown(() => codec.encode(new Uint8Array(most + 1)), "TooLarge", "sendFrame");
    assert(error.message.endsWith(`at most ${most} are allowed`), error.message);
  }
});

const BAD: readonly (readonly [
  name: string,
  codec: Codec<Uint8Array>,
  bytes: readonly number[] | string,
  kind: SocketErrorKind,
])[] = [
  ["a length beyond 2^53", lengthPrefixed({ bytes: 8 }), [255, 0, 0, 0, 0, 0, 0, 1], "TooLarge"],
  ["a length beyond 2^53 without a limit", lengthPrefixed({ bytes: 8, maxLength: Infinity }), [
    0,
    0x20,
    0,
    0,
    0,
    0,
    0,
    0,
  ], "TooLarge"],
  ["a length of 2^32 - 1", lengthPrefixed(), [255, 255, 255, 255], "TooLarge"],
  [
    "a length without itself",
    lengthPrefixed({ lengthIncludesPrefix: true }),
    [0, 0, 0, 3],
    "InvalidData",
  ],
  ["a length of 0 that counts itself", lengthPrefixed({ bytes: 1, lengthIncludesPrefix: true }), [
    0,
  ], "InvalidData"],
  ["a varint in too many bytes", varintPrefixed(), [0x83, 0], "InvalidData"],
  ["zero in two bytes", varintPrefixed(), [0x80, 0], "InvalidData"],
  ["a varint of 54 bits", varintPrefixed({ maxLength: Infinity }), [
    128,
    128,
    128,
    128,
    128,
    128,
    128,
    16,
  ], "InvalidData"],
  ["a varint that does not end", varintPrefixed(), Array(8).fill(255), "InvalidData"],
  ["a varint of 53 bits", varintPrefixed(), [255, 255, 255, 255, 255, 255, 255, 15], "TooLarge"],
  ["a varint over the limit", varintPrefixed(), [129, 128, 64], "TooLarge"],
  ["a netstring without a length", netstrings(), ":,", "InvalidData"],
  ["a netstring with a leading zero", netstrings(), "03:abc,", "InvalidData"],
  ["a netstring with two zeros", netstrings(), "00:,", "InvalidData"],
  ["a netstring with a negative length", netstrings(), "-1:a,", "InvalidData"],
  ["a netstring with a plus", netstrings(), "+1:a,", "InvalidData"],
  ["a netstring with a space", netstrings(), " 1:a,", "InvalidData"],
  ["a netstring with a space before the colon", netstrings(), "1 :a,", "InvalidData"],
  ["a netstring in hexadecimal", netstrings(), "a:0123456789,", "InvalidData"],
  ["a netstring with a slash", netstrings(), "1/a,", "InvalidData"],
  ["a netstring without a comma", netstrings(), "3:abc;", "InvalidData"],
  ["a netstring that is longer than it says", netstrings(), "2:abc,", "InvalidData"],
  ["a netstring over the limit", netstrings(), "1048577:", "TooLarge"],
  ["a netstring whose length does not end", netstrings(), "9".repeat(400), "TooLarge"],
];

for (const [name, codec, bytes, kind] of BAD) {
  Deno.test(`F5: recvFrame() is ${kind} for ${name}`, () => {
    const stream = typeof bytes === "string" ? bytesOf(bytes) : new Uint8Array(bytes);
    const { results, left } = decodeStream(codec, [stream]);
    assertEquals(results, [{ kind }]);
    assertEquals(left, stream);
    // Frames before it come out, and none after it, in any chunks.
    const good = encodeAll(codec, FRAME);
    const long = new Uint8Array([...good, ...stream, ...good]);
    assertEquals(checkCodec(codec, long), [FRAME]);
  });
}

Deno.test("varintPrefixed() takes a length of 53 bits without a limit", () => {
  const codec = varintPrefixed({ maxLength: Infinity });
  const input = queueOf([255, 255, 255, 255, 255, 255, 255, 15, 1, 2, 3]);
  assertEquals(codec.decoder().decode(input), undefined);
  assertEquals(input.length, 11);
});
