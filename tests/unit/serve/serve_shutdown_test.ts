import { assert, assertEquals, assertRejects } from "@std/assert";
import { delay } from "@std/async";
import {
  abort,
  close,
  closeListener,
  connect,
  listen,
  recv,
  send,
  serve,
  type ServeContext,
  SocketError,
} from "../../../mod.ts";
import { countedSignal } from "../../support/listener_count.ts";
import { ScriptedConn, ScriptedListener } from "../../support/scripted_runtime.ts";
import { Arrivals, echo, serving, until, untilEnd } from "../../support/serving.ts";
import { soon } from "../../support/socket_errors.ts";
import { LOOPBACK } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { isPending, turns } from "../../support/turns.ts";
import { watchUnhandled } from "../../support/unhandled.ts";
import { virtualTime } from "../../support/virtual_time.ts";

/** Starts a server over a scripted listener, whose handlers wait until the gate opens. */
async function gated(maxConnections?: number) {
  const runtime = new ScriptedListener([]);
  const gate = Promise.withResolvers<void>();
  const contexts: ServeContext[] = [];
  const server = serve(await listen(LOOPBACK), (_, context) => {
    contexts.push(context);
    return gate.promise;
  }, { maxConnections });
  return {
    runtime,
    server,
    contexts,
    open: gate.resolve,
    [Symbol.dispose]: () => runtime[Symbol.dispose](),
  };
}

Deno.test("V6: shutdown() of a server without connections resolves, and the port is free", async () => {
  const listener = await listen(LOOPBACK);
  const server = serve(listener, echo);
  const ended = server.shutdown();
  assertEquals(await soon(ended), { drained: 0, aborted: 0 });
  await soon(server.finished);
  const again = await listen(server.address);
  await closeListener(again);
  const error = await assertRejects(() => connect(server.address), SocketError);
  assertEquals(error.kind, "ConnectionRefused");
});

Deno.test("V6: shutdown() aborts the signal of handlers after the clients of the backlog are in", async () => {
  using at = await gated();
  at.runtime.give(new ScriptedConn());
  await turns();
  using time = virtualTime();
  const ended = at.server.shutdown();
  at.runtime.give(new ScriptedConn());
  await time.pass(24);
  assertEquals(at.contexts.map(({ signal }) => signal.aborted), [false, false]);
  await time.pass(10);
  assertEquals(at.contexts.map(({ signal }) => signal.aborted), [true, true]);
  const { reason } = at.contexts[0].signal;
  assert(reason instanceof SocketError);
  assertEquals(reason.message, "serve 127.0.0.1:3: the server ends");
  assertEquals([reason.kind, reason.address], ["Closed", at.server.address]);
  assert(await isPending(ended));
  at.open();
  assertEquals(await soon(ended), { drained: 2, aborted: 0 });
});

Deno.test("V6: shutdown() accepts until nobody has come for 25 milliseconds", async () => {
  using at = await gated();
  using time = virtualTime();
  const ended = at.server.shutdown();
  for (let count = 0; count < 10; count++) {
    await time.pass(24);
    at.runtime.give(new ScriptedConn());
  }
  await time.pass(30);
  assertEquals(at.server.accepted, 10);
  at.open();
  assertEquals(await soon(ended), { drained: 10, aborted: 0 });
});

Deno.test("V6: shutdown() closes the port after three seconds if clients keep coming", async () => {
  using at = await gated();
  using time = virtualTime();
  at.open();
  const ended = at.server.shutdown();
  let closed = false;
  void at.server.finished.then(() => closed = true);
  let count = 0;
  for (; !closed && count < 100; count++) {
    at.runtime.give(new ScriptedConn());
    time.block(50);
    await time.pass(2);
  }
  assert(count >= 57 && count <= 60, `closed after ${count} times 52 ms`);
  assertEquals((await soon(ended)).aborted, 0);
});

const GRACE: [timeouts: (number | undefined)[], signalled: number][] = [
  [[2000], 200],
  [[10_000], 1000],
  [[60_000], 3000],
  [[200], 50],
  [[undefined, 2000], 200],
  [[2000, 60_000, undefined], 200],
];

for (const [timeouts, signalled] of GRACE) {
  Deno.test(`V6: shutdown() of a busy server leaves connections most of its ${timeouts} ms`, async () => {
    using time = virtualTime();
    using runtime = new ScriptedListener([]);
    const server = serve(await listen(LOOPBACK), (_, { signal }) => {
      return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
    });
    const ended = timeouts.map((timeout) => server.shutdown({ timeout }));
    let passed = 0;
    let over = false;
    void server.finished.then(() => over = true);
    for (; !over && passed < 4000; passed += 10) {
      runtime.give(new ScriptedConn());
      await time.pass(10);
    }
    assert(passed >= signalled - 20 && passed <= signalled + 20, `signalled after ${passed} ms`);
    const { drained, aborted } = await soon(ended[0]);
    assert(drained >= signalled / 10 - 2, `${drained} drained`);
    assertEquals(aborted, 0);
    assertEquals(time.running, 0);
  });
}

Deno.test("V6: a handler that blocks does not make the backlog seem empty", async () => {
  const listener = await listen(LOOPBACK);
  const heard = new Arrivals<string | null>();
  const clients = await Promise.all(Array.from({ length: 20 }, () => connect(listener.address)));
  for (const client of clients) await send(client, bytesOf("x"));
  const server = serve(listener, async (connection) => {
    // Longer than one check of the backlog.
    for (const end = performance.now() + 10; performance.now() < end;);
    heard.push(textOf(await recv(connection)));
  });
  const ended = server.shutdown();
  for (let count = 0; count < 20; count++) assertEquals(await soon(heard.next()), "x");
  await Promise.all(clients.map((client) => close(client)));
  assertEquals(await soon(ended), { drained: 20, aborted: 0 });
});

Deno.test("V6: shutdown() aborts the connections that are left when the time is up, and counts them", async () => {
  const contexts = new Arrivals<ServeContext>();
  await using served = await serving((connection, context) => {
    contexts.push(context);
    return untilEnd(connection);
  });
  const { server } = served;
  const clients = [await served.client(), await served.client(), await served.client()];
  const { signal } = await soon(contexts.next());
  await until(() => server.active === 3, "all are accepted");
  const order: string[] = [];
  signal.addEventListener("abort", () => order.push("signalled"));
  void recv(clients[0]).then(() => order.push("ended"));
  const ended = server.shutdown({ timeout: 50 });
  await close(clients[2]);
  assertEquals(await soon(ended), { drained: 1, aborted: 2 });
  assertEquals([server.active, server.accepted], [0, 3]);
  for (const client of clients.slice(1, 2)) assertEquals(await soon(recv(client)), null);
  await turns();
  assertEquals(order, ["signalled", "ended"]);
  assertEquals(served.errors, []);
});

Deno.test("V6: shutdown() does not wait longer than its timeout for a handler that never ends", async () => {
  using unhandled = watchUnhandled();
  await using served = await serving(() => new Promise(() => {}));
  await served.client();
  await until(() => served.server.active === 1, "it is accepted");
  assertEquals(await soon(served.server.shutdown({ timeout: 1 })), { drained: 0, aborted: 1 });
  await soon(served.server.finished);
  assertEquals(await unhandled.seen(), []);
});

Deno.test("V6: shutdown() with a timeout of 0 aborts the signal, then the connections, at once", async () => {
  const order: string[] = [];
  await using served = await serving(async (connection, { signal }) => {
    signal.addEventListener("abort", () => order.push("signalled"));
    await recv(connection).catch(() => order.push("aborted"));
  });
  const client = await served.client();
  await until(() => served.server.active === 1, "it is accepted");
  const ended = served.server.shutdown({ timeout: 0 });
  assertEquals([served.server.active, order], [0, ["signalled"]]);
  assertEquals(await soon(ended), { drained: 0, aborted: 1 });
  assertEquals(order, ["signalled", "aborted"]);
  assertEquals(await soon(recv(client)), null);
});

Deno.test("V6: a further shutdown() may set a shorter time, never a longer one", async () => {
  using at = await gated();
  for (let count = 0; count < 2; count++) at.runtime.give(new ScriptedConn());
  await turns();
  using time = virtualTime();
  const calls = [
    at.server.shutdown({ timeout: 10_000 }),
    at.server.shutdown({ timeout: 500 }),
    at.server.shutdown(),
    at.server.shutdown({ timeout: 60_000 }),
  ];
  await time.pass(499);
  for (const call of calls) assert(await isPending(call));
  await time.pass(1);
  for (const call of calls) assertEquals(await soon(call), { drained: 0, aborted: 2 });
  assertEquals(time.running, 0);
  assertEquals(await soon(at.server.shutdown({ timeout: 0 })), { drained: 0, aborted: 2 });
  assertEquals(await soon(at.server.shutdown({ timeout: 5 })), { drained: 0, aborted: 2 });
  assertEquals(time.running, 0);
});

Deno.test("E5: shutdown() that ends before its timeout leaves no timer behind", async () => {
  using at = await gated();
  at.runtime.give(new ScriptedConn());
  await turns();
  using time = virtualTime();
  const ended = at.server.shutdown({ timeout: 60_000 });
  at.open();
  await time.pass(30);
  assertEquals(await soon(ended), { drained: 1, aborted: 0 });
  assertEquals(time.running, 0);
});

Deno.test("V6: shutdown() lets in the clients of the backlog although maxConnections are served", async () => {
  using at = await gated(1);
  for (let count = 0; count < 3; count++) at.runtime.give(new ScriptedConn());
  await turns();
  assertEquals([at.server.active, at.server.accepted], [1, 1]);
  using time = virtualTime();
  const ended = at.server.shutdown();
  await time.pass(50);
  assertEquals([at.server.active, at.server.accepted], [3, 3]);
  at.open();
  assertEquals(await soon(ended), { drained: 3, aborted: 0 });
});

Deno.test("V6: shutdown() aborts clients that come after the time is up", async () => {
  using at = await gated();
  using time = virtualTime();
  const ended = at.server.shutdown({ timeout: 1.5 });
  await time.pass(1.5);
  const late = new ScriptedConn();
  at.runtime.give(late);
  await time.pass(5);
  assertEquals(await soon(ended), { drained: 0, aborted: 1 });
  assertEquals([at.server.accepted, late.log.at(-1)], [0, "close"]);
});

Deno.test("V6: shutdown() serves a client that is accepted while the port is closed", async () => {
  using at = await gated();
  const late = new ScriptedConn();
  at.runtime.close = () => at.runtime.give(late);
  const ended = at.server.shutdown();
  await until(() => at.server.accepted === 1, "it is served");
  assertEquals([at.server.active, late.log.includes("close")], [1, false]);
  at.open();
  assertEquals(await soon(ended), { drained: 1, aborted: 0 });
});

Deno.test("V6: shutdown() counts a connection that a timeout ended as aborted", async () => {
  using runtime = new ScriptedListener([new ScriptedConn()]);
  using time = virtualTime();
  const server = serve(await listen(LOOPBACK), async (connection) => {
    await recv(connection).catch(() => {});
  }, { idleTimeout: 1000, onError: () => {} });
  await turns();
  const ended = server.shutdown();
  await time.pass(1250);
  assertEquals(await soon(ended), { drained: 0, aborted: 1 });
  assertEquals([time.running, runtime.accepts], [0, 2]);
});

Deno.test("V6: finished waits for the last handler", async () => {
  using at = await gated();
  at.runtime.give(new ScriptedConn());
  await turns();
  const ended = at.server.shutdown();
  await delay(20);
  assert(await isPending(at.server.finished));
  at.open();
  await soon(at.server.finished);
  await soon(ended);
  assertEquals(at.server.active, 0);
});

Deno.test("E5: signal ends the server at once, and leaves no listener behind", async () => {
  const { signal, listeners } = countedSignal();
  const untouched = await serving(echo, { signal });
  assertEquals(listeners(), 1);
  await untouched.server.shutdown();
  assertEquals(listeners(), 0);

  const controller = new AbortController();
  await using served = await serving(untilEnd, { signal: controller.signal });
  const client = await served.client();
  await until(() => served.server.active === 1, "it is accepted");
  controller.abort();
  assertEquals(served.server.active, 0);
  await soon(served.server.finished);
  assertEquals(await served.server.shutdown(), { drained: 0, aborted: 1 });
  assertEquals(await soon(recv(client)), null);
});

Deno.test("V6: a signal that is aborted already ends the server before it serves anybody", async () => {
  const listener = await listen(LOOPBACK);
  const waiting = await connect(listener.address);
  const server = serve(listener, () => {}, { signal: AbortSignal.abort() });
  await soon(server.finished);
  const { drained } = await soon(server.shutdown());
  assertEquals([drained, server.accepted, server.active], [0, 0, 0]);
  abort(waiting);
  await turns();
});

Deno.test("V6: shutdown() within a handler and within onError ends the server", async () => {
  const results: unknown[] = [];
  await using served = await serving(async (connection, { server }) => {
    void server.shutdown({ timeout: 1000 }).then((result) => results.push(result));
    await send(connection, bytesOf("bye"));
  });
  const client = await served.client();
  assertEquals(textOf(await soon(recv(client))), "bye");
  await close(client);
  await soon(served.server.finished);
  assertEquals(await soon(served.server.shutdown()), { drained: 1, aborted: 0 });
  assertEquals(results, [{ drained: 1, aborted: 0 }]);

  const listener = await listen(LOOPBACK);
  const server = serve(listener, () => Promise.reject(new Error("on purpose")), {
    onError: () => server.shutdown({ timeout: 0 }) as unknown as void,
  });
  const other = await connect(server.address);
  await soon(server.finished);
  abort(other);
  await turns();
});
