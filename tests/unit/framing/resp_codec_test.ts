import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { ByteQueue, type Codec } from "../../../mod.ts";
import { checkCodec } from "../../../testing.ts";
import {
  bytesOf,
  fromUtf8,
  NIL,
  replies,
  type Reply,
  type Request,
  requests,
  toUtf8,
} from "../../../examples/resp_codec.ts";
import { decodeStream, encodeAll, framesOf } from "../../support/codec_streams.ts";
import { thrown } from "../../support/socket_errors.ts";

const EVERY_BYTE = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte));
const LIMIT = 1024 * 1024;

function kindsOf(codec: Codec<Request> | Codec<Reply>, stream: string): string[] {
  const { results } = decodeStream(codec as Codec<unknown>, [bytesOf(stream)]);
  return results.map((result) => "kind" in result ? result.kind : "frame");
}

const REQUESTS: readonly (readonly [stream: string, frames: readonly Request[]])[] = [
  ["*1\r\n$4\r\nPING\r\n", [["PING"]]],
  ["*2\r\n$3\r\nGET\r\n$0\r\n\r\n", [["GET", ""]]],
  ["*2\r\n$4\r\nECHO\r\n$6\r\na\r\n\r\nb\r\n", [["ECHO", "a\r\n\r\nb"]]],
  [`*1\r\n$256\r\n${EVERY_BYTE}\r\n`, [[EVERY_BYTE]]],
  ["PING\r\n", [["PING"]]],
  ["PING\n", [["PING"]]],
  [" SET  key \tvalue \r\n", [["SET", "key", "value"]]],
  ["\r\n\n*0\r\nPING\r\n*1\r\n$1\r\nx\r\n", [["PING"], ["x"]]],
  [`*40\r\n${"$1\r\nx\r\n".repeat(40)}`, [new Array(40).fill("x")]],
];

for (const [stream, frames] of REQUESTS) {
  Deno.test(`requests() reads ${JSON.stringify(stream.slice(0, 40))} at every split`, () => {
    checkCodec(requests(), bytesOf(stream), frames);
  });
}

const REPLIES: readonly (readonly [stream: string, frames: readonly Reply[]])[] = [
  ["+OK\r\n+\r\n", [{ status: "OK" }, { status: "" }]],
  ["-ERR no such thing\r\n", [{ error: "ERR no such thing" }]],
  [":0\r\n:-1\r\n:42\r\n", [0, -1, 42]],
  [":9007199254740991\r\n:9007199254740993\r\n", [9007199254740991, 9007199254740993n]],
  [":9223372036854775807\r\n:-9223372036854775808\r\n", [2n ** 63n - 1n, -(2n ** 63n)]],
  ["$5\r\nhello\r\n$0\r\n\r\n$-1\r\n*-1\r\n", ["hello", "", NIL, NIL]],
  [`$256\r\n${EVERY_BYTE}\r\n`, [EVERY_BYTE]],
  ["*0\r\n", [[]]],
  ["*2\r\n*2\r\n:1\r\n*0\r\n*1\r\n+a\r\n", [[[1, []], [{ status: "a" }]]]],
  ["*3\r\n$1\r\na\r\n$-1\r\n-no\r\n:1\r\n", [["a", NIL, { error: "no" }], 1]],
  [`${"*1\r\n".repeat(8)}:1\r\n`, [[[[[[[[[1]]]]]]]]]],
];

for (const [stream, frames] of REPLIES) {
  Deno.test(`replies() reads ${JSON.stringify(stream.slice(0, 40))} at every split`, () => {
    checkCodec(replies(), bytesOf(stream), frames);
  });
}

const MALFORMED_REQUESTS = [
  "*\r\n",
  "*x\r\n",
  "*-1\r\n",
  "*01\r\n$1\r\nx\r\n",
  "*1\r\n$01\r\nx\r\n",
  "*+1\r\n",
  "*1\n$1\r\nx\r\n",
  "*1\rx$1\r\nx\r\n",
  "*1\r\n$1\r\nx\rx",
  "*1\r\n:1\r\n",
  "*1\r\nPING\r\n",
  "*1\r\n$-1\r\n",
  "*1\r\n$\r\n",
  "*1\r\n$1 \r\nx\r\n",
  "*1\r\n$1\r\nxy\r\n",
  "*1\r\n$2\r\nx\r\n\r\n",
  "*2\r\n*1\r\n$1\r\nx\r\n$1\r\nx\r\n",
  'SET a "b c"\r\n',
  "SET a 'b\r\n",
];

for (const stream of MALFORMED_REQUESTS) {
  Deno.test(`F5: requests() is InvalidData for ${JSON.stringify(stream)}, every time`, () => {
    checkCodec(requests(), bytesOf(stream), []);
    assertEquals(kindsOf(requests(), `${stream}PING\r\n`), ["InvalidData"]);
  });
}

const MALFORMED_REPLIES = [
  "x\r\n",
  "\r\n",
  "PING\r\n",
  "+OK\n",
  "+O\rK\r\n",
  ":\r\n",
  ":1.5\r\n",
  ":+1\r\n",
  ":-0\r\n",
  ":007\r\n",
  ":9223372036854775808\r\n",
  ":-9223372036854775809\r\n",
  "$-2\r\n",
  "$1\rxa\r\n",
  "$1\r\na\rx",
  "$-1\n\r",
  "*-10\r\n",
  "$00\r\n\r\n",
  "$1\r\nab\r\n",
  "*2\r\n:1\r\nx\r\n",
];

for (const stream of MALFORMED_REPLIES) {
  Deno.test(`F5: replies() is InvalidData for ${JSON.stringify(stream)}, every time`, () => {
    checkCodec(replies(), bytesOf(stream), []);
    assertEquals(kindsOf(replies(), `${stream}+OK\r\n`), ["InvalidData"]);
  });
}

Deno.test("F4: the RESP codecs are TooLarge after the header, before the rest has come", () => {
  for (
    const [codec, header] of [
      [requests(), `*1\r\n$${LIMIT}`],
      [requests(), `*${LIMIT}`],
      [replies(), `$${LIMIT}`],
      [replies(), `*${LIMIT}`],
      [replies(), `*1\r\n*${Math.ceil(LIMIT / 3)}`],
    ] as const
  ) assertEquals(kindsOf(codec, header), ["TooLarge"], header);
  // The decoder must not wait for the end of an endless length.
  assertEquals(kindsOf(requests(), `*1\r\n$${"9".repeat(40)}`), ["TooLarge"]);
});

function checkExact<T>(make: (maxLength: number) => Codec<T>, frame: T): void {
  const stream = encodeAll(make(LIMIT), frame);
  const exact = make(stream.length);
  assertEquals(framesOf(exact, encodeAll(exact, frame)), [frame]);
  const short = make(stream.length - 1);
  thrown(() => short.encode(frame), "TooLarge", "sendFrame");
  assertEquals(decodeStream(short, [stream]).results, [{ kind: "TooLarge" }]);
}

Deno.test("F4: the RESP codecs take a message of exactly maxLength bytes, and no longer one", () => {
  checkExact((maxLength) => requests({ maxLength }), ["SET", "key", "value"]);
  const every: Reply[] = ["a", 12, { status: "OK" }, { error: "no" }, NIL, ["b"], [], [NIL]];
  for (const reply of [every, ...every]) {
    checkExact<Reply>((maxLength) => replies({ maxLength }), reply);
  }
});

Deno.test("requests() takes words on a line up to 64 KiB", () => {
  const word = "x".repeat(64 * 1024 - 2);
  assertEquals(framesOf(requests(), bytesOf(`${word}\n`)), [[word]]);
  assertEquals(kindsOf(requests(), `${word}xx\n`), ["TooLarge"]);
  assertEquals(kindsOf(requests(), `${word}xx`), ["TooLarge"]);
});

Deno.test("replies() takes lists in lists up to maxDepth, in both directions", () => {
  const codec = replies({ maxDepth: 2 });
  assertEquals(framesOf(codec, encodeAll<Reply>(codec, [[1], []])), [[[1], []]]);
  thrown(() => codec.encode([[[]]]), "TooLarge", "sendFrame");
  assertEquals(kindsOf(codec, "*1\r\n*1\r\n*0\r\n"), ["TooLarge"]);
  assertEquals(kindsOf(replies(), "*1\r\n".repeat(9)), ["TooLarge"]);
});

Deno.test("F8: the RESP codecs are InvalidInput for a value that is no message", () => {
  const wrongRequests = [[], [1], ["a", null], "PING", null, undefined, ["\u0100"], {}];
  for (const value of wrongRequests) {
    thrown(() => requests().encode(value as Request), "InvalidInput", "sendFrame", `${value}`);
  }
  const wrongReplies = [
    null,
    undefined,
    true,
    1.5,
    2 ** 53,
    NaN,
    2n ** 63n,
    { status: "a\r\nb" },
    { error: "a\nb" },
    { status: 1 },
    {},
    ["\u0100"],
    [[null]],
    Symbol("nil"),
  ];
  for (const value of wrongReplies) {
    thrown(() => replies().encode(value as Reply), "InvalidInput", "sendFrame", String(value));
  }
});

Deno.test("F5: the RESP codecs need linear time for 1 MiB that comes a byte at a time", () => {
  const half = "x".repeat(LIMIT / 2);
  const manyWords = new Array(Math.floor(LIMIT / 8)).fill("x");
  for (
    const [codec, stream] of [
      [requests(), encodeAll(requests(), ["SET", "key", half])],
      [requests(), encodeAll(requests(), manyWords)],
      [requests(), bytesOf(`${"x ".repeat(30_000)}\r\n`)],
      [replies(), encodeAll<Reply>(replies(), { status: half })],
      [replies(), encodeAll<Reply>(replies(), manyWords)],
    ] as const
  ) {
    const input = new ByteQueue();
    const decoder = codec.decoder();
    let frame: unknown;
    for (let at = 0; at < stream.length; at++) {
      assertStrictEquals(frame, undefined);
      input.push(stream.subarray(at, at + 1));
      frame = decoder.decode(input);
    }
    assert(frame !== undefined);
  }
});

Deno.test("F6: the RESP codecs leave the bytes behind a message to others", () => {
  const input = new ByteQueue();
  const decoder = requests().decoder();
  input.push(bytesOf("*2\r\n$3\r\nGET\r\n$3\r\nke"));
  assertEquals(decoder.decode(input), undefined);
  assertEquals(input.length, 19);
  // Another reader takes the part that has come.
  input.skip(19);
  input.push(bytesOf("PING\r\nrest"));
  assertEquals(decoder.decode(input), ["PING"]);
  assertEquals(input.length, 4);
});

Deno.test("byte strings hold UTF-8 and any other bytes", () => {
  assertEquals(toUtf8(fromUtf8("Zoë ∀ 😀")), "Zoë ∀ 😀");
  assertEquals(bytesOf(fromUtf8("ë")), new Uint8Array([0xc3, 0xab]));
  assertEquals(bytesOf(EVERY_BYTE), Uint8Array.from({ length: 256 }, (_, byte) => byte));
  assertEquals(bytesOf("\u00ff"), new Uint8Array([255]));
  thrown(() => bytesOf("\u0100"), "InvalidInput", "sendFrame");
});
