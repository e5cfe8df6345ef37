import { assertEquals } from "@std/assert";
import {
  abort,
  accept,
  close,
  closeListener,
  closeWrite,
  type Connection,
  connectionOver,
  listen,
  recv,
  recvInto,
  send,
} from "../../mod.ts";
import { connectionReset } from "../support/runtime_errors.ts";
import { ScriptedTransport } from "../support/scripted_transport.ts";
import { LOOPBACK, tcpPair } from "../support/tcp_pair.ts";
import { bytesOf } from "../support/text.ts";
import { turns } from "../support/turns.ts";
import { watchUnhandled } from "../support/unhandled.ts";
import { virtualTime } from "../support/virtual_time.ts";
import { rejection, soon } from "../support/socket_errors.ts";

/** Sends that nobody awaits: alone with the runtime, partly written, gathered, waiting. */
async function sendUnwatched(connection: Connection, transport: ScriptedTransport): Promise<void> {
  void send(connection, bytesOf("first"));
  void send(connection, bytesOf("gathered"));
  void send(connection, bytesOf("gathered"), { timeout: 60_000 });
  (await transport.nextWrite()).take(2);
  (await transport.nextWrite()).take();
  await transport.nextWrite();
  void send(connection, bytesOf("waits"));
  void send(connection, bytesOf("waits"), { signal: new AbortController().signal });
}

Deno.test("K4: sends that nobody awaits are no unhandled rejections at abort()", async () => {
  using unhandled = watchUnhandled();
  for (const how of ["alone", "gathered"]) {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    if (how === "alone") void send(connection, bytesOf("alone"));
    else await sendUnwatched(connection, transport);
    await turns();
    abort(connection);
    assertEquals(await unhandled.seen(), [], how);
    await rejection(() => send(connection, bytesOf("x")), "Closed", "send");
  }
});

Deno.test("K4: the loss shows in close() where it waits for the flush", async () => {
  using unhandled = watchUnhandled();
  for (const how of ["alone", "gathered"]) {
    using time = virtualTime();
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    if (how === "alone") void send(connection, bytesOf("alone"));
    else await sendUnwatched(connection, transport);
    const closed = close(connection).then(() => "resolved", ({ kind }) => kind);
    await time.pass(1000);
    assertEquals(await closed, "TimedOut");
    assertEquals(await unhandled.seen(), [], how);
  }
});

Deno.test("K4: neither are those whose close() was cancelled", async () => {
  using unhandled = watchUnhandled();
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  await sendUnwatched(connection, transport);
  await rejection(() => close(connection, { timeout: 1 }), "TimedOut", "close");
  assertEquals(await unhandled.seen(), []);
});

Deno.test("K4: neither are those that a cancelled send takes with it", async () => {
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

Deno.test("K4: neither are those that a peer breaks while this side closes", async () => {
  using unhandled = watchUnhandled();
  for (const how of ["alone", "gathered"]) {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    void send(connection, bytesOf("first"));
    if (how === "gathered") void send(connection, bytesOf("second"));
    const closed = close(connection);
    (await transport.nextWrite()).fail(connectionReset());
    await soon(closed);
    assertEquals(await unhandled.seen(), [], how);
  }
});

Deno.test("K4: on real sockets nothing is unhandled when its own side closes or aborts", async () => {
  using unhandled = watchUnhandled();
  for (const end of [abort, (connection: Connection) => close(connection, { timeout: 10 })]) {
    await using pair = await tcpPair();
    const { client } = pair;
    void send(client, new Uint8Array(64 * 1024 * 1024));
    void send(client, new Uint8Array(100));
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
    (connection: Connection) => recv(connection),
    (connection: Connection) => recvInto(connection, new Uint8Array(1)),
    (connection: Connection) => recvInto(connection, new Uint8Array(1), { timeout: 60_000 }),
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

Deno.test("K4: a send that its peer breaks is the caller's to handle", async () => {
  using unhandled = watchUnhandled();
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  void send(connection, bytesOf("x"));
  (await transport.nextWrite()).fail(connectionReset());
  const [reason] = await unhandled.seen();
  assertEquals((reason as { kind: string }).kind, "ConnectionReset");
});
