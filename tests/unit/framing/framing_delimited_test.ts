import { assert, assertEquals } from "@std/assert";
import { ByteQueue, delimited, lengthPrefixed, lines } from "../../../mod.ts";
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
import { bytesOf, textOf } from "../../support/text.ts";

const CRLF = bytesOf("\r\n");
const LIMIT = 1024 * 1024;

function framesOfText(delimiter: string, stream: string): (string | null)[] {
  return checkCodec(delimited(bytesOf(delimiter)), bytesOf(stream)).map(textOf);
}

Deno.test("delimited() gives frames without their delimiters", () => {
  assertEquals(framesOfText("\r\n", "one\r\n\r\ntwo\rthree\n\r\r\n"), [
    "one",
    "",
    "two\rthree\n\r",
  ]);
  assertEquals(framesOfText("\0", "a\0\0b\0"), ["a", "", "b"]);
  assertEquals(framesOfText("--end--", "x--end--end--y--end--"), ["x", "end--y"]);
  assertEquals(framesOfText("aab", "aaab" + "aab" + "aaaab"), ["a", "", "aa"]);
});

Deno.test("delimited() leaves a frame without its delimiter where it is", () => {
  const { results, left } = decodeStream(delimited(CRLF), [bytesOf("one\r\ntwo\r")]);
  assertEquals(results, [{ frame: bytesOf("one") }]);
  assertEquals(left, bytesOf("two\r"));
});

Deno.test("delimited() keeps its own copy of the delimiter", () => {
  const delimiter = bytesOf("\r\n");
  const codec = delimited(delimiter);
  delimiter.fill(0);
  for (const frame of [bytesOf("one"), new Uint8Array(100_000)]) {
    for (const part of [codec.encode(frame.slice())].flat()) part.fill(0);
  }
  assertEquals(encodeAll(codec, bytesOf("one")), bytesOf("one\r\n"));
  assertEquals(framesOf(codec, bytesOf("one\r\n")), [bytesOf("one")]);
});

Deno.test("delimited() sends a large frame without copying it", () => {
  const large = new Uint8Array(100_000);
  const parts = delimited(CRLF).encode(large) as Uint8Array[];
  assert(parts[0] === large);
  assertEquals(parts[1], CRLF);
  assertEquals(delimited(CRLF).encode(bytesOf("one")), bytesOf("one\r\n"));
});

Deno.test("F8: delimited() encodes no frame in which the delimiter would be found", () => {
  const cases: readonly (readonly [delimiter: string, frame: string, fine: boolean])[] = [
    ["\r\n", "a\r\nb", false],
    ["\r\n", "\r\n", false],
    ["\r\n", "a\r", true],
    ["\r\n", "\na", true],
    ["aa", "a", false],
    ["aa", "ba", false],
    ["aa", "ab", true],
    ["abab", "xab", false],
    ["abab", "xabx", true],
    ["aab", "a", true],
  ];
  for (const [delimiter, frame, fine] of cases) {
    const codec = delimited(bytesOf(delimiter));
    if (fine) assertEquals(framesOf(codec, encodeAll(codec, bytesOf(frame))), [bytesOf(frame)]);
    else {
      const error = thrown(() => codec.encode(bytesOf(frame)), "InvalidInput", "sendFrame", frame);
      assertEquals(error.message, "sendFrame: the frame has the delimiter in it");
    }
  }
});

Deno.test("F9: delimited() fails once for a frame over the limit, and goes on with the next", () => {
  const codec = delimited(CRLF, { maxLength: 4 });
  const stream = bytesOf("1234\r\n12345\r\nok\r\n123456789\r\n12345\r\n\r\nend\r\n");
  const expected: readonly Result<Uint8Array>[] = [
    { frame: bytesOf("1234") },
    { kind: "TooLarge" },
    { frame: bytesOf("ok") },
    { kind: "TooLarge" },
    { kind: "TooLarge" },
    { frame: new Uint8Array() },
    { frame: bytesOf("end") },
  ];
  for (let size = 1; size <= stream.length; size++) {
    const sizes = Array(Math.floor(stream.length / size)).fill(size);
    assertEquals(decodeStream(codec, cut(stream, sizes)).results, expected);
  }
  checkCodec(codec, stream);
});

Deno.test("F4: delimited() fails as soon as a frame is over the limit, and keeps nothing of it", () => {
  const decoder = delimited(CRLF, { maxLength: 4 }).decoder();
  const input = new ByteQueue();
  input.push(bytesOf("1234\r"));
  assertEquals(decoder.decode(input), undefined);
  input.push(bytesOf("5"));
  const error = thrown(() => decoder.decode(input), "TooLarge", "recvFrame");
  assertEquals(error.message, "recvFrame: the frame has more than 4 bytes, the limit");
  assertEquals(input.length, 0);
  for (let count = 0; count < 10; count++) {
    input.push(bytesOf("on and on \r"));
    assertEquals(decoder.decode(input), undefined);
    assertEquals(input.length, 1);
  }
  input.push(bytesOf("\nnext\r\n"));
  assertEquals(decoder.decode(input), bytesOf("next"));
});

Deno.test("F9: delimited() reports an oversized frame no second time at the end of stream", () => {
  const codec = delimited(CRLF, { maxLength: 4 });
  for (const stream of ["123456", "123456\r"]) {
    const { results, left } = decodeStream(codec, [bytesOf(stream)]);
    assertEquals(results, [{ kind: "TooLarge" }]);
    assertEquals(left, new Uint8Array());
    checkCodec(codec, bytesOf(stream), []);
  }
});

Deno.test("F4: delimited() encodes no frame over maxLength", () => {
  const codec = delimited(CRLF, { maxLength: 4 });
  assertEquals(codec.encode(bytesOf("1234")), bytesOf("1234\r\n"));
  thrown(() => codec.encode(bytesOf("12345")), "TooLarge", "sendFrame");
  thrown(() => delimited(CRLF).encode(new Uint8Array(LIMIT + 1)), "TooLarge", "sendFrame");
  assertEquals(
    framesOf(delimited(CRLF), encodeAll(delimited(CRLF), new Uint8Array(LIMIT))).length,
    1,
  );
});

// Quadratic time, or time multiplied by the length of the delimiter, would take an hour.
Deno.test("F5: delimited() needs linear time for 1 MiB that comes a byte at a time", () => {
  for (const length of [1, 2, 100_000]) {
    const delimiter = new Uint8Array(length).fill(97);
    delimiter[length - 1] = 98;
    const decoder = delimited(delimiter).decoder();
    const input = new ByteQueue();
    const byte = new Uint8Array([97]);
    for (let count = 0; count < LIMIT; count++) {
      input.push(byte);
      assertEquals(decoder.decode(input) === undefined, true);
    }
    input.push(new Uint8Array([98]));
    assertEquals(decoder.decode(input)?.length, LIMIT + 1 - length);
  }
});

Deno.test("F6: delimited() finds a delimiter after others took bytes before it", () => {
  const decoder = delimited(bytesOf("aab")).decoder();
  const input = new ByteQueue();
  input.push(bytesOf("xyzaaa"));
  assertEquals(decoder.decode(input), undefined);
  // The possible beginning of a delimiter is left.
  input.skip(4);
  input.push(bytesOf("b1aa"));
  assertEquals(decoder.decode(input), new Uint8Array());
  assertEquals(decoder.decode(input), undefined);
  // Only a part of it is left.
  input.skip(2);
  input.push(bytesOf("b2aab"));
  assertEquals(decoder.decode(input), bytesOf("ab2"));
  input.push(bytesOf("12345678"));
  assertEquals(decoder.decode(input), undefined);
  input.skip(8);
  input.push(bytesOf("aab"));
  assertEquals(decoder.decode(input), new Uint8Array());
});

Deno.test("F6: a stream can go on with another codec behind any frame", () => {
  const input = new ByteQueue();
  const prefixed = lengthPrefixed({ bytes: 1 });
  const [text, binary, records] = [
    lines().decoder(),
    prefixed.decoder(),
    delimited(new Uint8Array([0])).decoder(),
  ];
  input.push(bytesOf("one\r\n"));
  input.push(encodeAll(prefixed, bytesOf("\n\0")));
  input.push(bytesOf("two\0three\nfour"));
  assertEquals(text.decode(input), "one");
  assertEquals(binary.decode(input), bytesOf("\n\0"));
  assertEquals(records.decode(input), bytesOf("two"));
  assertEquals(text.decode(input), "three");
  assertEquals(input.take(input.length), bytesOf("four"));
});

Deno.test("E1: delimited() throws InvalidInput for bad arguments", () => {
  for (const [what, value] of WRONG_OBJECTS) {
    thrown(() => delimited(value as Uint8Array), "InvalidInput", "delimited", what);
  }
  const error = thrown(() => delimited(new Uint8Array()), "InvalidInput", "delimited");
  assertEquals(error.message, "delimited: the delimiter is empty");
  for (const [what, value] of WRONG_TYPES) {
    thrown(() => delimited(CRLF, value as object), "InvalidInput", "delimited", what);
  }
  thrown(() => delimited(CRLF, { maxLength: -1 }), "InvalidInput", "delimited");
  const codec = delimited(CRLF);
  for (const [what, value] of WRONG_OBJECTS) {
    thrown(() => codec.encode(value as Uint8Array), "InvalidInput", "sendFrame", what);
    thrown(() => codec.decoder().decode(value as ByteQueue), "InvalidInput", "recvFrame", what);
    thrown(() => codec.decoder().end?.(value as ByteQueue), "InvalidInput", "recvFrame", what);
  }
});
