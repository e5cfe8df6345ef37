import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import type { Link } from "../../../mod.ts";
import { countedSignal } from "../../support/listener_count.ts";
import { ENDPOINT, fixedRandom, refused, scriptedLink } from "../../support/scripted_link.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { isPending, turns } from "../../support/turns.ts";
import { watchUnhandled } from "../../support/unhandled.ts";

Deno.test("up() gives the connection once it is ready, to everybody who waits, and at once afterwards", async () => {
  await using scripted = scriptedLink();
  const { link } = scripted;
  const waiting = [
    link.up(),
    link.up({ timeout: 5000 }),
    link.up({ signal: new AbortController().signal }),
  ];
  (await scripted.nextConnect()).accept();
  const { connection, context } = await scripted.nextSession();
  assertEquals(await isPending(Promise.race(waiting)), true);
  context.ready();
  for (const up of waiting) assertStrictEquals(await soon(up), connection);
  assertStrictEquals(await link.up({ timeout: 0 }), connection);
  assertEquals(scripted.time.running, 0);
});

Deno.test("up() waits through failures and pauses for the next connection that is ready", async () => {
  using _random = fixedRandom(0.5);
  await using scripted = scriptedLink();
  const first = await scripted.nextReady();
  first.fail(new Error("lost"));
  await turns();
  const waiting = scripted.link.up();
  await scripted.time.pass(100);
  (await scripted.nextConnect()).fail(refused());
  await scripted.time.pass(1000);
  const { connection } = await scripted.nextReady();
  assertStrictEquals(await soon(waiting), connection);
});

Deno.test("up({ timeout: 0 }) fails fast: with the last error, or TimedOut if there was none", async () => {
  await using scripted = scriptedLink();
  const { link } = scripted;
  const none = await rejection(() => link.up({ timeout: 0 }), "TimedOut", "up");
  assertEquals(none.message, "up: timed out after 0 ms");
  const refusal = refused();
  (await scripted.nextConnect()).fail(refusal);
  await turns();
  const some = await link.up({ timeout: 0 }).catch((error) => error);
  assertStrictEquals(some, refusal);
  assertEquals(link.state, "waiting");
});

Deno.test("X2: a timeout of up() names the endpoint and the last error, and changes nothing", async () => {
  using _random = fixedRandom(0.999);
  await using scripted = scriptedLink({ backoff: { first: 10_000 } });
  const { link, time } = scripted;
  const refusal = refused();
  (await scripted.nextConnect()).fail(refusal);
  await turns();
  const call = link.up({ timeout: 500 });
  call.catch(() => {});
  await time.pass(500);
  const error = await rejection(() => call, "TimedOut", "up");
  assertEquals(
    error.message,
    "up 192.0.2.1:7777: timed out after 500 ms (last error: connect: connection refused (ECONNREFUSED))",
  );
  assertStrictEquals(error.cause, refusal);
  assertEquals([link.state, time.running], ["waiting", 1]);
});

Deno.test("X2: the message of a timeout quotes nothing of an error that a session threw", async () => {
  using _random = fixedRandom(0.999);
  await using scripted = scriptedLink({ backoff: { first: 10_000 } });
  (await scripted.nextReady()).fail(new TypeError("password hunter2 was refused"));
  await turns();
  const call = scripted.link.up({ timeout: 500 });
  call.catch(() => {});
  await scripted.time.pass(500);
  const { message } = await rejection(() => call, "TimedOut", "up");
  assertEquals(message, "up 192.0.2.1:7777: timed out after 500 ms (last error: TypeError)");
});

Deno.test("E5: a signal ends up() at once and leaves no listener", async () => {
  await using scripted = scriptedLink();
  const { link } = scripted;
  const controller = new AbortController();
  const { signal, listeners } = countedSignal(controller);
  const call = link.up({ signal, timeout: 1000 });
  assertEquals(listeners(), 1);
  controller.abort("enough");
  assertEquals((await rejection(() => call, "Aborted", "up")).cause, "enough");
  assertEquals(listeners(), 0);
  await rejection(() => link.up({ signal }), "Aborted", "up");
  // Also if a connection is ready.
  await scripted.nextReady();
  await rejection(() => link.up({ signal, timeout: 0 }), "Aborted", "up");
  assertEquals(listeners(), 0);
});

Deno.test("E10: up() says InvalidInput before Closed before Aborted before TimedOut", async () => {
  await using scripted = scriptedLink();
  const { link } = scripted;
  const signal = AbortSignal.abort();
  await rejection(() => link.up({ signal, timeout: -1 }), "InvalidInput", "up");
  await rejection(() => link.up("soon" as never), "InvalidInput", "up");
  await rejection(() => link.up({ signal, timeout: 0 }), "Aborted", "up");
  await scripted.close();
  await rejection(() => link.up({ signal, timeout: -1 }), "InvalidInput", "up");
  await rejection(() => link.up({ signal, timeout: 0 }), "Closed", "up");
});

Deno.test("X2: when a link ends with an error, everybody who waits gets it, as the session threw it", async () => {
  for (const thrown of [refused(), new TypeError("my own"), "a string"]) {
    using unhandled = watchUnhandled();
    await using scripted = scriptedLink({ retry: () => false });
    const { link } = scripted;
    const controller = new AbortController();
    const { signal, listeners } = countedSignal(controller);
    const waiting = [link.up(), link.up({ timeout: 60_000 }), link.up({ signal })];
    const errors = waiting.map((up) => up.then(() => undefined, (error) => error));
    (await scripted.nextConnect()).accept();
    const { fail, context } = await scripted.nextSession();
    fail(thrown);
    for (const error of errors) assertStrictEquals(await soon(error), thrown);
    assertEquals(scripted.finished(), [thrown]);
    assertStrictEquals(link.lastError, thrown);
    assertStrictEquals(await link.up().catch((error) => error), thrown);
    assertStrictEquals(await link.up({ timeout: 0 }).catch((error) => error), thrown);
    assertEquals([link.state, context.signal.aborted], ["ended", true]);
    assertEquals([listeners(), scripted.time.running], [0, 0]);
    await link.close();
    assertEquals(await unhandled.seen(), []);
  }
});

Deno.test("X2: a link that ends with an error that nobody watches is no unhandled rejection", async () => {
  using unhandled = watchUnhandled();
  await using scripted = scriptedLink({ attempts: 1 });
  (await scripted.nextConnect()).fail(refused());
  await turns();
  assertEquals(scripted.link.state, "ended");
  assertEquals(await unhandled.seen(), []);
});

Deno.test("X2: when a link is closed, everybody who waits gets Closed, with the last error as the cause", async () => {
  await using scripted = scriptedLink();
  const { link } = scripted;
  const refusal = refused();
  (await scripted.nextConnect()).fail(refusal);
  await turns();
  const waiting = [link.up(), link.up({ timeout: 60_000 })];
  waiting.forEach((up) => up.catch(() => {}));
  await scripted.close();
  for (const up of waiting) {
    const { message, cause } = await rejection(() => up, "Closed", "up");
    assertEquals(
      message,
      "up 192.0.2.1:7777: the link is closed on this side " +
        "(last error: connect: connection refused (ECONNREFUSED))",
    );
    assertStrictEquals(cause, refusal);
  }
  assertEquals([scripted.finished(), scripted.time.running], ["resolved", 0]);
});

Deno.test("X2: when the link's signal aborts, everybody who waits gets Closed, with its reason", async () => {
  const controller = new AbortController();
  const { signal, listeners } = countedSignal(controller);
  await using scripted = scriptedLink({ signal });
  const { link } = scripted;
  await scripted.nextConnect();
  assertEquals(listeners(), 1);
  const waiting = link.up();
  waiting.catch(() => {});
  controller.abort("the program ends");
  assertEquals(link.state, "ended");
  assertEquals((await rejection(() => waiting, "Closed", "up")).cause, "the program ends");
  await soon(link.finished);
  assertEquals([listeners(), scripted.time.running], [0, 0]);
});

Deno.test("X2: whatever the link does at its end, nothing of it stays pending", async () => {
  type Scripted = ReturnType<typeof scriptedLink>;
  const doing: Record<string, (scripted: Scripted) => Promise<unknown>> = {
    "ask for an endpoint": () => turns(),
    "connect": (scripted) => scripted.nextConnect(),
    "wait for ready()": async (scripted) => {
      (await scripted.nextConnect()).accept();
      await scripted.nextSession();
    },
    "run a session": (scripted) => scripted.nextReady(),
    "close after a session": async (scripted) => {
      const { peer, end } = await scripted.nextReady();
      peer.answersEnd = false;
      end();
      await turns();
    },
    "wait for a session that ignores the loss of its connection": async (scripted) => {
      const { peer } = await scripted.nextReady();
      peer.reset();
      await rejection(
        () => scripted.sessions[0].connection[Symbol.asyncIterator]().next(),
        "ConnectionReset",
        "recv",
      );
      await turns();
    },
    "ask retry": async (scripted) => {
      (await scripted.nextConnect()).fail("never answered");
      await turns();
    },
    "wait": async (scripted) => {
      (await scripted.nextConnect()).fail(refused());
      await turns();
      assertEquals(scripted.link.state, "waiting");
    },
  };
  const ends: Record<string, (scripted: Scripted, controller: AbortController) => void> = {
    "close()": ({ link }) => void link.close(),
    "close({ timeout: 0 })": ({ link }) => void link.close({ timeout: 0 }).catch(() => {}),
    "a signal": (_, controller) => controller.abort(),
  };
  for (const [what, begin] of Object.entries(doing)) {
    for (const [how, end] of Object.entries(ends)) {
      const controller = new AbortController();
      const { signal, listeners } = countedSignal(controller);
      await using scripted = scriptedLink({
        signal,
        retry: (error) => error === "never answered" ? new Promise(() => {}) : true,
      }, what.includes("endpoint") ? () => new Promise(() => {}) : ENDPOINT);
      await begin(scripted);
      // A link that is ready gives its connection.
      const waiting = scripted.link.state === "ready" ? undefined : scripted.link.up();
      waiting?.catch(() => {});
      end(scripted, controller);
      assertEquals(scripted.link.state, "ended", `${what}, ${how}`);
      if (waiting !== undefined) await rejection(() => waiting, "Closed", "up", `${what}, ${how}`);
      // Sessions here ignore their signal. A link gives them a second.
      await scripted.time.pass(1000);
      assertEquals(scripted.finished(), "resolved", `${what}, ${how}`);
      assertEquals([listeners(), scripted.time.running], [0, 0], `${what}, ${how}`);
      assert(scripted.sessions.every(({ context }) => context.signal.aborted), `${what}, ${how}`);
      assertEquals(scripted.connects.length, what.includes("endpoint") ? 0 : 1);
    }
  }
});

Deno.test("E5: a call of up() that nobody awaits is no unhandled rejection if the program ends its link", async () => {
  using unhandled = watchUnhandled();
  const controller = new AbortController();
  const ends = [
    (link: Link) => link.close(),
    () => controller.abort(),
  ];
  for (const end of ends) {
    await using scripted = scriptedLink({ signal: controller.signal });
    const { link } = scripted;
    const calls = [link.up(), link.up({ timeout: 5000 })];
    await scripted.nextConnect();
    await end(link);
    assertEquals(await unhandled.seen(), []);
    for (const call of calls) await rejection(() => call, "Closed", "up");
  }
});
