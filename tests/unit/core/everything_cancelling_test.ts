import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { accept, close, connect, type Connection, recv, send } from "../../../mod.ts";
import { connectionReset } from "../../support/runtime_errors.ts";
import { tcpPair } from "../../support/tcp_pair.ts";
import { isPending } from "../../support/turns.ts";
import { watchUnhandled } from "../../support/unhandled.ts";
import { virtualTime } from "../../support/virtual_time.ts";
import { WAITING_CALLS } from "../../support/waiting_calls.ts";
import { countedSignal } from "../../support/listener_count.ts";
import { rejection, soon } from "../../support/socket_errors.ts";

const MINUTE = 60_000;

for (const { name, open } of WAITING_CALLS) {
  Deno.test(`E4: ${name}() with an aborted signal rejects Aborted before any I/O`, async () => {
    await using scene = await open();
    const reason = { mine: true };
    const call = () => scene.call({ signal: AbortSignal.abort(reason) });
    const error = await rejection(call, "Aborted", name);
    assertStrictEquals(error.cause, reason);
    assertEquals(scene.asked(), []);
  });

  Deno.test(`E4: ${name}() with timeout 0 rejects TimedOut before any I/O`, async () => {
    await using scene = await open();
    const error = await rejection(() => scene.call({ timeout: 0 }), "TimedOut", name);
    assert(error.retryable);
    assertEquals(scene.asked(), []);
  });

  Deno.test(`E4: ${name}() calls a timeout that is NaN or negative InvalidInput`, async () => {
    await using scene = await open();
    for (const timeout of [NaN, -1, -0.001, -Infinity]) {
      await rejection(() => scene.call({ timeout }), "InvalidInput", name);
    }
    assertEquals(scene.asked(), []);
    const call = scene.call({});
    await scene.finish();
    await soon(call);
  });

  Deno.test(`E4: ${name}() rejects TimedOut when its timeout is over and not before`, async () => {
    using time = virtualTime();
    await using scene = await open();
    const call = scene.call({ timeout: 750.5 });
    await time.pass(750);
    assert(await isPending(call));
    await time.pass(0.5);
    const error = await rejection(() => call, "TimedOut", name);
    assertEquals(error.reason.split(";")[0], "timed out after 750.5 ms");
  });

  for (const timeout of [2 ** 31 - 1, 2 ** 31, 2 ** 32 + 5]) {
    Deno.test(`E4: ${name}() with a timeout of ${timeout} ms waits as long`, async () => {
      using time = virtualTime();
      await using scene = await open();
      const call = scene.call({ timeout });
      await time.pass(timeout - 1);
      assert(await isPending(call));
      await time.pass(1);
      await rejection(() => call, "TimedOut", name);
      assert(time.started.every((ms) => ms < 2 ** 31), "the runtime fires longer ones at once");
    });
  }

  for (const timeout of [2 ** 53, Number.MAX_VALUE, Infinity]) {
    Deno.test(`E4: ${name}() with a timeout of ${timeout} ms does not time out`, async () => {
      using time = virtualTime();
      await using scene = await open();
      const call = scene.call({ timeout });
      await time.pass(2 ** 33);
      assert(await isPending(call));
      assert(time.started.every((ms) => ms < 2 ** 31), "the runtime fires longer ones at once");
      await scene.finish();
      await soon(call);
    });
  }

  Deno.test(`E4: ${name}() that waits rejects Aborted when its signal aborts`, async () => {
    await using scene = await open();
    const controller = new AbortController();
    const call = scene.call({ signal: controller.signal });
    assert(await isPending(call));
    const reason = new Error("mine");
    controller.abort(reason);
    const error = await rejection(() => call, "Aborted", name);
    assertStrictEquals(error.cause, reason);
  });

  const ends: Record<string, (scene: Awaited<ReturnType<typeof open>>) => Promise<void>> = {
    "has succeeded": (scene) => scene.finish(),
    "has failed": (scene) => scene.fail(connectionReset()),
  };
  for (const [what, end] of Object.entries(ends)) {
    Deno.test(`E5: ${name}() that ${what} leaves no timer and no listener`, async () => {
      using time = virtualTime();
      using unhandled = watchUnhandled();
      await using scene = await open();
      const { signal, listeners } = countedSignal();
      const call = scene.call({ signal, timeout: MINUTE });
      call.catch(() => {});
      await time.pass(1);
      await end(scene);
      await time.pass(1);
      // A failure of one client is not accept's failure: accept waits for the next client (L1).
      if (await isPending(call)) await scene.finish();
      await call.catch(() => {});
      assertEquals(listeners(), 0);
      assertEquals(time.running, 0);
      assertEquals(await unhandled.seen(), []);
    });
  }

  Deno.test(`E5: ${name}() that was cancelled leaves nothing, also when its peer fails later`, async () => {
    using time = virtualTime();
    using unhandled = watchUnhandled();
    for (const cancel of ["by its signal", "by its timeout"]) {
      await using scene = await open();
      const controller = new AbortController();
      const call = scene.call({ signal: controller.signal, timeout: MINUTE });
      call.catch(() => {});
      await time.pass(1);
      if (cancel === "by its signal") controller.abort();
      else await time.pass(MINUTE);
      await rejection(() => call, cancel === "by its signal" ? "Aborted" : "TimedOut", name);
      assertEquals(time.running, 0, cancel);
      await scene.fail(connectionReset());
      await time.pass(1);
      assertEquals(await unhandled.seen(), [], cancel);
    }
  });
}

Deno.test("E5: on real sockets settled calls leave no listener, and no timer for the sanitizer", async () => {
  const { signal, listeners } = countedSignal();
  const options = { signal, timeout: MINUTE };
  await using pair = await tcpPair(options);
  const { listener, client, server } = pair;
  const accepted = accept(listener, options);
  const other: Connection = await connect(listener.address, options);
  for (let round = 0; round < 20; round++) {
    await send(client, new Uint8Array([round]), options);
    assertEquals(await recv(server, options), new Uint8Array([round]));
  }
  await Promise.all([close(other, options), close(await accepted, options)]);
  assertEquals(listeners(), 0);
});
