import { assert, assertEquals } from "@std/assert";
import {
  abort,
  type ByteQueue,
  type Codec,
  connectionOver,
  delimited,
  framed,
  lengthPrefixed,
  lines,
  recv,
  recvExactly,
  recvFrame,
  recvLine,
  recvUntil,
  send,
} from "../../../mod.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf } from "../../support/text.ts";

const KIBIBYTE = 1024;
/** Largest number of bytes that one read brings. */
const ONE_READ = 124 * KIBIBYTE;

/** A codec, and the largest number of bytes that ever waited for its decoder. */
function watched<T>(codec: Codec<T>): [codec: Codec<T>, most: () => number] {
  let most = 0;
  const look = <R>(input: ByteQueue, then: () => R): R => {
    most = Math.max(most, input.length);
    return then();
  };
  return [{
    encode: codec.encode,
    decoder() {
      const inner = codec.decoder();
      return {
        decode: (input) => look(input, () => inner.decode(input)),
        end: (input) => look(input, () => inner.end?.(input)),
      };
    },
  }, () => most];
}

const LIMIT = 300_000;

const HOSTILE: Record<string, { codec: Codec<unknown>; start: Uint8Array; goesOn?: true }> = {
  "lengthPrefixed": {
    codec: lengthPrefixed({ maxLength: LIMIT }),
    start: new Uint8Array([0, LIMIT >> 16, LIMIT >> 8 & 255, LIMIT & 255]),
  },
  "delimited": {
    codec: delimited(bytesOf("\r\n"), { maxLength: LIMIT }),
    start: new Uint8Array(),
    goesOn: true,
  },
  "lines": { codec: lines({ maxLength: LIMIT }), start: new Uint8Array(), goesOn: true },
};

for (const [name, { codec, start, goesOn }] of Object.entries(HOSTILE)) {
  Deno.test(`F4: over TCP, at most the limit and one read wait for ${name}`, async () => {
    await using pair = await tcpPair();
    const { client, server } = pair;
    const [seen, most] = watched(codec);
    const stream = framed(server, seen);
    const amount = 4 * 1024 * KIBIBYTE;
    const sending = (async () => {
      await send(client, start);
      const bytes = new Uint8Array(64 * KIBIBYTE).fill(65);
      for (let sent = 0; sent < amount; sent += bytes.length) await send(client, bytes);
      await send(client, bytesOf("\r\nx\r\n"));
    })();
    if (goesOn) {
      await rejection(() => recvFrame(stream), "TooLarge", "recvFrame");
      await soon(recvFrame(stream));
      await soon(sending);
      assertEquals(server.bytesReceived, start.length + amount + 5);
    } else {
      assertEquals(await soon(recvFrame(stream)), new Uint8Array(LIMIT).fill(65));
      // The decoder reads a length of 1 GiB now.
      await rejection(() => recvFrame(stream), "TooLarge", "recvFrame");
      abort(server);
      await sending.catch(() => {});
    }
    assert(most() > LIMIT / 2, "there was something to see");
    assert(most() <= start.length + LIMIT + 2 + ONE_READ, `${most()} bytes waited`);
  });
}

Deno.test("F4: at most one read is ahead of the frame that is asked for", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  let waiting: Promise<unknown> = recvUntil(connection, bytesOf("\n"), { maxLength: 20_000 });
  for (let reads = 0; reads < 20; reads++) {
    const read = await transport.nextRead();
    assert(read.buffer.length <= ONE_READ);
    const line = new Uint8Array(Math.min(read.buffer.length, 10_000)).fill(65);
    line[line.length - 1] = 10;
    read.give(line);
    await soon(waiting);
    assertEquals(transport.reads, reads + 1);
    waiting = recvLine(connection, { maxLength: 20_000 });
  }
  abort(connection);
  await waiting.catch(() => {});
});

/** Returns the buffers that a reader gave, which must be the caller's own. */
async function given(
  receive: (connection: Parameters<typeof recv>[0], length: number) => Promise<Uint8Array | null>,
  suffix: string,
): Promise<Uint8Array[]> {
  await using pair = await tcpPair();
  const { client, server } = pair;
  const lengths = [1, 64, 5000, 100_000, 3, 70_000, 4096, 4097, 130_000, 1];
  const sending = (async () => {
    for (const length of lengths) {
      await send(client, new Uint8Array(length).fill(65));
      await send(client, bytesOf(suffix));
    }
  })();
  const all: Uint8Array[] = [];
  for (const length of lengths) all.push((await soon(receive(server, length)))!);
  await sending;
  assertEquals(all.map((bytes) => bytes.length), lengths);
  return all;
}

const OWN: Record<string, [receive: Parameters<typeof given>[0], suffix: string]> = {
  recvExactly: [(connection, length) => recvExactly(connection, length), ""],
  recvUntil: [
    (connection) => recvUntil(connection, bytesOf("\n"), { maxLength: Infinity }),
    "\n",
  ],
  "recvFrame of delimited": [
    (connection) => recvFrame(framed(connection, delimited(bytesOf("\n")))),
    "\n",
  ],
};

for (const [name, [receive, suffix]] of Object.entries(OWN)) {
  Deno.test(`R2: the bytes that ${name} gives are the caller's own, in a buffer of at most twice their size`, async () => {
    const all = await given(receive, suffix);
    assertEquals(new Set(all.map(({ buffer }) => buffer)).size, all.length);
    for (const bytes of all) {
      const { byteLength } = bytes.buffer;
      assert(byteLength <= Math.max(2 * bytes.length, 4 * KIBIBYTE), `${byteLength} bytes`);
      assert(bytes.every((byte) => byte === 65));
      bytes.fill(66);
      structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] });
    }
  });
}

Deno.test("F11: no later call changes the bytes of recv() and of frames", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  const codec = lengthPrefixed({ bytes: 2 });
  const frames = Array.from(
    { length: 300 },
    (_, index) => new Uint8Array([1, 100, 5000, 40_000][index % 4]).fill(index),
  );
  const sending = (async () => {
    for (const frame of frames) {
      for (const piece of [codec.encode(frame)].flat()) await send(client, piece);
    }
  })();
  const taken: Uint8Array[] = [];
  const stream = framed(server, codec);
  for (let index = 0; index < frames.length; index++) {
    if (index % 3 > 0) taken.push((await soon(recvFrame(stream)))!);
    else {
      const { length } = frames[index];
      await soon(recvExactly(server, 2));
      const parts: Uint8Array[] = [];
      for (let left = length; left > 0; left -= parts.at(-1)!.length) {
        parts.push((await soon(recv(server, { maxBytes: left })))!);
      }
      taken.push(new Uint8Array(await new Blob(parts as Uint8Array<ArrayBuffer>[]).arrayBuffer()));
    }
  }
  await sending;
  assertEquals(taken, frames);
});
