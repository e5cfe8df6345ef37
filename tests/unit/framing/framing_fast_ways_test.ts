import { assert, assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import {
  type Codec,
  connectionOver,
  contentLength,
  delimited,
  framed,
  lengthField,
  lengthPrefixed,
  lines,
  netstrings,
  octetCounted,
  recvFrames,
  send,
  sendFrame,
  sendFrames,
  varintPrefixed,
} from "../../../mod.ts";
import { checkCodec } from "../../../testing.ts";
import { ChunkTransport } from "../../support/chunk_transport.ts";
import { decodeInBatches, encodeAll } from "../../support/codec_streams.ts";
import { fail, RIGHT } from "../../support/own_codecs.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { bytesOf } from "../../support/text.ts";

const LENGTHS = [1, 2, 9, 10, 64, 127, 128, 129, 200, 999, 1000, 4095, 4096, 5000, 16_384, 70_000];

function framesOf(...lengths: number[]): Uint8Array<ArrayBuffer>[] {
  return lengths.map((length) => new Uint8Array(length).fill(length % 26 + 65));
}

const CODECS: Record<string, Codec<Uint8Array>> = {
  "lengthPrefixed()": lengthPrefixed(),
  "lengthPrefixed() of three bytes less": lengthPrefixed({ bytes: 8, endian: "little" }),
  "varintPrefixed()": varintPrefixed(),
  "netstrings()": netstrings(),
  "octetCounted()": octetCounted(),
  "contentLength()": contentLength(),
  "delimited() by a byte": delimited(new Uint8Array([0])),
  "delimited() by two": delimited(new Uint8Array([13, 10])),
};

for (const [name, codec] of Object.entries(CODECS)) {
  Deno.test(`F3: ${name} gives the same frames in batches, and writes the same bytes`, () => {
    checkCodec(codec, encodeAll(codec, ...framesOf(...LENGTHS)), framesOf(...LENGTHS));
  });
}

Deno.test("F3: lengthField() gives the same frames in batches", () => {
  const frames = LENGTHS.map((length) => {
    const frame = new Uint8Array(length + 4);
    new DataView(frame.buffer).setUint32(0, length, true);
    return frame;
  });
  const codec = lengthField({ endian: "little" });
  checkCodec(codec, encodeAll(codec, ...frames), frames);
});

Deno.test("F3: lines() gives the same lines in batches, whatever characters are in them", () => {
  const texts = [
    "",
    "a",
    "\rb",
    "ä",
    "plain",
    "日本語",
    "x".repeat(4094),
    "y".repeat(5000),
    "𝄞",
    "",
  ];
  const stream = bytesOf(texts.join("\n") + "\r\n\xff".repeat(3));
  for (const codec of [lines(), lines({ maxLength: 4094 }), lines({ strict: true })]) {
    checkCodec(codec, stream);
    checkCodec(codec, bytesOf(texts.join("\r\n")));
    checkCodec(
      codec,
      encodeAll(codec, ...texts.filter((text) => text.length < 4095 && text !== "\rb")),
    );
  }
});

Deno.test("F4: a frame over the limit in the middle of a batch is TooLarge after those before it", async () => {
  const wire = encodeAll(lengthPrefixed(), ...framesOf(3, 2, 9, 1));
  const codec = lengthPrefixed({ maxLength: 8 });
  assertEquals(await decodeInBatches(codec, [wire], 100), [
    ...framesOf(3, 2).map((frame) => ({ frame })),
    { kind: "TooLarge" },
  ]);
});

Deno.test("F11: a kept line holds at most 4 KiB of the lines around it, a kept frame of 4 KiB only itself", async () => {
  const wire = encodeAll(lengthPrefixed(), ...framesOf(10, 4096, 10, 4095));
  const stream = framed(connectionOver(new ChunkTransport([wire])), lengthPrefixed());
  const received: Uint8Array[] = [];
  for (let batch; (batch = await soon(recvFrames(stream))) !== null;) received.push(...batch);
  const sizes = received.map(({ buffer }) => buffer.byteLength);
  assertEquals(sizes[1], 4096);
  assert(sizes.every((size) => size <= 2 * 4096), `${sizes}`);
});

Deno.test("F10: what a decodeAll throws is the error of the call, after the frames before it", async () => {
  const inner = RIGHT.decoder();
  const codec: Codec<Uint8Array> = {
    encode: RIGHT.encode,
    decoder: () => ({
      decode: (input) => inner.decode(input),
      decodeAll(input, frames) {
        frames.push(input.take(2).subarray(1));
        if (input.length > 0) fail("InvalidData");
      },
    }),
  };
  const stream = framed(connectionOver(new ChunkTransport([bytesOf("\x01a\x01b")])), codec);
  assertEquals(await soon(recvFrames(stream)), [bytesOf("a")]);
  await rejection(() => recvFrames(stream), "InvalidData", "recvFrames");
  assertEquals(await soon(recvFrames(stream)), [bytesOf("b")]);
});

Deno.test("F10: a decodeAll that gives null or a promise is an error of the call", async () => {
  const rejected = () => Promise.reject(new Error("nobody awaits it"));
  const receive = (decodeAll: (frames: unknown[]) => unknown) => {
    const codec: Codec<unknown> = {
      encode: () => new Uint8Array(),
      decoder: () => ({
        decode: () => undefined,
        decodeAll: (_, frames) => decodeAll(frames) as void,
      }),
    };
    const connection = connectionOver(new ChunkTransport([bytesOf("x")]));
    return recvFrames(framed(connection, codec));
  };
  await rejection(() => receive((frames) => frames.push(null)), "InvalidData", "recvFrames");
  await rejection(() => receive((frames) => frames.push(rejected())), "Other", "recvFrames");
  await rejection(() => receive(rejected), "Other", "recvFrames");
});

Deno.test("F8: a codec that spreads another one sends what its own encode gives", async () => {
  const transport = new ChunkTransport([]);
  const codec = { ...lines(), encode: (line: string) => bytesOf(`<${line}>`) };
  const stream = framed(connectionOver(transport), codec);
  await soon(sendFrame(stream, "a"));
  await soon(sendFrames(stream, ["b", "c"]));
  assertEquals(concat(transport.written), bytesOf("<a><b><c>"));
});

Deno.test("F8: an encodeInto writes frames of any size, and leaves those to encode that it gives up", async () => {
  const asked: number[] = [];
  const codec: Codec<Uint8Array> = {
    ...lengthPrefixed(),
    encodeInto(frame, target, offset) {
      asked.push(frame.length);
      const bytes = encodeAll(lengthPrefixed(), frame);
      if (frame.length % 2 === 1 || offset + bytes.length > target.length) return -1;
      target.set(bytes, offset);
      return offset + bytes.length;
    },
  };
  const frames = framesOf(0, 1, 2, 64, 65, 5000, 5001, 20_000, 300_000, 3, ...Array(9000).fill(62));
  for (const batch of [false, true]) {
    const transport = new ChunkTransport([]);
    const stream = framed(connectionOver(transport), codec);
    if (batch) await soon(sendFrames(stream, frames));
    else for (const frame of frames) await soon(sendFrame(stream, frame));
    assertEquals(concat(transport.written), encodeAll(lengthPrefixed(), ...frames));
  }
  assert(asked.length >= 2 * frames.length);
});

Deno.test("F8: an encodeInto that returns no end is InvalidInput or Other, and nothing is sent", async () => {
  const rejected = () => Promise.reject(new Error("nobody awaits it"));
  const wrong = [undefined, null, NaN, 0.5, -2, 2 ** 40, "1"].map((end) => () => end);
  for (const encodeInto of [...wrong, rejected]) {
    const transport = new ScriptedTransport();
    const codec = { ...RIGHT, encodeInto: encodeInto as () => number };
    const stream = framed(connectionOver(transport), codec);
    const frame = new Uint8Array(1);
    await rejection(() => sendFrame(stream, frame), "Other", "sendFrame");
    await rejection(() => sendFrames(stream, [frame]), "Other", "sendFrames");
    assertEquals(transport.log, []);
  }
});

Deno.test("F8: an encodeInto that writes less than it says sends nothing of other connections", async () => {
  const short: Codec<Uint8Array> = {
    ...RIGHT,
    encodeInto: (_, target, offset) => offset + 1000 > target.length ? -1 : offset + 1000,
  };
  for (const count of [1, 10, 400]) {
    const other = framed(connectionOver(new ChunkTransport([])), lengthPrefixed());
    const transport = new ChunkTransport([]);
    const stream = framed(connectionOver(transport), short);
    await soon(sendFrames(other, framesOf(...Array(5000).fill(60))));
    for (let left = count; left > 0; left--) await soon(sendFrame(other, framesOf(60)[0]));
    await soon(sendFrame(stream, new Uint8Array(1)));
    await soon(sendFrames(stream, Array(count).fill(new Uint8Array(1))));
    assertEquals(concat(transport.written), new Uint8Array(1000 * (1 + count)));
  }
});

Deno.test("F8: an encodeInto may send other frames itself", async () => {
  const inner = new ChunkTransport([]);
  const other = framed(connectionOver(inner), lengthPrefixed());
  const sending: Promise<void>[] = [];
  const fast = lengthPrefixed();
  const codec: Codec<Uint8Array> = {
    ...fast,
    encodeInto(frame, target, offset) {
      target.fill(1, offset, offset + 2);
      sending.push(sendFrame(other, bytesOf("inside")), sendFrames(other, [bytesOf("inside")]));
      return fast.encodeInto!(frame, target, offset);
    },
  };
  const transport = new ChunkTransport([]);
  const stream = framed(connectionOver(transport), codec);
  await soon(sendFrame(stream, bytesOf("outside")));
  await soon(sendFrames(stream, [bytesOf("first"), bytesOf("second")]));
  await soon(Promise.all(sending));
  const sent = ["outside", "first", "second"].map(bytesOf);
  assertEquals(concat(transport.written), encodeAll(fast, ...sent));
  assertEquals(concat(inner.written), encodeAll(fast, ...Array(6).fill(bytesOf("inside"))));
});

Deno.test("S2: frames that wait keep their bytes while others are encoded", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const stream = framed(connection, lengthPrefixed());
  const frames = framesOf(...Array.from({ length: 2000 }, (_, index) => index % 300));
  const controller = new AbortController();
  const waiting = [send(connection, bytesOf("first"))];
  // With a signal a send is not copied at once, but stays in the queue.
  const { signal } = controller;
  for (const [index, frame] of frames.entries()) {
    waiting.push(sendFrame(stream, frame, index % 3 === 0 ? { signal } : undefined));
  }
  const written: Uint8Array[] = [];
  const wire = concat([bytesOf("first"), encodeAll(lengthPrefixed(), ...frames)]);
  for (let length = 0; length < wire.length;) {
    const write = await soon(transport.nextWrite());
    written.push(write.bytes);
    length += write.bytes.length;
    write.take();
  }
  await soon(Promise.all(waiting));
  assertEquals(concat(written), wire);
});
