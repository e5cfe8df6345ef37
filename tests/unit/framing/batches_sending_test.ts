import { assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import {
  abort,
  type Codec,
  connectionOver,
  delimited,
  framed,
  lengthPrefixed,
  lines,
  netstrings,
  recvFrames,
  sendFrame,
  sendFrames,
  varintPrefixed,
} from "../../../mod.ts";
import { encodeAll } from "../../support/codec_streams.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";

function framesOf(...lengths: number[]): Uint8Array<ArrayBuffer>[] {
  return lengths.map((length, index) => new Uint8Array(length).fill(index + 1));
}

const CODECS: Record<string, Codec<Uint8Array>> = {
  lengthPrefixed: lengthPrefixed(),
  varintPrefixed: varintPrefixed(),
  netstrings: netstrings(),
  delimited: delimited(new Uint8Array([0])),
};

for (const [name, codec] of Object.entries(CODECS)) {
  Deno.test(`F8: sendFrames() of ${name} arrives as the same frames, in order`, async () => {
    await using pair = await tcpPair();
    const frames = framesOf(0, 1, 64, 20_000, 2, 70_000, 3, ...Array(200).fill(50));
    const sent = sendFrames(framed(pair.client, codec), frames);
    const stream = framed(pair.server, codec);
    const received: Uint8Array[] = [];
    while (received.length < frames.length) received.push(...(await soon(recvFrames(stream)))!);
    await soon(sent);
    assertEquals(received, frames);
    assertEquals(pair.client.bytesSent, encodeAll(codec, ...frames).length);
  });
}

Deno.test("S2: small frames of one sendFrames() leave in one write", async () => {
  const transport = new ScriptedTransport();
  const stream = framed(connectionOver(transport), lengthPrefixed());
  const frames = framesOf(...Array(1000).fill(64));
  const sent = sendFrames(stream, frames);
  const write = await transport.nextWrite();
  assertEquals(write.bytes, encodeAll(lengthPrefixed(), ...frames));
  write.take();
  await soon(sent);
  assertEquals(transport.log, ["write 68000"]);
});

Deno.test("F8: a sendFrames() with one frame that cannot be encoded sends nothing", async () => {
  const transport = new ScriptedTransport();
  const stream = framed(connectionOver(transport), lines({ maxLength: 9 }));
  const bad = ["fine", "two\nlines"];
  await rejection(() => sendFrames(stream, bad), "InvalidInput", "sendFrames");
  await rejection(() => sendFrames(stream, ["fine", "0123456789"]), "TooLarge", "sendFrames");
  await rejection(() => sendFrames(stream, ["fine", 5 as never]), "InvalidInput", "sendFrames");
  const own = new RangeError("own");
  const throwing = framed(stream.connection, {
    ...lines(),
    encode: () => {
      throw own;
    },
  });
  const error = await rejection(() => sendFrames(throwing, ["a"]), "Other", "sendFrames");
  assertEquals(error.cause, own);
  assertEquals(transport.log, []);
  const sent = sendFrames(stream, ["fine"]);
  (await transport.nextWrite()).take();
  await soon(sent);
});

Deno.test("S3: a sendFrames() that does not fit is QueueFull, and nothing of it is sent", async () => {
  const transport = new ScriptedTransport();
  const stream = framed(connectionOver(transport, { sendQueueLimit: 5 }), lines());
  const writing = sendFrame(stream, "writing");
  await rejection(() => sendFrames(stream, ["ab", "cd"]), "QueueFull", "sendFrames");
  const fits = sendFrames(stream, ["ab", "c"]);
  (await transport.nextWrite()).take();
  const write = await transport.nextWrite();
  assertEquals(textOf(write.bytes), "ab\nc\n");
  write.take();
  await soon(Promise.all([writing, fits]));
});

Deno.test("S4: a sendFrames() that is cancelled while it waits sends none of its frames", async () => {
  const transport = new ScriptedTransport();
  const stream = framed(connectionOver(transport), lines());
  const controller = new AbortController();
  const { signal } = controller;
  const writing = sendFrame(stream, "writing");
  const cancelled = sendFrames(stream, ["ab", "x".repeat(65_000), "cd"], { signal });
  const last = sendFrames(stream, ["last", "line"]);
  controller.abort();
  await rejection(() => cancelled, "Aborted", "sendFrames");
  (await transport.nextWrite()).take();
  const write = await transport.nextWrite();
  assertEquals(textOf(write.bytes), "last\nline\n");
  write.take();
  await soon(Promise.all([writing, last]));
});

Deno.test("S5: sendFrames() of no frames is an empty send", async () => {
  const transport = new ScriptedTransport();
  const stream = framed(connectionOver(transport), lines());
  await soon(sendFrames(stream, []));
  await soon(sendFrames(stream, new Set<string>(), { timeout: 60_000 }));
  assertEquals(transport.log, []);
  abort(stream.connection);
  await rejection(() => sendFrames(stream, []), "Closed", "sendFrames");
});

Deno.test("F8: sendFrames() takes any iterable, and reads it to its end at once", async () => {
  const transport = new ScriptedTransport();
  const stream = framed(connectionOver(transport), lines());
  function* generated() {
    yield "a";
    yield "b";
  }
  for (
    const frames of [
      ["a", "b"],
      new Set(["a", "b"]),
      generated(),
      new Map([["a", 1], ["b", 2]]).keys(),
    ]
  ) {
    const sent = sendFrames(stream, frames);
    const write = await soon(transport.nextWrite());
    assertEquals(textOf(write.bytes), "a\nb\n");
    write.take();
    await soon(sent);
  }
});

Deno.test("E1: sendFrames() of anything but frames is InvalidInput before any I/O", async () => {
  const transport = new ScriptedTransport();
  const stream = framed(connectionOver(transport), lines());
  for (const frames of [undefined, null, 5, "text", {}, { length: 2 }, () => {}]) {
    const call = () => sendFrames(stream, frames as never);
    const { reason } = await rejection(call, "InvalidInput", "sendFrames");
    assertEquals(reason, "the frames are neither an array nor another iterable object");
  }
  // deno-lint-ignore no-sparse-arrays
  const hole = ["a", , "b"] as string[];
  await rejection(() => sendFrames(stream, hole), "InvalidInput", "sendFrames");
  function* failing() {
    yield "a";
    throw new RangeError("own");
  }
  const error = await rejection(() => sendFrames(stream, failing()), "InvalidInput", "sendFrames");
  assertEquals((error.cause as Error).message, "own");
  assertEquals(transport.log, []);
});

Deno.test("F8: sendFrames() of a codec whose frames have pieces keeps their order", async () => {
  const transport = new ScriptedTransport();
  const codec: Codec<string> = {
    encode: (text) => [bytesOf("<"), bytesOf(text), new Uint8Array(), bytesOf(">")],
    decoder: lines().decoder,
  };
  const sent = sendFrames(framed(connectionOver(transport), codec), ["a", "", "b".repeat(70_000)]);
  const written: Uint8Array[] = [];
  for (let left = 3; left > 0; left--) {
    const write = await soon(transport.nextWrite());
    written.push(write.bytes);
    write.take();
  }
  await soon(sent);
  assertEquals(textOf(concat(written)), `<a><><${"b".repeat(70_000)}>`);
});
