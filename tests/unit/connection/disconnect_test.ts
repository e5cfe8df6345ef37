import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import {
  abort,
  close,
  closeWrite,
  type Connection,
  connectionOver,
  disconnectSignal,
  recv,
  recvInto,
  recvLine,
  send,
  SocketError,
  type SocketErrorKind,
} from "../../../mod.ts";
import { RECEIVING_CALLS } from "../../support/receiving_calls.ts";
import { brokenPipe, connectionReset } from "../../support/runtime_errors.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { rejection, soon, thrown } from "../../support/socket_errors.ts";
import { tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { isPending, turns } from "../../support/turns.ts";

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return soon(
    new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true })),
  );
}

async function assertOver(signal: AbortSignal, kind: SocketErrorKind): Promise<SocketError> {
  await aborted(signal);
  const { reason } = signal;
  assertInstanceOf(reason, SocketError);
  assertEquals([reason.kind, reason.operation], [kind, "disconnectSignal"], reason.message);
  return reason;
}

Deno.test("R7: disconnectSignal() aborts when the peer has closed, though nobody receives", async () => {
  await using pair = await tcpPair();
  const signal = disconnectSignal(pair.server);
  assertEquals(signal.aborted, false);
  const closed = close(pair.client);
  const reason = await assertOver(signal, "UnexpectedEof");
  assertEquals(reason.address, pair.server.remoteAddress);
  assertEquals(await recv(pair.server), null);
  await Promise.all([closed, close(pair.server)]);
});

Deno.test("R7: disconnectSignal() aborts at a reset, and later calls reject ConnectionReset", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const signal = disconnectSignal(connection);
  (await transport.nextRead()).fail(connectionReset());
  await assertOver(signal, "ConnectionReset");
  await rejection(() => recv(connection), "ConnectionReset", "recv");
  await rejection(() => send(connection, new Uint8Array(1)), "ConnectionReset", "send");
});

Deno.test("R7: disconnectSignal() aborts when a send finds the peer gone", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const signal = disconnectSignal(connection);
  const sent = send(connection, new Uint8Array(1));
  (await transport.nextWrite()).fail(brokenPipe());
  await rejection(() => sent, "BrokenPipe", "send");
  await assertOver(signal, "BrokenPipe");
  (await transport.nextRead()).give(bytesOf("last words"));
  assertEquals(textOf((await recv(connection))!), "last words");
});

const OWN_ENDS: Record<string, (connection: Connection) => unknown> = { close, abort };
for (const [name, end] of Object.entries(OWN_ENDS)) {
  Deno.test(`R7: disconnectSignal() aborts with Closed at once when this side calls ${name}()`, async () => {
    await using pair = await tcpPair();
    const signal = disconnectSignal(pair.client);
    const ended = end(pair.client);
    assert(signal.aborted);
    await assertOver(signal, "Closed");
    abort(pair.server);
    await ended;
  });
}

Deno.test("R7: disconnectSignal() returns one signal, aborted from the start if the connection is over", async () => {
  await using pair = await tcpPair();
  assertStrictEquals(disconnectSignal(pair.client), disconnectSignal(pair.client));
  const ended = closeWrite(pair.client);
  assertEquals(await recv(pair.server), null);
  await assertOver(disconnectSignal(pair.server), "UnexpectedEof");
  await ended;
  abort(pair.server);
  await assertOver(disconnectSignal(pair.server), "UnexpectedEof");
  const closed = connectionOver(new ScriptedTransport());
  abort(closed);
  await assertOver(disconnectSignal(closed), "Closed");
});

Deno.test("R7: without disconnectSignal() nothing is read ahead, with it one buffer is", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const received = recv(connection);
  (await transport.nextRead()).give(bytesOf("first"));
  await received;
  await turns();
  assertEquals(transport.reads, 1);

  disconnectSignal(connection);
  assertEquals(transport.reads, 2);
  const read = await transport.nextRead();
  assert(read.buffer.length <= 124 * 1024);
  read.give(bytesOf("ahead"));
  await turns();
  assertEquals(transport.reads, 2, "a buffer that waits is not read past");
  assertEquals(connection.bytesReceived, 5);

  assertEquals(textOf((await recv(connection, { maxBytes: 2 }))!), "ah");
  assertEquals(transport.reads, 2, "something of it is left");
  assertEquals(textOf((await recv(connection))!), "ead");
  assertEquals(transport.reads, 3, "the reading ahead goes on");
});

for (const { name, call, answer, given } of RECEIVING_CALLS) {
  Deno.test(`R7: ${name}() gets what disconnectSignal() read ahead, then the signal sees the end`, async () => {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const signal = disconnectSignal(connection);
    (await transport.nextRead()).give(answer);
    await turns();
    assertEquals(await soon(call(connection)), given);
    const waiting = call(connection);
    assert(await isPending(waiting), "the read ahead makes nobody Busy");
    (await transport.nextRead()).give(answer);
    assertEquals(await soon(waiting), given);
    await rejection(() => call(connection, { timeout: 1 }), "TimedOut", name);
    assertEquals(signal.aborted, false);
    (await transport.nextRead()).end();
    await assertOver(signal, "UnexpectedEof");
  });
}

Deno.test("R7: a direct recvInto() that is under way when the signal is asked for sees the end", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  const buffer = new Uint8Array(8);
  const direct = recvInto(server, buffer);
  const signal = disconnectSignal(server);
  await send(client, bytesOf("directly"));
  assertEquals(await soon(direct), 8);
  assertEquals(textOf(buffer), "directly");
  const next = recvInto(server, buffer);
  await send(client, bytesOf("copied"));
  assertEquals(await soon(next), 6);
  await closeWrite(client);
  await assertOver(signal, "UnexpectedEof");
  assertEquals(await recvInto(server, buffer), null);
});

Deno.test("R7: a partial line that waits hides the end until it is received", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  const signal = disconnectSignal(server);
  await send(client, bytesOf("half a li"));
  await closeWrite(client);
  assertEquals(await soon(recvLine(server)), "half a li");
  await assertOver(signal, "UnexpectedEof");
});

Deno.test("R7: close() after disconnectSignal() delivers, and discards what was read ahead", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  disconnectSignal(server);
  await send(client, bytesOf("never asked for"));
  const sent = send(server, new Uint8Array(1_000_000));
  const closed = close(server);
  const ended = closeWrite(client);
  let received = 0;
  for await (const bytes of client) received += bytes.length;
  assertEquals(received, 1_000_000);
  await soon(Promise.all([sent, closed, ended]));
});

Deno.test("R7: a listener of disconnectSignal() that aborts the connection changes no answer", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  disconnectSignal(connection).addEventListener("abort", () => abort(connection));
  const received = recv(connection);
  const sent = send(connection, new Uint8Array(3));
  (await transport.nextWrite()).fail(connectionReset());
  await rejection(() => sent, "ConnectionReset", "send");
  await rejection(() => received, "Closed", "recv");
});

Deno.test("E1: disconnectSignal() throws InvalidInput if its argument is no connection", () => {
  for (const garbage of [undefined, null, 5, {}, new AbortController()]) {
    thrown(() => disconnectSignal(garbage as never), "InvalidInput", "disconnectSignal");
  }
});
