import { assert, assertEquals } from "@std/assert";
import {
  close,
  type Connection,
  encodeProxyHeader,
  listen,
  recv,
  type RefusalReason,
  send,
  serve,
  type ServeOptions,
} from "../../../mod.ts";
import { ScriptedConn, ScriptedListener } from "../../support/scripted_runtime.ts";
import { BareClient } from "../../support/bare_client.ts";
import { Arrivals, echo, kinds, serving, until, untilEnd } from "../../support/serving.ts";
import { soon } from "../../support/socket_errors.ts";
import { LOOPBACK, receiveAll } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { isPending, turns } from "../../support/turns.ts";
import { watchUnhandled } from "../../support/unhandled.ts";
import { virtualTime } from "../../support/virtual_time.ts";

const explain = (connection: Connection, reason: RefusalReason) =>
  send(connection, bytesOf(`no: ${reason}`));

const LIMITS: [ServeOptions, RefusalReason][] = [
  [{ maxConnections: 1, whenFull: "refuse" }, "maxConnections"],
  [{ maxConnectionsPerHost: 1 }, "maxConnectionsPerHost"],
  [{ maxConnections: 1, maxConnectionsPerHost: 1, whenFull: "refuse" }, "maxConnectionsPerHost"],
];

for (const [limits, reason] of LIMITS) {
  Deno.test(`V3: onRefused says why to the client, with ${Object.keys(limits)}`, async () => {
    await using served = await serving(echo, { ...limits, onRefused: explain });
    const { server } = served;
    const first = await served.client();
    await until(() => server.active === 1, "the first is served");
    for (let count = 1; count <= 3; count++) {
      const client = await BareClient.connect(server.address);
      // A client that has begun to talk gets the reason too, and no reset.
      client.write(bytesOf("hello"));
      await soon(client.closed());
      assertEquals([textOf(client.received), client.code], [`no: ${reason}`, undefined]);
      assertEquals([server.active, server.accepted, server.refused], [1, 1, count]);
    }
    await close(first);
    await until(() => server.active === 0, "there is a place again");
    const next = await served.client();
    await send(next, bytesOf("served"));
    assertEquals(textOf(await soon(recv(next))), "served");
    assertEquals(served.errors, []);
  });
}

Deno.test('V2: whenFull "refuse" closes further clients at once and counts them', async () => {
  await using served = await serving(untilEnd, { maxConnections: 1, whenFull: "refuse" });
  await served.client();
  await until(() => served.server.active === 1, "the first is served");
  assertEquals(await soon(recv(await served.client())), null);
  assertEquals([served.server.active, served.server.refused], [1, 1]);
});

Deno.test('V2: whenFull is "wait" by default: onRefused is not called for maxConnections', async () => {
  let calls = 0;
  await using served = await serving(untilEnd, {
    maxConnections: 1,
    onRefused: () => void calls++,
  });
  await served.client();
  const waits = await served.client();
  assert(await isPending(recv(waits).catch(() => {})));
  assertEquals([served.server.accepted, calls], [1, 0]);
});

Deno.test("V3: onRefused has a second, then its connection is closed", async () => {
  using time = virtualTime();
  const conns = [new ScriptedConn(), new ScriptedConn()];
  using _runtime = new ScriptedListener(conns);
  const errors: unknown[] = [];
  const server = serve(await listen(LOOPBACK), untilEnd, {
    maxConnectionsPerHost: 1,
    onRefused: () => new Promise(() => {}),
    onError: (error) => void errors.push(error),
  });
  await time.pass(999);
  assertEquals(conns.map(({ log }) => log.includes("close")), [false, false]);
  await time.pass(1);
  assertEquals(conns.map(({ log }) => log.includes("close")), [false, true]);
  assertEquals([errors, time.running], [[], 0]);
  await server.shutdown({ timeout: 0 });
});

Deno.test("V3: a graceful close of at most a second follows onRefused", async () => {
  using time = virtualTime(turns);
  await using served = await serving(untilEnd, { maxConnectionsPerHost: 1, onRefused: explain });
  await served.client();
  await until(() => served.server.active === 1, "the first is served");
  const client = await served.client();
  assertEquals(textOf(await soon(receiveAll(client))), "no: maxConnectionsPerHost");
  // The client goes on talking, and gets nothing more.
  for (let step = 0; step < 9; step++) {
    await send(client, bytesOf("but"));
    await time.pass(100);
  }
  const ended = served.server.shutdown({ timeout: 0 });
  await soon(ended);
  assertEquals(served.errors, []);
});

Deno.test("V3: onError hears of an onRefused that fails, and the connection is closed", async () => {
  const failures: ServeOptions["onRefused"][] = [
    () => {
      throw new Error("thrown");
    },
    () => Promise.reject(new Error("rejected")),
  ];
  for (const [index, onRefused] of failures.entries()) {
    await using served = await serving(untilEnd, { maxConnectionsPerHost: 1, onRefused });
    await served.client();
    await until(() => served.server.active === 1, "the first is served");
    assertEquals(await soon(recv(await served.client())), null);
    assertEquals(kinds(served.errors), [["Error: thrown", "Error: rejected"][index]]);
  }
});

Deno.test("V3: an onRefused that fails after its second is no unhandled rejection, and Closed is not reported", async () => {
  using unhandled = watchUnhandled();
  using time = virtualTime();
  using _runtime = new ScriptedListener([new ScriptedConn(), new ScriptedConn()]);
  const errors: unknown[] = [];
  const late = Promise.withResolvers<void>();
  const server = serve(await listen(LOOPBACK), untilEnd, {
    maxConnectionsPerHost: 1,
    onRefused: async (connection) => {
      await late.promise;
      await send(connection, bytesOf("late"));
    },
    onError: (error) => void errors.push(error),
  });
  await time.pass(1000);
  late.resolve();
  await turns();
  assertEquals([errors, await unhandled.seen()], [[], []]);
  await server.shutdown({ timeout: 0 });
});

Deno.test("V3: onRefused is called for at most 100 clients at once; further ones are closed at once", async () => {
  using time = virtualTime();
  const conns = Array.from({ length: 301 }, () => new ScriptedConn());
  using runtime = new ScriptedListener(conns);
  let calls = 0;
  const server = serve(await listen(LOOPBACK), untilEnd, {
    maxConnectionsPerHost: 1,
    onRefused: () => new Promise(() => void calls++),
  });
  await until(() => runtime.accepts === 302, "all are accepted");
  const closed = () => conns.filter(({ log }) => log.includes("close")).length;
  assertEquals([calls, closed(), server.refused, server.active], [100, 200, 300, 1]);
  await time.pass(1000);
  assertEquals(closed(), 300);
  runtime.give(new ScriptedConn());
  await turns();
  assertEquals(calls, 101);
  await server.shutdown({ timeout: 0 });
});

Deno.test("V6: shutdown() waits for calls of onRefused, and drops their connections when the time is up", async () => {
  for (const timeout of [undefined, 200]) {
    using time = virtualTime();
    const conns = [new ScriptedConn(), new ScriptedConn()];
    using _runtime = new ScriptedListener(conns);
    const begun = new Arrivals<void>();
    const server = serve(await listen(LOOPBACK), (_, { signal }) => {
      return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
    }, {
      maxConnectionsPerHost: 1,
      onRefused: () => {
        begun.push();
        return new Promise(() => {});
      },
    });
    await soon(begun.next());
    const ended = server.shutdown({ timeout });
    await time.pass(199);
    assert(await isPending(ended));
    await time.pass(timeout === undefined ? 801 : 1);
    assertEquals(await soon(ended), { drained: 1, aborted: 0 });
    assertEquals(conns[1].log.at(-1), "close");
    assertEquals(time.running, 0);
  }
});

Deno.test("V3: onRefused gets the client behind a proxy, and is not called without a PROXY header", async () => {
  const known = new Arrivals<[string, RefusalReason]>();
  await using served = await serving(untilEnd, {
    proxyProtocol: { trust: ["127.0.0.1"] },
    maxConnections: 1,
    whenFull: "refuse",
    onRefused: (connection, reason) => known.push([connection.remoteAddress.host, reason]),
  });
  const header = (host: string) =>
    encodeProxyHeader(
      { source: { host, port: 1 }, destination: { host: "192.0.2.9", port: 2 } },
      { version: 1 },
    );
  const first = await served.client();
  await send(first, header("192.0.2.1"));
  await until(() => served.server.accepted === 1, "the first is served");
  const second = await served.client();
  await send(second, header("192.0.2.2"));
  assertEquals(await soon(known.next()), ["192.0.2.2", "maxConnections"]);
  assertEquals(await soon(recv(second)), null);
  const nobody = await served.client();
  await send(nobody, bytesOf("GET / HTTP/1.1\r\n\r\n"));
  assertEquals(await soon(recv(nobody).catch(() => null)), null);
  assert(await isPending(known.next()));
  assertEquals(served.server.refused, 2);
});
