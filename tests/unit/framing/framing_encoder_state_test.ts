import { assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import {
  type Codec,
  type Connection,
  connectionOver,
  framed,
  recvFrame,
  recvFrames,
  sendFrame,
  sendFrames,
  SocketError,
} from "../../../mod.ts";
import { checkCodec } from "../../../testing.ts";
import { ChunkTransport } from "../../support/chunk_transport.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { rejection, soon, thrown } from "../../support/socket_errors.ts";
import { tcpPair } from "../../support/tcp_pair.ts";
import { transfer, transferred } from "../../support/transferring.ts";

/** A codec of bytes, each of which is sent as the difference to the one before it. */
const differences: Codec<number> = {
  encode: (frame) => differences.encoder!().encode(frame),
  encoder() {
    let last = 0;
    return {
      encode(frame) {
        if (!(frame >= 0 && frame < 256)) {
          throw new SocketError("InvalidInput", "sendFrame", "a frame is a byte");
        }
        const difference = frame - last;
        last = frame;
        return Uint8Array.of(difference);
      },
    };
  },
  decoder() {
    let last = 0;
    return {
      decode(input) {
        if (input.length === 0) return undefined;
        return last = last + input.take(1)[0] & 255;
      },
    };
  },
};

async function takeAll(transport: ScriptedTransport, count: number): Promise<number[]> {
  const bytes: Uint8Array[] = [];
  for (let length = 0; length < count;) {
    const write = await soon(transport.nextWrite());
    bytes.push(write.bytes);
    length += write.bytes.length;
    write.take();
  }
  return [...concat(bytes)];
}

Deno.test("F12: each connection has an encoder of its own", async () => {
  await using pair = await tcpPair();
  const [client, server] = [framed(pair.client, differences), framed(pair.server, differences)];
  const frames = [5, 7, 3, 3, 255, 0];
  for (const frame of frames.slice(0, 2)) await soon(sendFrame(client, frame));
  await soon(sendFrames(client, frames.slice(2)));
  await soon(sendFrame(server, 9));
  const received: number[] = [];
  while (received.length < frames.length) received.push(...(await soon(recvFrames(server)))!);
  assertEquals(received, frames);
  assertEquals(await soon(recvFrame(client)), 9);
});

Deno.test("F12: a frame that finds the queue full is not encoded, and can be sent again", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport, { sendQueueLimit: 3 });
  const stream = framed(connection, differences);
  const sent = [1, 2, 3].map((frame) => sendFrame(stream, frame));
  // One byte still has room: then a batch is taken whole, since its length is known only after it is encoded.
  sent.push(sendFrames(stream, [4, 5, 6]));
  await rejection(() => sendFrame(stream, 7), "QueueFull", "sendFrame");
  await rejection(() => sendFrames(stream, [7, 8]), "QueueFull", "sendFrames");
  assertEquals(await takeAll(transport, 6), [1, 1, 1, 1, 1, 1]);
  await soon(Promise.all(sent));
  const again = sendFrame(stream, 7);
  assertEquals(await takeAll(transport, 1), [1]);
  await soon(again);
});

Deno.test("F12: a call that is cancelled before it begins encodes nothing", async () => {
  const transport = new ScriptedTransport();
  const stream = framed(connectionOver(transport), differences);
  await rejection(
    () => sendFrame(stream, 9, { signal: AbortSignal.abort() }),
    "Aborted",
    "sendFrame",
  );
  await rejection(() => sendFrames(stream, [9], { timeout: 0 }), "TimedOut", "sendFrames");
  await rejection(() => sendFrame(stream, 9, { timeout: -1 }), "InvalidInput", "sendFrame");
  await rejection(() => sendFrame(stream, 300), "InvalidInput", "sendFrame");
  await rejection(() => sendFrames(stream, [300, 9]), "InvalidInput", "sendFrames");
  const sent = sendFrame(stream, 1);
  assertEquals(await takeAll(transport, 1), [1]);
  await soon(sent);
});

async function isAborted(connection: Connection, transport: ScriptedTransport): Promise<void> {
  assertEquals(transport.log.at(-1), "close");
  await rejection(() => sendFrame(framed(connection, differences), 1), "Closed", "sendFrame");
}

Deno.test("F12: a frame of an encoder that is cancelled while it waits aborts the connection", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const stream = framed(connection, differences);
  const writing = sendFrame(stream, 1);
  const controller = new AbortController();
  const cancelled = sendFrame(stream, 2, { signal: controller.signal });
  const behind = sendFrame(stream, 3);
  controller.abort();
  await rejection(() => cancelled, "Aborted", "sendFrame");
  await rejection(() => behind, "Closed", "sendFrame");
  await rejection(() => writing, "Closed", "sendFrame");
  await isAborted(connection, transport);
});

Deno.test("F12: a batch of an encoder that cannot be encoded to its end aborts the connection", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const stream = framed(connection, differences);
  await rejection(() => sendFrames(stream, [1, 300]), "InvalidInput", "sendFrames");
  assertEquals(transport.log.filter((line) => line.startsWith("write")), []);
  await isAborted(connection, transport);
});

Deno.test("F12: framed() of a codec whose encoder has no encode function is InvalidInput", () => {
  for (const encoder of [{}, { encode: 5 }, Promise.reject(new Error("nobody awaits it"))]) {
    const codec = { ...differences, encoder: () => encoder as never };
    const connection = connectionOver(new ChunkTransport([]));
    const { reason } = thrown(() => framed(connection, codec), "InvalidInput", "framed");
    assertEquals(reason, "the codec's encoder has no encode function");
  }
});

Deno.test("checkCodec() encodes the frames in a row with one encoder", () => {
  checkCodec(differences, Uint8Array.of(5, 2, 252, 0, 252, 1), [5, 7, 3, 3, 255, 0]);
});

/** A codec of bytes with an encoder of its own for each connection, which makes no copy of a frame. */
function copyless(encode: (frame: Uint8Array) => Uint8Array[]): Codec<Uint8Array> {
  return { encode, encoder: () => ({ encode }), decoder: () => ({ decode: () => undefined }) };
}

for (const size of [8, 100_000]) {
  Deno.test(`F12: an encoded frame of ${size} bytes that is transferred while it waits aborts the connection`, async () => {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const stream = framed(connection, copyless((frame) => [frame]));
    const writing = sendFrame(stream, Uint8Array.of(1));
    const frame = new Uint8Array(size);
    // With a signal even a small send is not copied before its turn.
    const { signal } = new AbortController();
    const gone = rejection(() => sendFrame(stream, frame, { signal }), "InvalidInput", "sendFrame");
    const behind = rejection(() => sendFrame(stream, frame.slice()), "Closed", "sendFrame");
    transfer(frame);
    (await soon(transport.nextWrite())).take();
    await soon(writing);
    assertEquals((await gone).bytesSent, 0);
    await behind;
    await isAborted(connection, transport);
  });
}

Deno.test("F12: a frame that loses its bytes behind others lets those leave, and aborts the connection then", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const stream = framed(connection, copyless((frame) => [frame]));
  const { signal } = new AbortController();
  const frames = [1, 2, 3].map((byte) => Uint8Array.of(byte, byte));
  const sent = frames.slice(0, 2).map((frame) => sendFrame(stream, frame, { signal }));
  const gone = rejection(
    () => sendFrame(stream, frames[2], { signal }),
    "InvalidInput",
    "sendFrame",
  );
  transfer(frames[2]);
  assertEquals(await takeAll(transport, 4), [1, 1, 2, 2]);
  await soon(Promise.all(sent));
  await gone;
  await isAborted(connection, transport);
});

Deno.test("F12: an encoder that takes back what it has encoded aborts the connection", async () => {
  const controller = new AbortController();
  const mistakes: readonly [kind: "Aborted" | "InvalidInput", mistake: () => Uint8Array[]][] = [
    ["Aborted", () => {
      controller.abort();
      return [Uint8Array.of(1)];
    }],
    ["InvalidInput", () => [transferred()]],
  ];
  for (const [kind, encode] of mistakes) {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const stream = framed(connection, copyless(encode));
    const { signal } = kind === "Aborted" ? controller : new AbortController();
    await rejection(() => sendFrame(stream, new Uint8Array(1), { signal }), kind, "sendFrame");
    await isAborted(connection, transport);
  }
});

Deno.test("F12: an encoder may make a frame of any number of pieces", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const pieces = Array.from({ length: 200_000 }, () => Uint8Array.of(7));
  const sent = sendFrame(framed(connection, copyless(() => pieces)), new Uint8Array(1));
  const write = await soon(transport.nextWrite());
  assertEquals(write.bytes.length, pieces.length);
  write.take();
  await soon(sent);
});
