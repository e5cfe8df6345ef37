import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  ByteQueue,
  type Codec,
  connectionOver,
  framed,
  lengthPrefixed,
  netstrings,
  recv,
  recvFrame,
  varintPrefixed,
} from "../../../mod.ts";
import { queueOf } from "../../support/byte_queues.ts";
import { ChunkTransport } from "../../support/chunk_transport.ts";
import { encodeAll, framesOf } from "../../support/codec_streams.ts";
import { WRONG_OBJECTS, WRONG_TYPES } from "../../support/hostile.ts";
import { rejection, thrown } from "../../support/socket_errors.ts";
import { bytesOf } from "../../support/text.ts";

const FRAME = new Uint8Array([7, 8, 9]);
const LIMIT = 1024 * 1024;

const CODECS: readonly (readonly [
  name: string,
  make: (options?: { maxLength?: number }) => Codec<Uint8Array>,
  header: (length: number) => readonly number[],
])[] = [
  ["lengthPrefixed", lengthPrefixed, (length) => [length >> 24, length >> 16, length >> 8, length]],
  [
    "varintPrefixed",
    varintPrefixed,
    (length) => [length & 127 | 128, length >> 7 & 127 | 128, length >> 14],
  ],
  ["netstrings", netstrings, (length) => [...bytesOf(`${length}:`)]],
];

for (const [name, make, header] of CODECS) {
  Deno.test(`F4: ${name}() takes a frame of 1 MiB, and refuses a larger one after its header`, () => {
    const codec = make();
    const input = queueOf([...header(LIMIT)]);
    assertEquals(codec.decoder().decode(input), undefined);
    const error = thrown(
      () => codec.decoder().decode(queueOf([...header(LIMIT + 1)])),
      "TooLarge",
      "recvFrame",
    );
    assertEquals(
      error.message,
      "recvFrame: the frame has 1048577 bytes, at most 1048576 are allowed",
    );
    assertEquals(framesOf(codec, encodeAll(codec, new Uint8Array(LIMIT)))[0].length, LIMIT);
    thrown(() => codec.encode(new Uint8Array(LIMIT + 1)), "TooLarge", "sendFrame");
  });

  Deno.test(`F4: ${name}() keeps to maxLength in both directions`, () => {
    const codec = make({ maxLength: 3 });
    assertEquals(framesOf(codec, encodeAll(codec, FRAME)), [FRAME]);
    thrown(() => codec.encode(new Uint8Array(4)), "TooLarge", "sendFrame");
    const encoded = encodeAll(make(), new Uint8Array(4));
    thrown(() => codec.decoder().decode(queueOf([...encoded])), "TooLarge", "recvFrame");
    assertEquals(framesOf(make({ maxLength: 0 }), encodeAll(make(), new Uint8Array())), [
      new Uint8Array(),
    ]);
    const unlimited = make({ maxLength: Infinity });
    assertEquals(encodeAll(unlimited, new Uint8Array(2 * LIMIT)).length > 2 * LIMIT, true);
  });

  Deno.test(`F1: ${name}() fails every time after a frame over the limit`, async () => {
    const codec = make({ maxLength: 3 });
    const bad = encodeAll(make(), new Uint8Array(4));
    const connection = connectionOver(new ChunkTransport([bad, encodeAll(codec, FRAME)]));
    const stream = framed(connection, codec);
    const first = await rejection(() => recvFrame(stream), "TooLarge", "recvFrame");
    // Also after another reader took the bytes away and a good frame follows.
    assertEquals(await recv(connection), bad);
    const again = await rejection(() => recvFrame(stream), "TooLarge", "recvFrame");
    assertEquals(again.message, first.message);
    assertEquals(await recv(connection), encodeAll(codec, FRAME));
  });

  Deno.test(`${name}() sends a large frame without copying it, a small one as one piece`, () => {
    const codec = make();
    assert(codec.encode(FRAME) instanceof Uint8Array);
    const large = new Uint8Array(100_000);
    const parts = codec.encode(large) as Uint8Array[];
    assertStrictEquals(parts[1], large);
    // The bytes are the caller's: writing to them changes no later frame.
    for (const part of parts) part.fill(255);
    for (const part of [codec.encode(FRAME)].flat()) part.fill(255);
    assertEquals(framesOf(codec, encodeAll(codec, FRAME)), [FRAME]);
    assertEquals(framesOf(codec, ...codec.encode(large) as Uint8Array[]), [large]);
  });

  Deno.test(`F5: ${name}() needs linear time for 1 MiB that comes a byte at a time`, () => {
    const codec = make();
    const encoded = encodeAll(codec, new Uint8Array(LIMIT).fill(58));
    const input = new ByteQueue();
    const decoder = codec.decoder();
    let frame: Uint8Array | undefined;
    for (let at = 0; at < encoded.length; at++) {
      assertStrictEquals(frame, undefined);
      input.push(encoded.subarray(at, at + 1));
      frame = decoder.decode(input);
    }
    assertEquals(frame?.length, LIMIT);
  });

  Deno.test(`F6: ${name}() leaves the bytes behind a frame to others`, () => {
    const codec = make();
    const input = queueOf([...encodeAll(codec, FRAME), 1, 2]);
    assertEquals(codec.decoder().decode(input), FRAME);
    assertEquals(input.take(input.length), new Uint8Array([1, 2]));
  });

  Deno.test(`E1: ${name}() throws InvalidInput for bad arguments`, () => {
    for (const [what, value] of WRONG_TYPES) {
      thrown(() => make(value as object), "InvalidInput", name, `${what} as options`);
      const maxLength = value as number;
      if (value !== 5) thrown(() => make({ maxLength }), "InvalidInput", name, what);
    }
    for (const maxLength of [-1, 1.5, -Infinity]) {
      thrown(() => make({ maxLength }), "InvalidInput", name, `${maxLength}`);
    }
    const codec = make();
    for (const [what, value] of [...WRONG_OBJECTS, ["a buffer", new ArrayBuffer(4)] as const]) {
      thrown(() => codec.encode(value as Uint8Array), "InvalidInput", "sendFrame", what);
      const decoder = codec.decoder();
      thrown(() => decoder.decode(value as ByteQueue), "InvalidInput", "recvFrame", what);
      // The stream is undamaged.
      assertEquals(decoder.decode(queueOf([...encodeAll(codec, FRAME)])), FRAME);
    }
  });
}

Deno.test("E1: lengthPrefixed() throws InvalidInput for unknown values of its options", () => {
  for (
    const options of [
      ...[0, 3, 16, "4", null, 4n].map((bytes) => ({ bytes })),
      ...["network", "", null, 1].map((endian) => ({ endian })),
      ...["yes", 1, null].map((lengthIncludesPrefix) => ({ lengthIncludesPrefix })),
    ]
  ) thrown(() => lengthPrefixed(options as object), "InvalidInput", "lengthPrefixed");
  const error = thrown(() => lengthPrefixed({ bytes: 3 as 4 }), "InvalidInput", "lengthPrefixed");
  assertEquals(error.message, "lengthPrefixed: bytes is 3, not 1, 2, 4 or 8");
  const getter = {
    get bytes(): 4 {
      throw new Error("no");
    },
  };
  thrown(() => lengthPrefixed(getter), "InvalidInput", "lengthPrefixed");
});

Deno.test("the functions of a codec work without their object", () => {
  const { encode, decoder } = lengthPrefixed({ bytes: 1 });
  assertEquals(decoder().decode(queueOf([...encode(FRAME) as Uint8Array])), FRAME);
});

Deno.test("one codec serves several streams at once", () => {
  for (const [, make] of CODECS) {
    const codec = make();
    const [one, other] = [codec.decoder(), codec.decoder()];
    const encoded = encodeAll(codec, FRAME);
    const [first, second] = [new ByteQueue(), new ByteQueue()];
    first.push(encoded.subarray(0, 2));
    assertEquals(one.decode(first), undefined);
    second.push(encoded);
    assertEquals(other.decode(second), FRAME);
    first.push(encoded.subarray(2));
    assertEquals(one.decode(first), FRAME);
  }
});
