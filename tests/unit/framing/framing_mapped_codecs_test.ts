/** mapCodec(), json(), and codecs with two types. */
import { assertEquals, assertMatch, assertStrictEquals } from "@std/assert";
import {
  accept,
  closeWrite,
  type Codec,
  connect,
  delimited,
  framed,
  type FramedConnection,
  invalidFrame,
  json,
  type JsonValue,
  lengthField,
  lengthPrefixed,
  lines,
  listen,
  mapCodec,
  netstrings,
  recvFrame,
  recvFrames,
  send,
  sendFrame,
  SocketError,
  type SocketErrorKind,
} from "../../../mod.ts";
import { checkCodec } from "../../../testing.ts";
import { decodeStream, encodeAll, framesOf } from "../../support/codec_streams.ts";
import { WRONG_OBJECTS } from "../../support/hostile.ts";
import { rejection, thrown } from "../../support/socket_errors.ts";
import { bytesOf, textOf } from "../../support/text.ts";

const NUMBERS = mapCodec(lines(), {
  encode: (number: number) => {
    if (number < 0) throw new RangeError("negative");
    return String(number);
  },
  decode: (line) => {
    if (!/^\d+$/.test(line)) throw new RangeError("no number");
    return Number(line);
  },
});

Deno.test("F3: mapCodec() finds the frames of its inner codec", () => {
  checkCodec(NUMBERS, bytesOf("1\n22\r\n333"), [1, 22, 333]);
  assertEquals(encodeAll(NUMBERS, 1, 22), bytesOf("1\n22\n"));
  const pairs = mapCodec(NUMBERS, {
    encode: ([number]: [number]) => number,
    decode: (number): [number] => [number],
  });
  checkCodec(pairs, bytesOf("7\n8\n"), [[7], [8]]);
});

Deno.test("F9: mapCodec() reports a frame that decode refuses, and goes on with the next one", () => {
  const { results } = decodeStream(NUMBERS, [bytesOf("1\nx\n3\ny")]);
  assertEquals(results, [
    { frame: 1 },
    { kind: "InvalidData" },
    { frame: 3 },
    { kind: "InvalidData" },
  ]);
  checkCodec(NUMBERS, bytesOf("1\nx\n3\n"));
});

Deno.test("F10: mapCodec() gives the error of a function as cause, and a SocketError as it is", () => {
  const own = new SocketError("TooLarge", "recvFrame", "too much");
  const cause = new Error("no");
  for (const [thrownValue, kind] of [[own, "TooLarge"], [cause, "InvalidData"]] as const) {
    const codec = mapCodec(lines(), {
      encode(): string {
        throw thrownValue;
      },
      decode(): number {
        throw thrownValue;
      },
    });
    assertEquals(decodeStream(codec, [bytesOf("a\n")]).results, [{ kind }]);
    const sent = kind === "TooLarge" ? kind : "InvalidInput";
    const operation = kind === "TooLarge" ? "recvFrame" : "sendFrame";
    const error = thrown(() => codec.encode(1), sent, operation);
    if (error !== own) assertStrictEquals(error.cause, cause);
  }
});

/** Values that a function of a user throws, each with what the error says of it. */
const WORDS: readonly (readonly [thrown: unknown, added: string])[] = [
  [new Error("the message has no type"), ': "the message has no type"'],
  ["no type", ': "no type"'],
  [new TypeError("two\nlines \x1b[31m\u202e"), ': "two\\nlines \\u001b[31m\\u202e"'],
  [new Error("x".repeat(1000)), `: "${"x".repeat(77)}..."`],
  [new Error(), ""],
  [undefined, ""],
  [5, ""],
];

Deno.test("F10: the errors of mapCodec() have the words of what a function threw, and the peer's address", async () => {
  await using listener = await listen({ host: "127.0.0.1", port: 0 });
  const { port } = listener.address;
  for (const [value, added] of WORDS) {
    const fail = (): never => {
      throw value;
    };
    const codec = mapCodec(lines(), { encode: (_: number) => fail(), decode: () => fail() });
    await using stream = framed(await connect(listener.address), codec);
    await using peer = await accept(listener);
    await send(peer, bytesOf("1\n2\n3\n"));
    const where = `127.0.0.1:${port}`;
    const iterate = async () => {
      for await (const frame of stream) assertEquals(frame, undefined);
    };
    const receiving: [operation: string, call: () => Promise<unknown>][] = [
      ["recvFrame", () => recvFrame(stream)],
      ["recvFrames", () => recvFrames(stream)],
      ["recvFrame", iterate],
    ];
    for (const [operation, call] of receiving) {
      const error = await rejection(call, "InvalidData", operation);
      assertEquals(error.message, `${operation} ${where}: the frame has no meaning${added}`);
      assertEquals(error.address, listener.address);
    }
    const sent = await rejection(() => sendFrame(stream, 1), "InvalidInput", "sendFrame");
    assertEquals(sent.message, `sendFrame ${where}: the frame cannot be encoded${added}`);
    assertEquals(sent.address, listener.address);
  }
});

Deno.test("F10: an invalidFrame() of a function of mapCodec() has the peer's address", async () => {
  const codec = mapCodec(lines(), {
    encode: String,
    decode(): never {
      throw invalidFrame("the type is unknown");
    },
  });
  await using listener = await listen({ host: "127.0.0.1", port: 0 });
  await using stream = framed(await connect(listener.address), codec);
  await using peer = await accept(listener);
  await send(peer, bytesOf("1\n2\n"));
  for (
    const [operation, receive] of [["recvFrame", recvFrame], ["recvFrames", recvFrames]] as const
  ) {
    const error = await rejection(() => receive(stream), "InvalidData", operation);
    assertEquals(error.reason, "the type is unknown");
    assertEquals(error.address, listener.address);
  }
});

Deno.test("F10: mapCodec() refuses undefined and promises as frames", async () => {
  const given = (encoded: unknown, decoded: unknown) =>
    mapCodec(lines(), { encode: () => encoded as string, decode: () => decoded });
  assertEquals(decodeStream(given("", undefined), [bytesOf("a\n")]).results, [
    { kind: "InvalidData" },
  ]);
  const rejected = given(Promise.reject(new Error("no")), 1);
  thrown(() => rejected.encode("a"), "InvalidInput", "sendFrame");
  await using listener = await listen({ host: "127.0.0.1", port: 0 });
  await using client = await connect(listener.address);
  const codec = mapCodec(lines(), {
    encode: String,
    decode: () => Promise.reject(new Error("no")),
  });
  await using server = framed(await accept(listener), codec);
  await send(client, bytesOf("a\n"));
  await rejection(() => recvFrame(server), "Other", "recvFrame");
  await closeWrite(client);
});

Deno.test("E1: mapCodec() and json() throw InvalidInput for bad arguments", () => {
  const mapping = { encode: String, decode: String };
  for (const [what, value] of WRONG_OBJECTS) {
    const codec = value as Codec<string>;
    thrown(() => mapCodec(codec, mapping), "InvalidInput", "mapCodec", what);
    thrown(() => mapCodec(lines(), value as typeof mapping), "InvalidInput", "mapCodec", what);
    if (value !== undefined) thrown(() => json(codec), "InvalidInput", "json", what);
  }
});

const VALUES: JsonValue[] = [
  { jsonrpc: "2.0", id: 1, params: [null, true, "a\nb\u2028é"] },
  [],
  "text",
  0,
  -1.5e300,
  false,
  "\ud800",
];

Deno.test("F3: json() carries values in lines, and in the frames of codecs of text and of bytes", () => {
  const text: Codec<string> = mapCodec(delimited(new Uint8Array([0])), {
    encode: (text: string) => bytesOf(text),
    decode: (bytes) => new TextDecoder().decode(bytes),
  });
  const plain: Codec<Uint8Array> = {
    encode: (frame) => new Uint8Array([frame.length, ...frame]),
    decoder: () => lengthPrefixed({ bytes: 1 }).decoder(),
  };
  for (const codec of [undefined, lines({ strict: true }), lengthPrefixed(), netstrings(), text]) {
    const values = json(codec);
    checkCodec(values, encodeAll(values, ...VALUES), VALUES);
  }
  checkCodec(json(plain), encodeAll(json(plain), ...VALUES), VALUES);
  assertEquals(json().encode({ a: [1] }), bytesOf('{"a":[1]}\n'));
  assertEquals(json(netstrings()).encode("é"), bytesOf('4:"é",'));
});

Deno.test("F9: json() reports what is no JSON, and goes on with the next frame", () => {
  for (const bad of ["", "{", "undefined", "NaN", "null", " null ", "'a'", "\ufeff1"]) {
    const stream = bytesOf(`1\n${bad}\n2\n`);
    const expected = [{ frame: 1 }, { kind: "InvalidData" as const }, { frame: 2 }];
    assertEquals(decodeStream(json(), [stream]).results, expected, bad);
    checkCodec(json(), stream);
  }
  const bytes = lengthPrefixed({ bytes: 1 });
  const stream = encodeAll(bytes, bytesOf("1"), new Uint8Array([0x22, 0xff, 0x22]), bytesOf("2"));
  assertEquals(decodeStream(json(bytes), [stream]).results, [
    { frame: 1 },
    { kind: "InvalidData" },
    { frame: 2 },
  ]);
});

Deno.test("F8: json() sends no value that JSON cannot express, and keeps the limit of its codec", () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  for (const value of [undefined, () => {}, Symbol("a"), 1n, cycle, null, NaN, Infinity]) {
    thrown(() => json<unknown>().encode(value), "InvalidInput", "sendFrame", typeof value);
    thrown(() => json<unknown>(netstrings()).encode(value), "InvalidInput", "sendFrame");
  }
  const short = json(lines({ maxLength: 5 }));
  assertEquals(short.encode("abc"), bytesOf('"abc"\n'));
  thrown(() => short.encode("abcd"), "TooLarge", "sendFrame");
  assertEquals(decodeStream(short, [bytesOf('"abcd"\n1\n')]).results, [
    { kind: "TooLarge" },
    { frame: 1 },
  ]);
});

Deno.test("E1: json() refuses codecs that refuse JSON, and says which to use", () => {
  const own: Codec<Uint8Array> = {
    encode() {
      throw new SocketError("InvalidInput", "sendFrame", "never");
    },
    decoder: () => lengthPrefixed().decoder(),
  };
  const fields = [{}, { bytes: 1 }, { offset: 1, adjust: -4 }, {
    bytes: 2,
    endian: "little",
  }] as const;
  for (const codec of [...fields.map((options) => lengthField(options)), own]) {
    const error = thrown(() => json(codec), "InvalidInput", "json");
    assertMatch(error.reason, /lengthPrefixed\(\)$/);
    assertEquals((error.cause as SocketError).kind, "InvalidInput");
  }
});

Deno.test("F8: json() takes a codec that refuses only some values, or all for another reason", () => {
  const refusing = (refuses: (text: string) => boolean, kind: SocketErrorKind = "InvalidInput") => {
    const codec = lengthPrefixed();
    return json({
      encode(frame: Uint8Array) {
        if (refuses(textOf(frame) ?? "")) throw new SocketError(kind, "sendFrame", "not this one");
        return codec.encode(frame);
      },
      decoder: () => codec.decoder(),
    });
  };
  const objects = refusing((text) => !text.startsWith("{"));
  checkCodec(objects, encodeAll(objects, { a: 1 }), [{ a: 1 }]);
  const scalars = refusing((text) => text.startsWith("{"));
  checkCodec(scalars, encodeAll(scalars, 5), [5]);
  thrown(() => refusing(() => true, "TooLarge").encode(1), "TooLarge", "sendFrame");
  thrown(() => json(lengthPrefixed({ maxLength: 0 })).encode(1), "TooLarge", "sendFrame");
});

interface Request {
  readonly ask: string;
}
interface Reply {
  readonly answer: number;
}

Deno.test("F3: one codec has a type for the frames to send and one for received frames", async () => {
  const client = json<Request, Reply>();
  const server = json<Reply, Request>();
  await using listener = await listen({ host: "127.0.0.1", port: 0 });
  await using asking: FramedConnection<Request, Reply> = framed(
    await connect(listener.address),
    client,
  );
  await using answering = framed(await accept(listener), server);
  await sendFrame(asking, { ask: "six by seven" });
  for await (const { ask } of answering) {
    assertEquals(ask, "six by seven");
    await sendFrame(answering, { answer: 42 });
    break;
  }
  const reply: Reply | null = await recvFrame(asking);
  assertEquals(reply, { answer: 42 });
  await closeWrite(asking.connection);
  // @ts-expect-error A client sends requests only.
  const wrong = () => sendFrame(asking, { answer: 1 });
  // @ts-expect-error A client receives replies only.
  const other = async (): Promise<Request | null> => await recvFrame(asking);
  assertEquals([typeof wrong, typeof other], ["function", "function"]);
});

Deno.test("F3: checkCodec() takes a codec of two types that refuses to send what it receives", () => {
  const codec: Codec<Request, Reply> = mapCodec(lines(), {
    encode: ({ ask }: Request) => {
      if (ask === undefined) throw new TypeError("no request");
      return ask;
    },
    decode: (line): Reply => ({ answer: Number(line) }),
  });
  const replies: Reply[] = checkCodec(codec, bytesOf("1\n2\n"), [{ answer: 1 }, { answer: 2 }]);
  assertEquals(replies.length, 2);
});

Deno.test("codecs and framed connections of one type need no second type", () => {
  const codec: Codec<string> = lines();
  const same: Codec<string, string> = codec;
  const use = async (stream: FramedConnection<string>) => {
    await sendFrame<string>(stream, "a");
    const line: string | null = await recvFrame<string>(stream);
    for await (const next of stream) assertEquals(typeof next, typeof line);
    // @ts-expect-error A line is no number.
    await sendFrame(stream, 5);
    return framed<string>(stream.connection, same);
  };
  assertEquals(typeof use, "function");
  assertEquals(framesOf(same, bytesOf("a\n")), ["a"]);
});
