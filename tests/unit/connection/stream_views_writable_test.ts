import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { abort, closeWrite, connectionOver, recv, send, SocketError } from "../../../mod.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { isPending, turns } from "../../support/turns.ts";
import { watchUnhandled } from "../../support/unhandled.ts";

/** More bytes than a peer's kernel takes. */
const LOTS = 32 * 1024 * 1024;

Deno.test("K7: abort() of writable settles and drops the connection while the peer takes nothing", async () => {
  using unhandled = watchUnhandled();
  await using pair = await tcpPair();
  const { client } = pair;
  const writer = client.writable.getWriter();
  const written = rejection(() => writer.write(new Uint8Array(LOTS)), "Closed", "send");
  await turns();
  await soon(writer.abort("enough"));
  await written;
  await rejection(() => recv(client), "Closed", "recv");
  await rejection(() => send(client, new Uint8Array(1)), "Closed", "send");
  await soon(assertRejects(() => writer.closed));
  assertEquals(await unhandled.seen(), []);
});

Deno.test("K7: abort() of writable ends a close that waits for the peer", async () => {
  using unhandled = watchUnhandled();
  await using pair = await tcpPair();
  const { client } = pair;
  const writer = client.writable.getWriter();
  const settled = Promise.allSettled([
    writer.write(new Uint8Array(LOTS)),
    writer.close(),
    writer.closed,
  ]);
  await turns();
  await soon(Promise.allSettled([writer.abort()]));
  assertEquals((await soon(settled)).map(({ status }) => status), Array(3).fill("rejected"));
  await rejection(() => recv(client), "Closed", "recv");
  assertEquals(await unhandled.seen(), []);
});

Deno.test("K7: a pipe's signal aborts at once while the destination's peer takes nothing", async () => {
  await using from = await tcpPair();
  await using to = await tcpPair();
  const controller = new AbortController();
  const { signal } = controller;
  const reason = new Error("enough");
  const source = rejection(() => send(from.client, new Uint8Array(LOTS)), "Closed", "send");
  const piped = from.server.readable.pipeTo(to.client.writable, { signal });
  const rejected = assertRejects(() => piped, Error, "enough");
  for (let sent = -1; sent !== to.client.bytesSent;) {
    sent = to.client.bytesSent;
    await turns(20);
  }
  controller.abort(reason);
  assertStrictEquals(await soon(rejected), reason);
  await rejection(() => recv(to.client), "Closed", "recv");
  // The source was cancelled, as by any pipe: it is still open, and keeps the bytes that were not piped.
  await soon(recv(from.server));
  abort(from.client);
  await source;
});

Deno.test("K7: a pipe's signal with preventAbort leaves the destination as it is", async () => {
  await using from = await tcpPair();
  await using to = await tcpPair();
  const controller = new AbortController();
  const options = { signal: controller.signal, preventAbort: true };
  const piped = assertRejects(() => from.server.readable.pipeTo(to.client.writable, options));
  await turns();
  controller.abort();
  await soon(piped);
  await send(to.client, bytesOf("open"));
  assertEquals(textOf(await soon(recv(to.server))), "open");
});

Deno.test("K7: a signal from another source aborts after the write that is under way", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const controller = new AbortController();
  const source = new ReadableStream<Uint8Array>({ pull: (c) => c.enqueue(new Uint8Array(8)) });
  const piped = assertRejects(
    () => source.pipeTo(connection.writable, { signal: controller.signal }),
  );
  const write = await transport.nextWrite();
  controller.abort();
  write.take();
  await soon(piped);
  assertEquals(transport.log.at(-1), "close");
});

Deno.test("K3: a full send queue makes a write wait, and does not end writable", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport, { sendQueueLimit: 10 });
  const sends = [send(connection, bytesOf("being written")), send(connection, bytesOf("waiting"))];
  const writer = connection.writable.getWriter();
  const written = writer.write(bytesOf("five"));
  await rejection(() => send(connection, bytesOf("five")), "QueueFull", "send");
  (await transport.nextWrite()).take();
  (await transport.nextWrite()).take();
  await Promise.all(sends);
  const write = await transport.nextWrite();
  assertEquals(textOf(write.bytes), "five");
  write.take();
  await soon(written);
  const closed = writer.close();
  await soon(closed);
  assertEquals(transport.log, ["write 13", "write 7", "write 4", "closeWrite"]);
});

Deno.test("K7: abort() of writable ends a write that waits for room in the send queue", async () => {
  using unhandled = watchUnhandled();
  const connection = connectionOver(new ScriptedTransport(), { sendQueueLimit: 10 });
  void send(connection, bytesOf("being written"));
  void send(connection, bytesOf("waiting"));
  const writer = connection.writable.getWriter();
  const written = rejection(() => writer.write(bytesOf("five")), "Closed", "send");
  assertEquals(await isPending(written), true);
  await soon(writer.abort());
  await written;
  await soon(assertRejects(() => writer.closed));
  assertEquals(await unhandled.seen(), []);
});

Deno.test("K3: a transport whose error says that its queue is full breaks writable", async () => {
  const transport = new ScriptedTransport();
  const writer = connectionOver(transport).writable.getWriter();
  const closed = assertRejects(() => writer.closed, SocketError);
  const written = assertRejects(() => writer.write(bytesOf("x")), SocketError);
  (await transport.nextWrite()).fail(new SocketError("QueueFull", "send", "mine"));
  await soon(Promise.all([written, closed]));
});

Deno.test("K3: abort() of a writable that has ended does nothing", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  await client.writable.close();
  await client.writable.abort();
  await send(server, bytesOf("heard"));
  await closeWrite(server);
  assertEquals(textOf(await soon(recv(client))), "heard");
  assertEquals(await soon(recv(client)), null);
});
