import { assert, assertEquals } from "@std/assert";
import { abort, close, closeWrite, connectionOver, recv, send } from "../../../mod.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { receiveAll, tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { transfer } from "../../support/transferring.ts";
import { isPending } from "../../support/turns.ts";
import { rejection, soon } from "../../support/socket_errors.ts";

Deno.test("S1: send() resolves when all its bytes were handed over, not before", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const sent = send(connection, bytesOf("abcdefghij"));
  const first = await transport.nextWrite();
  assertEquals(textOf(first.bytes), "abcdefghij");
  first.take(3);
  const second = await transport.nextWrite();
  assertEquals(textOf(second.bytes), "defghij");
  assertEquals(connection.bytesSent, 3);
  second.take(6);
  const third = await transport.nextWrite();
  assertEquals(textOf(third.bytes), "j");
  assert(await isPending(sent));
  third.take();
  await sent;
  assertEquals(connection.bytesSent, 10);
  assertEquals(transport.writes, 3);
});

Deno.test("S1: a transport that takes nothing for a while is asked again", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const sent = send(connection, bytesOf("abc"));
  (await transport.nextWrite()).take(0);
  (await transport.nextWrite()).take(0);
  const last = await transport.nextWrite();
  assertEquals(textOf(last.bytes), "abc");
  last.take();
  await sent;
});

Deno.test("S1: a large send to a reader that comes late arrives whole", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  const bytes = new Uint8Array(8 * 1024 * 1024).map((_, index) => index * 31);
  const sent = send(client, bytes);
  assert(await isPending(sent), "more than the system's buffers hold");
  const received = receiveAll(server);
  await soon(sent);
  await closeWrite(client);
  // Compared as hashes: nobody can read a difference in 8 MiB.
  const hash = async (data: Uint8Array) =>
    new Uint8Array(await crypto.subtle.digest("SHA-256", data as Uint8Array<ArrayBuffer>));
  assertEquals(await hash(await soon(received)), await hash(bytes));
  assertEquals(client.bytesSent, bytes.length);
});

Deno.test("S2: concurrent sends leave in call order and never interleave", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const texts = ["first ", "second ", "third ", "fourth "];
  const settled: number[] = [];
  const sends = texts.map((text, index) =>
    send(connection, bytesOf(text), index % 2 ? { timeout: 60_000 } : undefined)
      .then(() => settled.push(index))
  );
  let written = "";
  while (written.length < texts.join("").length) {
    const write = await transport.nextWrite();
    const count = Math.min(4, write.bytes.length);
    written += textOf(write.bytes.subarray(0, count));
    write.take(count);
  }
  await Promise.all(sends);
  assertEquals(written, texts.join(""));
  assertEquals(settled, [0, 1, 2, 3]);
});

Deno.test("S2: small sends that wait go out together in one write", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const sends = ["0", ...Array.from({ length: 99 }, (_, index) => `,${index + 1}`)]
    .map((text) => send(connection, bytesOf(text)));
  (await transport.nextWrite()).take();
  const gathered = await transport.nextWrite();
  assertEquals(textOf(gathered.bytes), `,${Array.from({ length: 99 }, (_, i) => i + 1)}`);
  gathered.take();
  await Promise.all(sends);
  assertEquals(transport.writes, 2);
});

Deno.test("S2: a gathered write that is taken in part settles the sends that are whole", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const first = send(connection, bytesOf("1"));
  const second = send(connection, bytesOf("22"));
  const third = send(connection, bytesOf("333"));
  (await transport.nextWrite()).take();
  (await transport.nextWrite()).take(4);
  await first;
  await second;
  const rest = await transport.nextWrite();
  assertEquals(textOf(rest.bytes), "3");
  assert(await isPending(third));
  rest.take();
  await third;
});

Deno.test("S2: the writes of many sends at once stay bounded", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const sends = Array.from({ length: 200 }, () => send(connection, new Uint8Array(10_000)));
  let writes = 0;
  for (let left = 200 * 10_000; left > 0; writes++) {
    const write = await transport.nextWrite();
    assert(write.bytes.length <= 256 * 1024, `${write.bytes.length} bytes in one write`);
    left -= write.bytes.length;
    write.take();
  }
  await Promise.all(sends);
  assert(writes < 20, `${writes} writes for 200 sends`);
});

Deno.test("S2: on real sockets a thousand sends at once arrive in call order", async () => {
  await using pair = await tcpPair();
  const texts = Array.from({ length: 1000 }, (_, index) => `${index};`.repeat(index % 7 + 1));
  const sends = texts.map((text) => send(pair.client, bytesOf(text)));
  const received = receiveAll(pair.server);
  await soon(Promise.all(sends));
  await closeWrite(pair.client);
  assertEquals(textOf(await soon(received)), texts.join(""));
});

Deno.test("S2: small and large sends at once arrive in call order", async () => {
  await using pair = await tcpPair();
  const sizes = [1, 300_000, 5, 70_000, 2, 2, 65_536, 65_535, 1_000_000, 3];
  const sends = sizes.map((size, index) =>
    send(pair.client, new Uint8Array(size).fill(index), index % 3 ? undefined : { timeout: 60_000 })
  );
  const received = receiveAll(pair.server);
  await soon(Promise.all(sends));
  await closeWrite(pair.client);
  const bytes = await soon(received);
  let at = 0;
  for (const [index, size] of sizes.entries()) {
    assert(bytes.subarray(at, at + size).every((byte) => byte === index), `send ${index}`);
    at += size;
  }
  assertEquals(bytes.length, at);
});

Deno.test("S2: a buffer is the caller's again once its send has settled", async () => {
  await using pair = await tcpPair();
  const buffer = new Uint8Array(4);
  for (let round = 0; round < 100; round++) {
    buffer.fill(round);
    await send(pair.client, buffer);
    buffer.fill(255);
  }
  await closeWrite(pair.client);
  const expected = Array.from({ length: 100 }, (_, round) => Array(4).fill(round)).flat();
  assertEquals([...await soon(receiveAll(pair.server))], expected);
});

Deno.test("S2: a buffer that is transferred while its send waits fails that send alone", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const first = send(connection, bytesOf("first"));
  const buffer = bytesOf("gone");
  const options = { timeout: 60_000 };
  const gone = rejection(() => send(connection, buffer, options), "InvalidInput", "send");
  const last = send(connection, bytesOf("last"));
  transfer(buffer);
  (await transport.nextWrite()).take();
  const write = await transport.nextWrite();
  assertEquals(textOf(write.bytes), "last");
  write.take();
  await Promise.all([first, gone, last]);
});

Deno.test("S2: a small send that nothing can cancel is copied while it waits, and leaves whole", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const first = send(connection, bytesOf("first"));
  const buffer = bytesOf("second");
  const second = send(connection, buffer);
  transfer(buffer);
  (await transport.nextWrite()).take();
  const write = await transport.nextWrite();
  assertEquals(textOf(write.bytes), "second");
  write.take();
  await Promise.all([first, second]);
});

Deno.test("S2: a buffer that is transferred while it is written aborts the connection, unless it was taken whole", async () => {
  for (const taken of [2, 5]) {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const buffer = bytesOf("bytes");
    const sent = send(connection, buffer);
    const write = await transport.nextWrite();
    transfer(buffer);
    const failed = taken < 5 ? rejection(() => sent, "InvalidInput", "send") : undefined;
    write.take(taken);
    await (failed ?? sent);
    assertEquals(connection.bytesSent, taken);
    if (failed !== undefined) {
      assertEquals((await failed).bytesSent, taken);
      await rejection(() => send(connection, bytesOf("x")), "Closed", "send");
    }
  }
});

class OwnBytes extends Uint8Array<ArrayBuffer> {}

Deno.test("S1: a send whose buffer is transferred or resized while it is written never resolves", async () => {
  const resizable = new ArrayBuffer(5, { maxByteLength: 10 });
  const lost: readonly [Uint8Array, () => void][] = [Uint8Array, OwnBytes].flatMap((Kind) => {
    const transferred = new Kind(new ArrayBuffer(5));
    return [
      [transferred, () => transfer(transferred)],
      [new Kind(resizable), () => resizable.resize(3)],
    ];
  });
  for (const [bytes, lose] of lost) {
    resizable.resize(5);
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const sent = rejection(() => send(connection, bytes), "InvalidInput", "send");
    const behind = rejection(() => send(connection, bytesOf("innocent")), "Closed", "send");
    const write = await transport.nextWrite();
    lose();
    write.take(2);
    assertEquals((await sent).bytesSent, 2);
    await behind;
    await rejection(() => send(connection, bytesOf("x")), "Closed", "send");
  }
});

Deno.test("S5: an empty send is a no-op on an open connection", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport, { sendQueueLimit: 0 });
  const empty = new Uint8Array(0);
  await send(connection, empty);
  await send(connection, empty, { timeout: 60_000 });
  assertEquals(transport.log, []);
  const sent = send(connection, bytesOf("x"));
  await send(connection, empty);
  assertEquals(transport.writes, 1);
  (await transport.nextWrite()).take();
  await sent;
  assertEquals(connection.bytesSent, 1);
});

Deno.test("S5: an empty send is Closed on a closed connection", async () => {
  const empty = new Uint8Array(0);
  const aborted = connectionOver(new ScriptedTransport());
  abort(aborted);
  await rejection(() => send(aborted, empty), "Closed", "send");

  const transport = new ScriptedTransport();
  const closing = connectionOver(transport);
  const closed = close(closing);
  await rejection(() => send(closing, empty), "Closed", "send");
  (await transport.nextRead()).end();
  await closed;
  await rejection(() => send(closing, empty), "Closed", "send");

  const halfClosed = connectionOver(new ScriptedTransport());
  await closeWrite(halfClosed);
  await rejection(() => send(halfClosed, empty), "Closed", "send");
});

Deno.test("S1: bytesSent counts bytes that the system took, bytesReceived bytes that receiving calls gave", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  assertEquals([client.bytesSent, server.bytesReceived], [0, 0]);
  await send(client, bytesOf("abcdef"));
  assertEquals(client.bytesSent, 6);
  assertEquals(textOf(await soon(recv(server, { maxBytes: 2 }))), "ab");
  assertEquals(server.bytesReceived, 2);
  assertEquals(textOf(await soon(recv(server))), "cdef");
  assertEquals([server.bytesReceived, server.bytesSent], [6, 0]);
});
