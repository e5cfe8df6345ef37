import { assert, assertEquals } from "@std/assert";
import { keepConnected, type OperationOptions, recv, recvLine, send } from "../../../mod.ts";
import { ENDPOINT, scriptedLink } from "../../support/scripted_link.ts";
import { Arrivals, serving } from "../../support/serving.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { isPending, turns } from "../../support/turns.ts";
import { watchUnhandled } from "../../support/unhandled.ts";

Deno.test("close() aborts the session's signal, delivers what it sends, and resolves when all is over", async () => {
  const received = new Arrivals<string>();
  await using server = await serving(async (connection) => {
    let text = "";
    for (let bytes; (bytes = await recv(connection)) !== null;) text += textOf(bytes);
    received.push(text);
  });
  const link = keepConnected(server.server.address, async (connection, { ready, signal }) => {
    ready();
    await recv(connection, { signal }).catch(() => {});
    // Farewells may take their time.
    await turns();
    await send(connection, bytesOf("farewell"));
  });
  const connection = await soon(link.up());
  const sent = send(connection, bytesOf("hello, "));
  await soon(link.close());
  await sent;
  assertEquals(await soon(received.next()), "hello, farewell");
  await soon(link.finished);
});

Deno.test("close() ends a session that waits for the peer without its signal, without waiting for it first", async () => {
  await using scripted = scriptedLink();
  const { connection, end, fail } = await scripted.nextReady();
  recv(connection).then(end, fail);
  await scripted.close();
  await soon(scripted.link.finished);
  assertEquals(scripted.finished(), "resolved");
  assertEquals(scripted.time.running, 0);
});

Deno.test("close() waits for a session at most linger ms, and closes then", async () => {
  for (const linger of [undefined, 0, 5000]) {
    await using scripted = scriptedLink();
    const { peer, connection } = await scripted.nextReady();
    await send(connection, bytesOf("x"));
    const closing = scripted.link.close({ linger });
    const limit = linger ?? 1000;
    if (limit > 0) {
      await scripted.time.pass(limit - 1);
      assertEquals([peer.closed, await isPending(closing)], [false, true]);
    }
    await scripted.time.pass(1);
    await soon(closing);
    assertEquals([peer.closed, scripted.finished()], [true, "resolved"]);
    assertEquals(scripted.time.running, 0);
  }
});

Deno.test("close({ linger: Infinity }) in a session that awaits it comes to an end", async () => {
  await using scripted = scriptedLink();
  const { end } = await scripted.nextReady();
  const closing = scripted.link.close({ linger: Infinity }).then(end);
  await scripted.time.pass(30_000);
  await soon(closing);
  assertEquals(scripted.finished(), "resolved");
});

Deno.test("close() with a timeout or a signal drops the connection then, and rejects", async () => {
  const cases: [OperationOptions, "TimedOut" | "Aborted"][] = [
    [{ timeout: 0 }, "TimedOut"],
    [{ timeout: 100 }, "TimedOut"],
    [{ signal: AbortSignal.abort() }, "Aborted"],
  ];
  for (const [options, kind] of cases) {
    using unhandled = watchUnhandled();
    await using scripted = scriptedLink();
    const { peer, connection, context } = await scripted.nextReady();
    peer.write = () => new Promise(() => {});
    const lost = send(connection, bytesOf("never taken"));
    lost.catch(() => {});
    const closing = scripted.link.close({ linger: 10_000, ...options });
    closing.catch(() => {});
    await scripted.time.pass(100);
    await rejection(() => closing, kind, "close");
    await rejection(() => lost, "Closed", "send");
    assertEquals([peer.closed, context.signal.aborted, scripted.finished()], [
      true,
      true,
      "resolved",
    ]);
    assertEquals(scripted.time.running, 0);
    assertEquals(await unhandled.seen(), []);
  }
});

Deno.test("close() rejects if what was sent could not be delivered, and finished resolves", async () => {
  await using scripted = scriptedLink();
  const { peer, connection, end } = await scripted.nextReady();
  peer.write = () => new Promise(() => {});
  send(connection, bytesOf("never taken")).catch(() => {});
  const closing = scripted.link.close({ flushTimeout: 500 });
  closing.catch(() => {});
  end();
  await scripted.time.pass(1000);
  const { reason } = await rejection(() => closing, "TimedOut", "close");
  assertEquals(reason, "gave up on 11 bytes, none had left for 500 ms");
  assertEquals(scripted.finished(), "resolved");
});

Deno.test("close() again waits for the same end, and one with a timeout hurries it", async () => {
  await using scripted = scriptedLink();
  await scripted.nextReady();
  const slow = scripted.link.close({ linger: 20_000 });
  const again = scripted.link.close();
  const hurried = scripted.link.close({ timeout: 100 });
  hurried.catch(() => {});
  await scripted.time.pass(99);
  assertEquals(await isPending(Promise.race([slow, again, hurried])), true);
  await scripted.time.pass(1);
  await rejection(() => hurried, "TimedOut", "close");
  await soon(Promise.all([slow, again]));
  await soon(scripted.link.close({ timeout: 0 }));
});

Deno.test("E10: close() with wrong options is InvalidInput, and the link goes on", async () => {
  await using scripted = scriptedLink();
  const { context } = await scripted.nextReady();
  const { link } = scripted;
  for (
    const wrong of [{ linger: NaN }, { timeout: -1 }, { flushTimeout: "5" }, { signal: {} }, 5]
  ) {
    await rejection(() => link.close(wrong as never), "InvalidInput", "close");
  }
  assertEquals([link.state, context.signal.aborted], ["ready", false]);
});

Deno.test("a session may close its own link and return", async () => {
  const done = new Arrivals<void>();
  await using server = await serving(async (connection) => {
    await send(connection, bytesOf("one job\n"));
    while (await recv(connection) !== null);
    done.push();
  });
  const link = keepConnected(server.server.address, async (connection, { ready, signal }) => {
    ready();
    assertEquals(await recvLine(connection, { signal }), "one job");
    void link.close();
  });
  await soon(link.finished);
  await soon(done.next());
  assertEquals(link.state, "ended");
  assertEquals(link.lastError, undefined);
});

Deno.test("await using closes a link", async () => {
  await using server = await serving(async (connection) => {
    while (await recv(connection) !== null);
  });
  let finished: Promise<void>;
  {
    await using link = keepConnected(server.server.address, async (connection, { ready }) => {
      ready();
      for await (const _ of connection) { /* Nothing comes. */ }
    });
    finished = link.finished;
    await soon(link.up());
  }
  await soon(finished);
});

Deno.test("a signal that has aborted before gives a link that never tries", async () => {
  let tried = false;
  const link = keepConnected(ENDPOINT, () => {}, {
    signal: AbortSignal.abort("before"),
    connect() {
      tried = true;
      throw new Error("it tried");
    },
  });
  const waiting = link.up();
  assertEquals((await rejection(() => waiting, "Closed", "up")).cause, "before");
  await soon(link.finished);
  assertEquals([tried, link.state], [false, "ended"]);
});

Deno.test("the signal of a link aborts its connection at once, and its session has a second to return", async () => {
  const controller = new AbortController();
  await using scripted = scriptedLink({ signal: controller.signal });
  const { peer, context } = await scripted.nextReady();
  controller.abort();
  assertEquals([peer.closed, context.signal.aborted, scripted.link.state], [true, true, "ended"]);
  await scripted.time.pass(999);
  assertEquals(scripted.finished(), undefined);
  await scripted.time.pass(1);
  assertEquals(scripted.finished(), "resolved");
});

Deno.test("what a session throws after the end of its link is nobody's error", async () => {
  using unhandled = watchUnhandled();
  await using scripted = scriptedLink();
  const { fail } = await scripted.nextReady();
  await scripted.close({ linger: 0 });
  fail(new Error("late"));
  assertEquals(await unhandled.seen(), []);
  assertEquals(scripted.link.lastError, undefined);
  assert(scripted.link.state === "ended");
});
