import { assertEquals } from "@std/assert";
import {
  abort,
  accept,
  close,
  closeListener,
  closeWrite,
  type Connection,
  connectionOver,
  flush,
  framed,
  lengthPrefixed,
  lines,
  listen,
  recv,
  recvProxyHeader,
  send,
  sendFrame,
} from "../../../mod.ts";
import { RECEIVING_CALLS } from "../../support/receiving_calls.ts";
import { connectionReset } from "../../support/runtime_errors.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { LOOPBACK, tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf } from "../../support/text.ts";
import { turns } from "../../support/turns.ts";
import { watchUnhandled } from "../../support/unhandled.ts";
import { virtualTime } from "../../support/virtual_time.ts";
import { rejection } from "../../support/socket_errors.ts";

/** Makes sends that nobody awaits: alone with the runtime, partly written, gathered and waiting, frames too. */
async function sendUnwatched(connection: Connection, transport: ScriptedTransport): Promise<void> {
  void send(connection, bytesOf("first"));
  void send(connection, bytesOf("gathered"));
  void send(connection, bytesOf("gathered"), { timeout: 60_000 });
  (await transport.nextWrite()).take(2);
  (await transport.nextWrite()).take();
  await transport.nextWrite();
  const stream = framed(connection, lengthPrefixed());
  void send(connection, bytesOf("waits"));
  void sendFrame(stream, bytesOf("waits"));
  void sendFrame(stream, new Uint8Array(100_000));
  void send(connection, bytesOf("waits"), { signal: new AbortController().signal });
}

/** Sends frames that nobody awaits: in one piece or two, and then one that waits. */
function sendFramesUnwatched(connection: Connection): void {
  const stream = framed(connection, lengthPrefixed());
  void sendFrame(stream, new Uint8Array(100_000));
  void sendFrame(stream, bytesOf("waits"));
}

const UNWATCHED: Record<
  string,
  (connection: Connection, transport: ScriptedTransport) => void | Promise<void>
> = {
  "alone": (connection) => void send(connection, bytesOf("alone")),
  "a frame alone": (connection) => void sendFrame(framed(connection, lines()), "alone"),
  "frames": sendFramesUnwatched,
  "gathered": sendUnwatched,
};

Deno.test("K4: sends that nobody awaits are no unhandled rejections at abort()", async () => {
  using unhandled = watchUnhandled();
  for (const [how, sendAll] of Object.entries(UNWATCHED)) {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    await sendAll(connection, transport);
    await turns();
    abort(connection);
    assertEquals(await unhandled.seen(), [], how);
    await rejection(() => send(connection, bytesOf("x")), "Closed", "send");
  }
});

Deno.test("K4: a closeWrite() that nobody awaits is no unhandled rejection at abort()", async () => {
  using unhandled = watchUnhandled();
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  void send(connection, bytesOf("waits"));
  void closeWrite(connection);
  void closeWrite(connection, { timeout: 60_000 });
  await turns();
  abort(connection);
  assertEquals(await unhandled.seen(), []);
});

Deno.test("K2: a closeWrite() that the peer makes fail is an unhandled rejection if nobody awaits it", async () => {
  using unhandled = watchUnhandled();
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const sent = rejection(() => send(connection, bytesOf("waits")), "ConnectionReset", "send");
  void closeWrite(connection);
  (await transport.nextWrite()).fail(connectionReset());
  await sent;
  const [reason] = await unhandled.seen() as { kind: string; operation: string }[];
  assertEquals([reason.kind, reason.operation], ["ConnectionReset", "closeWrite"]);
  abort(connection);
});

Deno.test("K4: the loss of sends that nobody awaits shows in close()", async () => {
  using unhandled = watchUnhandled();
  for (const [how, sendAll] of Object.entries(UNWATCHED)) {
    using time = virtualTime();
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    await sendAll(connection, transport);
    const closed = close(connection).then(() => "resolved", ({ kind }) => kind);
    await time.pass(30_000);
    assertEquals(await closed, "TimedOut");
    assertEquals(await unhandled.seen(), [], how);
  }
});

Deno.test("K4: sends that nobody awaits are no unhandled rejections if close() is cancelled", async () => {
  using unhandled = watchUnhandled();
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  await sendUnwatched(connection, transport);
  await rejection(() => close(connection, { timeout: 1 }), "TimedOut", "close");
  assertEquals(await unhandled.seen(), []);
});

Deno.test("K4: sends that nobody awaits are no unhandled rejections if a cancelled send tears the stream", async () => {
  using unhandled = watchUnhandled();
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const controller = new AbortController();
  const cancelled = rejection(
    () => send(connection, bytesOf("torn"), { signal: controller.signal }),
    "Aborted",
    "send",
  );
  void send(connection, bytesOf("waits"));
  controller.abort();
  await cancelled;
  assertEquals(await unhandled.seen(), []);
});

Deno.test("K4: sends that nobody awaits are no unhandled rejections if the peer resets while this side closes", async () => {
  using unhandled = watchUnhandled();
  for (const how of ["alone", "gathered", "frames"]) {
    using time = virtualTime();
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    if (how === "frames") sendFramesUnwatched(connection);
    else void send(connection, bytesOf("first"));
    if (how === "gathered") void send(connection, bytesOf("second"));
    const closed = close(connection);
    (await transport.nextWrite()).fail(connectionReset());
    await time.pass(1000);
    await closed;
    assertEquals(await unhandled.seen(), [], how);
  }
});

Deno.test("K4: a closeWrite() and a flush() that nobody awaits are no unhandled rejections if the peer resets while this side closes", async () => {
  using unhandled = watchUnhandled();
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  void send(connection, bytesOf("waits"));
  const write = await transport.nextWrite();
  void flush(connection);
  void closeWrite(connection);
  const closed = close(connection, { linger: 0 });
  write.fail(connectionReset());
  await closed;
  assertEquals(await unhandled.seen(), []);
});

Deno.test("K4: on real sockets nothing is unhandled when its own side closes or aborts", async () => {
  using unhandled = watchUnhandled();
  for (const end of [abort, (connection: Connection) => close(connection, { timeout: 10 })]) {
    await using pair = await tcpPair();
    const { client } = pair;
    void send(client, new Uint8Array(64 * 1024 * 1024));
    void send(client, new Uint8Array(100));
    sendFramesUnwatched(client);
    void recv(client);
    await turns();
    await Promise.resolve(end(client)).catch(() => {});
    await turns();
  }
  assertEquals(await unhandled.seen(), []);
});

Deno.test("K4: pending receives and accepts that nobody awaits are no unhandled rejections", async () => {
  using unhandled = watchUnhandled();
  const listener = await listen(LOOPBACK);
  void accept(listener);
  void accept(listener, { timeout: 60_000 });
  await closeListener(listener);
  const receives = [
    // Its entry in the table makes one more promise, which belongs to the test.
    recvProxyHeader,
    ...RECEIVING_CALLS.filter(({ name }) => name !== "recvProxyHeader").flatMap(({ call }) => [
      (connection: Connection) => call(connection),
      (connection: Connection) => call(connection, { timeout: 60_000 }),
    ]),
    (connection: Connection) => closeWrite(connection),
  ];
  for (const receive of receives) {
    const transport = new ScriptedTransport();
    transport.onCloseWrite = () => new Promise(() => {});
    const connection = connectionOver(transport);
    void receive(connection);
    await turns();
    abort(connection);
    assertEquals(await unhandled.seen(), [], `${receive}`);
  }
});

Deno.test("K4: a send that fails because the peer resets is an unhandled rejection if nobody awaits it", async () => {
  using unhandled = watchUnhandled();
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  void send(connection, bytesOf("x"));
  (await transport.nextWrite()).fail(connectionReset());
  const [reason] = await unhandled.seen();
  assertEquals((reason as { kind: string }).kind, "ConnectionReset");
});
