import { assert, assertEquals } from "@std/assert";
import { abort, close, type Connection, connectionOver, recv, send } from "../../../mod.ts";
import { resettablePair } from "../../support/resetting_peer.ts";
import { brokenPipe, connectionReset, notConnected } from "../../support/runtime_errors.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { receiveAll, tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { isPending, turns } from "../../support/turns.ts";
import { virtualTime } from "../../support/virtual_time.ts";
import { rejection, soon } from "../../support/socket_errors.ts";

const MEBIBYTE = 1024 * 1024;

Deno.test("K1: close() flushes, ends the sending side, discards input to its end, then closes", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const sends = ["first", "second"].map((text) => send(connection, bytesOf(text)));
  const closed = close(connection);
  const first = await transport.nextWrite();
  const discarded = await transport.nextRead();
  first.take();
  const second = await transport.nextWrite();
  assert(!transport.log.includes("closeWrite"), "not before the flush");
  second.take();
  await Promise.all(sends);
  await turns();
  assertEquals(transport.log.at(-1), "closeWrite");
  for (let read = discarded, round = 0;; round++, read = await transport.nextRead()) {
    assert(await isPending(closed));
    if (round === 3) {
      read.end();
      break;
    }
    read.give(bytesOf("nobody wants this"));
  }
  await soon(closed);
  assertEquals(transport.log.at(-1), "close");
  assertEquals(connection.bytesReceived, 0);
});

Deno.test("K1: on real sockets close() delivers what was sent although input is unread", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  const noise = send(server, new Uint8Array(2 * MEBIBYTE)).catch(() => {});
  const sent = send(client, new Uint8Array(4 * MEBIBYTE).fill(7));
  const closed = close(client);
  const received = await soon(receiveAll(server));
  abort(server);
  await soon(Promise.all([sent, closed, noise]));
  assertEquals(received.length, 4 * MEBIBYTE);
});

Deno.test("K1: two sides that close at once with full buffers deliver both ways", async () => {
  await using pair = await tcpPair();
  const sides = [pair.client, pair.server];
  const sends = sides.map((side) => send(side, new Uint8Array(16 * MEBIBYTE)));
  await soon(Promise.all([...sides.map((side) => close(side)), ...sends]));
});

for (const [linger, waits] of [[undefined, 1000], [1, 1], [250, 250], [5000, 5000]]) {
  Deno.test(`K1: with linger ${linger} close() waits ${waits} ms for the peer's end`, async () => {
    using time = virtualTime();
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const closed = close(connection, linger === undefined ? undefined : { linger });
    await time.pass(waits! - 1);
    assert(await isPending(closed));
    await time.pass(1);
    await closed;
    assertEquals(transport.log.at(-1), "close");
    assertEquals(time.running, 0);
  });
}

Deno.test("K1: linger 0 closes right after the flush", async () => {
  using time = virtualTime();
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const sent = send(connection, bytesOf("flushed"));
  const closed = close(connection, { linger: 0 });
  await time.pass(500);
  assert(await isPending(closed), "not before the flush");
  (await transport.nextWrite()).take();
  await time.pass(0);
  await Promise.all([sent, closed]);
  assertEquals(transport.log.slice(-2), ["closeWrite", "close"]);
  assertEquals(time.running, 0);
});

Deno.test("K1: linger Infinity waits for the peer's end", async () => {
  using time = virtualTime();
  const transport = new ScriptedTransport();
  const closed = close(connectionOver(transport), { linger: Infinity });
  await time.pass(2 ** 33);
  assert(await isPending(closed));
  (await transport.nextRead()).end();
  await closed;
});

for (const linger of [-1, NaN, -Infinity]) {
  Deno.test(`K1: linger ${linger} is InvalidInput and closes nothing`, async () => {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    await rejection(() => close(connection, { linger }), "InvalidInput", "close");
    await turns();
    assertEquals(transport.log, []);
  });
}

Deno.test("K1: close() does not wait if the peer has ended already", async () => {
  using time = virtualTime();
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const received = recv(connection);
  (await transport.nextRead()).end();
  assertEquals(await received, null);
  await close(connection, { linger: Infinity });
  assertEquals(transport.log, ["read", "closeWrite", "close"]);
  assertEquals(time.running, 0);
});

Deno.test("K1: on real sockets the side that has read the peer's end does not wait", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  const closed = close(client, { linger: Infinity });
  assertEquals(await soon(recv(server)), null);
  await soon(close(server, { linger: Infinity }));
  await soon(closed);
});

/** Actions of a peer while this side closes, as the transport shows them. */
const PEERS: Record<string, (transport: ScriptedTransport) => Promise<void>> = {
  "resets during the flush": async (transport) =>
    (await transport.nextWrite()).fail(connectionReset()),
  "takes nothing more": async (transport) => (await transport.nextWrite()).fail(brokenPipe()),
  "resets while input is discarded": async (transport) => {
    (await transport.nextWrite()).take();
    (await transport.nextRead()).fail(connectionReset());
  },
  "has gone when the sending side ends": async (transport) => {
    transport.onCloseWrite = () => Promise.reject(notConnected());
    (await transport.nextWrite()).take();
    (await transport.nextRead()).end();
  },
};

for (const [what, act] of Object.entries(PEERS)) {
  Deno.test(`K1: a peer that ${what} is no failure of close()`, async () => {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const sent = send(connection, bytesOf("x")).catch(() => {});
    const closed = close(connection, { linger: 200 });
    await act(transport);
    await soon(Promise.all([closed, sent]));
    assertEquals(transport.log.at(-1), "close");
  });
}

Deno.test("K1: on real sockets a reset is no failure of close(), whether recv() has seen it or not", async () => {
  for (const known of [true, false]) {
    await using pair = await resettablePair();
    await pair.reset();
    if (known) await rejection(() => recv(pair.connection), "ConnectionReset", "recv");
    await soon(close(pair.connection));
    await soon(close(pair.connection));
  }
});

Deno.test("K1: a peer that resets in the middle of the flush is no failure of close()", async () => {
  await using pair = await resettablePair();
  const { connection } = pair;
  const sent = send(connection, new Uint8Array(64 * MEBIBYTE)).catch(({ kind }) => kind);
  const closed = close(connection);
  await turns();
  await pair.reset();
  await soon(closed);
  assertEquals(await soon(sent), "ConnectionReset");
});

for (const options of [{ signal: AbortSignal.abort("enough") }, { timeout: 0 }]) {
  Deno.test(`K1: a close() with ${Object.keys(options)} that is cancelled from the start still closes, at once`, async () => {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const kind = "signal" in options ? "Aborted" : "TimedOut";
    await rejection(() => close(connection, options), kind, "close");
    assertEquals(transport.log, ["close"]);
    await rejection(() => recv(connection), "Closed", "recv");
  });
}

Deno.test("K1: a close() that is cancelled while it flushes or lingers closes at once", async () => {
  for (const stage of ["flush", "linger"]) {
    const transport = new ScriptedTransport();
    const connection: Connection = connectionOver(transport);
    const sent = send(connection, bytesOf("abc")).then(() => 3, (error) => error.bytesSent);
    const controller = new AbortController();
    const closed = close(connection, { signal: controller.signal, linger: Infinity });
    const write = await transport.nextWrite();
    if (stage === "linger") write.take();
    assert(await isPending(closed));
    controller.abort();
    await rejection(() => closed, "Aborted", "close");
    assertEquals(transport.log.at(-1), "close");
    assertEquals(await sent, stage === "linger" ? 3 : 0);
    await close(connection);
  }
});

Deno.test("K1: a transport that cannot half-close is flushed and closed", async () => {
  const transport = new ScriptedTransport({ withoutCloseWrite: true });
  const connection = connectionOver(transport);
  const sent = send(connection, bytesOf("x"));
  const closed = close(connection);
  (await transport.nextWrite()).take();
  await sent;
  await soon(closed);
  assertEquals(transport.log.at(-1), "close");
});

Deno.test("K1: leaving an await using block delivers what was sent", async () => {
  await using pair = await tcpPair();
  const received = receiveAll(pair.server).finally(() => abort(pair.server));
  {
    await using connection = pair.client;
    void send(connection, bytesOf("not awaited"));
  }
  assertEquals(textOf(await soon(received)), "not awaited");
});
