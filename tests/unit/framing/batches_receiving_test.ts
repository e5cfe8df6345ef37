import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { concat, equals } from "@std/bytes";
import {
  connectionOver,
  framed,
  lengthPrefixed,
  lines,
  recv,
  recvFrame,
  recvFrames,
  recvLine,
} from "../../../mod.ts";
import { ChunkTransport } from "../../support/chunk_transport.ts";
import { encodeAll } from "../../support/codec_streams.ts";
import { digits, fail } from "../../support/own_codecs.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { isPending } from "../../support/turns.ts";

const codec = lengthPrefixed({ bytes: 2 });

/** Opens a connection on which these chunks come, one a read, and then the end. */
function receiving(...chunks: (string | Uint8Array)[]) {
  return connectionOver(
    new ChunkTransport(chunks.map((chunk) => typeof chunk === "string" ? bytesOf(chunk) : chunk)),
  );
}

function framesOf(...lengths: number[]): Uint8Array<ArrayBuffer>[] {
  return lengths.map((length, index) => new Uint8Array(length).fill(index + 1));
}

Deno.test("F6: recvFrames() gives all frames that have come, and leaves the rest of the bytes", async () => {
  const stream = framed(receiving("a\nb\nc\nhal", "f\n\nlast"), lines());
  assertEquals(await soon(recvFrames(stream)), ["a", "b", "c"]);
  assertEquals(await soon(recvFrames(stream)), ["half", ""]);
  assertEquals(await soon(recvFrames(stream)), ["last"], "the last frame is a batch of its own");
  for (let again = 0; again < 3; again++) assertEquals(await soon(recvFrames(stream)), null);
});

Deno.test("F6: recvFrames() gives at most maxFrames, and goes on with the others without a read", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const stream = framed(connection, lines());
  const first = recvFrames(stream, { maxFrames: 2 });
  (await transport.nextRead()).give(bytesOf("a\nb\nc\nd\ne\nf\n"));
  assertEquals(await soon(first), ["a", "b"]);
  assertEquals(await soon(recvFrames(stream, { maxFrames: 1 })), ["c"]);
  assertEquals(await soon(recvFrame(stream)), "d");
  assertEquals(await soon(recvLine(connection)), "e");
  assertEquals(await soon(recvFrames(stream, { maxFrames: Infinity })), ["f"]);
  assertEquals(transport.reads, 1);
});

Deno.test("F6: recvFrames() gives at most 4096 frames if maxFrames is left out", async () => {
  const stream = framed(receiving("\n".repeat(10_000)), lines());
  const counts: number[] = [];
  for (let batch; (batch = await soon(recvFrames(stream))) !== null;) counts.push(batch.length);
  assertEquals(counts.reduce((sum, count) => sum + count), 10_000);
  assertEquals(Math.max(...counts), 4096);
});

Deno.test("E1: maxFrames is a whole number from 1, or Infinity", async () => {
  const transport = new ScriptedTransport();
  const stream = framed(connectionOver(transport), lines());
  for (const maxFrames of [0, -1, 1.5, NaN, "3", null, {}]) {
    const call = () => recvFrames(stream, { maxFrames: maxFrames as never });
    const { reason } = await rejection(call, "InvalidInput", "recvFrames");
    assert(/^maxFrames is .*, not a whole number from 1 to Infinity$/.test(reason), reason);
  }
  assertEquals(transport.log, []);
});

Deno.test("F3: recvFrames() gives the same frames however their bytes are cut", async () => {
  const frames = framesOf(0, 1, 64, 300, 5000, 3, 70, 4095, 4096, 4097, 2, 9000, 1, 1, 7);
  const wire = encodeAll(codec, ...frames);
  for (const size of [7, 64, 1000, 4096, 5000, 10_007, wire.length]) {
    for (const maxFrames of [1, 2, 3, Infinity]) {
      const chunks: Uint8Array[] = [];
      for (let at = 0; at < wire.length; at += size) chunks.push(wire.subarray(at, at + size));
      const stream = framed(receiving(...chunks), codec);
      const received: Uint8Array[] = [];
      for (let batch; (batch = await soon(recvFrames(stream, { maxFrames }))) !== null;) {
        assert(batch.length >= 1 && batch.length <= maxFrames);
        received.push(...batch);
      }
      const what = `${size} bytes a read, ${maxFrames} frames a call`;
      assertEquals(received.map(({ length }) => length), frames.map(({ length }) => length), what);
      assert(equals(concat(received), concat(frames)), what);
    }
  }
});

Deno.test("F2: frames of one recvFrames() call may share a buffer that nothing changes later", async () => {
  const frames = framesOf(...Array(200).fill(64));
  const wire = encodeAll(codec, ...frames);
  const connection = receiving(wire, wire, wire, new Uint8Array(50_000));
  const stream = framed(connection, codec);
  const first = (await soon(recvFrames(stream)))!;
  const kept = first.map((frame) => frame.slice());
  const buffers = new Set(first.map(({ buffer }) => buffer));
  assert(buffers.size < first.length, "some share a buffer");
  const second = (await soon(recvFrames(stream)))!;
  for (const { buffer } of second) assert(!buffers.has(buffer), "the caller's alone");
  for (const frame of second) frame.fill(255);
  const third = (await soon(recvFrames(stream)))!;
  while (await soon(recv(connection)) !== null);
  assertEquals(first, kept);
  assertEquals(third, frames.slice(0, third.length));
});

Deno.test("F2: the frames of a call do not overlap, and their buffers hold at most twice what is taken", async () => {
  const frames = framesOf(...Array.from({ length: 900 }, (_, index) => index % 130));
  const stream = framed(receiving(encodeAll(codec, ...frames)), codec);
  const received: Uint8Array[] = [];
  for (let batch; (batch = await soon(recvFrames(stream))) !== null;) {
    let held = 0;
    let taken = 0;
    for (const buffer of new Set(batch.map(({ buffer }) => buffer))) held += buffer.byteLength;
    for (const { length } of batch) taken += 2 + length;
    assert(held <= 3 * taken + 8192, `${held} bytes held for ${taken}`);
    batch.forEach((frame, index) => frame.fill(index));
    batch.forEach((frame, index) => assert(frame.every((byte) => byte === index % 256)));
    received.push(...batch);
  }
  assertEquals(received.map(({ length }) => length), frames.map(({ length }) => length));
});

Deno.test("F11: recvFrame() and a recvFrames() of one frame give frames in buffers of their own", async () => {
  const wire = encodeAll(codec, ...framesOf(64, 64, 64, 64));
  const stream = framed(receiving(wire), codec);
  const one = await soon(recvFrames(stream, { maxFrames: 1 }));
  const frames = [one![0], ...(await soon(recvFrames(stream, { maxFrames: 2 })))!];
  frames.push((await soon(recvFrame(stream)))!);
  assertEquals(frames[0].buffer.byteLength, 64);
  assertEquals(frames[3].buffer.byteLength, 64);
  assertEquals(new Set(frames.map(({ buffer }) => buffer)).size, 3);
});

Deno.test("F11: a batch of large frames keeps each in a buffer of its own", async () => {
  const stream = framed(receiving(encodeAll(codec, ...framesOf(5000, 6000, 7000))), codec);
  for (const frame of (await soon(recvFrames(stream)))!) {
    assertEquals(frame.buffer.byteLength, frame.length);
  }
});

const AFTER_FRAMES: Record<string, (stream: ReturnType<typeof digitsOn>) => Promise<unknown>> = {
  recvFrames: (stream) => recvFrames(stream),
  recvFrame: (stream) => recvFrame(stream),
};

function digitsOn(throws: "before" | "after", text: string) {
  return framed(receiving(text), digits(throws));
}

for (const [name, next] of Object.entries(AFTER_FRAMES)) {
  Deno.test(`F10: frames before a bad one come first, and ${name}() gives the error after them`, async () => {
    const stream = digitsOn("after", "1\n2\nx\n4\n5\n");
    assertEquals(await soon(recvFrames(stream)), [1, 2]);
    const error = await rejection(() => next(stream), "InvalidData", name);
    assertEquals(error.reason, "no digit");
    assertEquals(await soon(recvFrames(stream)), [4, 5], "it goes on after it, once reported");
    assertEquals(await soon(recvFrames(stream)), null);
  });

  Deno.test(`F1: frames before a failure come first, and ${name}() gives it again and again`, async () => {
    const stream = digitsOn("before", "1\n2\nx\n4\n");
    assertEquals(await soon(recvFrames(stream)), [1, 2]);
    for (let again = 0; again < 3; again++) {
      await rejection(() => next(stream), "InvalidData", name);
    }
    await rejection(() => recvFrames(stream), "InvalidData", "recvFrames");
  });
}

Deno.test("F10: the iteration gives the error that came after a batch", async () => {
  const stream = digitsOn("after", "1\n2\nx\n4\n");
  assertEquals(await soon(recvFrames(stream)), [1, 2]);
  const iterator = stream[Symbol.asyncIterator]();
  await rejection(() => iterator.next(), "InvalidData", "recvFrame");
  assertEquals(await soon(iterator.next()), { done: false, value: 4 });
});

Deno.test("F10: what a codec throws after frames is Other after them, with that value in cause", async () => {
  const thrown = new RangeError("own");
  const stream = framed(receiving("1\nx\n"), digits("after", () => thrown));
  assertEquals(await soon(recvFrames(stream)), [1]);
  for (let again = 0; again < 2; again++) {
    const error = await rejection(() => recvFrames(stream), "Other", "recvFrames");
    assertStrictEquals(error.cause, thrown);
  }
});

Deno.test("F10: an error that came after a batch waits for the call that can begin", async () => {
  const stream = digitsOn("after", "1\nx\n3\n");
  assertEquals(await soon(recvFrames(stream)), [1]);
  await rejection(() => recvFrames(stream, { timeout: 0 }), "TimedOut", "recvFrames");
  await rejection(() => recvFrames(stream, { maxFrames: 0 }), "InvalidInput", "recvFrames");
  await rejection(() => recvFrames(stream), "InvalidData", "recvFrames");
  assertEquals(await soon(recvFrames(stream)), [3]);
});

Deno.test("F7: an end of stream inside a frame is UnexpectedEof, after the frames before it", async () => {
  const stream = framed(
    receiving(concat([encodeAll(codec, ...framesOf(1, 2)), bytesOf("x")])),
    codec,
  );
  assertEquals(await soon(recvFrames(stream)), framesOf(1, 2));
  for (let again = 0; again < 2; again++) {
    await rejection(() => recvFrames(stream), "UnexpectedEof", "recvFrames");
  }
});

Deno.test("F4: a frame over the limit is TooLarge after the frames before it, without waiting for its bytes", async () => {
  const transport = new ScriptedTransport();
  const stream = framed(connectionOver(transport), lengthPrefixed({ bytes: 2, maxLength: 5 }));
  const batch = recvFrames(stream);
  (await transport.nextRead()).give(new Uint8Array([0, 1, 9, 0, 6]));
  assertEquals(await soon(batch), [new Uint8Array([9])]);
  await rejection(() => recvFrames(stream), "TooLarge", "recvFrames");
  assertEquals(transport.reads, 1);
});

Deno.test("E6: a cancelled recvFrames() loses nothing, and its read is the next call's", async () => {
  const transport = new ScriptedTransport();
  const stream = framed(connectionOver(transport), lines());
  const controller = new AbortController();
  const cancelled = recvFrames(stream, { signal: controller.signal });
  const read = await transport.nextRead();
  controller.abort();
  await rejection(() => cancelled, "Aborted", "recvFrames");
  read.give(bytesOf("a\nb\nhal"));
  assertEquals(await soon(recvFrames(stream)), ["a", "b"]);
  const half = recvFrames(stream, { signal: AbortSignal.timeout(60_000) });
  assert(await isPending(half));
  await rejection(() => recvFrames(stream), "Busy", "recvFrames");
  await rejection(() => recvFrame(stream), "Busy", "recvFrame");
  (await transport.nextRead()).give(bytesOf("f\n"));
  assertEquals(await soon(half), ["half"]);
  assertEquals(transport.reads, 2);
});

Deno.test("F1: a codec that gives null after frames is InvalidData after them", async () => {
  const stream = framed(receiving("ab!c"), {
    encode: bytesOf,
    decoder: () => ({
      decode(input) {
        if (input.length === 0) return undefined;
        const letter = textOf(input.take(1))!;
        return letter === "!" ? null as never : letter;
      },
    }),
  });
  assertEquals(await soon(recvFrames(stream)), ["a", "b"]);
  await rejection(() => recvFrames(stream), "InvalidData", "recvFrames");
});

Deno.test("F6: a decoder that takes and fails leaves memory of its own to the calls after it", async () => {
  const connection = receiving("abcdef");
  let frames = 0;
  const stream = framed(connection, {
    encode: (bytes: Uint8Array) => bytes,
    decoder: () => ({
      decode(input) {
        if (input.length === 0) return undefined;
        return frames++ < 2 ? input.take(1) : fail("InvalidData");
      },
    }),
  });
  assertEquals((await soon(recvFrames(stream)))!.length, 2);
  await rejection(() => recvFrames(stream), "InvalidData", "recvFrames");
  const bytes = (await soon(recv(connection)))!;
  assertEquals([textOf(bytes), bytes.buffer.byteLength], ["cdef", 4]);
});
