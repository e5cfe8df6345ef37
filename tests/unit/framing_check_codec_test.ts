import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import {
  type ByteQueue,
  checkCodec,
  type Codec,
  type Decoder,
  lengthPrefixed,
  lines,
  SocketError,
  type SocketErrorKind,
} from "../../mod.ts";
import { encodeAll } from "../support/codec_streams.ts";
import { Random } from "../support/random.ts";
import { WRONG_OBJECTS } from "../support/hostile.ts";
import { thrown } from "../support/socket_errors.ts";
import { bytesOf } from "../support/text.ts";

type Bytes = Uint8Array;

/** One byte of length, and that many bytes. */
const RIGHT: Codec<Bytes> = lengthPrefixed({ bytes: 1 });
const STREAM = encodeAll(RIGHT, bytesOf("one"), bytesOf(""), bytesOf("three"), bytesOf("seven"));

/** The right codec, but for what it decodes with. */
function decoding(
  decode: () => Decoder<Bytes>["decode"],
  end?: Decoder<Bytes>["end"],
): Codec<Bytes> {
  return { encode: RIGHT.encode, decoder: () => ({ decode: decode(), end }) };
}

/** The same, where a frame that has come whole is given to `change` first. */
function spoiling(change: (input: ByteQueue, length: number) => Bytes): Codec<Bytes> {
  return decoding(() => (input) => {
    if (input.length === 0 || input.length <= input.at(0)) return undefined;
    const length = input.at(0);
    input.skip(1);
    return change(input, length);
  });
}

function fail(kind: SocketErrorKind): never {
  throw new SocketError(kind, "recvFrame", "no");
}

Deno.test("checkCodec() gives the frames of a codec that is right", () => {
  const frames = ["one", "", "three", "seven"].map(bytesOf);
  assertEquals(checkCodec(RIGHT, STREAM, frames), frames);
  assertEquals(checkCodec(RIGHT, STREAM), frames);
  assertEquals(checkCodec(spoiling((input, length) => input.take(length)), STREAM), frames);
  assertEquals(checkCodec(RIGHT, new Uint8Array(), []), []);
});

Deno.test("checkCodec() leaves the bytes as they are", () => {
  const bytes = STREAM.slice();
  checkCodec(RIGHT, bytes);
  assertEquals(bytes, STREAM);
});

Deno.test("checkCodec() takes streams that are cut off or malformed", () => {
  assertEquals(checkCodec(RIGHT, STREAM.subarray(0, 7), [bytesOf("one"), bytesOf("")]), [
    bytesOf("one"),
    bytesOf(""),
  ]);
  const limited = lengthPrefixed({ bytes: 1, maxLength: 4 });
  assertEquals(checkCodec(limited, STREAM, [bytesOf("one"), bytesOf("")]).length, 2);
});

/** Codecs with one mistake each, and what the check says about it. */
const WRONG: readonly (readonly [mistake: string, codec: Codec<Bytes>, message: RegExp])[] = [
  [
    "takes a chunk for a frame",
    decoding(() => (input) => input.length > 0 ? input.take(input.length) : undefined),
    /^checkCodec: fed split at 1, result 0 is another frame$/,
  ],
  [
    "takes what has come for the whole frame",
    decoding(() => (input) => {
      if (input.length === 0) return undefined;
      const length = Math.min(input.at(0), input.length - 1);
      input.skip(1);
      return input.take(length);
    }),
    /^checkCodec: fed split at 1, result 0 is another frame$/,
  ],
  [
    "forgets the header while it waits for the frame",
    decoding(() => (input) => {
      if (input.length === 0) return undefined;
      const length = input.at(0);
      input.skip(1);
      return length <= input.length ? input.take(length) : undefined;
    }),
    /^checkCodec: fed split at [12], result \d/,
  ],
  [
    "reads past the frame",
    decoding(() => {
      let kept: number[] = [];
      return (input) => {
        kept = kept.concat(...input.take(input.length));
        if (kept.length === 0 || kept.length <= kept[0]) return undefined;
        const frame = new Uint8Array(kept.slice(1, 1 + kept[0]));
        kept = kept.slice(1 + kept[0]);
        return frame;
      };
    }),
    /^checkCodec: fed split at 4, result 0 ends at byte 4, not at 17$/,
  ],
  [
    "gives views of the input",
    spoiling((input, length) => {
      const frame = input.peek(length);
      input.skip(length);
      return frame;
    }),
    /^checkCodec: fed whole again, a frame changes when its input's memory is used again: /,
  ],
  [
    "shares state among its streams",
    (() => {
      let count = 0;
      return spoiling((input, length) => input.take(length).fill(count++));
    })(),
    /^checkCodec: fed whole again, result 0 is another frame$/,
  ],
  [
    "throws what is no SocketError",
    spoiling(() => {
      throw new TypeError("no");
    }),
    /^checkCodec: the decoder threw TypeError, not a SocketError$/,
  ],
  [
    "throws what is no error",
    decoding(() => () => {
      throw "no";
    }),
    /^checkCodec: the decoder threw a string, not a SocketError$/,
  ],
  [
    "gives frames out of nothing",
    decoding(() => () => new Uint8Array()),
    /^checkCodec: the decoder gives frame after frame without consuming anything$/,
  ],
  [
    "fails for want of bytes",
    decoding(() => (input) => {
      if (input.length === 0) return undefined;
      if (input.length <= input.at(0)) return fail("InvalidData");
      return input.take(input.at(0) + 1).subarray(1);
    }),
    /^checkCodec: fed split at 1, result 0 is InvalidData, not a frame$/,
  ],
  [
    "fails in another way when it sees less",
    decoding(() => (input) => {
      if (input.length > 0) fail(input.length < 5 ? "InvalidData" : "TooLarge");
      return undefined;
    }),
    /^checkCodec: fed split at 1, result 0 is InvalidData, not TooLarge$/,
  ],
  [
    "drops what has come where it fails",
    decoding(() => {
      let failed = false;
      return (input) => {
        if (input.length === 0 && !failed) return undefined;
        input.skip(input.length);
        failed = true;
        return fail("InvalidData");
      };
    }),
    /^checkCodec: fed split at 1, 1 bytes are consumed in the end, where it keeps failing, not 17/,
  ],
];

for (const [mistake, codec, message] of WRONG) {
  Deno.test(`checkCodec() finds a codec that ${mistake}`, () => {
    const error = thrown(() => checkCodec(codec, STREAM), "InvalidData", "checkCodec");
    assert(message.test(error.message), error.message);
  });
}

const WRONG_ENCODERS: readonly (readonly [
  mistake: string,
  encode: (frame: Bytes) => unknown,
  message: string,
])[] = [
  [
    "loses a byte",
    (frame) => RIGHT.encode(frame.slice(1)),
    "frame 0, encoded and decoded, did not come out the same",
  ],
  [
    "adds a byte",
    (frame) => [RIGHT.encode(frame), new Uint8Array(1)].flat(),
    "frame 0, encoded and decoded, did not come out the same",
  ],
  [
    "ends in the middle",
    (frame) => (RIGHT.encode(frame) as Bytes).slice(0, -1),
    "frame 0, encoded and decoded, did not come out the same",
  ],
  [
    "writes another frame",
    (frame) => RIGHT.encode(frame.map((byte) => byte + 1)),
    "frame 0, encoded and decoded, did not come out the same",
  ],
  [
    "gives a list of numbers",
    () => [3, 1, 2, 3],
    "encode gave neither bytes nor an array of bytes",
  ],
  ["gives nothing", () => {}, "encode gave neither bytes nor an array of bytes"],
  ["gives null", () => null, "encode gave neither bytes nor an array of bytes"],
  ["refuses what was decoded", () => fail("TooLarge"), "encode refused a frame that was decoded"],
  ["throws", () => {
    throw new RangeError("no");
  }, "encode threw RangeError, not a SocketError"],
];

for (const [mistake, encode, reason] of WRONG_ENCODERS) {
  Deno.test(`checkCodec() finds an encoder that ${mistake}`, () => {
    const codec = { encode: encode as Codec<Bytes>["encode"], decoder: RIGHT.decoder };
    const error = thrown(() => checkCodec(codec, STREAM), "InvalidData", "checkCodec");
    assertEquals(error.message, `checkCodec: ${reason}`);
  });
}

Deno.test("checkCodec() lets an encoder refuse what is not to be written", () => {
  const codec = { encode: () => fail("InvalidInput"), decoder: RIGHT.decoder };
  assertEquals(checkCodec(codec, STREAM).length, 4);
  assertEquals(checkCodec(lines(), bytesOf("a\r\r\nb"), ["a\r", "b"]), ["a\r", "b"]);
});

Deno.test("checkCodec() finds frames that are wrong only in a row", () => {
  // The end of stream ends the last frame, and it needs no newline then.
  const codec: Codec<string> = {
    encode: (line) => bytesOf(line),
    decoder: () => lines().decoder(),
  };
  const error = thrown(() => checkCodec(codec, bytesOf("a\nb")), "InvalidData", "checkCodec");
  assertEquals(
    error.message,
    "checkCodec: all frames, encoded and decoded, did not come out the same",
  );
});

Deno.test("checkCodec() calls end once, and compares what it gives", () => {
  const stream = STREAM.subarray(0, 8);
  let [decoders, ends] = [0, 0];
  const codec: Codec<Bytes> = {
    encode: (frame) => frame,
    decoder() {
      decoders++;
      return {
        decode: (input) => input.length > 5 ? input.take(6) : undefined,
        end(input) {
          ends++;
          return input.length > 0 ? input.take(input.length) : undefined;
        },
      };
    },
  };
  checkCodec(codec, stream, [stream.slice(0, 6), stream.slice(6)]);
  assertEquals(ends, decoders);
});

Deno.test("checkCodec() finds an end that depends on the chunks", () => {
  const codec = decoding(() => RIGHT.decoder().decode);
  const stateful: Codec<Bytes> = {
    encode: codec.encode,
    decoder() {
      const decoder = RIGHT.decoder();
      let calls = 0;
      return {
        decode(input) {
          calls++;
          return decoder.decode(input);
        },
        end: (input) => void (calls > 8 && input.skip(input.length)),
      };
    },
  };
  const error = thrown(
    () => checkCodec(stateful, STREAM.subarray(0, 8)),
    "InvalidData",
    "checkCodec",
  );
  assertEquals(
    error.message,
    "checkCodec: fed byte by byte, result 2 is missing, not UnexpectedEof",
  );
});

Deno.test("checkCodec() compares with the frames that were expected", () => {
  const frames = ["one", "", "three", "seven"].map(bytesOf);
  const cases = [
    [frames.slice(0, 3), "frame 3 is not as expected"],
    [[...frames, bytesOf("")], "4 frames came out, not 5"],
    [[], "frame 0 is not as expected"],
    [frames.with(2, bytesOf("Three")), "frame 2 is not as expected"],
    [frames.with(1, bytesOf("\0")), "frame 1 is not as expected"],
  ] as const;
  for (const [expected, reason] of cases) {
    const error = thrown(() => checkCodec(RIGHT, STREAM, expected), "InvalidData", "checkCodec");
    assertEquals(error.message, `checkCodec: ${reason}`);
    assertEquals(error.cause, { frames, expected });
  }
});

/** A codec of one frame, always the same value, made anew each time. */
function giving(make: () => unknown): Codec<unknown> {
  return {
    encode: () => new Uint8Array(1),
    decoder: () => ({
      decode: (input) => input.length > 0 ? (input.skip(1), make()) : undefined,
    }),
  };
}

class Point {
  constructor(readonly x: number, readonly y: number) {}
}

function ring(size: number): unknown[] {
  const ring: unknown[] = [size];
  ring.push(ring);
  return ring;
}

const VALUES: readonly (() => unknown)[] = [
  () => 1,
  () => 0,
  () => -0,
  () => NaN,
  () => "1",
  () => 1n,
  () => null,
  () => true,
  () => [],
  () => [1],
  () => [1, [2, { deep: [3] }]],
  () => [1, [2, { deep: [4] }]],
  () => ({}),
  () => ({ a: 1 }),
  () => ({ a: undefined }),
  () => ({ b: undefined }),
  () => ({ a: 1, b: new Uint8Array([1, 2]) }),
  () => ({ a: 1, b: new Uint8Array([1, 3]) }),
  () => ({ a: 1, b: new Uint8Array([1]) }),
  () => ({ a: 1, b: [1, 2] }),
  () => ({ [Symbol.for("a")]: 1 }),
  () => new Uint16Array([1, 2]),
  () => new Uint16Array([1, 3]),
  () => new Point(1, 2),
  () => new Point(1, 3),
  () => ({ x: 1, y: 2 }),
  () => new Map([["a", { b: 1 }]]),
  () => new Map([["a", { b: 2 }]]),
  () => new Map([["b", { b: 1 }]]),
  () => new Set([1, 2]),
  () => new Set([1, 3]),
  () => new Set([1]),
  () => new Date(0),
  () => new Date(1),
  () => ring(1),
  () => ring(2),
];

Deno.test("checkCodec() compares frames of every structure", () => {
  const stream = new Uint8Array(1);
  for (const [index, make] of VALUES.entries()) {
    checkCodec(giving(make), stream, [make()]);
    for (const [other, makeOther] of VALUES.entries()) {
      if (index === other) continue;
      const check = () => checkCodec(giving(make), stream, [makeOther()]);
      thrown(check, "InvalidData", "checkCodec", `${index} and ${other}`);
    }
  }
});

Deno.test("checkCodec() says in cause what came out", () => {
  const error = thrown(() => checkCodec(WRONG[0][1], STREAM), "InvalidData", "checkCodec");
  const { whole, other } = error.cause as Record<string, readonly unknown[]>;
  assertEquals(whole, [{ frame: STREAM, consumed: STREAM.length }]);
  assertEquals(other, [
    { frame: STREAM.subarray(0, 1), consumed: 1 },
    { frame: STREAM.subarray(1), consumed: STREAM.length },
  ]);
});

Deno.test("checkCodec() splits a long stream about its frames' ends, in bounded time", () => {
  const codec = lengthPrefixed();
  const random = new Random(1);
  const frames = Array.from({ length: 20 }, () => random.bytes(50_000 + random.below(10_000)));
  const stream = encodeAll(codec, ...frames);
  assertEquals(checkCodec(codec, stream, frames).length, frames.length);
  // A mistake that shows at one place only: where a chunk ends between two bytes of a length.
  let wrong = 0;
  const mistaken: Codec<Bytes> = {
    encode: codec.encode,
    decoder() {
      const decoder = codec.decoder();
      return {
        decode(input) {
          if (input.length === 3 && input.consumed > 0 && ++wrong) return input.take(3);
          return decoder.decode(input);
        },
      };
    },
  };
  const error = thrown(() => checkCodec(mistaken, stream), "InvalidData", "checkCodec");
  assert(/^checkCodec: fed split at \d+, /.test(error.message), error.message);
  assertEquals(wrong, 1);
});

Deno.test("E1: checkCodec() says InvalidInput for bad arguments", () => {
  const { encode, decoder } = RIGHT;
  for (const half of [{ encode }, { decoder }, { encode, decoder: {} }]) {
    thrown(() => checkCodec(half as Codec<Bytes>, STREAM), "InvalidInput", "checkCodec");
  }
  for (const [what, value] of WRONG_OBJECTS) {
    const check = (codec: unknown, bytes: unknown, expected?: unknown) => () =>
      checkCodec(codec as Codec<Bytes>, bytes as Bytes, expected as Bytes[]);
    thrown(check(value, STREAM), "InvalidInput", "checkCodec", what);
    thrown(check(RIGHT, value), "InvalidInput", "checkCodec", what);
    if (what === "undefined" || what === "an array") continue;
    thrown(check(RIGHT, STREAM, value), "InvalidInput", "checkCodec", what);
  }
});

Deno.test("checkCodec() throws SocketError also where decoder() or a frame does otherwise", () => {
  const codec: Codec<Bytes> = {
    encode: RIGHT.encode,
    decoder() {
      throw new RangeError("no");
    },
  };
  const error = thrown(() => checkCodec(codec, STREAM), "InvalidData", "checkCodec");
  assertInstanceOf(error.cause, RangeError);
});
