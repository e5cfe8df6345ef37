import { assert, assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import { abort, connectionOver, recv, recvExactly, send } from "../../../mod.ts";
import { connectionReset } from "../../support/runtime_errors.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { transfer, transferred } from "../../support/transferring.ts";
import { isPending } from "../../support/turns.ts";

const KIBIBYTE = 1024;

/** Makes pieces of these lengths; every byte says to which piece it belongs. */
function piecesOf(...lengths: number[]): Uint8Array<ArrayBuffer>[] {
  return lengths.map((length, index) => new Uint8Array(length).fill(index + 1));
}

for (const options of [undefined, { timeout: 60_000 }]) {
  const how = options === undefined ? "" : " with a timeout";

  Deno.test(`S2: send()${how} of pieces writes small ones together and large ones as they are`, async () => {
    for (
      const [lengths, writes] of [
        [[3], [3]],
        [[0, 3, 0], [3]],
        [[1, 2, 3], [6]],
        [Array(1000).fill(64), [64_000]],
        [[10, 64 * KIBIBYTE, 5, 5], [10, 65_536, 10]],
        [[64 * KIBIBYTE, 64 * KIBIBYTE], [65_536, 65_536]],
        [Array(9).fill(60_000), [240_000, 240_000, 60_000]],
        [[63 * KIBIBYTE, 0, 200 * KIBIBYTE, 1], [64_512, 204_800, 1]],
      ] as const
    ) {
      const transport = new ScriptedTransport();
      const connection = connectionOver(transport);
      const pieces = piecesOf(...lengths);
      const sent = send(connection, pieces, options);
      const written: Uint8Array[] = [];
      for (const length of writes) {
        const write = await soon(transport.nextWrite());
        assertEquals(write.bytes.length, length);
        assert(await isPending(sent));
        written.push(write.bytes);
        write.take();
      }
      await soon(sent);
      assertEquals(concat(written), concat(pieces));
      assertEquals(connection.bytesSent, concat(pieces).length);
      assertEquals(transport.writes, writes.length);
    }
  });

  Deno.test(`S2: send()${how} of pieces behind other sends leaves whole and in call order`, async () => {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const sends = [
      send(connection, bytesOf("first ")),
      send(connection, [bytesOf("a"), bytesOf("b"), bytesOf("c ")], options),
      send(connection, bytesOf("between ")),
      send(connection, [bytesOf("d"), new Uint8Array(70_000), bytesOf("e")], options),
      send(connection, bytesOf(" last")),
    ];
    const written: Uint8Array[] = [];
    for (let left = 6 + 3 + 9 + 70_002 + 5; left > 0; left -= written.at(-1)!.length) {
      const write = await soon(transport.nextWrite());
      written.push(write.bytes);
      write.take();
    }
    await soon(Promise.all(sends));
    const expected = [bytesOf("first abc between d"), new Uint8Array(70_000), bytesOf("e last")];
    assertEquals(concat(written), concat(expected));
  });
}

Deno.test("S1: send() of pieces that are taken a part at a time sends every byte once", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const pieces = piecesOf(5, 5, 70_000, 5);
  const sent = send(connection, pieces);
  const written: Uint8Array[] = [];
  for (let left = 70_015; left > 0;) {
    const write = await soon(transport.nextWrite());
    const count = Math.min(write.bytes.length, left > 70_000 ? 3 : 30_000);
    written.push(write.bytes.subarray(0, count));
    write.take(count);
    left -= count;
  }
  await soon(sent);
  assertEquals(concat(written), concat(pieces));
});

Deno.test("S1: 1024 pieces arrive on a real socket as they were sent", async () => {
  await using pair = await tcpPair();
  const pieces = piecesOf(...Array.from({ length: 1024 }, (_, index) => index % 128));
  const expected = concat(pieces);
  for (let round = 0; round < 3; round++) {
    const [, received] = await soon(Promise.all([
      send(pair.client, pieces),
      recvExactly(pair.server, expected.length),
    ]));
    assertEquals(received, expected);
  }
});

Deno.test("S3: send() of pieces that do not fit is QueueFull, and nothing of it is sent", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport, { sendQueueLimit: 10 });
  const writing = send(connection, bytesOf("writing"));
  const over = [bytesOf("12345"), bytesOf("67890"), bytesOf("1")];
  for (const options of [undefined, { timeout: 60_000 }]) {
    const error = await rejection(() => send(connection, over, options), "QueueFull", "send");
    assertEquals(error.reason, "0 bytes wait already, 11 more would pass the limit of 10");
  }
  const fits = send(connection, over.slice(0, 2));
  await rejection(() => send(connection, [bytesOf("1")]), "QueueFull", "send");
  (await transport.nextWrite()).take();
  const write = await transport.nextWrite();
  assertEquals(textOf(write.bytes), "1234567890");
  write.take();
  await soon(Promise.all([writing, fits]));
});

Deno.test("S3: an idle connection takes pieces of any size", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport, { sendQueueLimit: 0 });
  const sent = send(connection, piecesOf(10, 10));
  await rejection(() => send(connection, piecesOf(1)), "QueueFull", "send");
  (await transport.nextWrite()).take();
  await soon(sent);
});

Deno.test("S4: pieces that are cancelled while they wait are not sent, none of them", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const controller = new AbortController();
  const first = send(connection, bytesOf("first "));
  const cancelled = send(connection, piecesOf(10, 70_000, 10), { signal: controller.signal });
  const last = send(connection, [bytesOf("la"), bytesOf("st")]);
  controller.abort();
  const error = await rejection(() => cancelled, "Aborted", "send");
  assertEquals("bytesSent" in error, false);
  (await transport.nextWrite()).take();
  const write = await transport.nextWrite();
  assertEquals(textOf(write.bytes), "last");
  write.take();
  await soon(Promise.all([first, last]));
  assertEquals(connection.bytesQueued, 0);
});

Deno.test("S4: pieces that are cancelled half-way abort the connection, with bytesSent", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const controller = new AbortController();
  const sent = send(connection, piecesOf(10, 10, 70_000), { signal: controller.signal });
  (await transport.nextWrite()).take();
  await transport.nextWrite();
  controller.abort();
  assertEquals((await rejection(() => sent, "Aborted", "send")).bytesSent, 20);
  await rejection(() => recv(connection), "Closed", "recv");
});

Deno.test("S5: an array without bytes in it is an empty send", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport, { sendQueueLimit: 0 });
  const writing = send(connection, bytesOf("writing"));
  for (const pieces of [[], [new Uint8Array()], [new Uint8Array(), new Uint8Array()]]) {
    await soon(send(connection, pieces));
    await soon(send(connection, pieces, { timeout: 60_000 }));
  }
  (await transport.nextWrite()).take();
  await soon(writing);
  assertEquals(transport.writes, 1);
  abort(connection);
  await rejection(() => send(connection, []), "Closed", "send");
});

Deno.test("E1: a wrong piece is InvalidInput before any I/O, and the message says which", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const some = bytesOf("some");
  // deno-lint-ignore no-sparse-arrays
  const hole = [some, , some];
  for (
    const [pieces, reason] of [
      [[some, 5], "piece 1 is 5, not a Uint8Array"],
      [[null, some], "piece 0 is null, not a Uint8Array"],
      [[some, [some]], "piece 1 is an array, not a Uint8Array"],
      [hole, "piece 1 is undefined, not a Uint8Array"],
      [[some, "text"], 'piece 1 is "text", not a Uint8Array'],
      [[some, transferred()], "the buffer of piece 1 has been transferred or shortened"],
    ] as const
  ) {
    const error = await rejection(() => send(connection, pieces as never), "InvalidInput", "send");
    assertEquals(error.reason, reason);
  }
  assertEquals(transport.log, []);
});

Deno.test("S2: a large piece that is transferred while it waits rejects the whole send, which sends nothing", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const first = send(connection, bytesOf("first "));
  const pieces = piecesOf(10, 70_000, 10);
  const gone = send(connection, pieces);
  // The small ones were copied when the send was accepted.
  const small = piecesOf(3, 3);
  const copied = send(connection, small);
  transfer(pieces[1]);
  small.forEach(transfer);
  (await transport.nextWrite()).take();
  await soon(first);
  await rejection(() => gone, "InvalidInput", "send");
  const write = await transport.nextWrite();
  assertEquals(write.bytes, new Uint8Array([1, 1, 1, 2, 2, 2]));
  write.take();
  await soon(copied);
});

Deno.test("S1: a send of pieces whose write fails rejects with what broke the connection", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const sent = send(connection, piecesOf(10, 70_000));
  (await transport.nextWrite()).take();
  (await transport.nextWrite()).fail(connectionReset());
  assertEquals((await rejection(() => sent, "ConnectionReset", "send")).bytesSent, 10);
  await rejection(() => send(connection, piecesOf(1, 1)), "ConnectionReset", "send");
});
