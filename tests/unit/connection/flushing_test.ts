import { assert, assertEquals } from "@std/assert";
import {
  abort,
  close,
  closeWrite,
  connectionOver,
  flush,
  framed,
  lines,
  recv,
  send,
  sendFrame,
} from "../../../mod.ts";
import { brokenPipe, connectionReset } from "../../support/runtime_errors.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { tcpPair } from "../../support/tcp_pair.ts";
import { transfer } from "../../support/transferring.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { isPending } from "../../support/turns.ts";
import { watchUnhandled } from "../../support/unhandled.ts";

Deno.test("S6: flush() with nothing sent resolves at once, also after closeWrite()", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  await flush(connection);
  await closeWrite(connection);
  await flush(connection);
  assertEquals(transport.log, ["closeWrite"]);
});

Deno.test("S6: flush() waits for every send before it and for none after it", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const stream = framed(connection, lines());
  const sends = [
    send(connection, bytesOf("direct")),
    send(connection, bytesOf("gathered")),
    send(connection, new Uint8Array(100_000)),
    sendFrame(stream, "frame"),
  ];
  const flushed = flush(connection);
  const later = send(connection, bytesOf("later"));
  assertEquals(connection.bytesQueued, 6 + 8 + 100_000 + 6 + 5);
  for (const _ of sends) {
    assert(await isPending(flushed));
    (await transport.nextWrite()).take();
  }
  await soon(flushed);
  await soon(Promise.all(sends));
  assertEquals(connection.bytesQueued, 5);
  assert(await isPending(later));
  const last = await transport.nextWrite();
  assertEquals(textOf(last.bytes), "later");
  last.take();
  await soon(later);
  assertEquals(connection.bytesQueued, 0);
});

Deno.test("S6: flush() is not done while a send has left in part only", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const sent = send(connection, bytesOf("abcde"));
  const flushes = [flush(connection), flush(connection)];
  (await transport.nextWrite()).take(2);
  const rest = await transport.nextWrite();
  assert(await isPending(flushes[0]));
  assertEquals(connection.bytesQueued, 3);
  rest.take();
  await soon(Promise.all([sent, ...flushes]));
});

Deno.test("S6: a flush() that is cancelled leaves the sends and the connection as they were", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const controller = new AbortController();
  const sends = [send(connection, bytesOf("one")), send(connection, bytesOf("two"))];
  const timed = flush(connection, { timeout: 5 });
  const signalled = flush(connection, { signal: controller.signal });
  const patient = flush(connection, { timeout: 60_000 });
  controller.abort();
  const error = await rejection(() => signalled, "Aborted", "flush");
  assertEquals("bytesSent" in error, false);
  await rejection(() => timed, "TimedOut", "flush");
  for (const _ of sends) (await transport.nextWrite()).take();
  await soon(Promise.all([...sends, patient]));
  const after = send(connection, bytesOf("as good as before"));
  (await transport.nextWrite()).take();
  await soon(after);
});

Deno.test("S6: flush() does not wait for sends that were cancelled or whose buffer is gone", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const first = send(connection, bytesOf("first"));
  const controller = new AbortController();
  const cancelled = send(connection, bytesOf("cancelled"), controller);
  const bytes = new Uint8Array(100_000);
  const gone = send(connection, bytes);
  const flushed = flush(connection);
  controller.abort();
  await rejection(() => cancelled, "Aborted", "send");
  transfer(bytes);
  (await transport.nextWrite()).take();
  await soon(Promise.all([first, flushed]));
  await rejection(() => gone, "InvalidInput", "send");
});

Deno.test("S6: flush() rejects as the sends before it do if the peer breaks the connection", async () => {
  for (
    const [kind, made] of [["ConnectionReset", connectionReset], [
      "BrokenPipe",
      brokenPipe,
    ]] as const
  ) {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const sends = [send(connection, bytesOf("one")), send(connection, bytesOf("two"))];
    const flushed = flush(connection);
    (await transport.nextWrite()).fail(made());
    for (const sent of sends) await rejection(() => sent, kind, "send");
    await rejection(() => flushed, kind, "flush");
    await rejection(() => flush(connection), kind, "flush");
  }
});

Deno.test("E7: a pending flush() resolves with the flush of close(), and rejects Closed at abort()", async () => {
  using unhandled = watchUnhandled();
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const sent = send(connection, bytesOf("delivered"));
  const flushed = flush(connection);
  const closed = close(connection);
  await rejection(() => flush(connection), "Closed", "flush");
  (await transport.nextWrite()).take();
  await soon(Promise.all([sent, flushed]));
  (await transport.nextRead()).end();
  await soon(closed);

  const other = connectionOver(new ScriptedTransport());
  void send(other, bytesOf("dropped"));
  const dropped = flush(other);
  void flush(other);
  assertEquals(other.bytesQueued, 7);
  abort(other);
  assertEquals(other.bytesQueued, 0);
  const error = await rejection(() => dropped, "Closed", "flush");
  assertEquals("bytesSent" in error, false);
  assertEquals(await unhandled.seen(), []);
});

Deno.test("E10: flush() rejects InvalidInput, Closed, Aborted, TimedOut or the breakage, in this order", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const received = recv(connection);
  (await transport.nextRead()).fail(connectionReset());
  await rejection(() => received, "ConnectionReset", "recv");
  const signal = AbortSignal.abort();
  await rejection(() => flush(connection, { signal, timeout: -1 }), "InvalidInput", "flush");
  await rejection(() => flush(connection, { signal, timeout: 0 }), "Aborted", "flush");
  await rejection(() => flush(connection, { timeout: 0 }), "TimedOut", "flush");
  await rejection(() => flush(connection), "ConnectionReset", "flush");
  abort(connection);
  await rejection(() => flush(connection, { signal, timeout: 0 }), "Closed", "flush");
  await rejection(() => flush({} as never), "InvalidInput", "flush");
});

Deno.test("S6: flush() paces a sender of many messages that awaits none of them", async () => {
  await using pair = await tcpPair({ sendQueueLimit: 64 * 1024 });
  const { client, server } = pair;
  const counting = (async () => {
    let count = 0;
    for await (const bytes of server) count += bytes.length;
    return count;
  })();
  const sends: Promise<void>[] = [];
  for (let index = 0; index < 100_000; index++) {
    sends.push(send(client, bytesOf("1234567")));
    if (client.bytesQueued > 32 * 1024) await soon(flush(client));
  }
  await soon(flush(client));
  assertEquals(client.bytesSent, 700_000);
  await soon(Promise.all(sends));
  const closed = close(client);
  assertEquals(await soon(counting), 700_000);
  await Promise.all([closed, close(server)]);
});
