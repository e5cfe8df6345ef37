import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { abort, connectionOver, recv, send, SocketError } from "../../../mod.ts";
import { connectionReset } from "../../support/runtime_errors.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { receiveAll, tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { isPending, turns } from "../../support/turns.ts";
import { watchUnhandled } from "../../support/unhandled.ts";
import { virtualTime } from "../../support/virtual_time.ts";
import { rejection, soon } from "../../support/socket_errors.ts";

Deno.test("K3: readable and writable carry the same bytes as recv() and send()", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  assertStrictEquals(client.writable, client.writable);
  assertStrictEquals(server.readable, server.readable);
  const writer = client.writable.getWriter();
  await writer.write(bytesOf("written "));
  await send(client, bytesOf("sent "));
  void writer.write(bytesOf("again"));
  await writer.close();
  let text = textOf(await soon(recv(server)))!;
  for await (const bytes of server.readable.values({ preventCancel: true })) text += textOf(bytes);
  assertEquals(text, "written sent again");
  assertEquals([client.bytesSent, server.bytesReceived], [18, 18]);
  await send(server, bytesOf("the other way goes on"));
  assertEquals(textOf(await soon(recv(client))), "the other way goes on");
});

Deno.test("K3: nothing is read ahead for the view", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  assert(connection.readable instanceof ReadableStream);
  assert(connection.writable instanceof WritableStream);
  await turns();
  assertEquals(transport.log, []);
});

Deno.test("K3: a BYOB reader gets its bytes in its own buffer", async () => {
  await using pair = await tcpPair();
  await send(pair.client, bytesOf("abcdef"));
  const reader = pair.server.readable.getReader({ mode: "byob" });
  const first = await soon(reader.read(new Uint8Array(4)));
  assertEquals(textOf(first.value!), "abcd");
  const second = await soon(reader.read(new Uint8Array(4)));
  assertEquals(textOf(second.value!), "ef");
  abort(pair.client);
  assertEquals((await soon(reader.read(new Uint8Array(4)))).done, true);
});

Deno.test("K3: bytes that a BYOB reader has no room for go to the next recv()", async () => {
  await using pair = await tcpPair();
  await send(pair.client, bytesOf("0123456789"));
  const reader = pair.server.readable.getReader({ mode: "byob" });
  const { value } = await soon(reader.read(new Uint8Array(4)));
  assertEquals(textOf(value!), "0123");
  assertEquals(pair.server.bytesReceived, 4);
  reader.releaseLock();
  assertEquals(textOf(await soon(recv(pair.server))), "456789");
});

Deno.test("K3: cancelling readable leaves the connection open", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  await connection.readable.cancel("enough");
  const sent = send(connection, bytesOf("x"));
  (await transport.nextWrite()).take();
  await sent;
  const received = recv(connection);
  (await transport.nextRead()).give(bytesOf("received all the same"));
  assertEquals(textOf(await received), "received all the same");
  assert(!transport.log.includes("close"));
});

Deno.test("K3: bytes that a cancelled readable waited for go to the next recv()", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const reader = connection.readable.getReader();
  const pending = reader.read();
  const read = await transport.nextRead();
  await reader.cancel();
  assertEquals(await pending, { done: true, value: undefined });
  const received = recv(connection);
  read.give(bytesOf("kept"));
  assertEquals(textOf(await soon(received)), "kept");
  assertEquals(transport.reads, 1);
});

Deno.test("K3: exhausting readable leaves the connection open", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  await client.writable.close();
  for await (const _ of server.readable) throw new Error("nothing was sent");
  await turns();
  await send(server, bytesOf("open"));
  assertEquals(textOf(await soon(recv(client))), "open");
  assertEquals(await soon(recv(server)), null);
});

Deno.test("K3: break out of readable is a cancel: the connection stays open", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  await send(client, bytesOf("first"));
  for await (const bytes of server.readable) {
    assertEquals(textOf(bytes), "first");
    break;
  }
  await send(client, bytesOf("second"));
  assertEquals(textOf(await soon(recv(server))), "second");
});

Deno.test("K3: closing writable ends the sending side only", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  const writer = client.writable.getWriter();
  const written = writer.write(bytesOf("last words"));
  await soon(writer.close());
  await written;
  assertEquals(textOf(await soon(receiveAll(server))), "last words");
  await rejection(() => send(client, bytesOf("x")), "Closed", "send");
  await send(server, bytesOf("heard"));
  assertEquals(textOf(await soon(recv(client))), "heard");
});

const ENDS = [
  "readable is cancelled, then writable closed",
  "writable closed, then readable cancelled",
];

for (const order of ENDS) {
  Deno.test(`K3: ending both closes, lingering in the background: ${order}`, async () => {
    using time = virtualTime();
    using unhandled = watchUnhandled();
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    if (order === ENDS[0]) await connection.readable.cancel();
    await connection.writable.close();
    if (order === ENDS[1]) await connection.readable.cancel();
    await rejection(() => recv(connection), "Closed", "recv");
    await time.pass(999);
    assertEquals(transport.log.at(-1), "read", "it waits for the peer's end, as close() does");
    await time.pass(1);
    assertEquals(transport.log, ["closeWrite", "read", "close"]);
    assertEquals(await unhandled.seen(), []);
  });
}

Deno.test("K3: exhausting readable and closing writable closes the connection", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  const echoed = server.readable.pipeTo(server.writable);
  await send(client, bytesOf("echo"));
  assertEquals(textOf(await soon(recv(client))), "echo");
  await client.writable.close();
  await soon(echoed);
  assertEquals(await soon(recv(client)), null);
  await rejection(() => recv(server), "Closed", "recv");
});

Deno.test("K3: a megabyte through both views comes back the same", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  const echoed = server.readable.pipeTo(server.writable);
  const bytes = crypto.getRandomValues(new Uint8Array(65_536));
  const source = new Blob(Array(16).fill(bytes)).stream().pipeTo(client.writable);
  const back = new Uint8Array(await soon(new Response(client.readable).arrayBuffer()));
  await soon(Promise.all([source, echoed]));
  for (let block = 0; block < 16; block++) {
    assertEquals(back.subarray(block * 65_536, (block + 1) * 65_536), bytes);
  }
  assertEquals(back.length, 16 * 65_536);
});

Deno.test("K3: aborting writable is abort()", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const received = rejection(() => recv(connection), "Closed", "recv");
  const sent = rejection(() => send(connection, bytesOf("x")), "Closed", "send");
  await connection.writable.abort("enough");
  await Promise.all([received, sent]);
  assertEquals(transport.log, ["read", "write 1", "close"]);
});

Deno.test("K3: a view's failure is the SocketError of its function", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const reader = connection.readable.getReader();
  const read = assertRejects(() => reader.read(), SocketError, "recv: connection reset");
  (await transport.nextRead()).fail(connectionReset());
  assertEquals((await read).kind, "ConnectionReset");
  const writer = connection.writable.getWriter();
  writer.closed.catch(() => {});
  const error = await assertRejects(() => writer.write(bytesOf("x")), SocketError);
  assertEquals([error.kind, error.operation], ["ConnectionReset", "send"]);
});

Deno.test("K3: a value that is no Uint8Array breaks writable with InvalidInput", async () => {
  const connection = connectionOver(new ScriptedTransport());
  const writer = connection.writable.getWriter();
  writer.closed.catch(() => {});
  const error = await assertRejects(() => writer.write("text" as never), SocketError);
  assertEquals(error.kind, "InvalidInput");
});

Deno.test("K3: recv() beside a waiting readable is Busy, and the other way round", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const reader = connection.readable.getReader();
  const pending = reader.read();
  assert(await isPending(pending));
  await rejection(() => recv(connection), "Busy", "recv");
  (await transport.nextRead()).give(bytesOf("x"));
  assertEquals(textOf((await pending).value!), "x");
});

Deno.test("K3: close() and abort() end the views, nothing is unhandled", async () => {
  using unhandled = watchUnhandled();
  const connection = connectionOver(new ScriptedTransport());
  const reader = connection.readable.getReader();
  const writer = connection.writable.getWriter();
  const read = assertRejects(() => reader.read(), SocketError);
  const written = assertRejects(() => writer.write(bytesOf("x")), SocketError);
  abort(connection);
  assertEquals([(await read).kind, (await written).kind], ["Closed", "Closed"]);
  await Promise.allSettled([reader.closed, writer.closed]);
  assertEquals(await unhandled.seen(), []);
});
