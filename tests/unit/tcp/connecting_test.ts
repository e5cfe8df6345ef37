import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { deadline } from "@std/async";
import { abort, accept, type Address, connect, listen, recv, send } from "../../../mod.ts";
import { fullListener } from "../../support/full_listener.ts";
import { connectionReset } from "../../support/runtime_errors.ts";
import { ScriptedConn, ScriptedConnect } from "../../support/scripted_runtime.ts";
import { LOOPBACK } from "../../support/tcp_pair.ts";
import { bytesOf } from "../../support/text.ts";
import { isPending, turns } from "../../support/turns.ts";
import { watchUnhandled } from "../../support/unhandled.ts";
import { virtualTime } from "../../support/virtual_time.ts";
import { rejection, soon } from "../../support/socket_errors.ts";

const TARGET = { host: "127.0.0.1", port: 9 };

Deno.test("C1: timeout and signal cover an attempt that nobody answers", async () => {
  await using full = await fullListener();
  const { address } = full.listener;
  const error = await rejection(() => connect(address, { timeout: 20 }), "TimedOut", "connect");
  assertEquals(error.address, address);
  assert(error.retryable);

  const controller = new AbortController();
  const connecting = connect(address, { signal: controller.signal });
  assert(await isPending(connecting));
  controller.abort("enough");
  assertEquals((await rejection(() => connecting, "Aborted", "connect")).cause, "enough");
});

for (const cancel of ["signal", "timeout"]) {
  Deno.test(`C1: a ${cancel} that comes while the runtime does nothing returns at once`, async () => {
    using time = virtualTime();
    using unhandled = watchUnhandled();
    using runtime = new ScriptedConnect();
    const controller = new AbortController();
    const connecting = connect(TARGET, { signal: controller.signal, timeout: 1000 });
    const outcome = connecting.then(() => "connected", ({ kind }) => kind);
    assert(await isPending(connecting));
    if (cancel === "signal") controller.abort();
    else await time.pass(1000);
    assertEquals(await outcome, cancel === "signal" ? "Aborted" : "TimedOut");
    assert(runtime.signal?.aborted, "the runtime must get the abort, so that it stops");
    assertEquals(time.running, 0);
    runtime.fail(connectionReset());
    assertEquals(await unhandled.seen(), []);
  });

  Deno.test(`C1: a connection that comes after the ${cancel} is closed`, async () => {
    using time = virtualTime();
    using runtime = new ScriptedConnect();
    const controller = new AbortController();
    const connecting = connect(TARGET, { signal: controller.signal, timeout: 1000 });
    const outcome = connecting.then(() => "connected", ({ kind }) => kind);
    if (cancel === "signal") controller.abort();
    else await time.pass(1000);
    const conn = new ScriptedConn();
    runtime.succeed(conn);
    assertEquals(await outcome, cancel === "signal" ? "Aborted" : "TimedOut");
    await turns();
    assertEquals(conn.log, ["close"]);
  });
}

Deno.test("C1: an abort in the same turn as the success leaves no socket behind", async () => {
  for (const first of ["success", "abort"]) {
    using runtime = new ScriptedConnect();
    const controller = new AbortController();
    const connecting = connect(TARGET, { signal: controller.signal });
    const outcome = connecting.then((connection) => connection, ({ kind }) => kind as string);
    const conn = new ScriptedConn();
    if (first === "abort") controller.abort();
    runtime.succeed(conn);
    if (first === "success") controller.abort();
    const result = await outcome;
    await turns();
    if (typeof result === "string") assertEquals([result, conn.log.at(-1)], ["Aborted", "close"]);
    else abort(result);
    assertEquals(conn.log.at(-1), "close");
  }
});

/** Aborts connects one after the other while the runtime is busy with their success, and counts the aborted ones. */
async function abortAround(address: Address, count: number): Promise<number> {
  let cancelled = 0;
  const connecting = Array.from({ length: count }, async (_, index) => {
    const controller = new AbortController();
    const aborted = new Promise<void>((resolve) =>
      setTimeout(() => {
        const end = performance.now() + 0.2 * index / count;
        while (performance.now() < end);
        controller.abort();
        resolve();
      }, 0)
    );
    try {
      abort(await connect(address, { signal: controller.signal }));
    } catch {
      cancelled++;
    }
    await aborted;
  });
  await soon(Promise.all(connecting));
  return cancelled;
}

Deno.test("C1: on real sockets aborts around the success leave no socket behind", async () => {
  await using listener = await listen(LOOPBACK);
  let cancelled = 0;
  for (let round = 0; round < 30; round++) {
    cancelled += await abortAround(listener.address, 20);
    const last = await connect(listener.address);
    for await (const server of listener) {
      const isLast = server.remoteAddress.port === last.localAddress.port;
      // A socket that was left behind never ends.
      if (!isLast) await deadline(recv(server).catch(() => null), 3000);
      abort(server);
      if (isLast) break;
    }
    abort(last);
  }
  assert(cancelled > 0, "no abort came in time");
});

Deno.test("C1: a signal that aborts after the call has settled does nothing", async () => {
  await using listener = await listen(LOOPBACK);
  const controller = new AbortController();
  const client = await connect(listener.address, { signal: controller.signal, timeout: 60_000 });
  controller.abort();
  const server = await accept(listener);
  await send(client, bytesOf("x"));
  assertEquals(await soon(recv(server)), bytesOf("x"));
  abort(client);
  abort(server);
});

Deno.test("E1: the error of the runtime is the cause of a failed connect", async () => {
  using runtime = new ScriptedConnect();
  const raw = connectionReset();
  const failed = rejection(
    () => connect(TARGET, { timeout: 60_000 }),
    "ConnectionReset",
    "connect",
  );
  runtime.fail(raw);
  const error = await failed;
  assertStrictEquals(error.cause, raw);
  assert(error.retryable);
});

Deno.test("C2: a connection with itself is ConnectionRefused, and it is closed", async () => {
  using runtime = new ScriptedConnect();
  const conn = new ScriptedConn();
  runtime.succeed(Object.assign(conn, { remoteAddr: conn.localAddr }));
  const error = await rejection(() => connect(TARGET), "ConnectionRefused", "connect");
  assertEquals(error.address, TARGET);
  assert(error.retryable);
  assertEquals(conn.log.at(-1), "close");
});

Deno.test("connect() is Unreachable if a router prohibits it, also with the code EACCES of IPv6", async () => {
  using runtime = new ScriptedConnect();
  const failed = rejection(() => connect(TARGET), "Unreachable", "connect");
  const raw = new Deno.errors.PermissionDenied("Permission denied (os error 13)");
  runtime.fail(Object.assign(raw, { code: "EACCES" }));
  const error = await failed;
  assertEquals([error.code, error.retryable], ["EACCES", true]);
  assertEquals(error.permission, undefined);
});

Deno.test("S3: connect() gives sendQueueLimit to its connection", async () => {
  await using listener = await listen(LOOPBACK);
  const client = await connect(listener.address, { sendQueueLimit: 3 });
  const first = send(client, bytesOf("at once"));
  const second = send(client, bytesOf("abc"));
  await rejection(() => send(client, bytesOf("x")), "QueueFull", "send");
  await Promise.all([first, second]);
  abort(client);
});
