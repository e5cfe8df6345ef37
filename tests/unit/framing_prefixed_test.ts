import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  ByteQueue,
  checkCodec,
  type Codec,
  lengthPrefixed,
  type LengthPrefixedOptions,
  netstrings,
  type SocketErrorKind,
  varintPrefixed,
} from "../../mod.ts";
import { decodeStream, encodeAll, framesOf } from "../support/codec_streams.ts";
import { WRONG_OBJECTS, WRONG_TYPES } from "../support/hostile.ts";
import { thrown } from "../support/socket_errors.ts";
import { bytesOf } from "../support/text.ts";

const FRAME = new Uint8Array([7, 8, 9]);
const LIMIT = 1024 * 1024;

function queueOf(...bytes: readonly number[]): ByteQueue {
  const queue = new ByteQueue();
  queue.push(new Uint8Array(bytes));
  return queue;
}

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

Deno.test("netstrings() writes what the specification's example is", () => {
  const codec = netstrings();
  const example = bytesOf("12:hello world!,");
  assertEquals(codec.encode(bytesOf("hello world!")), example);
  checkCodec(codec, example, [bytesOf("hello world!")]);
  assertEquals(codec.encode(new Uint8Array()), bytesOf("0:,"));
  checkCodec(codec, bytesOf("0:,1:,,3:0:,,"), [new Uint8Array(), bytesOf(","), bytesOf("0:,")]);
});

const CODECS: readonly (readonly [
  name: string,
  make: (options?: { maxLength?: number }) => Codec<Uint8Array>,
  header: (length: number) => readonly number[],
])[] = [
  ["lengthPrefixed", lengthPrefixed, (length) => [length >> 24, length >> 16, length >> 8, length]],
  [
    "varintPrefixed",
    varintPrefixed,
    (length) => [length & 127 | 128, length >> 7 & 127 | 128, length >> 14],
  ],
  ["netstrings", netstrings, (length) => [...bytesOf(`${length}:`)]],
];

for (const [name, make, header] of CODECS) {
  Deno.test(`${name}() takes a frame of 1 MiB and refuses more, before anything of it has come`, () => {
    const codec = make();
    const input = queueOf(...header(LIMIT));
    assertEquals(codec.decoder().decode(input), undefined);
    const error = thrown(
      () => codec.decoder().decode(queueOf(...header(LIMIT + 1))),
      "TooLarge",
      "recvFrame",
    );
    assertEquals(
      error.message,
      "recvFrame: the frame has 1048577 bytes, at most 1048576 are allowed",
    );
    assertEquals(framesOf(codec, encodeAll(codec, new Uint8Array(LIMIT)))[0].length, LIMIT);
    thrown(() => codec.encode(new Uint8Array(LIMIT + 1)), "TooLarge", "sendFrame");
  });

  Deno.test(`${name}() keeps to maxLength in both directions`, () => {
    const codec = make({ maxLength: 3 });
    assertEquals(framesOf(codec, encodeAll(codec, FRAME)), [FRAME]);
    thrown(() => codec.encode(new Uint8Array(4)), "TooLarge", "sendFrame");
    const encoded = encodeAll(make(), new Uint8Array(4));
    thrown(() => codec.decoder().decode(queueOf(...encoded)), "TooLarge", "recvFrame");
    assertEquals(framesOf(make({ maxLength: 0 }), encodeAll(make(), new Uint8Array())), [
      new Uint8Array(),
    ]);
    const unlimited = make({ maxLength: Infinity });
    assertEquals(encodeAll(unlimited, new Uint8Array(2 * LIMIT)).length > 2 * LIMIT, true);
  });

  Deno.test(`${name}() fails again and again after a frame that is too long`, () => {
    const codec = make({ maxLength: 3 });
    const input = queueOf(...encodeAll(make(), new Uint8Array(4)));
    const decoder = codec.decoder();
    const first = thrown(() => decoder.decode(input), "TooLarge", "recvFrame");
    // Even where somebody else took the bytes away, and a good frame follows.
    input.skip(input.length);
    input.push(encodeAll(codec, FRAME));
    assertStrictEquals(thrown(() => decoder.decode(input), "TooLarge", "recvFrame"), first);
    assertEquals(codec.decoder().decode(input), FRAME);
  });

  Deno.test(`${name}() sends a large frame without copying it, a small one as one piece`, () => {
    const codec = make();
    assert(codec.encode(FRAME) instanceof Uint8Array);
    const large = new Uint8Array(100_000);
    const parts = codec.encode(large) as Uint8Array[];
    assertStrictEquals(parts[1], large);
    // What it gave is the caller's: writing to it changes no later frame.
    for (const part of parts) part.fill(255);
    for (const part of [codec.encode(FRAME)].flat()) part.fill(255);
    assertEquals(framesOf(codec, encodeAll(codec, FRAME)), [FRAME]);
    assertEquals(framesOf(codec, ...codec.encode(large) as Uint8Array[]), [large]);
  });

  Deno.test(`${name}() costs linear time where 1 MiB comes a byte at a time`, () => {
    const codec = make();
    const encoded = encodeAll(codec, new Uint8Array(LIMIT).fill(58));
    const input = new ByteQueue();
    const decoder = codec.decoder();
    let frame: Uint8Array | undefined;
    for (let at = 0; at < encoded.length; at++) {
      assertStrictEquals(frame, undefined);
      input.push(encoded.subarray(at, at + 1));
      frame = decoder.decode(input);
    }
    assertEquals(frame?.length, LIMIT);
  });

  Deno.test(`${name}() leaves what follows a frame to others`, () => {
    const codec = make();
    const input = queueOf(...encodeAll(codec, FRAME), 1, 2);
    assertEquals(codec.decoder().decode(input), FRAME);
    assertEquals(input.take(input.length), new Uint8Array([1, 2]));
  });

  Deno.test(`E1: ${name}() says InvalidInput for bad arguments`, () => {
    for (const [what, value] of WRONG_TYPES) {
      thrown(() => make(value as object), "InvalidInput", name, `${what} as options`);
      const maxLength = value as number;
      if (value !== 5) thrown(() => make({ maxLength }), "InvalidInput", name, what);
    }
    for (const maxLength of [-1, 1.5, -Infinity]) {
      thrown(() => make({ maxLength }), "InvalidInput", name, `${maxLength}`);
    }
    const codec = make();
    for (const [what, value] of [...WRONG_OBJECTS, ["a buffer", new ArrayBuffer(4)] as const]) {
      thrown(() => codec.encode(value as Uint8Array), "InvalidInput", "sendFrame", what);
      const decoder = codec.decoder();
      thrown(() => decoder.decode(value as ByteQueue), "InvalidInput", "recvFrame", what);
      // That is no damage to the stream.
      assertEquals(decoder.decode(queueOf(...encodeAll(codec, FRAME))), FRAME);
    }
  });
}

Deno.test("E1: lengthPrefixed() says InvalidInput for options that it does not know", () => {
  for (
    const options of [
      ...[0, 3, 16, "4", null, 4n].map((bytes) => ({ bytes })),
      ...["network", "", null, 1].map((endian) => ({ endian })),
      ...["yes", 1, null].map((lengthIncludesPrefix) => ({ lengthIncludesPrefix })),
    ]
  ) thrown(() => lengthPrefixed(options as object), "InvalidInput", "lengthPrefixed");
  const error = thrown(() => lengthPrefixed({ bytes: 3 as 4 }), "InvalidInput", "lengthPrefixed");
  assertEquals(error.message, "lengthPrefixed: bytes is 3, not 1, 2, 4 or 8");
  const getter = {
    get bytes(): 4 {
      throw new Error("no");
    },
  };
  thrown(() => lengthPrefixed(getter), "InvalidInput", "lengthPrefixed");
});

Deno.test("lengthPrefixed() encodes no frame whose length does not fit", () => {
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
  Deno.test(`recvFrame says ${kind} for ${name}`, () => {
    const stream = typeof bytes === "string" ? bytesOf(bytes) : new Uint8Array(bytes);
    const { results, left } = decodeStream(codec, [stream]);
    assertEquals(results, [{ kind }]);
    assertEquals(left, stream);
    // Good frames before it come out, none after it does, however it is cut.
    const good = encodeAll(codec, FRAME);
    const long = new Uint8Array([...good, ...stream, ...good]);
    assertEquals(checkCodec(codec, long), [FRAME]);
  });
}

Deno.test("varintPrefixed() takes a length of 53 bits without a limit", () => {
  const codec = varintPrefixed({ maxLength: Infinity });
  const input = queueOf(255, 255, 255, 255, 255, 255, 255, 15, 1, 2, 3);
  assertEquals(codec.decoder().decode(input), undefined);
  assertEquals(input.length, 11);
});

Deno.test("a codec's functions need no codec to be called on", () => {
  const { encode, decoder } = lengthPrefixed({ bytes: 1 });
  assertEquals(decoder().decode(queueOf(...encode(FRAME) as Uint8Array)), FRAME);
});

Deno.test("one codec serves several streams at once", () => {
  for (const [, make] of CODECS) {
    const codec = make();
    const [one, other] = [codec.decoder(), codec.decoder()];
    const encoded = encodeAll(codec, FRAME);
    const [first, second] = [new ByteQueue(), new ByteQueue()];
    first.push(encoded.subarray(0, 2));
    assertEquals(one.decode(first), undefined);
    second.push(encoded);
    assertEquals(other.decode(second), FRAME);
    first.push(encoded.subarray(2));
    assertEquals(one.decode(first), FRAME);
  }
});
