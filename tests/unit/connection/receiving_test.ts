import { assert, assertEquals, assertNotEquals, assertStrictEquals } from "@std/assert";
import {
  close,
  closeWrite,
  connectionOver,
  recv,
  recvExactly,
  recvInto,
  send,
} from "../../../mod.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { transfer } from "../../support/transferring.ts";
import { isPending } from "../../support/turns.ts";
import { rejection, soon } from "../../support/socket_errors.ts";

const KIBIBYTE = 1024;

Deno.test("R1: recv() waits for at least one byte and gives the bytes of one read", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const received = recv(connection);
  assert(await isPending(received));
  (await transport.nextRead()).give(bytesOf("one read"));
  assertEquals(textOf(await received), "one read");
  const next = recv(connection);
  (await transport.nextRead()).give(bytesOf("another"));
  assertEquals(textOf(await next), "another");
  assertEquals(transport.reads, 2);
});

Deno.test("R1: a read of 0 bytes is no answer", async () => {
  for (const receive of [recv, receiveInto]) {
    const transport = new ScriptedTransport();
    const received = receive(connectionOver(transport));
    (await transport.nextRead()).give(new Uint8Array(0));
    (await transport.nextRead()).give(bytesOf("x"));
    assertEquals(textOf(await received), "x");
  }
});

async function receiveInto(connection: Parameters<typeof recv>[0]): Promise<Uint8Array | null> {
  const buffer = new Uint8Array(16);
  const count = await recvInto(connection, buffer);
  return count === null ? null : buffer.subarray(0, count);
}

Deno.test("R1: recv() gives at most maxBytes, the rest stays for the next calls", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const received = recv(connection, { maxBytes: 2 });
  (await transport.nextRead()).give(bytesOf("abcdefghij"));
  assertEquals(textOf(await received), "ab");
  assertEquals(textOf(await recv(connection, { maxBytes: 1 })), "c");
  const buffer = new Uint8Array(8);
  assertEquals(await recvInto(connection, buffer, { maxBytes: 3 }), 3);
  assertEquals(textOf(buffer.subarray(0, 4)), "def\0");
  assertEquals(textOf(await recv(connection, { maxBytes: Infinity })), "ghij");
  assertEquals(transport.reads, 1);
});

for (const maxBytes of [0, -1, 1.5, NaN, -Infinity]) {
  Deno.test(`R1: maxBytes ${maxBytes} is InvalidInput before any I/O`, async () => {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    await rejection(() => recv(connection, { maxBytes }), "InvalidInput", "recv");
    const buffer = new Uint8Array(1);
    await rejection(() => recvInto(connection, buffer, { maxBytes }), "InvalidInput", "recvInto");
    assertEquals(transport.log, []);
  });
}

Deno.test("R1: the end of stream is null, again and again, for every way to receive", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  await send(client, bytesOf("last"));
  await closeWrite(client);
  assertEquals(textOf(await soon(recv(server))), "last");
  for (let round = 0; round < 3; round++) {
    assertEquals(await soon(recv(server)), null);
    assertEquals(await soon(recv(server, { timeout: 1000, maxBytes: 1 })), null);
    assertEquals(await soon(recvInto(server, new Uint8Array(1))), null);
    assertEquals(await soon(recvInto(server, new Uint8Array(1), { timeout: 1000 })), null);
    assertEquals(await soon(server[Symbol.asyncIterator]().next()), {
      done: true,
      value: undefined,
    });
  }
  await send(server, bytesOf("the other way goes on"));
  assertEquals(textOf(await soon(recv(client))), "the other way goes on");
});

Deno.test("R1: the iteration gives all bytes until the end", async () => {
  await using pair = await tcpPair();
  const sent = (async () => {
    for (let index = 0; index < 50; index++) await send(pair.client, bytesOf(`${index},`));
    await closeWrite(pair.client);
  })();
  let text = "";
  for await (const bytes of pair.server) text += textOf(bytes);
  await sent;
  assertEquals(text, Array.from({ length: 50 }, (_, index) => `${index},`).join(""));
});

/** Returns the largest ArrayBuffer that may hold `length` received bytes. */
function roomFor(length: number): number {
  return Math.max(2 * length, 4 * KIBIBYTE);
}

Deno.test("R2: bytes come in an ArrayBuffer of their own, at most twice their size or 4 KiB", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const buffers = new Set<ArrayBuffer>();
  let calls = 0;
  for (let round = 0; round < 200; round++) {
    const received = recv(connection, round % 3 ? undefined : { maxBytes: 1 + round * 50 });
    if (transport.reads > calls) {
      calls = transport.reads;
      const read = await transport.nextRead();
      // Full reads, tiny ones, and everything between, for each size that the reads grow to.
      const size = round % 4 ? Math.ceil(read.buffer.length * (round % 5) / 5) : read.buffer.length;
      read.give(new Uint8Array(Math.max(1, size)));
    }
    const bytes = (await received)!;
    assert(bytes.buffer.byteLength <= roomFor(bytes.length), `${bytes.length} bytes`);
    assert(!buffers.has(bytes.buffer), "two calls gave the same ArrayBuffer");
    buffers.add(bytes.buffer);
  }
});

Deno.test("R2: no later call changes the bytes, and they may be transferred", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  const kept: { bytes: Uint8Array<ArrayBuffer>; copy: Uint8Array }[] = [];
  const sizes = [1, 100, 5000, 64 * KIBIBYTE, 3, 300 * KIBIBYTE, 1, 1];
  for (const [round, size] of sizes.entries()) {
    const sent = send(client, new Uint8Array(size).fill(round + 1));
    for (let left = size; left > 0;) {
      const bytes = (await soon(recv(server)))!;
      assert(bytes.buffer.byteLength <= roomFor(bytes.length));
      left -= bytes.length;
      kept.push({ bytes, copy: bytes.slice() });
    }
    await soon(sent);
  }
  for (const { bytes, copy } of kept) assertEquals(bytes, copy);
  for (const { bytes } of kept) structuredClone(bytes, { transfer: [bytes.buffer] });
  await send(client, bytesOf("still works"));
  assertEquals(textOf(await soon(recv(server))), "still works");
});

Deno.test("R2: changes that the caller makes to its bytes do not show in the next ones", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const received = recv(connection, { maxBytes: 3 });
  (await transport.nextRead()).give(bytesOf("abcdef"));
  const first = (await received)!;
  new Uint8Array(first.buffer).fill(0);
  const second = (await recv(connection, { maxBytes: 2 }))!;
  assertEquals(textOf(second), "de");
  assertNotEquals(first.buffer, second.buffer);
  structuredClone(second, { transfer: [second.buffer] });
  assertEquals(textOf(await recv(connection)), "f");
});

for (const first of ["recv", "recvInto", "recvInto with a timeout"]) {
  Deno.test(`R3: a receiving call that overlaps a ${first} is Busy, all survive it`, async () => {
    await using pair = await tcpPair();
    const { client, server } = pair;
    const buffer = new Uint8Array(10);
    const pending = first === "recv"
      ? recv(server)
      : recvInto(server, buffer, first === "recvInto" ? undefined : { timeout: 60_000 });
    for (let round = 0; round < 3; round++) {
      const busy = await rejection(() => recv(server), "Busy", "recv");
      assert(busy.retryable);
      await rejection(() => recv(server, { timeout: 1000 }), "Busy", "recv");
      await rejection(() => recvInto(server, new Uint8Array(1)), "Busy", "recvInto");
      const iterated = server[Symbol.asyncIterator]();
      await rejection(() => iterated.next(), "Busy", "recv");
    }
    await send(client, bytesOf("abc"));
    const result = await soon<Uint8Array | number | null>(pending);
    assertEquals(textOf(first === "recv" ? result as Uint8Array : buffer.subarray(0, 3)), "abc");
    await send(client, bytesOf("next"));
    assertEquals(textOf(await soon(recv(server))), "next");
  });
}

Deno.test("R5: break out of the iteration leaves the connection open, nothing is lost", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  for (let round = 0; round < 5; round++) {
    await send(client, bytesOf(`${round}`));
    for await (const bytes of server) {
      assertEquals(textOf(bytes), `${round}`);
      break;
    }
    await send(server, bytesOf("heard"));
    assertEquals(textOf(await soon(recv(client))), "heard");
  }
});

Deno.test("R5: bytes that were read ahead are kept for the next call, before the loop and after it", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const received = recv(connection, { maxBytes: 1 });
  (await transport.nextRead()).give(bytesOf("abc"));
  assertEquals(textOf(await received), "a");
  for await (const bytes of connection) {
    assertEquals(textOf(bytes), "bc");
    break;
  }
  assertEquals(transport.log, ["read"]);
  const next = recv(connection);
  (await transport.nextRead()).give(bytesOf("def"));
  assertEquals(textOf(await next), "def");
});

Deno.test("R5: an iterator that was left can be followed by another", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const iterator = connection[Symbol.asyncIterator]();
  assertStrictEquals((await iterator.return?.())?.done, true);
  const next = connection[Symbol.asyncIterator]().next();
  (await transport.nextRead()).give(bytesOf("x"));
  assertEquals(textOf((await next).value), "x");
  const closed = close(connection);
  (await transport.nextRead()).end();
  await soon(closed);
});

Deno.test("recv: reads grow to 64 KiB, to 124 for a long stream, and fall back after it", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  /** Lets one read bring `count` bytes, or fill its buffer, and returns the size of the buffer. */
  const oneRead = async (count = Infinity): Promise<number> => {
    const received = recv(connection);
    const { buffer, give } = await transport.nextRead();
    give(new Uint8Array(Math.min(count, buffer.length)));
    assertEquals((await received)!.length, Math.min(count, buffer.length));
    return buffer.length / KIBIBYTE;
  };
  assertEquals([await oneRead(), await oneRead(), await oneRead()], [4, 16, 64]);
  for (let full = 0; full < 60; full++) assertEquals(await oneRead(), 64);
  // A pause, as after a message, begins the count anew.
  await oneRead(100);
  for (let full = 0; full < 65; full++) assertEquals(await oneRead(), 64);
  assertEquals([await oneRead(), await oneRead(100 * KIBIBYTE)], [124, 124]);
  assertEquals([await oneRead(100), await oneRead()], [124, 64]);
});

Deno.test("R1: recvInto() whose buffer is transferred meanwhile settles, and takes no byte from the next call", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  const buffer = new Uint8Array(16);
  const call = recvInto(server, buffer).catch((error) => error);
  transfer(buffer);
  await send(client, Uint8Array.of(1, 2, 3));
  const settled = await soon(call);
  await send(client, Uint8Array.of(4));
  const next = [...await recvExactly(server, settled === 3 ? 1 : 4)];
  // The runtime of Deno holds on to the memory, and fills it.
  if (settled !== 3) {
    assertEquals([settled.kind, settled.operation], ["InvalidInput", "recvInto"]);
    assertEquals(next, [1, 2, 3, 4]);
  } else assertEquals(next, [4]);
});

Deno.test("R1: small recvInto() calls take everything that one large read has brought", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  const sent = Uint8Array.from({ length: 100_000 }, (_, index) => index * 7 + (index >> 8));
  const sending = send(client, sent);
  const got = new Uint8Array(sent.length);
  const buffer = new Uint8Array(13);
  let end = 0;
  for (let turn = 0; end < sent.length; turn++) {
    // Other calls take turns with it.
    const bytes = turn % 5 === 4 ? await recv(server, { maxBytes: 700 }) : undefined;
    const count = bytes === undefined ? await recvInto(server, buffer) : bytes!.length;
    got.set(bytes ?? buffer.subarray(0, count!), end);
    end += count!;
  }
  await sending;
  assertEquals(got, sent);
});
