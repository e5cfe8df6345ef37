import { assertEquals, assertInstanceOf } from "@std/assert";
import { concat } from "@std/bytes";
import { ByteQueue, lines } from "../../../mod.ts";
import { checkCodec } from "../../../testing.ts";
import {
  cut,
  decodeStream,
  encodeAll,
  framesOf,
  type Result,
} from "../../support/codec_streams.ts";
import { WRONG_OBJECTS, WRONG_TYPES } from "../../support/hostile.ts";
import { thrown } from "../../support/socket_errors.ts";
import { bytesOf } from "../../support/text.ts";

const LIMIT = 64 * 1024;

const STREAMS: readonly (readonly [stream: string, ...lines: readonly string[]])[] = [
  [""],
  ["\n", ""],
  ["\r\n", ""],
  ["one\ntwo\r\nthree\n", "one", "two", "three"],
  ["one\ntwo", "one", "two"],
  ["one\r", "one"],
  ["one\r\r\n", "one\r"],
  ["one\rtwo\n", "one\rtwo"],
  ["\r\r\n\n\n", "\r", "", ""],
  ["\ufeffone\n\ufefftwo\n", "\ufeffone", "\ufefftwo"],
  ["grüße\r\n日本語 🙂\n", "grüße", "日本語 🙂"],
  ["\ufeff\ufffd\n", "\ufeff\ufffd"],
  ["\ufffd\n\0\n\u2028\x85\n", "\ufffd", "\0", "\u2028\x85"],
  ["x".repeat(300) + "\n", "x".repeat(300)],
];

for (const [stream, ...expected] of STREAMS) {
  Deno.test(`lines() reads ${JSON.stringify(stream.slice(0, 40))}`, () => {
    assertEquals(checkCodec(lines(), bytesOf(stream), expected), expected);
  });
}

Deno.test("lines() writes LF, or the ending that the options have", () => {
  assertEquals(lines().encode("grüße"), bytesOf("grüße\n"));
  assertEquals(lines({ ending: "\n" }).encode(""), bytesOf("\n"));
  assertEquals(lines({ ending: "\r\n" }).encode("grüße"), bytesOf("grüße\r\n"));
  assertEquals(framesOf(lines(), encodeAll(lines({ ending: "\r\n" }), "a", "", "b\rc")), [
    "a",
    "",
    "b\rc",
  ]);
});

Deno.test("F8: lines() encodes no line that would be read as something else", () => {
  const cases = [
    ["a\nb", "sendFrame: the line has a line feed in it"],
    ["\n", "sendFrame: the line has a line feed in it"],
    ["a\r", "sendFrame: the line ends in a carriage return"],
    ["a\ud800", "sendFrame: the line has a lone surrogate in it"],
    ["\udc00a", "sendFrame: the line has a lone surrogate in it"],
  ];
  for (const [line, message] of cases) {
    for (const ending of ["\n", "\r\n"] as const) {
      const error = thrown(() => lines({ ending }).encode(line), "InvalidInput", "sendFrame");
      assertEquals(error.message, message);
    }
  }
});

/** Not UTF-8: a lone continuation, cut off, over-long, a surrogate, beyond U+10FFFF, Latin-1. */
const MALFORMED: readonly (readonly number[])[] = [
  [0x80],
  [0xe6, 0x97],
  [0xc0, 0xaf],
  [0xed, 0xa0, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
  [0xfc],
  [0xff, 0xfe],
];

Deno.test("F5: lines() is InvalidData for a line that is not UTF-8, and goes on with the next", () => {
  for (const malformed of MALFORMED) {
    for (const padding of ["", "x".repeat(100), "\ufffd"]) {
      const bad = concat([bytesOf(padding), new Uint8Array(malformed)]);
      const stream = concat([bytesOf("one\n"), bad, bytesOf("\r\ntwo\n"), bad]);
      assertEquals(decodeStream(lines(), [stream]).results, [
        { frame: "one" },
        { kind: "InvalidData" },
        { frame: "two" },
        { kind: "InvalidData" },
      ]);
      checkCodec(lines(), stream, ["one", "two"]);
    }
  }
  const input = new ByteQueue();
  input.push(new Uint8Array([0x80, 10]));
  const error = thrown(() => lines().decoder().decode(input), "InvalidData", "recvFrame");
  assertEquals(error.message, "recvFrame: the line is not UTF-8");
  assertInstanceOf(error.cause, TypeError);
});

Deno.test("F9: lines() fails once for a line over the limit, and goes on with the next", () => {
  const codec = lines({ maxLength: 4 });
  const stream = bytesOf("1234\n1234\r\n12345\nok\n12345\r\n123\r4\n1234\r5\nüü\nüüü\n\n12345");
  const expected: readonly Result<string>[] = [
    { frame: "1234" },
    { frame: "1234" },
    { kind: "TooLarge" },
    { frame: "ok" },
    { kind: "TooLarge" },
    { kind: "TooLarge" },
    { kind: "TooLarge" },
    { frame: "üü" },
    { kind: "TooLarge" },
    { frame: "" },
    { kind: "TooLarge" },
  ];
  for (let size = 1; size <= stream.length; size++) {
    const sizes = Array(Math.floor(stream.length / size)).fill(size);
    const { results, left } = decodeStream(codec, cut(stream, sizes));
    assertEquals(results, expected);
    assertEquals(left, new Uint8Array());
  }
  checkCodec(codec, stream);
});

Deno.test("F4: lines() takes a last line of exactly maxLength bytes and a carriage return", () => {
  const codec = lines({ maxLength: 4 });
  checkCodec(codec, bytesOf("1234"), ["1234"]);
  checkCodec(codec, bytesOf("1234\r"), ["1234"]);
  assertEquals(decodeStream(codec, [bytesOf("1234\r\r")]).results, [{ kind: "TooLarge" }]);
});

Deno.test("F9: lines() reports an oversized line no second time at the end of stream", () => {
  const codec = lines({ maxLength: 4 });
  assertEquals(decodeStream(codec, cut(bytesOf("1234567890"), [7])).results, [{
    kind: "TooLarge",
  }]);
  checkCodec(codec, bytesOf("1234567890"), []);
});

Deno.test("F4: lines() fails as soon as a line is over the limit, and keeps nothing of it", () => {
  const decoder = lines({ maxLength: 4 }).decoder();
  const input = new ByteQueue();
  input.push(bytesOf("12345"));
  assertEquals(decoder.decode(input), undefined); // The last byte could be a carriage return.
  input.push(bytesOf("6"));
  const error = thrown(() => decoder.decode(input), "TooLarge", "recvFrame");
  assertEquals(error.message, "recvFrame: the line has more than 4 bytes, the limit");
  for (let count = 0; count < 10; count++) {
    input.push(bytesOf("on and on"));
    assertEquals(decoder.decode(input), undefined);
    assertEquals(input.length, 0);
  }
  input.push(bytesOf("\r\nnext\r\n"));
  assertEquals(decoder.decode(input), "next");
});

Deno.test("F4: lines() keeps to 64 KiB, or maxLength, in both directions and counts bytes", () => {
  const codec = lines();
  const line = "x".repeat(LIMIT);
  assertEquals(framesOf(codec, encodeAll(codec, line)), [line]);
  for (const long of [line + "x", "ü".repeat(LIMIT / 2) + "x", "x".repeat(10 * LIMIT)]) {
    const error = thrown(() => codec.encode(long), "TooLarge", "sendFrame");
    assertEquals(error.message, "sendFrame: the line has more than 65536 bytes, the limit");
    assertEquals(decodeStream(codec, [bytesOf(long + "\n")]).results, [{ kind: "TooLarge" }]);
  }
  const unlimited = lines({ maxLength: Infinity, ending: "\r\n" });
  assertEquals(framesOf(unlimited, encodeAll(unlimited, "x".repeat(10 * LIMIT))).length, 1);
  assertEquals(framesOf(lines({ maxLength: 0 }), bytesOf("\n\r\n")), ["", ""]);
});

Deno.test("F5: lines() needs linear time for 1 MiB that comes a byte at a time", () => {
  const decoder = lines({ maxLength: 1 << 20 }).decoder();
  const input = new ByteQueue();
  const byte = bytesOf("x");
  for (let count = 0; count < 1 << 20; count++) {
    input.push(byte);
    if (decoder.decode(input) !== undefined) throw new Error("too early");
  }
  input.push(bytesOf("\n"));
  assertEquals(decoder.decode(input)?.length, 1 << 20);
});

Deno.test("E1: lines() throws InvalidInput for bad arguments", () => {
  for (const [what, value] of WRONG_TYPES) {
    thrown(() => lines(value as object), "InvalidInput", "lines", what);
    const ending = value as "\n";
    thrown(() => lines({ ending }), "InvalidInput", "lines", `${what} as ending`);
  }
  for (const maxLength of [-1, 0.5, NaN]) {
    thrown(() => lines({ maxLength }), "InvalidInput", "lines", `${maxLength}`);
  }
  for (const [what, value] of WRONG_OBJECTS) {
    if (typeof value === "string") continue;
    thrown(() => lines().encode(value as string), "InvalidInput", "sendFrame", what);
    thrown(() => lines().decoder().decode(value as ByteQueue), "InvalidInput", "recvFrame", what);
    thrown(() => lines().decoder().end?.(value as ByteQueue), "InvalidInput", "recvFrame", what);
  }
});
