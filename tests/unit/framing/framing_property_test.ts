import { assert, assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import {
  type Codec,
  delimited,
  lengthPrefixed,
  lines,
  netstrings,
  octetCounted,
  varintPrefixed,
} from "../../../mod.ts";
import { checkCodec } from "../../../testing.ts";
import { cut, decodeStream, encodeAll, framesOf } from "../../support/codec_streams.ts";
import { randomRuns } from "../../support/runs.ts";

/** Settings of fast-check, which prints the seed and the path of a failure. */
const parameters = { numRuns: randomRuns(10_000) };
/** `checkCodec` decodes each stream some hundred times. */
const thoroughly = { numRuns: randomRuns(1000) };

interface Subject<T> {
  readonly name: string;
  readonly make: (maxLength: number) => Codec<T>;
  readonly frame: fc.Arbitrary<T>;
  /** Bytes that have a meaning for the codec. */
  readonly special: readonly number[];
  /** Largest number of bytes beside a frame that wait until it is whole. */
  readonly around: number;
}

// Without a size, fast-check makes arrays of five elements on average, whatever their maximum.
const frame = fc.uint8Array({ maxLength: 40, size: "max" });

function prefixed(
  name: string,
  options: Parameters<typeof lengthPrefixed>[0],
): Subject<Uint8Array> {
  return {
    name: `lengthPrefixed(${name})`,
    make: (maxLength) => lengthPrefixed({ ...options, maxLength }),
    frame,
    special: [0, 1, 2, 3, 4, 5, 8, 255],
    around: options?.bytes ?? 4,
  };
}

function delimitedBy(...delimiter: readonly number[]): Subject<Uint8Array> {
  const contains = (frame: Uint8Array) => {
    const text = String.fromCharCode(...frame, ...delimiter);
    return text.indexOf(String.fromCharCode(...delimiter)) < frame.length;
  };
  return {
    name: `delimited(${delimiter})`,
    make: (maxLength) => delimited(new Uint8Array(delimiter), { maxLength }),
    frame: fc.oneof(
      frame,
      fc.array(fc.constantFrom(...delimiter, 65)).map((list) => new Uint8Array(list)),
    )
      .filter((frame) => !contains(frame)),
    special: delimiter,
    around: delimiter.length - 1,
  };
}

const SUBJECTS: readonly Subject<Uint8Array | string>[] = [
  prefixed("", {}),
  prefixed("bytes: 1, lengthIncludesPrefix", { bytes: 1, lengthIncludesPrefix: true }),
  prefixed("bytes: 8, little", { bytes: 8, endian: "little" }),
  {
    name: "varintPrefixed()",
    make: (maxLength) => varintPrefixed({ maxLength }),
    frame: fc.oneof(frame, fc.uint8Array({ minLength: 120, maxLength: 300, size: "max" })),
    special: [0, 1, 2, 5, 127, 128, 129, 255],
    around: 8,
  },
  {
    name: "netstrings()",
    make: (maxLength) => netstrings({ maxLength }),
    frame,
    special: [...":,0123456789"].map((character) => character.charCodeAt(0)),
    // The digits of the lengths here, the colon and the comma.
    around: 4,
  },
  {
    name: "octetCounted()",
    make: (maxLength) => octetCounted({ maxLength }),
    frame: fc.uint8Array({ minLength: 1, maxLength: 40, size: "max" }),
    special: [..." 0123456789"].map((character) => character.charCodeAt(0)),
    // The digits of the lengths here, and the space.
    around: 3,
  },
  delimitedBy(0),
  delimitedBy(13, 10),
  delimitedBy(1, 1, 2),
  delimitedBy(1, 2, 1, 2, 1),
  {
    name: "lines()",
    make: (maxLength) => lines({ maxLength }),
    frame: fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }))
      .filter((line) => !/\n|\r$/.test(line)),
    special: [10, 13, 65, 0xc3, 0xa9, 0xef, 0xbf, 0xbd, 0xf0, 0x9f],
    // A carriage return that may belong to the ending.
    around: 1,
  },
] as readonly Subject<unknown>[] as readonly Subject<Uint8Array | string>[];

const sizes = fc.array(fc.integer({ min: 0, max: 24 }), { maxLength: 40, size: "max" });

function noise(special: readonly number[]): fc.Arbitrary<Uint8Array> {
  return fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...special) },
      fc.integer({ min: 0, max: 255 }),
    ),
    { maxLength: 48, size: "max" },
  ).map((list) => new Uint8Array(list));
}

for (const { name, make, frame, special, around } of SUBJECTS) {
  const generous = make(1000);

  Deno.test(`F3: ${name} gives the same frames and leaves the same bytes for any chunks`, () => {
    const whole = make(1000).encode;
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 8 }), sizes, fc.nat(), (frames, sizes, end) => {
        const stream = concat(frames.flatMap((frame) => whole(frame)));
        assertEquals(framesOf(generous, ...cut(stream, sizes)), frames);
        // A stream that is cut off gives the frames that came whole.
        const part = stream.subarray(0, end % (stream.length + 1));
        const { results, left } = decodeStream(generous, cut(part, sizes));
        assertEquals({ results, left }, decodeStream(generous, [part]));
        const count = results.length - (name === "lines()" && !endsWithFeed(part) ? 1 : 0);
        assertEquals(
          results.slice(0, count),
          frames.slice(0, count).map((frame) => ({ frame })),
        );
        if (name !== "lines()") {
          const taken = encodeAll(generous, ...frames.slice(0, count));
          assertEquals(concat([taken, left]), part);
          if (count < frames.length) {
            assert(encodeAll(generous, frames[count]).length > left.length);
          }
        }
      }),
      parameters,
    );
  });

  Deno.test(`${name} decodes what it encodes`, () => {
    fc.assert(
      fc.property(frame, (frame) => {
        assertEquals(framesOf(generous, encodeAll(generous, frame)), [frame]);
      }),
      parameters,
    );
  });

  Deno.test(`F5: ${name} makes frames or a SocketError of any bytes, the same for any chunks`, () => {
    const codec = make(5);
    fc.assert(
      fc.property(noise(special), sizes, (bytes, sizes) => {
        // decodeStream() fails for any error that is no SocketError.
        const whole = decodeStream(codec, [bytes]);
        assertEquals(decodeStream(codec, cut(bytes, sizes)), whole);
        for (const result of whole.results) {
          if ("kind" in result) assert(/^(InvalidData|TooLarge)$/.test(result.kind), result.kind);
          else assert(byteLength(result.frame) <= 5);
        }
      }),
      parameters,
    );
  });

  Deno.test(`F4: ${name} never keeps more than the limit and one read`, () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 30 }),
        fc.array(fc.oneof(noise(special), frame.map((frame) => encodeAll(make(1000), frame)))),
        sizes,
        (limit, parts, sizes) => {
          decodeStream(make(limit), cut(concat(parts), sizes), (waiting) => {
            // The next read comes on top of this.
            assert(waiting <= limit + around, `${waiting} bytes wait with a limit of ${limit}`);
          });
        },
      ),
      parameters,
    );
  });
}

Deno.test("F3: checkCodec() accepts every codec on any bytes", () => {
  const subject = fc.constantFrom(...SUBJECTS)
    .chain(({ make, special }) => fc.tuple(fc.constant(make(5)), noise(special)));
  fc.assert(
    fc.property(subject, ([codec, bytes]) => {
      const frames = decodeStream(codec, [bytes]).results
        .flatMap((result) => "frame" in result ? [result.frame] : []);
      assertEquals(checkCodec(codec, bytes, frames), frames);
    }),
    thoroughly,
  );
});

function endsWithFeed(bytes: Uint8Array): boolean {
  return bytes.length === 0 || bytes[bytes.length - 1] === 10;
}

function byteLength(frame: Uint8Array | string): number {
  return typeof frame === "string" ? new TextEncoder().encode(frame).length : frame.length;
}
