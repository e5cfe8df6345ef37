/** contentLength() with messages of LSP and DAP, and octetCounted() with those of syslog. */
import { assertEquals, assertStrictEquals } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import { ByteQueue, type Codec, contentLength, json, octetCounted } from "../../../mod.ts";
import { checkCodec } from "../../../testing.ts";
import { contentLengthReference, octetCountedReference } from "../../fuzz/reference_decoders.ts";
import { cut, decodeStream, encodeAll, framesOf } from "../../support/codec_streams.ts";
import { WRONG_OBJECTS, WRONG_TYPES } from "../../support/hostile.ts";
import { thrown } from "../../support/socket_errors.ts";
import { bytesOf } from "../../support/text.ts";
import { randomRuns } from "../../support/runs.ts";

const LIMIT = 1024 * 1024;

function queueWith(text: string): ByteQueue {
  const queue = new ByteQueue();
  queue.push(bytesOf(text));
  return queue;
}

interface Format {
  readonly make: (options?: { maxLength?: number }) => Codec<Uint8Array>;
  readonly reference: (maxLength: number) => (stream: Uint8Array) => unknown;
  readonly header: (length: number) => string;
  /** Frames as other programs write them. */
  readonly streams: readonly (readonly [wire: string, frames: readonly string[]])[];
  readonly malformed: readonly string[];
  /** Pieces of noise that have a meaning. */
  readonly words: readonly string[];
}

const FORMATS: Readonly<Record<string, Format>> = {
  contentLength: {
    make: contentLength,
    reference: contentLengthReference,
    header: (length) => `Content-Length: ${length}\r\n\r\n`,
    streams: [
      ["Content-Length: 2\r\n\r\n{}Content-Length: 0\r\n\r\n", ["{}", ""]],
      ["Content-Length: 4\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\nnull", [
        "null",
      ]],
      ["content-type: x\r\nCONTENT-LENGTH:\t 3 \r\nX:\r\n\r\n\r\n!", ["\r\n!"]],
      ["Content-Length: 0007\r\n\r\n\r\n\r\nabc", ["\r\n\r\nabc"]],
    ],
    malformed: [
      "\r\n\r\n",
      "Content-Type: x\r\n\r\n",
      "Content-Length: \r\n\r\n",
      "Content-Length: -1\r\n\r\n",
      "Content-Length: +1\r\n\r\n",
      "Content-Length: 1.0\r\n\r\n",
      "Content-Length: 0x1\r\n\r\n",
      "Content-Length: 1 1\r\n\r\n",
      "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
      "Content-Length: 1\r\ncontent-length: 2\r\n\r\n",
      "Content-Length : 1\r\n\r\n",
      " Content-Length: 1\r\n\r\n",
      "Content-Length: 1\n\r\n\r\n",
      "Content-Length: 1\nX: 2\r\n\r\n",
      "Content-Length: 1\r\n folded\r\n\r\n",
      "Content-Length: 1\r\nX: é\r\n\r\n",
      "Content-Length: 1\r\nX: \0\r\n\r\n",
      "Content-Length: 1\r\nno header\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
    words: ["Content-Length: ", "content-length:", "X: ", "\r\n", "\r\n\r\n", "1", "4", "9", "a"],
  },
  octetCounted: {
    make: octetCounted,
    reference: octetCountedReference,
    header: (length) => `${length} `,
    streams: [
      ["6 <13>hi11 <34>1 - -\n ", ["<13>hi", "<34>1 - -\n "]],
      ["1  1 1", [" ", "1"]],
    ],
    malformed: ["0 ", "00 ", "01 a", " 1 a", "-1 a", "+1 a", "1a", "1\ta", "<13>hi\n", "é"],
    words: [" ", "0", "1", "2", "5 ", "1 a", "<"],
  },
};

for (
  const [name, { make, reference, header, streams, malformed, words }] of Object.entries(FORMATS)
) {
  Deno.test(`F3: ${name}() reads what other programs write`, () => {
    for (const [wire, frames] of streams) {
      checkCodec(make(), bytesOf(wire), frames.map(bytesOf));
      assertEquals(decodeStream(make(), [bytesOf(wire)]), reference(LIMIT)(bytesOf(wire)));
    }
    const frame = new Uint8Array([7, 8, 9]);
    assertEquals(make().encode(frame), concat([bytesOf(header(3)), frame]));
    const large = new Uint8Array(100_000);
    assertStrictEquals((make().encode(large) as Uint8Array[])[1], large);
  });

  Deno.test(`F5: ${name}() refuses malformed headers, and takes nothing of them`, () => {
    const good = header(2) + "ab";
    for (const bad of malformed) {
      const input = queueWith(good + bad + good);
      const decoder = make().decoder();
      assertEquals(decoder.decode(input), bytesOf("ab"));
      thrown(() => decoder.decode(input), "InvalidData", "recvFrame", JSON.stringify(bad));
      assertEquals(input.length, bytesOf(bad + good).length);
      checkCodec(make(), bytesOf(good + bad + good), [bytesOf("ab")]);
    }
  });

  Deno.test(`F4: ${name}() takes a frame of 1 MiB, and refuses a larger one after its header`, () => {
    assertEquals(make().decoder().decode(queueWith(header(LIMIT))), undefined);
    const error = thrown(
      () => make().decoder().decode(queueWith(header(LIMIT + 1))),
      "TooLarge",
      "recvFrame",
    );
    assertEquals(error.reason, "the frame has 1048577 bytes, at most 1048576 are allowed");
    assertEquals(framesOf(make(), encodeAll(make(), new Uint8Array(LIMIT)))[0].length, LIMIT);
    thrown(() => make().encode(new Uint8Array(LIMIT + 1)), "TooLarge", "sendFrame");
    thrown(() => make({ maxLength: 3 }).encode(new Uint8Array(4)), "TooLarge", "sendFrame");
    for (const length of ["9".repeat(20), "9".repeat(400)]) {
      const input = queueWith(header(1).replace("1", length));
      thrown(() => make({ maxLength: Infinity }).decoder().decode(input), "TooLarge", "recvFrame");
    }
  });

  Deno.test(`F5: ${name}() needs linear time for 1 MiB that comes a byte at a time`, () => {
    const encoded = encodeAll(make(), new Uint8Array(LIMIT).fill(13));
    const [input, decoder] = [new ByteQueue(), make().decoder()];
    let frame: Uint8Array | undefined;
    for (let at = 0; at < encoded.length; at++) {
      assertStrictEquals(frame, undefined);
      input.push(encoded.subarray(at, at + 1));
      frame = decoder.decode(input);
    }
    assertEquals(frame?.length, LIMIT);
  });

  Deno.test(`F6: ${name}() leaves the bytes behind a frame, and begins where others stopped`, () => {
    const input = queueWith(`${header(2)}ab!`);
    const decoder = make().decoder();
    assertEquals(decoder.decode(input), bytesOf("ab"));
    assertEquals(input.take(1), bytesOf("!"));
    // Another reader takes a frame's header away that this decoder has seen.
    input.push(bytesOf(header(5)));
    assertEquals(decoder.decode(input), undefined);
    input.skip(input.length);
    input.push(bytesOf(`${header(1)}x`));
    assertEquals(decoder.decode(input), bytesOf("x"));
  });

  Deno.test(`F3: ${name}() agrees with a plain decoder about any bytes and chunks`, () => {
    const noise = fc.array(
      fc.oneof(
        { weight: 8, arbitrary: fc.constantFrom(...words, streams[0][0]).map(bytesOf) },
        fc.uint8Array({ maxLength: 2 }),
      ),
      { maxLength: 16, size: "max" },
    ).map((parts) => concat(parts));
    const sizes = fc.array(fc.nat(30), { maxLength: 30, size: "max" });
    fc.assert(
      fc.property(noise, sizes, fc.integer({ min: 0, max: 20 }), (stream, sizes, maxLength) => {
        const codec = make({ maxLength });
        const expected = reference(maxLength)(stream);
        assertEquals(decodeStream(codec, [stream]), expected);
        assertEquals(decodeStream(codec, cut(stream, sizes)), expected);
      }),
      { numRuns: randomRuns(5000) },
    );
  });

  Deno.test(`E1: ${name}() throws InvalidInput for bad arguments`, () => {
    for (const [what, value] of WRONG_TYPES) {
      thrown(() => make(value as object), "InvalidInput", name, `${what} as options`);
      const maxLength = value as number;
      if (value !== 5) thrown(() => make({ maxLength }), "InvalidInput", name, what);
    }
    for (const [what, value] of WRONG_OBJECTS) {
      thrown(() => make().encode(value as Uint8Array), "InvalidInput", "sendFrame", what);
      thrown(() => make().decoder().decode(value as ByteQueue), "InvalidInput", "recvFrame", what);
    }
  });
}

Deno.test("F4: contentLength() bounds the header block, however it comes", () => {
  const block = (size: number) =>
    `Content-Length: 1\r\nX: ${
      "x".repeat(size - "Content-Length: 1\r\nX: \r\n\r\n".length)
    }\r\n\r\n!`;
  checkCodec(contentLength(), bytesOf(block(8192)), [bytesOf("!")]);
  for (const stream of [bytesOf(block(8193)), new Uint8Array(8192).fill(120)]) {
    for (const chunks of [[stream], cut(stream, [1, 8190]), cut(stream, [8191])]) {
      assertEquals(decodeStream(contentLength(), chunks).results, [{ kind: "TooLarge" }]);
    }
  }
  const waiting = new Uint8Array(8191).fill(120);
  assertEquals(decodeStream(contentLength(), [waiting]).results, []);
});

Deno.test("F3: json(contentLength()) carries the messages of a language server", () => {
  const messages = json(contentLength());
  const initialize = { jsonrpc: "2.0", id: 1, method: "initialize", params: { rootUri: null } };
  const text = '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"rootUri":null}}';
  const wire = bytesOf(`Content-Length: ${text.length}\r\n\r\n${text}`);
  assertEquals(messages.encode(initialize), wire);
  checkCodec(messages, concat([wire, bytesOf('Content-Length: 4\r\n\r\n"é"')]), [
    initialize,
    "é",
  ]);
});

Deno.test("F8: octetCounted() sends no frame without bytes", () => {
  const error = thrown(() => octetCounted().encode(new Uint8Array()), "InvalidInput", "sendFrame");
  assertEquals(error.reason, "the frame has no bytes");
});
