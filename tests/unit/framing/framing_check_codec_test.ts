import { assert, assertEquals, assertInstanceOf, AssertionError, assertThrows } from "@std/assert";
import {
  type ByteQueue,
  type Codec,
  json,
  lengthField,
  lengthPrefixed,
  lines,
  mapCodec,
} from "../../../mod.ts";
import { checkCodec } from "../../../testing.ts";
import { encodeAll } from "../../support/codec_streams.ts";
import { WRONG_OBJECTS } from "../../support/hostile.ts";
import {
  type Bytes,
  decoding,
  digits,
  eatingHeaders,
  fail,
  RIGHT,
  spoiling,
  STREAM,
} from "../../support/own_codecs.ts";
import { Random } from "../../support/random.ts";
import { thrown } from "../../support/socket_errors.ts";
import { bytesOf } from "../../support/text.ts";

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

Deno.test("checkCodec() allows an encoder that refuses some frames", () => {
  const codec = { encode: () => fail("InvalidInput"), decoder: RIGHT.decoder };
  assertEquals(checkCodec(codec, STREAM).length, 4);
  assertEquals(checkCodec(lines(), bytesOf("a\r\r\nb"), ["a\r", "b"]), ["a\r", "b"]);
});

Deno.test("checkCodec() calls end once, and compares its frame", () => {
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

Deno.test("checkCodec() compares with the expected frames", () => {
  const frames = ["one", "", "three", "seven"].map(bytesOf);
  const cases = [
    [frames.slice(0, 3), "4 frames came, 3 were expected"],
    [frames.slice(0, 1), "4 frames came, 1 was expected"],
    [[...frames, bytesOf("")], "4 frames came, 5 were expected"],
    [[], "4 frames came, 0 were expected"],
    [
      frames.with(2, bytesOf("Three")),
      "frame 2 is not as expected: bytes (5: 74 68 72 65 65), not bytes (5: 54 68 72 65 65)",
    ],
    [frames.with(1, bytesOf("\0")), "frame 1 is not as expected: no bytes, not bytes (1: 00)"],
  ] as const;
  for (const [expected, reason] of cases) {
    const error = assertThrows(() => checkCodec(RIGHT, STREAM, expected), AssertionError);
    assertEquals(error.message, `checkCodec: ${reason}`);
    assertEquals(error.cause, { frames, expected });
  }
});

Deno.test("checkCodec() says why fewer frames came", () => {
  const check = () => checkCodec(json(), bytesOf("1\nnull\n"), [1, 2]);
  const error = assertThrows(check, AssertionError);
  assertEquals(
    error.message,
    "checkCodec: 1 frame came, 2 were expected; result 1 is InvalidData (the decoder gave null, " +
      "which is the end of stream and no frame)",
  );
});

/** Frames, each with how a message shows it. */
const SHOWN: readonly (readonly [frame: unknown, text: string])[] = [
  ["a\n", '"a\\n"'],
  ["a".repeat(200), `"${"a".repeat(77)}..."`],
  [5, "5"],
  [-1n, "-1n"],
  [true, "true"],
  [Symbol("a"), "Symbol(a)"],
  [() => {}, "a function"],
  [[1, "a", 2n], '[1,"a","2n"]'],
  [{ a: { b: null } }, '{"a":{"b":null}}'],
  [{ a: new Uint8Array([255]) }, '{"a":"bytes (1: ff)"}'],
  [new Uint8Array(100), `bytes (100: ${"00 ".repeat(16)}…)`],
  [new Map([[1, 2]]), "Map [[1,2]]"],
  [new Set(["\u202e"]), 'Set ["\ufffd"]'],
  [new Date(0), 'Date "1970-01-01T00:00:00.000Z"'],
  [new TypeError("no"), 'TypeError "no"'],
  [Array(100).fill(1), `[${"1,".repeat(39)}…`],
  [{ toJSON: () => fail("Other") }, "an object that cannot be shown"],
];

for (const [frame, text] of SHOWN) {
  Deno.test(`checkCodec() shows a frame that is not as expected: ${text}`, () => {
    const check = () => checkCodec(giving(() => frame), new Uint8Array(1), ["other"]);
    const { message } = assertThrows(check, AssertionError);
    assertEquals(message, `checkCodec: frame 0 is not as expected: ${text}, not "other"`);
  });
}

/** Makes a codec of one frame, a new copy of the same value each time. */
function giving(make: () => unknown): Codec<unknown> {
  return {
    encode: () => new Uint8Array(1),
    decoder: () => ({
      decode: (input) => input.length > 0 ? (input.skip(1), make()) : undefined,
    }),
  };
}

class Point {
  readonly x: number;
  readonly y: number;

  constructor(x: number, y: number) {
    this.x = x;
    this.y = y;
  }
}

/** An object with private state, which `toJSON` shows if `tells` is true. */
class Hidden {
  readonly #text: string;
  declare readonly toJSON?: () => unknown;

  constructor(text: string, tells = false) {
    this.#text = text;
    if (tells) Object.setPrototypeOf(this, Telling);
  }

  static textOf(hidden: Hidden): string {
    return hidden.#text;
  }
}

const Telling: object = Object.assign(Object.create(Hidden.prototype), {
  toJSON(this: Hidden): unknown {
    return { text: Hidden.textOf(this) };
  },
});

/** An object with private state, which `toString` shows. */
class Headed {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }
}

class List extends Array {}

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
  () => [null],
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
  () => new ArrayBuffer(1),
  () => new ArrayBuffer(2),
  () => new Uint8Array([1, 2]).buffer,
  () => new SharedArrayBuffer(2),
  () => new Uint8Array(new SharedArrayBuffer(3)).fill(1).buffer,
  () => new DataView(new ArrayBuffer(2)),
  () => new DataView(new Uint8Array([0, 0, 1]).buffer, 1),
  () => new Error("a"),
  () => new Error("b"),
  () => new Error("a", { cause: undefined }),
  () => new Error("a", { cause: 1 }),
  () => new Error("a", { cause: new Error("b") }),
  () => Object.assign(new Error("a"), { name: "Mine" }),
  () => Object.assign(new Error("a"), { code: "E" }),
  () => new TypeError("a"),
  () => new AggregateError([1], "a"),
  () => new AggregateError([2], "a"),
  () => /a/,
  () => /b/,
  () => /a/g,
  () => Object(1),
  () => Object(2),
  () => Object("a"),
  () => Object(true),
  () => Object(1n),
  () => new URL("http://a.example/"),
  () => new URL("http://b.example/"),
  () => new URLSearchParams("a=1"),
  () => new URLSearchParams("a=2"),
  () => new Hidden("a", true),
  () => new Hidden("b", true),
  () => new Headed("a"),
  () => new Headed("b"),
  () => new List(),
  () => Array(1),
  () => Object.create(null),
  () => Object.assign(Object.create(null), { a: 1 }),
];

/** Objects whose state cannot be read: each equals only itself. */
const OPAQUE: Record<string, () => object> = {
  "a WeakMap": () => new WeakMap(),
  "a WeakSet": () => new WeakSet(),
  "Headers": () => new Headers(),
  "an instance with private fields alone": () => new Hidden("a"),
  "an instance without any state": () => new (class {})(),
};

for (const [what, make] of Object.entries(OPAQUE)) {
  Deno.test(`checkCodec() finds frames that cannot be compared: ${what}`, () => {
    const one = make();
    assertEquals(checkCodec(giving(() => one), new Uint8Array(1), [one]), [one]);
    const check = () => checkCodec(giving(make), new Uint8Array(1));
    const error = assertThrows(check, AssertionError);
    assertEquals(error.message, "checkCodec: fed whole again, result 0 is another frame");
  });
}

Deno.test("checkCodec() compares frames of every structure", () => {
  const stream = new Uint8Array(1);
  for (const [index, make] of VALUES.entries()) {
    checkCodec(giving(make), stream, [make()]);
    for (const [other, makeOther] of VALUES.entries()) {
      if (index === other) continue;
      const check = () => checkCodec(giving(make), stream, [makeOther()]);
      assertThrows(check, AssertionError, "", `${index} and ${other}`);
    }
  }
});

Deno.test("checkCodec() splits a long stream around the ends of its frames, in bounded time", () => {
  const codec = lengthPrefixed();
  const random = new Random(1);
  const frames = Array.from({ length: 20 }, () => random.bytes(50_000 + random.below(10_000)));
  const stream = encodeAll(codec, ...frames);
  assertEquals(checkCodec(codec, stream, frames).length, frames.length);
  // This mistake shows at one place only: a chunk must end between two bytes of a length.
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
  const error = assertThrows(() => checkCodec(mistaken, stream), AssertionError);
  assert(/^checkCodec: fed split at \d+, /.test(error.message), error.message);
  assertEquals(wrong, 1);
});

/** A codec that counts its decoders and their frames. */
function counted(codec: Codec<Bytes>): { codec: Codec<Bytes>; frames: number; decoders: number } {
  const counts = { codec: { encode: codec.encode, decoder: count }, frames: 0, decoders: 0 };
  return counts;

  function count() {
    counts.decoders++;
    const decoder = codec.decoder();
    return {
      decode(input: ByteQueue) {
        const frame = decoder.decode(input);
        if (frame !== undefined) counts.frames++;
        return frame;
      },
    };
  }
}

Deno.test("checkCodec() splits up to 4,096 bytes everywhere, unless there are very many frames", () => {
  for (const [length, size] of [[4096, 16], [700, 1]]) {
    const stream = new Uint8Array(length);
    for (let at = 0; at < length; at += size) stream[at] = size - 1;
    const counts = counted(RIGHT);
    checkCodec(counts.codec, stream);
    const frames = length / size;
    assert(counts.decoders - frames > length, `${length} bytes: ${counts.decoders} decoders`);
  }
});

Deno.test("checkCodec() makes fewer splits for more frames, and bounded work", () => {
  // Each byte is an empty frame.
  for (const [count, most] of [[4096, 4_100_000], [100_000, 5_000_000]]) {
    const counts = counted(RIGHT);
    assertEquals(checkCodec(counts.codec, new Uint8Array(count)).length, count);
    assert(counts.frames < most, `${counts.frames} frames of a stream of ${count}`);
    assert(counts.frames > 12 * count, `${counts.frames} frames of a stream of ${count}`);
  }
});

Deno.test("checkCodec() finds a mistake in the last of very many frames", () => {
  const stream = new Uint8Array(70_001);
  stream[69_999] = 1;
  const codec: Codec<Bytes> = {
    encode: (frame) => RIGHT.encode(frame.length === 0 ? frame : new Uint8Array(2)),
    decoder: RIGHT.decoder,
  };
  const error = assertThrows(() => checkCodec(codec, stream), AssertionError);
  assert(error.message.includes("encoded and decoded, did not come out the same"), error.message);
  const loses = decoding(() => {
    const decoder = RIGHT.decoder();
    // Takes the beginning of a frame as the whole frame.
    return (input) =>
      input.length === 1 && input.at(0) === 1 ? input.take(1) : decoder.decode(input);
  });
  const cut = assertThrows(() => checkCodec(loses, stream), AssertionError);
  assert(cut.message.startsWith("checkCodec: fed byte by byte, "), cut.message);
});

Deno.test("checkCodec() accepts a codec that drops blank lines between its frames", () => {
  const stream = bytesOf("\n\none\n\n\ntwo\n\n");
  const codec: Codec<string> = {
    encode: lines().encode,
    decoder() {
      const inner = lines().decoder();
      return {
        decode(input) {
          while (input.length > 0 && input.at(0) === 10) input.skip(1);
          return inner.decode(input);
        },
        end: (input) => inner.end?.(input),
      };
    },
  };
  assertEquals(checkCodec(codec, stream, ["one", "two"]), ["one", "two"]);
});

Deno.test("F7: checkCodec() accepts a codec that keeps a part of a frame and throws UnexpectedEof at the end", () => {
  for (const stream of [STREAM, STREAM.subarray(0, -1), STREAM.subarray(0, 5)]) {
    const frames = checkCodec(RIGHT, stream);
    assertEquals(checkCodec(eatingHeaders(() => fail("UnexpectedEof")), stream, frames), frames);
  }
});

Deno.test("F1: checkCodec() goes on after an error if framed() does", () => {
  const stream = bytesOf("1\nx\n3\n");
  assertEquals(checkCodec(digits("after"), stream, [1, 3]), [1, 3]);
  assertEquals(checkCodec(digits("before"), stream, [1]), [1]);
});

Deno.test("checkCodec() cuts streams off in bounded work", () => {
  // Every byte is a blank line: each cut also needs the stream without it.
  let calls = 0;
  const codec: Codec<string> = {
    encode: lines().encode,
    decoder() {
      const inner = lines().decoder();
      return {
        decode(input) {
          calls++;
          while (input.length > 0 && input.at(0) === 10) input.skip(1);
          return inner.decode(input);
        },
      };
    },
  };
  const length = 256 * 1024;
  checkCodec(codec, new Uint8Array(length).fill(10), []);
  // One call a byte if fed byte by byte, fewer for 11 sizes of chunks, and some hundred runs of few calls.
  assert(calls < 4 * length, `${calls} calls`);
});

Deno.test("E1: checkCodec() throws InvalidInput for bad arguments", () => {
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

Deno.test("F10: checkCodec() throws AssertionError if decoder() throws something else", () => {
  const codec: Codec<Bytes> = {
    encode: RIGHT.encode,
    decoder() {
      throw new RangeError("no");
    },
  };
  const error = assertThrows(() => checkCodec(codec, STREAM), AssertionError);
  assertEquals(error.message, 'checkCodec: the codec or a frame threw RangeError: "no"');
  assertInstanceOf(error.cause, RangeError);
});

Deno.test("checkCodec() sees two failures at one place, the second for want of a header", () => {
  const codec = mapCodec(lengthField({ bytes: 1, maxLength: 10 }), {
    encode: (frame: Uint8Array) => frame,
    decode(frame) {
      if (frame.length === 1) throw new Error("an empty message");
      return frame;
    },
  });
  // A frame that the mapping refuses, and a length over the limit behind it.
  assertEquals(checkCodec(codec, Uint8Array.of(1, 7, 0, 99)), [Uint8Array.of(1, 7)]);
});
