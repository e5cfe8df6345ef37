import { assert, assertEquals } from "@std/assert";
import { abort, close, closeWrite, connectionOver, recv, send } from "../../../mod.ts";
import { resettablePair } from "../../support/resetting_peer.ts";
import { connectionReset, notConnected } from "../../support/runtime_errors.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { receiveAll, tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { isPending, turns } from "../../support/turns.ts";
import { rejection, soon } from "../../support/socket_errors.ts";

Deno.test("K2: abort() drops everything now", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const lost = [recv(connection), send(connection, bytesOf("a")), send(connection, bytesOf("b"))];
  const kinds = lost.map((promise) => promise.then(() => "resolved", ({ kind }) => kind));
  abort(connection);
  assertEquals(transport.log, ["read", "write 1", "close"]);
  assertEquals(await Promise.all(kinds), ["Closed", "Closed", "Closed"]);
  await turns();
  assertEquals(transport.log, ["read", "write 1", "close"]);
});

Deno.test("K2: abort() drops bytes that were received and not taken", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const received = recv(connection, { maxBytes: 1 });
  (await transport.nextRead()).give(bytesOf("abc"));
  await received;
  abort(connection);
  await rejection(() => recv(connection), "Closed", "recv");
});

Deno.test("K2: the peer of an abort() sees an end that looks clean", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  await send(client, bytesOf("the beginning of"));
  abort(client);
  assertEquals(textOf(await soon(receiveAll(server))), "the beginning of");
});

Deno.test("K2: closeWrite() flushes and ends only the sending side, receiving goes on", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  const sends = [1, 2, 3].map((index) => send(client, new Uint8Array(1024 * 1024).fill(index)));
  const ended = closeWrite(client);
  assertEquals((await soon(receiveAll(server))).length, 3 * 1024 * 1024);
  await soon(Promise.all([...sends, ended]));
  await rejection(() => send(client, bytesOf("x")), "Closed", "send");
  for (let round = 0; round < 3; round++) {
    await send(server, bytesOf("still heard"));
    assertEquals(textOf(await soon(recv(client))), "still heard");
  }
});

Deno.test("K2: closeWrite() resolves after the flush and ends the sending side once", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const sends = ["a", "b"].map((text) => send(connection, bytesOf(text)));
  const ends = [closeWrite(connection), closeWrite(connection, { timeout: 60_000 })];
  await rejection(() => send(connection, bytesOf("c")), "Closed", "send");
  (await transport.nextWrite()).take();
  assert(await isPending(ends[0]));
  (await transport.nextWrite()).take();
  await Promise.all([...sends, ...ends]);
  await closeWrite(connection);
  assertEquals(transport.log, ["write 1", "write 1", "closeWrite"]);
});

for (const how of ["before it began", "while it flushes"]) {
  Deno.test(`K2: a closeWrite() that is cancelled ${how} still ends the sending side`, async () => {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const sent = send(connection, bytesOf("flushed"));
    const controller = new AbortController();
    if (how === "before it began") controller.abort();
    const ended = closeWrite(connection, { signal: controller.signal });
    const cancelled = rejection(() => ended, "Aborted", "closeWrite");
    controller.abort();
    await cancelled;
    await rejection(() => send(connection, bytesOf("x")), "Closed", "send");
    (await transport.nextWrite()).take();
    await sent;
    await closeWrite(connection);
    assertEquals(transport.log, ["write 7", "closeWrite"]);
    const received = recv(connection);
    (await transport.nextRead()).give(bytesOf("receiving goes on"));
    assertEquals(textOf(await received), "receiving goes on");
  });
}

Deno.test("K2: closeWrite() then close() ends the sending side once", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  await closeWrite(connection);
  const closed = close(connection);
  (await transport.nextRead()).end();
  await soon(closed);
  assertEquals(transport.log, ["closeWrite", "read", "close"]);
  await rejection(() => closeWrite(connection), "Closed", "closeWrite");
});

Deno.test("K2: closeWrite() rejects if the connection breaks before waiting sends have left", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const sent = rejection(() => send(connection, bytesOf("x")), "ConnectionReset", "send");
  const ended = rejection(() => closeWrite(connection), "ConnectionReset", "closeWrite");
  (await transport.nextWrite()).fail(connectionReset());
  await Promise.all([sent, ended]);
  assert(!transport.log.includes("closeWrite"));
});

Deno.test("K2: closeWrite() towards a peer that has gone is ConnectionReset", async () => {
  const transport = new ScriptedTransport();
  transport.onCloseWrite = () => Promise.reject(notConnected());
  const connection = connectionOver(transport);
  const error = await rejection(() => closeWrite(connection), "ConnectionReset", "closeWrite");
  assertEquals(error.code, "ENOTCONN");
});

Deno.test("K2: closeWrite() after the peer's reset settles: it resolves or is ConnectionReset", async () => {
  await using pair = await resettablePair();
  await pair.reset();
  const outcome = closeWrite(pair.connection).then(() => "fine", ({ kind }) => kind);
  assert(["fine", "ConnectionReset"].includes(await soon(outcome)));
});

Deno.test("K2: closeWrite() is Unsupported if the transport cannot half-close", async () => {
  const transport = new ScriptedTransport({ withoutCloseWrite: true });
  const connection = connectionOver(transport);
  await rejection(() => closeWrite(connection), "Unsupported", "closeWrite");
  const sent = send(connection, bytesOf("the sending side goes on"));
  (await transport.nextWrite()).take();
  await sent;
});
