import { assertEquals, assertStrictEquals, assertStringIncludes } from "@std/assert";
import {
  abort,
  closeWrite,
  type Connection,
  connectionOver,
  disconnectSignal,
  flush,
  framed,
  lines,
  recv,
  send,
  sendFrame,
  type SocketError,
} from "../../../mod.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { rejection } from "../../support/socket_errors.ts";
import { transfer } from "../../support/transferring.ts";
import { bytesOf } from "../../support/text.ts";
import { isPending } from "../../support/turns.ts";
import { virtualTime } from "../../support/virtual_time.ts";

/** Checks that every call says that this side has closed, and why. */
async function assertTorn(connection: Connection, torn: SocketError): Promise<void> {
  const calls: Record<string, () => Promise<unknown>> = {
    send: () => send(connection, bytesOf("x")),
    flush: () => flush(connection),
    closeWrite: () => closeWrite(connection),
    recv: () => recv(connection),
  };
  for (const [name, call] of Object.entries(calls)) {
    const error = await rejection(call, "Closed", name);
    assertStrictEquals(error.cause, torn);
    assertEquals(
      error.reason,
      `the connection is closed on this side (${torn.operation}: ${torn.reason})`,
    );
  }
  assertStrictEquals(disconnectSignal(connection).reason.cause, torn);
}

Deno.test("S4: a send that times out half-way says how much had left, and later calls say what tore it", async () => {
  using time = virtualTime();
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const received = rejection(() => recv(connection), "Closed", "recv");
  const failed = rejection(
    () => send(connection, bytesOf("abcde"), { timeout: 50 }),
    "TimedOut",
    "send",
  );
  const waiting = rejection(() => send(connection, bytesOf("waits")), "Closed", "send");
  (await transport.nextWrite()).take(2);
  await isPending(failed);
  await time.pass(50);
  const torn = await failed;
  assertEquals(
    torn.reason,
    "timed out after 50 ms; 2 of 5 bytes had left, the connection is aborted",
  );
  assertEquals(torn.bytesSent, 2);
  for (const error of [await received, await waiting]) assertStrictEquals(error.cause, torn);
  await assertTorn(connection, torn);
  abort(connection);
  await assertTorn(connection, torn);
});

Deno.test("S4: later calls name a frame whose signal tore the stream", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const controller = new AbortController();
  const { signal } = controller;
  const stream = framed(connection, lines());
  const failed = rejection(() => sendFrame(stream, "line", { signal }), "Aborted", "sendFrame");
  await transport.nextWrite();
  controller.abort("enough");
  const torn = await failed;
  assertEquals(torn.cause, "enough");
  assertStringIncludes(torn.message, "0 of 5 bytes had left");
  await assertTorn(connection, torn);
});

for (const [how, options] of Object.entries({ directly: undefined, queued: { timeout: 60_000 } })) {
  Deno.test(`S4: later calls name a send whose buffer was transferred while it was written ${how}`, async () => {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const buffer = bytesOf("bytes");
    const failed = rejection(() => send(connection, buffer, options), "InvalidInput", "send");
    const write = await transport.nextWrite();
    transfer(buffer);
    write.take(2);
    const torn = await failed;
    assertEquals(torn.bytesSent, 2);
    await assertTorn(connection, torn);
  });
}

Deno.test("S4: a send that is cancelled while it waits tears nothing", async () => {
  const connection = connectionOver(new ScriptedTransport());
  const first = rejection(() => send(connection, bytesOf("first")), "Closed", "send");
  await rejection(() => send(connection, bytesOf("x"), { timeout: 1 }), "TimedOut", "send");
  abort(connection);
  assertEquals("cause" in await first, false);
});
