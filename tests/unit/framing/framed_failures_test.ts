import { assertEquals } from "@std/assert";
import {
  abort,
  type ByteQueue,
  type Codec,
  type Connection,
  connectionOver,
  delimited,
  framed,
  type FramedConnection,
  lengthPrefixed,
  lines,
  netstrings,
  recv,
  recvExactly,
  recvFrame,
  recvLine,
  recvUntil,
  SocketError,
  type SocketErrorKind,
  varintPrefixed,
} from "../../../mod.ts";
import { replies, requests } from "../../../examples/resp_codec.ts";
import { ChunkTransport } from "../../support/chunk_transport.ts";
import { cut } from "../../support/codec_streams.ts";
import {
  decoding,
  digits,
  eatingHeaders,
  ending,
  fail,
  jsonLines,
} from "../../support/own_codecs.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { bytesOf, textOf } from "../../support/text.ts";

/** Makes a connection on which these bytes come, whole or byte by byte, and then the end. */
function incoming(text: string, size = text.length): Connection {
  return connectionOver(new ChunkTransport(cut(bytesOf(text), Array(text.length).fill(size))));
}

function next(stream: FramedConnection<unknown>): Promise<unknown> {
  return soon(stream[Symbol.asyncIterator]().next());
}

/** Checks that calls of `recvFrame` and of an iteration, by turns, give the same error. */
async function rejectsAlways(
  stream: FramedConnection<unknown>,
  kind: SocketErrorKind,
): Promise<void> {
  const { message } = await rejection(() => recvFrame(stream), kind, "recvFrame");
  for (let round = 0; round < 3; round++) {
    for (const call of [() => next(stream), () => recvFrame(stream, { timeout: 60_000 })]) {
      assertEquals((await rejection(call, kind, "recvFrame")).message, message);
    }
  }
}

/** Streams that end inside a frame, and the bytes of it that `recv` gives. */
const CUT_OFF: Record<string, readonly [codec: Codec<unknown>, stream: string, left: string]> = {
  lengthPrefixed: [lengthPrefixed({ bytes: 1 }), "\x03ab", "\x03ab"],
  varintPrefixed: [varintPrefixed(), "\x03ab", "\x03ab"],
  netstrings: [netstrings(), "3:ab", "3:ab"],
  delimited: [delimited(bytesOf(";")), "ab", "ab"],
  "requests of an example": [requests(), "*1\r\n$4\r\nPI", "*1\r\n$4\r\nPI"],
  "a decoder that keeps a header": [eatingHeaders(() => fail("UnexpectedEof")), "\x03ab", "ab"],
  "an end that takes what it complains of": [
    ending((input) => (input.skip(input.length), fail("UnexpectedEof"))),
    "\x03ab",
    "",
  ],
};

for (const [name, [codec, text, left]] of Object.entries(CUT_OFF)) {
  Deno.test(`F7: a stream that ends inside a frame is UnexpectedEof every time: ${name}`, async () => {
    for (const size of [text.length, 1]) {
      const connection = incoming(text, size);
      const stream = framed(connection, codec);
      await rejectsAlways(stream, "UnexpectedEof");
      // Another reader gets the rest, and the frames stay cut off.
      if (left !== "") assertEquals(textOf(await recvExactly(connection, left.length)), left);
      assertEquals(await recv(connection), null);
      await rejectsAlways(stream, "UnexpectedEof");
      abort(connection);
    }
  });
}

/** Streams whose second frame is invalid and loses the beginning of the next one. */
const LOST: Record<string, readonly [Codec<unknown>, text: string, SocketErrorKind]> = {
  lengthPrefixed: [lengthPrefixed({ bytes: 1, maxLength: 4 }), "\x01a\x05bcdef\x01g", "TooLarge"],
  "lengthPrefixed that counts itself": [
    lengthPrefixed({ bytes: 1, lengthIncludesPrefix: true }),
    "\x02a\x00bc\x02d",
    "InvalidData",
  ],
  varintPrefixed: [varintPrefixed({ maxLength: 4 }), "\x01a\x05bcdef\x01g", "TooLarge"],
  netstrings: [netstrings(), "1:a,x,1:b,", "InvalidData"],
  "requests of an example": [requests(), "PING\r\n*1\r\n:1\r\nPING\r\n", "InvalidData"],
  "replies of an example": [replies(), "+OK\r\nx\r\n+OK\r\n", "InvalidData"],
  "a decoder that takes nothing when it throws": [digits("before"), "1\nx\n3\n", "InvalidData"],
  "a decoder that fails with what is no SocketError": [
    digits("after", () => new RangeError("no digit")),
    "1\nx\n3\n",
    "Other",
  ],
  "a decoder that says UnexpectedEof in mid-stream": [
    digits("after", () => new SocketError("UnexpectedEof", "recvFrame", "no digit")),
    "1\nx\n3\n",
    "UnexpectedEof",
  ],
};

for (const [name, [codec, text, kind]] of Object.entries(LOST)) {
  Deno.test(`F1: an error that loses the beginning of the next frame comes every time: ${name}`, async () => {
    for (const size of [text.length, 1]) {
      const connection = incoming(text, size);
      const stream = framed(connection, codec);
      await soon(recvFrame(stream));
      const first = connection.bytesReceived;
      await rejectsAlways(stream, kind);
      const consumed = connection.bytesReceived;
      if (kind === "TooLarge" || kind === "InvalidData") assertEquals(consumed, first);
      // Other functions can go on with the bytes, the frames cannot.
      await soon(recvExactly(connection, 1));
      assertEquals(connection.bytesReceived, consumed + 1);
      await rejectsAlways(stream, kind);
      abort(connection);
    }
  });
}

Deno.test("F1: a failed decoder is not called again, and another codec can begin", async () => {
  let failures = 0;
  const decode = (input: ByteQueue) => {
    if (input.length < 2) return undefined;
    failures++;
    return fail("InvalidData");
  };
  const connection = incoming("1\n2\n3\n");
  const stream = framed(connection, decoding(() => decode));
  await rejectsAlways(stream, "InvalidData");
  assertEquals(failures, 1);
  assertEquals(await recvLine(connection), "1");
  await rejectsAlways(stream, "InvalidData");
  assertEquals(await recvFrame(framed(connection, lines())), "2");
  assertEquals(textOf(await recvUntil(connection, bytesOf("\n"))), "3");
  assertEquals(await recv(connection), null);
  assertEquals(failures, 1);
  abort(connection);
});

/** Streams with a bad frame among others, which is reported once. */
const GOES_ON: Record<
  string,
  readonly [Codec<unknown>, text: string, results: readonly unknown[]]
> = {
  "lines that are too long": [lines({ maxLength: 2 }), "a\nlong\nb\n", [
    "a",
    "TooLarge",
    "b",
    null,
  ]],
  "a last line that is too long": [lines({ maxLength: 2 }), "a\nlong", [
    "a",
    "TooLarge",
    null,
    null,
  ]],
  "lines that are not UTF-8": [
    mapped(lines(), (line) => line),
    "a\n\xff\nb\n\xff",
    ["a", "InvalidData", "b", "InvalidData", null, null],
  ],
  "delimited": [
    mapped(delimited(bytesOf("\r\n"), { maxLength: 2 }), textOf),
    "a\r\nlong\r\nb\r\n",
    ["a", "TooLarge", "b", null, null],
  ],
  "a decoder that takes the bad frame before it throws": [
    digits("after"),
    "1\nx\n3\nx\n",
    [1, "InvalidData", 3, "InvalidData", null, null],
  ],
  "a frame that is null": [jsonLines(), "1\nnull\n2\n", [1, "InvalidData", 2, null, null]],
};

/** Decodes the same frames with a decoder of another author. */
function mapped<T, U>(codec: Codec<T>, map: (frame: T) => U): Codec<unknown> {
  return {
    encode: () => new Uint8Array(),
    decoder() {
      const inner = codec.decoder();
      const given = (frame: T | undefined) => frame === undefined ? undefined : map(frame);
      return {
        decode: (input) => given(inner.decode(input)),
        end: (input) => given(inner.end?.(input)),
      };
    },
  };
}

for (const [name, [codec, text, results]] of Object.entries(GOES_ON)) {
  for (const size of [text.length, 1]) {
    const how = size === 1 ? "byte by byte" : "whole";

    Deno.test(`F1: frames go on after a bad frame that was taken: ${name}, ${how}`, async () => {
      const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
      const chunks = cut(bytes, Array(bytes.length).fill(size));
      const connection = connectionOver(new ChunkTransport(chunks));
      const stream = framed(connection, codec);
      for (const result of results) {
        const given = await soon(recvFrame(stream)).catch(({ kind }) => kind);
        assertEquals(given, result);
      }
      abort(connection);
    });
  }
}

Deno.test("F1: an iteration ends with the failure, and the next one begins with it", async () => {
  const connection = incoming("\x01a\x01b\x05c");
  const stream = framed(connection, lengthPrefixed({ bytes: 1, maxLength: 4 }));
  const frames: unknown[] = [];
  for (let round = 0; round < 2; round++) {
    const iteration = async () => {
      for await (const frame of stream) frames.push(textOf(frame));
    };
    await rejection(iteration, "TooLarge", "recvFrame");
  }
  assertEquals(frames, ["a", "b"]);
  abort(connection);
});

Deno.test("F1: a failure of the connection is not remembered as one of the codec", async () => {
  const connection = incoming("1\n");
  const stream = framed(connection, digits("after"));
  await rejection(() => recvFrame(stream, { timeout: 0 }), "TimedOut", "recvFrame");
  assertEquals(await soon(recvFrame(stream)), 1);
  await rejection(
    () => recvFrame(stream, { signal: AbortSignal.abort() }),
    "Aborted",
    "recvFrame",
  );
  assertEquals(await soon(recvFrame(stream)), null);
  abort(connection);
  await rejection(() => recvFrame(stream), "Closed", "recvFrame");
});

Deno.test("F1: null is InvalidData, and the message names the cause", async () => {
  for (const text of ["null\n", "1\nnull\n"]) {
    const connection = incoming(text);
    const stream = framed(connection, jsonLines());
    if (text.startsWith("1")) assertEquals(await soon(recvFrame(stream)), 1);
    const error = await rejection(() => next(stream), "InvalidData", "recvFrame");
    assertEquals(
      error.message,
      "recvFrame: the decoder gave null, which is the end of stream and no frame",
    );
    assertEquals(await soon(recvFrame(stream)), null);
    abort(connection);
  }
});
