/** lengthField() with messages of real protocols, byte for byte as their specifications or servers write them. */
import { assertEquals, assertStrictEquals } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import { ByteQueue, type Codec, lengthField, type LengthFieldOptions } from "../../../mod.ts";
import { checkCodec } from "../../../testing.ts";
import { lengthFieldReference } from "../../fuzz/reference_decoders.ts";
import { queueOf } from "../../support/byte_queues.ts";
import { cut, decodeStream, framesOf } from "../../support/codec_streams.ts";
import { WRONG_OBJECTS, WRONG_TYPES } from "../../support/hostile.ts";
import { thrown } from "../../support/socket_errors.ts";
import { bytesOf } from "../../support/text.ts";
import { randomRuns } from "../../support/runs.ts";

/** Joins texts, one byte for each character, and bytes. */
function message(...parts: readonly (string | readonly number[])[]): Uint8Array {
  return concat(parts.map((part) => {
    const bytes = typeof part === "string" ? [...part].map((c) => c.charCodeAt(0)) : part;
    return new Uint8Array(bytes);
  }));
}

interface Layout {
  readonly options: LengthFieldOptions;
  readonly messages: readonly Uint8Array[];
  /** Headers whose length ends the message inside its header. */
  readonly tooSmall: readonly (readonly number[])[];
  /** A header whose length is negative, or else far over the limit. */
  readonly tooLarge: readonly number[];
}

const LAYOUTS: Readonly<Record<string, Layout>> = {
  "PostgreSQL": {
    options: { offset: 1, adjust: -4 },
    messages: [
      message("Q", [0, 0, 0, 13], "SELECT 1", [0]),
      // AuthenticationOk, ParameterStatus, ReadyForQuery, Terminate.
      message("R", [0, 0, 0, 8, 0, 0, 0, 0]),
      message("S", [0, 0, 0, 25], "client_encoding\0UTF8\0"),
      message("Z", [0, 0, 0, 5], "I"),
      message("X", [0, 0, 0, 4]),
    ],
    tooSmall: [[0x51, 0, 0, 0, 3], [0x51, 0, 0, 0, 0]],
    tooLarge: [0x51, 255, 255, 255, 255],
  },
  "PostgreSQL's startup message": {
    options: { adjust: -4 },
    messages: [
      message([0, 0, 0, 8, 4, 210, 22, 47]),
      message([0, 0, 0, 19, 0, 3, 0, 0], "user\0me\0\0".padEnd(11, "\0")),
    ],
    tooSmall: [[0, 0, 0, 3], [0, 0, 0, 0]],
    tooLarge: [128, 0, 0, 0],
  },
  "MySQL": {
    options: { bytes: 3, endian: "little", adjust: 1, maxLength: 70_000 },
    messages: [
      // COM_QUERY, COM_PING, an OK packet, and a packet of no bytes.
      message([9, 0, 0, 0, 3], "SELECT 1"),
      message([1, 0, 0, 0, 14]),
      message([7, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0]),
      message([0, 0, 0, 2]),
      message([0, 1, 1, 3], "x".repeat(0x10100)),
    ],
    tooSmall: [],
    tooLarge: [255, 255, 255, 0],
  },
  "AMQP 0-9-1": {
    options: { offset: 3, adjust: 1 },
    messages: [
      message([8, 0, 0, 0, 0, 0, 0, 0xce]),
      // Connection.TuneOk: channel-max 2047, frame-max 131072, heartbeat 60.
      message([1, 0, 0, 0, 0, 0, 12, 0, 10, 0, 31, 7, 255, 0, 2, 0, 0, 0, 60, 0xce]),
      message([3, 0, 1, 0, 0, 0, 5], "hello", [0xce]),
    ],
    tooSmall: [],
    tooLarge: [1, 0, 0, 255, 255, 255, 255],
  },
  "HTTP/2": {
    options: { bytes: 3, adjust: 6, maxLength: 16_384 + 9 },
    messages: [
      // An empty SETTINGS, its acknowledgement, PING, DATA with END_STREAM.
      message([0, 0, 0, 4, 0, 0, 0, 0, 0]),
      message([0, 0, 0, 4, 1, 0, 0, 0, 0]),
      message([0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]),
      message([0, 0, 5, 0, 1, 0, 0, 0, 1], "hello"),
      message([0, 0x40, 0, 0, 0, 0, 0, 0, 1], "x".repeat(16_384)),
    ],
    tooSmall: [],
    tooLarge: [0, 0x40, 1, 0, 0, 0, 0, 0, 1],
  },
  "MongoDB": {
    options: { endian: "little", adjust: -4 },
    messages: [
      // OP_MSG with { ping: 1 }: length, request 1, reply to 0, op 2013, flags, section 0, BSON.
      message(
        [36, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xdd, 7, 0, 0, 0, 0, 0, 0, 0],
        [15, 0, 0, 0, 0x10],
        "ping\0",
        [1, 0, 0, 0, 0],
      ),
      message([16, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0xdd, 7, 0, 0]),
    ],
    tooSmall: [[3, 0, 0, 0], [0, 0, 0, 0]],
    tooLarge: [255, 255, 255, 255],
  },
  "Kafka": {
    options: {},
    messages: [
      // ApiVersions 0, correlation 7, client "me"; its answer without entries; a length of 0.
      message([0, 0, 0, 12, 0, 18, 0, 0, 0, 0, 0, 7, 0, 2], "me"),
      message([0, 0, 0, 10, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0]),
      message([0, 0, 0, 0]),
    ],
    tooSmall: [],
    tooLarge: [255, 255, 255, 255],
  },
  "BGP": {
    options: { offset: 16, bytes: 2, adjust: -18, maxLength: 4096 },
    messages: [
      // OPEN and KEEPALIVE of BIRD 2.0.12: version 4, AS 65001, hold time 240, identifier, parameters.
      message(
        new Array(16).fill(255),
        [0, 53, 1, 4, 253, 233, 0, 240, 10, 0, 0, 1, 24, 2, 22, 1, 4, 0, 1, 0, 1, 2, 0, 64, 2, 0],
        [120, 65, 4, 0, 0, 253, 233, 70, 0, 71, 0],
      ),
      message(new Array(16).fill(255), [0, 19, 4]),
    ],
    tooSmall: [[...new Array(16).fill(255), 0, 17], [...new Array(16).fill(255), 0, 0]],
    tooLarge: [...new Array(16).fill(255), 255, 255],
  },
  "memcached": {
    options: { offset: 8, adjust: 12 },
    messages: [
      // Answers of memcached 1.6.18: set, getk of that key, get of a key that is not there.
      message([0x81, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1]),
      message(
        [0x81, 12, 0, 3, 4, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1],
        "\0\0\0\0keyvalue",
      ),
      message(
        [0x81, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0],
        "Not found",
      ),
    ],
    tooSmall: [],
    tooLarge: [0x81, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255],
  },
  "Diameter": {
    options: { offset: 1, bytes: 3, adjust: -4 },
    messages: [
      // Device-Watchdog-Request (280): version, length, flags, code, application, two identifiers.
      message([1, 0, 0, 20, 0x80, 0, 1, 24, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2]),
      // Its answer with Result-Code 2001.
      message(
        [1, 0, 0, 32, 0, 0, 1, 24, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2],
        [0, 0, 1, 12, 0x40, 0, 0, 12, 0, 0, 7, 209],
      ),
    ],
    tooSmall: [[1, 0, 0, 3], [1, 0, 0, 0]],
    tooLarge: [1, 255, 255, 255],
  },
  "an RTMP message in one chunk": {
    options: { offset: 4, bytes: 3, adjust: 5 },
    messages: [
      // Basic header, timestamp, length, type 1 (set chunk size), stream.
      message([2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 16, 0]),
      message([3, 0, 0, 1, 0, 0, 0, 20, 0, 0, 0, 0]),
    ],
    tooSmall: [],
    tooLarge: [2, 0, 0, 0, 255, 255, 255],
  },
  "FLV": {
    options: { offset: 1, bytes: 3, adjust: 11 },
    messages: [
      message([8, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0xaf, 1, 0, 0, 0, 13]),
      message([18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11]),
    ],
    tooSmall: [],
    tooLarge: [9, 255, 255, 255],
  },
  "a TLS record": {
    options: { offset: 3, bytes: 2 },
    messages: [message([21, 3, 3, 0, 2, 1, 0]), message([20, 3, 3, 0, 1, 1])],
    tooSmall: [],
    tooLarge: [],
  },
  "a length of 8 bytes": {
    options: { bytes: 8, endian: "little" },
    messages: [message([3, 0, 0, 0, 0, 0, 0, 0], "abc")],
    tooSmall: [],
    tooLarge: [0, 0, 0, 0, 0, 0, 0, 128],
  },
};

for (const [protocol, { options, messages, tooSmall, tooLarge }] of Object.entries(LAYOUTS)) {
  const codec = lengthField(options);
  const reference = lengthFieldReference(options);
  const stream = concat(messages);

  Deno.test(`F3: lengthField() finds the messages of ${protocol}, header included`, () => {
    checkCodec(codec, stream, messages);
    assertEquals(decodeStream(codec, [stream]), reference(stream));
    for (const frame of messages) assertStrictEquals(codec.encode(frame), frame);
  });

  Deno.test(`F5: lengthField() refuses wrong lengths of ${protocol}`, () => {
    for (const header of tooSmall) {
      const input = queueOf([...messages[0], ...header]);
      const decoder = codec.decoder();
      assertEquals(decoder.decode(input), messages[0]);
      thrown(() => decoder.decode(input), "InvalidData", "recvFrame", `${header}`);
      // The header stays: nothing behind it is read as the next message.
      assertEquals(input.length, header.length);
      checkCodec(codec, new Uint8Array([...header, ...messages[0]]), []);
    }
    if (tooLarge.length === 0) return;
    const error = thrown(
      () => codec.decoder().decode(queueOf([...tooLarge])),
      "TooLarge",
      "recvFrame",
    );
    assertEquals(/at most \d+ are allowed$/.test(error.message), true, error.message);
  });

  Deno.test(`F8: lengthField() sends no message of ${protocol} with a wrong length`, () => {
    for (const frame of messages) {
      const longer = concat([frame, new Uint8Array(1)]);
      for (const wrong of [longer, frame.subarray(0, -1), new Uint8Array()]) {
        const { maxLength = Infinity } = options;
        const kind = wrong.length > maxLength ? "TooLarge" : "InvalidInput";
        thrown(() => codec.encode(wrong), kind, "sendFrame");
      }
    }
  });
}

Deno.test("F3: lengthField() agrees with a plain decoder about any layout, bytes and chunks", () => {
  const layout = fc.record({
    offset: fc.integer({ min: 0, max: 4 }),
    bytes: fc.constantFrom(1, 2, 3, 4, 8),
    endian: fc.constantFrom("big", "little"),
    adjust: fc.integer({ min: -8, max: 8 }),
    maxLength: fc.integer({ min: 12, max: 24 }),
  }) as fc.Arbitrary<LengthFieldOptions>;
  const bytes = fc.array(
    fc.oneof(
      { weight: 3, arbitrary: fc.constant(0) },
      { weight: 2, arbitrary: fc.integer({ min: 0, max: 16 }) },
      fc.integer({ min: 0, max: 255 }),
    ),
    { maxLength: 64, size: "max" },
  ).map((list) => new Uint8Array(list));
  const sizes = fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 40, size: "max" });
  fc.assert(
    fc.property(layout, bytes, sizes, (options, stream, sizes) => {
      const codec = lengthField(options);
      const expected = lengthFieldReference(options)(stream);
      const within = (waiting: number) => assertEquals(waiting <= options.maxLength!, true);
      assertEquals(decodeStream(codec, [stream], within), expected);
      assertEquals(decodeStream(codec, cut(stream, sizes), within), expected);
      for (const result of expected.results) {
        if ("frame" in result) assertEquals(codec.encode(result.frame), result.frame);
      }
    }),
    { numRuns: randomRuns(10_000) },
  );
});

Deno.test("F4: lengthField() counts the whole message against maxLength, in both directions", () => {
  const codec = lengthField({ offset: 1, adjust: -4, maxLength: 10 });
  const largest = message("Q", [0, 0, 0, 9], "BEGI\0");
  assertEquals(framesOf(codec, largest), [largest]);
  assertEquals(codec.encode(largest), largest);
  const larger = message("Q", [0, 0, 0, 10], "BEGIN\0");
  const error = thrown(() => codec.encode(larger), "TooLarge", "sendFrame");
  assertEquals(error.message, "sendFrame: the frame has 11 bytes, at most 10 are allowed");
  thrown(
    () => codec.decoder().decode(queueOf([0x51, 0, 0, 0, 10])),
    "TooLarge",
    "recvFrame",
  );
  // The default is 1 MiB.
  const input = queueOf([0, 0x0f, 255, 252]);
  assertEquals(lengthField().decoder().decode(input), undefined);
  thrown(
    () => lengthField().decoder().decode(queueOf([0, 0x0f, 255, 253])),
    "TooLarge",
    "recvFrame",
  );
  // A field of one byte cannot say more than 255, whatever the limit is.
  const short = lengthField({ bytes: 1, maxLength: Infinity });
  thrown(() => short.encode(new Uint8Array(257)), "TooLarge", "sendFrame");
});

Deno.test("F4: lengthField() waits for a length of any size only if maxLength is Infinity", () => {
  const codec = lengthField({ bytes: 8, maxLength: Infinity });
  assertEquals(codec.decoder().decode(queueOf([0, 31, 255, 255, 255, 255, 0, 0])), undefined);
  for (const first of [[0, 32, 0, 0, 0, 0, 0, 0], [255, 255, 255, 255, 255, 255, 255, 255]]) {
    thrown(() => codec.decoder().decode(queueOf(first)), "TooLarge", "recvFrame");
  }
});

Deno.test("F5: lengthField() needs linear time for a message that comes a byte at a time", () => {
  const codec = lengthField();
  const [input, decoder] = [new ByteQueue(), codec.decoder()];
  const stream = concat([new Uint8Array([0, 15, 255, 0]), new Uint8Array(0x0fff00)]);
  let frame: Uint8Array | undefined;
  for (let at = 0; at < stream.length; at++) {
    assertStrictEquals(frame, undefined);
    input.push(stream.subarray(at, at + 1));
    frame = decoder.decode(input);
  }
  assertEquals(frame?.length, stream.length);
});

Deno.test("F8: lengthField() says which length is wrong, and which would be right", () => {
  const codec = lengthField({ offset: 1, adjust: -4 });
  const reasonOf = (frame: Uint8Array) =>
    thrown(() => codec.encode(frame), "InvalidInput", "sendFrame").reason;
  assertEquals(
    reasonOf(message("Q", [0, 0, 0, 9], "BEGIN\0")),
    "the frame has 11 bytes, so its length field should say 10, not 9",
  );
  assertEquals(
    reasonOf(bytesOf("Q")),
    "the frame has 1 bytes, but its length field ends at 5",
  );
});

Deno.test("E1: lengthField() throws InvalidInput for unknown values of its options", () => {
  const make = (options: unknown): Codec<Uint8Array> => lengthField(options as LengthFieldOptions);
  for (const [what, value] of WRONG_TYPES) {
    thrown(() => make(value), "InvalidInput", "lengthField", what);
    for (const name of ["bytes", "endian", "offset", "adjust", "maxLength"]) {
      if (value === 5 && name !== "bytes" && name !== "endian") continue;
      thrown(() => make({ [name]: value }), "InvalidInput", "lengthField", `${name}: ${what}`);
    }
  }
  for (
    const options of [
      { bytes: 0 },
      { bytes: 5 },
      { bytes: 16 },
      { offset: -1 },
      { offset: 1.5 },
      { offset: 65_536 },
      { adjust: 0.5 },
      { adjust: Infinity },
      { endian: "network" },
      { maxLength: -1 },
      { bytes: 1, adjust: -256 },
    ]
  ) thrown(() => make(options), "InvalidInput", "lengthField", JSON.stringify(options));
  assertEquals(
    thrown(() => make({ offset: 1, maxLength: 4 }), "InvalidInput", "lengthField").reason,
    "maxLength is 4, but the length field ends at 5: the limit counts the whole message",
  );
  const codec = make({});
  for (const [what, value] of WRONG_OBJECTS) {
    thrown(() => codec.encode(value as Uint8Array), "InvalidInput", "sendFrame", what);
    thrown(() => codec.decoder().decode(value as ByteQueue), "InvalidInput", "recvFrame", what);
  }
});
