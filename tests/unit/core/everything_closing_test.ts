import { assert, assertEquals } from "@std/assert";
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
  lines,
  listen,
  recv,
  recvFrame,
  recvFrames,
  send,
  sendFrame,
  sendFrames,
} from "../../../mod.ts";
import { RECEIVING_CALLS } from "../../support/receiving_calls.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { LOOPBACK, receiveAll, tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { isPending } from "../../support/turns.ts";
import { watchUnhandled } from "../../support/unhandled.ts";
import { rejection, soon } from "../../support/socket_errors.ts";

const OPTIONS = { timeout: 60_000 };

for (const { name, call } of RECEIVING_CALLS) {
  // Without a timeout recvInto() reads straight, and settles only when that read has ended.
  const receive = (connection: Connection) =>
    call(connection, name === "recvInto" ? OPTIONS : undefined);

  Deno.test(`E7: at close() a pending ${name}() rejects Closed at once, before the flush`, async () => {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const received = receive(connection);
    const sent = send(connection, bytesOf("flushed"));
    const write = await transport.nextWrite();
    const closed = close(connection);
    await rejection(() => received, "Closed", name);
    assert(await isPending(closed));
    assert(await isPending(sent));
    write.take();
    await soon(sent);
    (await transport.nextRead()).end();
    await soon(closed);
  });

  Deno.test(`E7: at abort() a pending ${name}() rejects Closed`, async () => {
    await using pair = await tcpPair();
    const received = receive(pair.client);
    assert(await isPending(received));
    abort(pair.client);
    await rejection(() => received, "Closed", name);
  });

  Deno.test(`E7: at the end of await using a pending ${name}() rejects Closed`, async () => {
    const transport = new ScriptedTransport();
    transport.onCloseWrite = async () => (await transport.nextRead()).end();
    let received: Promise<unknown>;
    {
      await using connection = connectionOver(transport);
      received = rejection(() => receive(connection), "Closed", name);
    }
    await received;
    assertEquals(transport.log, ["read", "closeWrite", "close"]);
  });
}

Deno.test("E7: at closeListener() pending accepts reject Closed at once", async () => {
  const listener = await listen(LOOPBACK);
  const accepts = [accept(listener), accept(listener, { timeout: 60_000 }), accept(listener)];
  const rejections = accepts.map((pending) => rejection(() => pending, "Closed", "accept"));
  const closed = closeListener(listener);
  for (const error of await Promise.all(rejections)) {
    assertEquals(error.address, listener.address);
    assertEquals(error.retryable, false);
  }
  await soon(closed);
});

Deno.test("E7: at close() pending sends are flushed", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  const sends = Array.from({ length: 100 }, (_, index) => send(client, bytesOf(`${index},`)));
  const large = send(client, new Uint8Array(4 * 1024 * 1024));
  const closed = close(client);
  const received = await soon(receiveAll(server));
  abort(server);
  await soon(Promise.all([...sends, large, closed]));
  const text = Array.from({ length: 100 }, (_, index) => `${index},`).join("");
  assertEquals(textOf(received.subarray(0, text.length)), text);
  assertEquals(received.length, text.length + 4 * 1024 * 1024);
});

Deno.test("E7: at abort() sends reject Closed with bytesSent, known or none", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const first = send(connection, bytesOf("abcde"));
  (await transport.nextWrite()).take(2);
  await transport.nextWrite();
  const second = send(connection, bytesOf("waits"));
  const third = send(connection, bytesOf("waits"), { timeout: 60_000 });
  const ended = closeWrite(connection);
  abort(connection);
  assertEquals((await rejection(() => first, "Closed", "send")).bytesSent, 2);
  assertEquals((await rejection(() => second, "Closed", "send")).bytesSent, 0);
  assertEquals((await rejection(() => third, "Closed", "send")).bytesSent, 0);
  await rejection(() => ended, "Closed", "closeWrite");
  assertEquals(connection.bytesSent, 2);
});

Deno.test("E7: abort() during close() ends it", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const sent = send(connection, bytesOf("stuck"));
  const closed = close(connection, { linger: Infinity });
  assert(await isPending(closed));
  abort(connection);
  assertEquals((await rejection(() => sent, "Closed", "send")).bytesSent, 0);
  await soon(closed.catch(() => {}));
  assertEquals(transport.log.filter((entry) => entry === "close").length, 1);
});

const ENDS: Record<string, (connection: Connection) => void | PromiseLike<void>> = {
  "close()": (connection) => close(connection),
  "close() with linger 0": (connection) => close(connection, { linger: 0 }),
  "abort()": (connection) => abort(connection),
  "dispose": (connection) => connection[Symbol.asyncDispose](),
};

for (const [what, end] of Object.entries(ENDS)) {
  Deno.test(`E7: after ${what} every call rejects Closed`, async () => {
    await using pair = await tcpPair();
    const { client, server } = pair;
    const stream = framed(client, lines());
    abort(server);
    await soon(Promise.resolve(end(client)));
    const calls = [
      { name: "send", call: () => send(client, new Uint8Array(1)) },
      { name: "sendFrame", call: () => sendFrame(stream, "line") },
      { name: "sendFrames", call: () => sendFrames(stream, ["line"]) },
      { name: "closeWrite", call: () => closeWrite(client) },
      { name: "flush", call: () => flush(client) },
      { name: "recvFrame", call: () => recvFrame(stream) },
      { name: "recvFrames", call: () => recvFrames(stream) },
      ...RECEIVING_CALLS,
    ];
    for (const { name, call } of calls) {
      const error = await rejection(() => call(client), "Closed", name);
      assertEquals(error.retryable, false);
      assertEquals(error.address, client.remoteAddress);
    }
    assertEquals((await client[Symbol.asyncIterator]().next()).done, true);
    assertEquals((await stream[Symbol.asyncIterator]().next()).done, true);
    assertEquals(client.remoteAddress, pair.listener.address, "its addresses stay readable");
  });

  Deno.test(`E7: ${what} may be called again and again, after any other end`, async () => {
    using unhandled = watchUnhandled();
    for (const before of Object.values(ENDS)) {
      const transport = new ScriptedTransport();
      const connection = connectionOver(transport);
      const first = Promise.resolve(before(connection));
      const again = [1, 2, 3].map(() => Promise.resolve(end(connection)));
      if (transport.reads > 0) (await transport.nextRead()).end();
      await soon(Promise.all([first, ...again]));
      await soon(Promise.resolve(end(connection)));
      assertEquals(transport.log.filter((entry) => entry === "close").length, 1);
    }
    assertEquals(await unhandled.seen(), []);
  });
}

Deno.test("E7: after closeListener() accept() rejects Closed, and closing again does nothing", async () => {
  const listener = await listen(LOOPBACK);
  await Promise.all([closeListener(listener), closeListener(listener)]);
  await closeListener(listener);
  await listener[Symbol.asyncDispose]();
  const error = await rejection(() => accept(listener), "Closed", "accept");
  assertEquals(error.address, listener.address);
  assertEquals(await listener[Symbol.asyncIterator]().next(), { done: true, value: undefined });
});

Deno.test("E7: accepted connections live on after closeListener()", async () => {
  await using pair = await tcpPair();
  await closeListener(pair.listener);
  await send(pair.client, bytesOf("alive"));
  assertEquals(textOf(await soon(recv(pair.server))), "alive");
});
