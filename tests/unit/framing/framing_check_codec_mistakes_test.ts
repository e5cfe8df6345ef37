import { assert, assertEquals, AssertionError, assertThrows } from "@std/assert";
import { type ByteQueue, type Codec, lines } from "../../../mod.ts";
import { checkCodec } from "../../../testing.ts";
import {
  type Bytes,
  decoding,
  eatingHeaders,
  ending,
  fail,
  jsonLines,
  RIGHT,
  spoiling,
  STREAM,
} from "../../support/own_codecs.ts";
import { bytesOf } from "../../support/text.ts";

const WRONG: readonly (readonly [mistake: string, codec: Codec<Bytes>, message: RegExp])[] = [
  [
    "takes a chunk for a frame",
    decoding(() => (input) => input.length > 0 ? input.take(input.length) : undefined),
    /^checkCodec: fed split at 1, result 0 is another frame: .*$/,
  ],
  [
    "takes what has come for the whole frame",
    decoding(() => (input) => {
      if (input.length === 0) return undefined;
      const length = Math.min(input.at(0), input.length - 1);
      input.skip(1);
      return input.take(length);
    }),
    /^checkCodec: fed split at 1, result 0 is another frame: .*$/,
  ],
  [
    "forgets the header while it waits for the frame",
    decoding(() => (input) => {
      if (input.length === 0) return undefined;
      const length = input.at(0);
      input.skip(1);
      return length <= input.length ? input.take(length) : undefined;
    }),
    /^checkCodec: fed split at [12], result \d/,
  ],
  [
    "reads past the frame",
    decoding(() => {
      let kept: number[] = [];
      return (input) => {
        kept = kept.concat(...input.take(input.length));
        if (kept.length === 0 || kept.length <= kept[0]) return undefined;
        const frame = new Uint8Array(kept.slice(1, 1 + kept[0]));
        kept = kept.slice(1 + kept[0]);
        return frame;
      };
    }),
    /^checkCodec: fed split at 4, result 0 ends at byte 4, not at 17$/,
  ],
  [
    "gives views of the input",
    spoiling((input, length) => {
      const frame = input.peek(length);
      input.skip(length);
      return frame;
    }),
    /^checkCodec: fed whole again, a frame changes when its input's memory is used again: /,
  ],
  [
    "shares state among its streams",
    (() => {
      let count = 0;
      return spoiling((input, length) => input.take(length).fill(count++));
    })(),
    /^checkCodec: fed whole again, result 0 is another frame: bytes \(3: 04 04 04\), not bytes \(3: 00 00 00\)$/,
  ],
  [
    "throws what is no SocketError",
    spoiling(() => {
      throw new TypeError("no");
    }),
    /^checkCodec: the decoder, at byte 0 of 17 \(03 6f 6e 65 .* …\), threw TypeError: "no", not a SocketError$/,
  ],
  [
    "throws what is no error",
    decoding(() => () => {
      throw "no";
    }),
    /^checkCodec: the decoder, at byte 0 of 17 \(03 6f 6e .* …\), threw a string: "no", not a SocketError$/,
  ],
  [
    "gives frames out of nothing",
    decoding(() => () => new Uint8Array()),
    /^checkCodec: the decoder gives frame after frame without consuming anything$/,
  ],
  [
    "fails for want of bytes",
    decoding(() => (input) => {
      if (input.length === 0) return undefined;
      if (input.length <= input.at(0)) return fail("InvalidData");
      return input.take(input.at(0) + 1).subarray(1);
    }),
    /^checkCodec: fed split at 1, result 0 is InvalidData, not a frame$/,
  ],
  [
    "takes a header, and forgets at the end that the body is missing",
    eatingHeaders(),
    /^checkCodec: cut off at 1, the stream ends well, but 1 bytes of a frame were taken: end must /,
  ],
  [
    "drops at the end what is left of a frame",
    ending((input) => void input.skip(input.length)),
    /^checkCodec: cut off at 1, the stream ends well, but 1 bytes of a frame were taken: end must /,
  ],
  [
    "takes a body as it comes, and forgets it at the end",
    decoding(() => {
      let [header, body]: [number | undefined, number[]] = [undefined, []];
      return (input) => {
        if (header === undefined && input.length > 0) header = input.take(1)[0];
        if (header === undefined) return undefined;
        body.push(...input.take(Math.min(input.length, header - body.length)));
        if (body.length < header) return undefined;
        const frame = Uint8Array.from(body);
        [header, body] = [undefined, []];
        return frame;
      };
    }),
    /^checkCodec: cut off at 1, the stream ends well, but 1 bytes of a frame were taken: end must /,
  ],
  [
    "gives null",
    decoding(() => (input) => input.length === 0 ? undefined : null as unknown as Bytes),
    /^checkCodec: the decoder gave null, which is the end of stream and no frame$/,
  ],
  [
    "gives null at the end",
    ending(() => null as unknown as undefined),
    /^checkCodec: the decoder gave null, which is the end of stream and no frame$/,
  ],
  [
    "fails in another way when it sees less",
    decoding(() => (input) => {
      if (input.length > 0) fail(input.length < 5 ? "InvalidData" : "TooLarge");
      return undefined;
    }),
    /^checkCodec: fed split at 1, result 0 is InvalidData, not TooLarge$/,
  ],
  [
    "drops what has come where it fails",
    decoding(() => {
      let failed = false;
      return (input) => {
        if (input.length === 0 && !failed) return undefined;
        input.skip(input.length);
        failed = true;
        return fail("InvalidData");
      };
    }),
    /^checkCodec: fed split at 1, 1 bytes are consumed in the end and it keeps failing, not 17/,
  ],
];

for (const [mistake, codec, message] of WRONG) {
  Deno.test(`checkCodec() finds a codec that ${mistake}`, () => {
    const error = assertThrows(() => checkCodec(codec, STREAM), AssertionError);
    assert(message.test(error.message), error.message);
  });
}

/** Makes the correct codec with a `decodeAll`. */
function decodingAll(decodeAll: (input: ByteQueue, frames: Bytes[]) => unknown): Codec<Bytes> {
  return {
    encode: RIGHT.encode,
    decoder() {
      const inner = RIGHT.decoder();
      return {
        decode: (input) => inner.decode(input),
        decodeAll: (input, frames) => decodeAll(input, frames) as void,
      };
    },
  };
}

const WRONG_BATCHES: readonly (readonly [
  mistake: string,
  codec: Codec<Bytes>,
  message: RegExp,
])[] = [
  [
    "gives other frames",
    decodingAll((input, frames) => {
      const run = input.peekRun();
      if (run.length <= run[0]) return;
      frames.push(input.take(run[0] + 1));
    }),
    /^checkCodec: fed in chunks of 7 bytes, 3 frames at once, result 0 is another frame: bytes \(\d: 03 6f.*\), not bytes \(3: 6f 6e 65\)$/,
  ],
  [
    "takes what is not whole",
    decodingAll((input, frames) => void frames.push(input.take(input.peekRun().length))),
    /^checkCodec: fed in chunks of 7 bytes, 3 frames at once, result 0 is another frame: bytes \(\d: 03 6f.*\), not bytes \(3: 6f 6e 65\)$/,
  ],
  [
    "drops bytes",
    decodingAll((input) => input.skip(input.peekRun().length)),
    /^checkCodec: decodeAll took bytes and gave no frame$/,
  ],
  [
    "gives more frames than there is room for",
    decodingAll((_, frames) => void frames.push(...Array(4).fill(new Uint8Array()))),
    /^checkCodec: decodeAll gave 4 frames, not at most 3$/,
  ],
  [
    "gives views of the input",
    decodingAll((input, frames) => {
      const run = input.peekRun();
      if (run.length <= run[0]) return;
      frames.push(run.subarray(1, run[0] + 1));
      input.skip(run[0] + 1);
    }),
    /^checkCodec: fed in chunks of .* frames at once, a frame changes when its input's memory is used/,
  ],
  [
    "throws instead of leaving it to decode",
    decodingAll(() => fail("InvalidData")),
    /^checkCodec: decodeAll threw SocketError: "recvFrame: no": it leaves errors to decode$/,
  ],
  [
    "is asynchronous",
    decodingAll(() => Promise.reject(new Error("nobody awaits it"))),
    /^checkCodec: decodeAll gave a promise$/,
  ],
  [
    "gives null",
    decodingAll((_, frames) => void frames.push(null as never)),
    /^checkCodec: the decoder gave null, which is the end of stream and no frame$/,
  ],
];

for (const [mistake, codec, message] of WRONG_BATCHES) {
  Deno.test(`checkCodec() finds a decodeAll that ${mistake}`, () => {
    const error = assertThrows(() => checkCodec(codec, STREAM), AssertionError);
    assert(message.test(error.message), error.message);
  });
}

const WRONG_WRITERS: readonly (readonly [
  mistake: string,
  encodeInto: (frame: Bytes, target: Uint8Array, offset: number) => unknown,
])[] = [
  ["writes other bytes", (_, target, offset) => target.length === 0 ? -1 : offset + 1],
  ["returns the length", (frame, target) => {
    target.set(RIGHT.encode(frame) as Bytes);
    return frame.length + 1;
  }],
  ["writes before its offset", (frame, target, offset) => {
    if (offset + frame.length + 1 > target.length) return -1;
    target.set(RIGHT.encode(frame) as Bytes, offset);
    target[0] = frame.length;
    return offset + frame.length + 1;
  }],
  ["returns an end outside", (_, target) => target.length + 1],
  ["gives a promise", () => Promise.reject(new Error("nobody awaits it"))],
  ["throws if there is no room", () => fail("TooLarge")],
];

for (const [mistake, encodeInto] of WRONG_WRITERS) {
  Deno.test(`checkCodec() finds an encodeInto that ${mistake}`, () => {
    const codec = { ...RIGHT, encodeInto: encodeInto as Codec<Bytes>["encodeInto"] };
    const { message } = assertThrows(() => checkCodec(codec, STREAM), AssertionError);
    const wanted =
      /^checkCodec: encodeInto (and encode write frame 0 in different ways|threw .* for frame 0, not encode)$/;
    assert(wanted.test(message), message);
  });
}

const HINT = "; if this codec does not send such frames, let encode throw InvalidInput";

const WRONG_ENCODERS: readonly (readonly [
  mistake: string,
  encode: (frame: Bytes) => unknown,
  message: string,
])[] = [
  [
    "loses a byte",
    (frame) => RIGHT.encode(frame.slice(1)),
    `frame 0, encoded and decoded, did not come out the same: bytes (3: 6f 6e 65) became bytes (2: 6e 65)${HINT}`,
  ],
  [
    "adds a byte",
    (frame) => [RIGHT.encode(frame), new Uint8Array(1)].flat(),
    `frame 0, encoded and decoded, did not come out the same: behind it came no bytes${HINT}`,
  ],
  [
    "ends in the middle",
    (frame) => (RIGHT.encode(frame) as Bytes).slice(0, -1),
    `frame 0, encoded and decoded, did not come out the same: bytes (3: 6f 6e 65) became UnexpectedEof (the stream ended inside a frame, after 3 of its bytes)${HINT}`,
  ],
  [
    "writes another frame",
    (frame) => RIGHT.encode(frame.map((byte) => byte + 1)),
    `frame 0, encoded and decoded, did not come out the same: bytes (3: 6f 6e 65) became bytes (3: 70 6f 66)${HINT}`,
  ],
  [
    "gives a list of numbers",
    () => [3, 1, 2, 3],
    "encode, for frame 0, gave neither bytes nor an array of bytes",
  ],
  ["gives nothing", () => {}, "encode, for frame 0, gave neither bytes nor an array of bytes"],
  ["gives null", () => null, "encode, for frame 0, gave neither bytes nor an array of bytes"],
  [
    "refuses what was decoded",
    () => fail("TooLarge"),
    `encode, for frame 0, refused bytes (3: 6f 6e 65), which the decoder gave, with TooLarge${HINT}`,
  ],
  ["throws", () => {
    throw new RangeError("no");
  }, `encode, for frame 0, threw RangeError: "no", not a SocketError${HINT}`],
];

for (const [mistake, encode, reason] of WRONG_ENCODERS) {
  Deno.test(`checkCodec() finds an encoder that ${mistake}`, () => {
    const codec = { encode: encode as Codec<Bytes>["encode"], decoder: RIGHT.decoder };
    const error = assertThrows(() => checkCodec(codec, STREAM), AssertionError);
    assertEquals(error.message, `checkCodec: ${reason}`);
  });
}

Deno.test("checkCodec() finds frames that are wrong only next to others", () => {
  // The end of stream ends the last frame, and it needs no newline then.
  const codec: Codec<string> = {
    encode: (line) => bytesOf(line),
    decoder: () => lines().decoder(),
  };
  const error = assertThrows(() => checkCodec(codec, bytesOf("a\nb")), AssertionError);
  assertEquals(
    error.message,
    'checkCodec: all frames, encoded and decoded, did not come out the same: "a" became "ab"',
  );
});

Deno.test("F1: checkCodec() refuses lines of JSON that give null", () => {
  const check = () => checkCodec(jsonLines(), bytesOf("1\nnull\n2\n"), [1, null, 2]);
  const error = assertThrows(check, AssertionError);
  assertEquals(
    error.message,
    "checkCodec: the decoder gave null, which is the end of stream and no frame",
  );
  assertEquals(checkCodec(jsonLines(), bytesOf("1\n2\n"), [1, 2]), [1, 2]);
});

Deno.test("checkCodec() finds an end that depends on the chunks", () => {
  const codec = decoding(() => RIGHT.decoder().decode);
  const stateful: Codec<Bytes> = {
    encode: codec.encode,
    decoder() {
      const decoder = RIGHT.decoder();
      let calls = 0;
      return {
        decode(input) {
          calls++;
          return decoder.decode(input);
        },
        end: (input) => void (calls > 8 && input.skip(input.length)),
      };
    },
  };
  const error = assertThrows(
    () => checkCodec(stateful, STREAM.subarray(0, 8)),
    AssertionError,
  );
  assertEquals(
    error.message,
    "checkCodec: fed byte by byte, result 2 is missing, not UnexpectedEof",
  );
});

Deno.test("checkCodec() gives both results in the error's cause", () => {
  const error = assertThrows(() => checkCodec(WRONG[0][1], STREAM), AssertionError);
  const { whole, other } = error.cause as Record<string, readonly unknown[]>;
  assertEquals(whole, [{ frame: STREAM, consumed: STREAM.length }]);
  assertEquals(other, [
    { frame: STREAM.subarray(0, 1), consumed: 1 },
    { frame: STREAM.subarray(1), consumed: STREAM.length },
  ]);
});

Deno.test("checkCodec() says what a codec of two types should do with a reply", () => {
  const codecs: Codec<string, number>[] = [
    { encode: (frame) => bytesOf(`${frame}`), decoder: () => numbers() },
    { encode: (frame) => bytesOf(frame.toUpperCase()), decoder: () => numbers() },
  ];
  for (const codec of codecs) {
    const error = assertThrows(() => checkCodec(codec, bytesOf("\x07")), AssertionError);
    assert(error.message.endsWith(HINT), error.message);
  }
});

/** Decodes each byte as its number. */
function numbers(): ReturnType<Codec<number>["decoder"]> {
  return { decode: (input) => input.length > 0 ? input.take(1)[0] : undefined };
}
