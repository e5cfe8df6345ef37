import { assert, assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import type { Codec } from "../../../mod.ts";
import { checkCodec } from "../../../testing.ts";
import {
  bytesOf,
  NIL,
  replies,
  type Reply,
  type Request,
  requests,
  type RespLimits,
} from "../../../examples/resp_codec.ts";
import {
  cut,
  decodeInBatches,
  decodeStream,
  encodeAll,
  framesOf,
} from "../../support/codec_streams.ts";
import { randomRuns } from "../../support/runs.ts";

/** Settings of fast-check, which prints the seed and the path of a failure. */
const parameters = { numRuns: randomRuns(10_000) };
/** `checkCodec` decodes each stream some hundred times. */
const thoroughly = { numRuns: randomRuns(1000) };

/** Bytes that may wait before a part is known to be over the limit: `$-1` and a carriage return. */
const HEADER = 4;

const byteString = fc.oneof(
  fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) }),
  fc.string({ minLength: 30, maxLength: 70, size: "max" }),
  fc.constantFrom("", "\r\n", "$1\r\nx\r\n", "*"),
).filter((text) => /^[\0-\xff]*$/.test(text));

const line = byteString.map((text) => text.replaceAll(/[\r\n]/g, ""));
const request: fc.Arbitrary<Request> = fc.array(byteString, { minLength: 1, maxLength: 6 });

const { reply } = fc.letrec<{ reply: Reply; list: Reply[] }>((tie) => ({
  reply: fc.oneof(
    { maxDepth: 4 },
    byteString as fc.Arbitrary<Reply>,
    fc.maxSafeInteger().filter((number) => !Object.is(number, -0)),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
      .map((integer) => Number.isSafeInteger(Number(integer)) ? Number(integer) : integer),
    fc.record({ status: line }, { noNullPrototype: true }),
    fc.record({ error: line }, { noNullPrototype: true }),
    fc.constant(NIL),
    tie("list"),
  ),
  list: fc.array(tie("reply"), { maxLength: 4 }),
}));

/** Pieces that have a meaning, and any bytes. */
const noise = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(..."+-:$*0123456789\r\nx \"'") },
    {
      weight: 4,
      arbitrary: fc.constantFrom("\r\n", "*1\r\n", "$1\r\nx\r\n", "$-1\r\n", ":12\r\n"),
    },
    fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  ),
  { maxLength: 30, size: "max" },
).map((parts) => Uint8Array.from(parts.join(""), (character) => character.charCodeAt(0)));

const sizes = fc.array(fc.integer({ min: 0, max: 24 }), { maxLength: 40, size: "max" });

/** A word on a line, of a length around the longest that a batch takes, and what makes it something else. */
const inline = fc.tuple(
  fc.integer({ min: 0, max: 36 }),
  fc.constantFrom("\r\n", "\n", "\r", " b\r\n", "'\r\n", "\0\xff\r\n"),
).map(([length, end]) => bytesOf("x".repeat(length) + end));

/** Requests of every form, cut off or not, and bytes that are none. */
const requestStream = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: request.map((words) => encodeAll(requests(), words)) },
    { weight: 2, arbitrary: inline },
    fc.constantFrom("*01\r\n$1\r\nx\r\n", "*1\r\n$00\r\n\r\n", "*0\r\n").map(bytesOf),
    noise,
  ),
  { maxLength: 8 },
).map((parts) => concat(parts));

Deno.test("F3: requests() gives in batches what it gives one by one, for any chunks and limit", async () => {
  await fc.assert(
    fc.asyncProperty(
      requestStream,
      sizes,
      fc.oneof(fc.integer({ min: 0, max: 90 }), fc.constant(2 ** 20)),
      fc.integer({ min: 1, max: 5 }),
      async (bytes, sizes, maxLength, maxFrames) => {
        const codec = requests({ maxLength });
        const { results, left } = decodeStream(codec, [bytes]);
        const failed = results.some((result) => "kind" in result);
        assertEquals(
          await decodeInBatches(codec, cut(bytes, sizes), maxFrames),
          failed || left.length === 0 ? results : [...results, { kind: "UnexpectedEof" }],
        );
      },
    ),
    parameters,
  );
});

function testCodec<T>(
  name: string,
  make: (limits?: RespLimits) => Codec<T>,
  frame: fc.Arbitrary<T>,
): void {
  Deno.test(`F3: ${name} gives the same messages and leaves the same bytes for any chunks`, () => {
    const codec = make();
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 6 }), sizes, fc.nat(), (frames, sizes, end) => {
        const stream = encodeAll(codec, ...frames);
        assertEquals(framesOf(codec, ...cut(stream, sizes)), frames);
        // A stream that is cut off gives the frames that came whole.
        const part = stream.subarray(0, end % (stream.length + 1));
        const { results, left } = decodeStream(codec, cut(part, sizes));
        const whole = frames.slice(0, results.length);
        assertEquals(results, whole.map((frame) => ({ frame })));
        assertEquals(concat([encodeAll(codec, ...whole), left]), part);
        if (whole.length < frames.length) {
          assert(encodeAll(codec, frames[whole.length]).length > left.length);
        }
      }),
      parameters,
    );
  });

  Deno.test(`${name} decodes what it encodes`, () => {
    const codec = make();
    fc.assert(
      fc.property(frame, (frame) => {
        assertEquals(framesOf(codec, encodeAll(codec, frame)), [frame]);
      }),
      parameters,
    );
  });

  Deno.test(`F5: ${name} makes messages or a SocketError of any bytes, the same for any chunks`, () => {
    const codec = make({ maxLength: 24, maxDepth: 2 });
    fc.assert(
      fc.property(noise, sizes, (bytes, sizes) => {
        // decodeStream() fails for any error that is no SocketError.
        const whole = decodeStream(codec, [bytes]);
        assertEquals(decodeStream(codec, cut(bytes, sizes)), whole);
        for (const [index, result] of whole.results.entries()) {
          if (!("kind" in result)) continue;
          assert(/^(InvalidData|TooLarge)$/.test(result.kind), result.kind);
          assertEquals(index, whole.results.length - 1, "messages after an error");
        }
      }),
      parameters,
    );
  });

  Deno.test(`F4: ${name} never keeps more than the limit and one read`, () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 60 }),
        fc.array(fc.oneof(noise, frame.map((frame) => encodeAll(make(), frame)))),
        sizes,
        (maxLength, parts, sizes) => {
          decodeStream(make({ maxLength }), cut(concat(parts), sizes), (waiting) => {
            // The next read comes on top of this.
            assert(
              waiting <= maxLength + HEADER,
              `${waiting} bytes wait with a limit of ${maxLength}`,
            );
          });
        },
      ),
      parameters,
    );
  });

  Deno.test(`F3: checkCodec() accepts ${name} on any bytes`, () => {
    const codec = make({ maxLength: 40, maxDepth: 2 });
    fc.assert(
      fc.property(noise, (bytes) => {
        const frames = decodeStream(codec, [bytes]).results
          .flatMap((result) => "frame" in result ? [result.frame] : []);
        assertEquals(checkCodec(codec, bytes, frames), frames);
      }),
      thoroughly,
    );
  });
}

Deno.test("checkCodec() accepts requests() on an inline command that is over the limit as a list", () => {
  // 18 bytes on a line, 41 as a list: the property test once found these words.
  const bytes = new Uint8Array(
    [43, 43, 43, 43, 32, 43, 0, 43, 13, 43, 0, 13, 43, 36, 45, 49, 13, 10],
  );
  const tight = requests({ maxLength: 40 });
  assertEquals(decodeStream(tight, [bytes]).results, [{ kind: "TooLarge" }]);
  assertEquals(checkCodec(tight, bytes, []), []);
  const frame = ["++++", "+\0+", "+\0", "+$-1"];
  assertEquals(checkCodec(requests({ maxLength: 41 }), bytes, [frame]), [frame]);
});

testCodec<Request>("requests()", requests, request);
testCodec<Reply>("replies()", replies, reply);
