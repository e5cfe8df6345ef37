import { assert, assertEquals, assertRejects } from "@std/assert";
import { abort, closeWrite, connectionOver, recv, send, SocketError } from "../../../mod.ts";
import { ChunkTransport } from "../../support/chunk_transport.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { receiveAll, tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { isPending, turns } from "../../support/turns.ts";
import { watchUnhandled } from "../../support/unhandled.ts";

type ViewClass = {
  new (buffer: ArrayBuffer, offset: number, length: number): ArrayBufferView;
  readonly name: string;
  readonly BYTES_PER_ELEMENT?: number;
};

const VIEWS: readonly ViewClass[] = [
  ...[DataView, Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array],
  ...[Uint32Array, BigInt64Array, BigUint64Array, Float32Array, Float64Array],
  // Node 22 does not have it.
  ..."Float16Array" in globalThis ? [Float16Array] : [],
];

/** Makes a view of some elements that begins behind the start of its buffer. */
function viewOf(View: ViewClass, elements: number): ArrayBufferView {
  return new View(new ArrayBuffer(8 + elements * 8), 8, elements);
}

function contents(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
}

const numbers = (length: number) => Uint8Array.from({ length }, (_, index) => index + 1);

for (const View of VIEWS) {
  const size = View.BYTES_PER_ELEMENT ?? 1;

  Deno.test(`R6: a BYOB read of ${View.name} gets whole elements, however the bytes come`, async () => {
    const bytes = numbers(5 * size);
    const pieces = [1, 2, 5, bytes.length].flatMap((end, index, ends) =>
      bytes.length < end ? [] : [bytes.slice(ends[index - 1] ?? 0, end)]
    );
    const connection = connectionOver(new ChunkTransport(pieces));
    const reader = connection.readable.getReader({ mode: "byob" });
    const got: number[] = [];
    for (;;) {
      const { done, value } = await soon(reader.read(viewOf(View, 2)));
      if (done) break;
      assertEquals(value.constructor, View);
      assertEquals([value.byteOffset, value.byteLength % size], [8, 0]);
      got.push(...contents(value));
    }
    assertEquals(got, [...bytes.slice(0, got.length)]);
    assertEquals(got.length, bytes.length);
  });

  for (let left = 1; left < size; left++) {
    Deno.test(`R6: the end after ${left} bytes rejects a BYOB read of ${View.name}; recv() gives them`, async () => {
      using unhandled = watchUnhandled();
      const bytes = numbers(size + left);
      const connection = connectionOver(new ChunkTransport([bytes]));
      const reader = connection.readable.getReader({ mode: "byob" });
      const first = await soon(reader.read(viewOf(View, 4)));
      assertEquals(contents(first.value!), bytes.slice(0, size));
      for (let time = 0; time < 2; time++) {
        const error = await soon(assertRejects(() => reader.read(viewOf(View, 4)), SocketError));
        assertEquals([error.kind, error.operation], ["UnexpectedEof", "recv"]);
      }
      await soon(assertRejects(() => reader.closed, SocketError));
      assertEquals(await soon(recv(connection)), bytes.slice(size));
      assertEquals(await soon(recv(connection)), null);
      assertEquals(await unhandled.seen(), []);
    });
  }
}

Deno.test("R6: half an element, then the end over TCP, is a rejected read", async () => {
  await using pair = await tcpPair();
  using unhandled = watchUnhandled();
  const reader = pair.server.readable.getReader({ mode: "byob" });
  const reads = [1, 2].map(() => assertRejects(() => reader.read(new Uint16Array(4)), SocketError));
  await send(pair.client, numbers(1));
  await closeWrite(pair.client);
  for (const error of await soon(Promise.all(reads))) assertEquals(error.kind, "UnexpectedEof");
  await turns();
  assertEquals(await unhandled.seen(), []);
  await send(pair.server, bytesOf("the connection goes on"));
  assertEquals(textOf(await soon(recv(pair.client))), "the connection goes on");
});

Deno.test("R6: half an element for a reader that the platform made is a rejected read as well", async () => {
  using unhandled = watchUnhandled();
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const reader = new ReadableStreamBYOBReader(connection.readable);
  const first = reader.read(new Uint16Array(4));
  (await transport.nextRead()).give(numbers(3));
  assertEquals(contents((await soon(first)).value!), numbers(2));
  const read = assertRejects(() => reader.read(new Uint16Array(4)), TypeError);
  (await transport.nextRead()).end();
  await soon(read);
  assertEquals(await unhandled.seen(), []);
});

Deno.test("R6: read({ min }) waits for that many elements", async () => {
  const transport = new ScriptedTransport();
  const reader = connectionOver(transport).readable.getReader({ mode: "byob" });
  const read = reader.read(new Uint16Array(8), { min: 3 });
  (await transport.nextRead()).give(numbers(5));
  assert(await isPending(read));
  (await transport.nextRead()).give(numbers(4));
  const { value } = await soon(read);
  assertEquals(contents(value!), new Uint8Array([1, 2, 3, 4, 5, 1, 2, 3]));
});

Deno.test("R6: at the end read({ min }) gives the whole elements that there are, and done", async () => {
  const connection = connectionOver(new ChunkTransport([numbers(4)]));
  const reader = connection.readable.getReader({ mode: "byob" });
  const { done, value } = await soon(reader.read(new Uint16Array(8), { min: 3 }));
  assertEquals([done, contents(value!)], [true, numbers(4)]);
  await soon(reader.closed);
  assertEquals(await soon(recv(connection)), null);
});

Deno.test("R6: a BYOB read that the platform refuses asks for nothing", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const reader = connection.readable.getReader({ mode: "byob" });
  const detached = new Uint8Array(4);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  const wrong = [new Uint8Array(0), detached, "text", undefined, null];
  for (const view of wrong) {
    await soon(assertRejects(() => reader.read(view as Uint8Array<ArrayBuffer>)));
  }
  for (const min of [0, 5, -1, NaN]) {
    await soon(assertRejects(() => reader.read(new Uint8Array(4), { min })));
  }
  assertEquals(transport.reads, 0);
  const read = reader.read(new Uint16Array(2));
  (await transport.nextRead()).give(numbers(4));
  assertEquals(contents((await soon(read)).value!), numbers(4));
});

Deno.test("R6: BYOB reads that wait are answered in order, each with its own elements", async () => {
  await using pair = await tcpPair();
  const reader = pair.server.readable.getReader({ mode: "byob" });
  const reads = [
    reader.read(new Uint8Array(1)),
    reader.read(new Uint32Array(2)),
    reader.read(new Float64Array(1)),
    reader.read(new Uint8Array(100)),
  ];
  await send(pair.client, numbers(30));
  await closeWrite(pair.client);
  const values = (await soon(Promise.all(reads))).map(({ value }) => contents(value!));
  assertEquals(values.slice(0, 3).map(({ length }) => length % 4), [1, 0, 0]);
  assertEquals(values.flatMap((value) => [...value]), [...numbers(30)]);
});

Deno.test("R6: half an element goes to the next call after releaseLock()", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const reader = connection.readable.getReader({ mode: "byob" });
  const read = assertRejects(() => reader.read(new Uint32Array(4)), TypeError);
  (await transport.nextRead()).give(numbers(3));
  await turns();
  reader.releaseLock();
  await soon(read);
  assertEquals(await soon(recv(connection)), numbers(3));
});

Deno.test("R6: a small BYOB read after a released large one gives recv() the rest", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  const large = server.readable.getReader({ mode: "byob" });
  const given = assertRejects(() => large.read(new Uint8Array(100)), TypeError);
  await turns();
  large.releaseLock();
  await given;
  const small = server.readable.getReader({ mode: "byob" });
  const read = small.read(new Uint8Array(4));
  await send(client, numbers(10));
  const { value } = await soon(read);
  small.releaseLock();
  await closeWrite(client);
  assertEquals([...contents(value!), ...await soon(receiveAll(server))], [...numbers(10)]);
  assertEquals(server.bytesReceived, 10);
});

Deno.test("R6: abort() rejects BYOB reads of every element with Closed", async () => {
  for (const View of VIEWS) {
    const connection = connectionOver(new ScriptedTransport());
    const reader = connection.readable.getReader({ mode: "byob" });
    const read = rejection(() => reader.read(viewOf(View, 3)), "Closed", "recv");
    await turns();
    abort(connection);
    await read;
  }
});

Deno.test("R6: a BYOB read of a cancelled readable asks for nothing", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  await connection.readable.cancel();
  const reader = connection.readable.getReader({ mode: "byob" });
  assertEquals((await soon(reader.read(new Uint8Array(4)))).done, true);
  assertEquals(transport.reads, 0);
  const received = recv(connection);
  (await transport.nextRead()).give(numbers(2));
  assertEquals(await soon(received), numbers(2));
});
