import { assert, assertEquals } from "@std/assert";
import { concat, equals } from "@std/bytes";
import {
  ByteQueue,
  type Codec,
  contentLength,
  type Decoder,
  delimited,
  lengthField,
  type LengthFieldOptions,
  lengthPrefixed,
  type LengthPrefixedOptions,
  lines,
  netstrings,
  octetCounted,
  SocketError,
  varintPrefixed,
} from "../../mod.ts";
import { checkCodec } from "../../testing.ts";
import {
  type Decoded,
  decodeInBatches,
  decodeStream,
  encodeAll,
} from "../support/codec_streams.ts";
import { cuttings } from "./chunks.ts";
import { hashOf, utf8 } from "./expectations.ts";
import {
  contentLengthReference,
  delimitedReference,
  lengthFieldReference,
  lengthPrefixedReference,
  linesReference,
  netstringReference,
  octetCountedReference,
  strictLinesReference,
  varintReference,
} from "./reference_decoders.ts";
import type { Target, Worst } from "./target.ts";

/** A codec with its options. An input's first byte chooses one of them. */
export interface Variant<T> {
  readonly codec: Codec<T>;
  readonly maxLength: number;
  readonly reference: (stream: Uint8Array) => Decoded<T>;
  /** Largest number of bytes beside a frame that wait until it is whole. */
  readonly around: number;
}

interface CodecSubject<T> {
  readonly name: string;
  readonly variants: readonly Variant<T>[];
  readonly frames: readonly T[];
  /** True if other bytes than those that `encode` writes give the same frame. */
  readonly readsMore?: true;
  readonly words: readonly Uint8Array[];
  readonly outcomes: readonly string[];
  readonly worst: readonly Worst[];
}

/** Share of the inputs that `checkCodec` cuts at every byte: one of this number. */
const CHECKED_THROUGHOUT = 256;

async function check<T>(
  { variants, readsMore }: CodecSubject<T>,
  input: Uint8Array,
): Promise<string> {
  const { codec, maxLength, reference, around } = variants[(input[0] ?? 0) % variants.length];
  const stream = input.subarray(1);
  const whole = reference(stream);
  const held = (waiting: number) =>
    assert(waiting <= maxLength + around, `${waiting} bytes wait with a limit of ${maxLength}`);
  compare(decodeStream(codec, [stream], held), whole, "as one chunk");
  for (const chunks of cuttings(stream, 2)) {
    compare(decodeStream(codec, chunks, held), whole, `cut ${chunks.map(({ length }) => length)}`);
  }
  for (const chunks of [[stream], ...cuttings(stream, 1)]) {
    const { left } = whole;
    const results = await decodeInBatches(codec, chunks, 2 + hashOf(input) % 7);
    const alone = await decodeInBatches(codec, chunks, 1);
    compare({ results, left }, { results: alone, left }, "in batches");
  }
  const frames = whole.results.flatMap((result) => "frame" in result ? [result.frame] : []);
  const isReversible = !readsMore && frames.length === whole.results.length;
  checkEncoding(codec, frames, isReversible && whole.left.length === 0 ? stream : undefined);
  if (hashOf(input) % CHECKED_THROUGHOUT === 0) checkCodec(codec, stream, frames);
  return summary(whole);
}

function compare<T>(decoded: Decoded<T>, expected: Decoded<T>, how: string): void {
  // The deep equality of the assertion library is slow: it is used for its message only.
  const same = decoded.results.length === expected.results.length &&
    equals(decoded.left, expected.left) &&
    decoded.results.every((result, index) => sameResult(result, expected.results[index]));
  if (!same) assertEquals(decoded, expected, how);
}

function sameResult(a: object, b: object): boolean {
  if ("kind" in a || "kind" in b) return "kind" in a && "kind" in b && a.kind === b.kind;
  const [one, other] = [a, b].map((result) => (result as { frame: unknown }).frame);
  return one === other ||
    one instanceof Uint8Array && other instanceof Uint8Array && equals(one, other);
}

/** Checks that decoded frames encode to the same bytes, or to bytes that decode to the same frames. */
function checkEncoding<T>(
  codec: Codec<T>,
  frames: readonly T[],
  stream: Uint8Array | undefined,
): void {
  let encoded: Uint8Array;
  try {
    encoded = encodeAll(codec, ...frames);
  } catch (error) {
    // A codec may read more than it writes, such as a line that ends in a carriage return.
    assert(error instanceof SocketError && error.kind === "InvalidInput", `encode: ${error}`);
    return;
  }
  if (stream !== undefined && frames.every((frame) => typeof frame !== "string")) {
    assert(equals(encoded, stream), "encoding what was decoded gives other bytes");
  }
  const again = decodeStream(codec, [encoded]);
  const results = frames.map((frame) => ({ frame }));
  compare(again, { results, left: new Uint8Array() }, "encoded again");
}

function summary<T>({ results, left }: Decoded<T>): string {
  const kinds = [...new Set(results.map((result) => "kind" in result ? result.kind : "frames"))];
  const what = kinds.length === 0 ? "nothing" : kinds.sort().join(" and ");
  return `${what}${left.length > 0 ? ", bytes left" : ""}`;
}

function target<T>(subject: CodecSubject<T>): Target {
  const { name, variants, frames, words, outcomes, worst } = subject;
  const seeds = variants.flatMap(({ codec }, index) =>
    [[], ...frames.map((frame) => [frame]), frames].flatMap((list) => {
      try {
        return [concat([Uint8Array.of(index), encodeAll(codec, ...list)])];
      } catch {
        return []; // One of them is no frame of this variant.
      }
    })
  );
  return {
    name,
    seeds,
    words,
    longest: 600,
    check: (input) => check(subject, input),
    outcomes,
    worst,
  };
}

/** Feeds a stream of parts to a decoder in chunks, and takes its frames and errors. */
function feeding(
  codec: Codec<unknown>,
  chunk: number,
  make: (size: number) => Uint8Array,
): Worst["make"] {
  return (size) => {
    const stream = make(size);
    return () => {
      const input = new ByteQueue();
      const decoder = codec.decoder();
      for (let at = 0; at < stream.length; at += chunk) {
        input.push(stream.subarray(at, at + chunk));
        while (goesOn(decoder, input));
      }
    };
  };
}

/** Returns true if a call gave a frame, or an error after which another frame may come. */
function goesOn(decoder: Decoder<unknown>, input: ByteQueue): boolean {
  const { consumed } = input;
  try {
    return decoder.decode(input) !== undefined;
  } catch (error) {
    if (!(error instanceof SocketError)) throw error;
    return input.consumed > consumed;
  }
}

/** One large frame, many empty ones, noise: by single bytes, by packets, as a whole. */
/** @param part The part of the usual size (1 for all of it), for streams that cost much for a byte. */
function codecWorst(
  codec: Codec<unknown>,
  streams: Readonly<Record<string, (size: number) => Uint8Array>>,
  part: number = 1,
): Worst[] {
  return Object.entries(streams).flatMap(([what, make]) =>
    [1, 1448, 2 ** 30].map((chunk) => ({
      name: `${what}, ${chunk === 1 ? "byte by byte" : chunk < 9999 ? "in packets" : "at once"}`,
      size: (chunk === 1 ? 16 : 64) * 1024 * part,
      make: feeding(codec, chunk, make),
    }))
  );
}

const repeated = (...unit: readonly number[]) => (size: number) =>
  Uint8Array.from({ length: size }, (_, index) => unit[index % unit.length]);

const FRAMES = [[], [0], [1, 2, 3], [0, 0, 0, 1], [13, 10], [255, 255], [44, 58, 48, 49]]
  .map((bytes) => new Uint8Array(bytes))
  .concat([5, 16, 100, 127, 128, 250].map((length) => new Uint8Array(length).fill(97)));

const OPTIONS: readonly LengthPrefixedOptions[] = ([1, 2, 4, 8] as const).flatMap((bytes) => [
  { bytes },
  { bytes, endian: "little" as const },
  { bytes, lengthIncludesPrefix: true },
]);

const LIMITS = [16, 300];
/** Codec for timed runs: its limit allows a large frame. */
const UNLIMITED = { maxLength: Infinity };

function variantsOf<T>(make: (maxLength: number) => Variant<T>): Variant<T>[] {
  return LIMITS.map(make);
}

const lengthPrefixedSubject: CodecSubject<Uint8Array> = {
  name: "lengthPrefixed",
  variants: OPTIONS.flatMap((options) =>
    variantsOf((wanted) => {
      const { bytes = 4, lengthIncludesPrefix } = options;
      const maxLength = Math.min(wanted, 256 ** bytes - 1 - (lengthIncludesPrefix ? bytes : 0));
      return {
        codec: lengthPrefixed({ ...options, maxLength: wanted }),
        maxLength,
        reference: lengthPrefixedReference(options, maxLength),
        around: bytes,
      };
    })
  ),
  frames: FRAMES,
  words: [[0], [0, 0], [0, 0, 0, 4], [4, 0, 0, 0], [0, 16], [16, 0], [255, 255, 255, 255], [1, 44]]
    .map((bytes) => new Uint8Array(bytes)),
  outcomes: ["frames", "TooLarge", "InvalidData", "nothing, bytes left", "TooLarge and frames"],
  worst: codecWorst(lengthPrefixed(UNLIMITED), {
    "empty frames": repeated(0),
    "frames of a byte": repeated(0, 0, 0, 1, 7),
    "a frame that never ends": (size) => repeated(255)(size).fill(127, 0, 1),
  }),
};

const LAYOUTS: readonly LengthFieldOptions[] = [
  {},
  { offset: 1, adjust: -4 },
  { endian: "little", adjust: -4 },
  { bytes: 3, endian: "little", adjust: 1 },
  { bytes: 3, adjust: 6 },
  { offset: 3, bytes: 2 },
  { offset: 2, bytes: 1, adjust: -3 },
  { offset: 1, bytes: 8 },
];

const lengthFieldSubject: CodecSubject<Uint8Array> = {
  name: "lengthField",
  variants: LAYOUTS.flatMap((options) =>
    variantsOf((maxLength) => ({
      codec: lengthField({ ...options, maxLength }),
      maxLength,
      reference: lengthFieldReference({ ...options, maxLength }),
      around: 0,
    }))
  ),
  frames: [
    [0, 0, 0, 0],
    [0, 0, 0, 2, 7, 8],
    [81, 0, 0, 0, 5, 0],
    [88, 0, 0, 0, 4],
    [5, 0, 0, 0, 9],
    [1, 0, 0, 3, 14],
    [0, 0, 1, 6, 0, 0, 0, 0, 1, 65],
    [22, 3, 3, 0, 2, 1, 0],
    [7, 8, 4, 9],
    [1, 0, 0, 0, 0, 0, 0, 0, 1, 7],
  ].map((bytes) => new Uint8Array(bytes)),
  words: [[0], [0, 0], [0, 0, 0, 4], [4, 0, 0, 0], [0, 16], [255, 255, 255, 255], [0, 0, 1], [
    1,
    44,
  ]]
    .map((bytes) => new Uint8Array(bytes)),
  outcomes: ["frames", "TooLarge", "InvalidData", "nothing, bytes left", "TooLarge and frames"],
  worst: codecWorst(lengthField(UNLIMITED), {
    "empty messages": repeated(0),
    "messages with a byte": repeated(0, 0, 0, 1, 7),
    "a message that never ends": (size) => repeated(255)(size).fill(127, 0, 1),
  }),
};

const varintSubject: CodecSubject<Uint8Array> = {
  name: "varintPrefixed",
  variants: variantsOf((maxLength) => ({
    codec: varintPrefixed({ maxLength }),
    maxLength,
    reference: varintReference(maxLength),
    around: 8,
  })).concat([{
    codec: varintPrefixed(UNLIMITED),
    maxLength: Number.MAX_SAFE_INTEGER,
    reference: varintReference(Number.MAX_SAFE_INTEGER),
    around: 8,
  }]),
  frames: FRAMES,
  words: [[128], [128, 1], [255, 1], [127], [0], [128, 0], [128, 128, 128, 128, 128, 128, 128, 16]]
    .map((bytes) => new Uint8Array(bytes)),
  outcomes: ["frames", "TooLarge", "InvalidData", "nothing, bytes left", "TooLarge and frames"],
  worst: codecWorst(varintPrefixed(UNLIMITED), {
    "empty frames": repeated(0),
    "frames of a byte": repeated(1, 7),
    "a frame that never ends": (size) => repeated(127)(size).fill(255, 0, 6),
  }),
};

const netstringSubject: CodecSubject<Uint8Array> = {
  name: "netstrings",
  variants: variantsOf((maxLength) => ({
    codec: netstrings({ maxLength }),
    maxLength,
    reference: netstringReference(maxLength),
    around: `${maxLength}:,`.length,
  })),
  frames: FRAMES,
  words: utf8(":", ",", "0:,", "00:,", "1:", "16:", "17:", "300:", "301:", "3:abc,", "+1:", " "),
  outcomes: ["frames", "TooLarge", "InvalidData", "nothing, bytes left", "InvalidData and frames"],
  worst: codecWorst(netstrings(UNLIMITED), {
    "empty frames": repeated(0x30, 0x3a, 0x2c),
    "a frame that never ends": (size) => {
      const stream = repeated(0x3a)(size);
      stream.set(utf8("999999999999:")[0]);
      return stream;
    },
  }),
};

const octetCountedSubject: CodecSubject<Uint8Array> = {
  name: "octetCounted",
  variants: variantsOf((maxLength) => ({
    codec: octetCounted({ maxLength }),
    maxLength,
    reference: octetCountedReference(maxLength),
    around: `${maxLength} `.length,
  })),
  frames: FRAMES.slice(1),
  words: utf8(" ", "0 ", "00 ", "1 ", "16 ", "17 ", "300 ", "301 ", "3 abc", "+1 ", "<13>", ":"),
  outcomes: ["frames", "TooLarge", "InvalidData", "nothing, bytes left", "InvalidData and frames"],
  worst: codecWorst(octetCounted(UNLIMITED), {
    "frames of a byte": repeated(0x31, 0x20, 7),
    "a frame that never ends": (size) => {
      const stream = repeated(0x20)(size);
      stream.set(utf8("999999999999 ")[0]);
      return stream;
    },
  }),
};

const contentLengthSubject: CodecSubject<Uint8Array> = {
  name: "contentLength",
  variants: variantsOf((maxLength) => ({
    codec: contentLength({ maxLength }),
    maxLength,
    reference: contentLengthReference(maxLength),
    around: 8192,
  })),
  frames: FRAMES,
  readsMore: true,
  words: utf8(
    "Content-Length: ",
    "content-length:",
    "Content-Length: 3\r\n\r\nabc",
    "Content-Type: application/vscode-jsonrpc; charset=utf-8\r\n",
    "\r\n\r\n",
    "\r\n",
    "\n",
    ":",
    " ",
    "\t",
    "0",
    "17",
    "301",
    "é",
  ),
  outcomes: ["frames", "TooLarge", "InvalidData", "nothing, bytes left", "InvalidData and frames"],
  worst: codecWorst(contentLength(UNLIMITED), {
    "empty frames": (size) => repeated(...utf8("Content-Length: 0\r\n\r\n")[0])(size),
    "a frame that never ends": (size) => {
      const stream = repeated(13, 10)(size);
      stream.set(utf8("Content-Length: 999999999999\r\n\r\n")[0]);
      return stream;
    },
    "large header blocks": (size) => {
      const header = `Content-Length: 1\r\nA: ${" ".repeat(8000)}\r\n\r\n!`;
      return repeated(...utf8(header)[0])(size);
    },
  }),
};

const DELIMITERS = [[0], [13, 10], [97, 97], [1, 1, 2], [1, 2, 1, 2, 1]]
  .map((bytes) => new Uint8Array(bytes));

const delimitedSubject: CodecSubject<Uint8Array> = {
  name: "delimited",
  variants: DELIMITERS.flatMap((delimiter) =>
    variantsOf((maxLength) => ({
      codec: delimited(delimiter, { maxLength }),
      maxLength,
      reference: delimitedReference(delimiter, maxLength),
      around: delimiter.length - 1,
    }))
  ),
  frames: FRAMES,
  words: [
    ...DELIMITERS,
    ...[[13], [1], [1, 1], [1, 2], [1, 2, 1, 2]].map((b) => Uint8Array.from(b)),
  ],
  outcomes: ["frames", "TooLarge", "nothing, bytes left", "TooLarge and frames"],
  worst: [
    ...codecWorst(delimited(DELIMITERS[0], UNLIMITED), {
      "empty frames": repeated(0),
      "a frame that never ends": repeated(7),
    }),
    ...codecWorst(delimited(repeated(97)(1000).fill(98, 999), UNLIMITED), {
      "a delimiter that almost is there everywhere": repeated(97),
    }),
    ...codecWorst(delimited(DELIMITERS[1], { maxLength: 100 }), {
      "a frame that is too long and never ends": repeated(13),
    }),
  ],
};

const linesSubject: CodecSubject<string> = {
  name: "lines",
  variants: variantsOf((maxLength) => ({
    codec: lines({ maxLength }),
    maxLength,
    reference: linesReference(maxLength),
    around: 1,
  })),
  frames: ["", "a", "a line", "é€😀", "\ufeffbom", "\ufffd", "a\rb", "a".repeat(250)],
  words: [
    ...utf8("\n", "\r\n", "\r", "\r\r\n", "\n\n", "\ufeff", "\ufffd", "é", "\0", "\u2028"),
    ...[[0xc3], [0xed, 0xa0, 0x80], [0xf5], [0xc0, 0x80], [0xff]].map((b) => Uint8Array.from(b)),
  ],
  outcomes: ["frames", "TooLarge", "InvalidData", "TooLarge and frames", "InvalidData and frames"],
  worst: [
    ...codecWorst(lines(UNLIMITED), {
      "empty lines": repeated(10),
      "a line that never ends": repeated(13),
    }),
    // An error for each two bytes.
    ...codecWorst(lines(UNLIMITED), { "lines that are not UTF-8": repeated(255, 10) }, 1 / 8),
  ],
};

const strictLinesSubject: CodecSubject<string> = {
  ...linesSubject,
  name: "strictLines",
  variants: variantsOf((maxLength) => ({
    codec: lines({ strict: true, maxLength }),
    maxLength,
    reference: strictLinesReference(maxLength),
    around: 1,
  })),
  worst: [
    ...codecWorst(lines({ strict: true, ...UNLIMITED }), {
      "empty lines": repeated(13, 10),
      "a line that never ends": repeated(13),
    }),
    ...codecWorst(lines({ strict: true, ...UNLIMITED }), {
      "lines with a line feed alone": repeated(10, 13, 10),
    }, 1 / 8),
  ],
};

export const codecTargets: readonly Target[] = [
  target(lengthPrefixedSubject),
  target(lengthFieldSubject),
  target(varintSubject),
  target(netstringSubject),
  target(octetCountedSubject),
  target(contentLengthSubject),
  target(delimitedSubject),
  target(linesSubject),
  target(strictLinesSubject),
];
