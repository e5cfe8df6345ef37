import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  abort,
  type Connection,
  listen,
  recv,
  send,
  serve,
  type ServeOptions,
  type Server,
  type SocketError,
} from "../../../mod.ts";
import { outOfDescriptors } from "../../support/runtime_errors.ts";
import { ScriptedConn, ScriptedListener } from "../../support/scripted_runtime.ts";
import { kinds, until } from "../../support/serving.ts";
import { soon } from "../../support/socket_errors.ts";
import { LOOPBACK, receiveAll } from "../../support/tcp_pair.ts";
import { bytesOf } from "../../support/text.ts";
import { type TimedServing, timedServing } from "../../support/timed_serving.ts";
import { turns } from "../../support/turns.ts";
import { virtualTime } from "../../support/virtual_time.ts";

/** More than both kernels hold. */
const LARGE = 64 * 1024 * 1024;

/** A server whose handler sends without waiting and returns. */
function sent(length: number, options: ServeOptions): Promise<TimedServing> {
  return timedServing((connection) => void send(connection, new Uint8Array(length)), options);
}

async function receivedBy(client: Connection): Promise<number> {
  return (await soon(receiveAll(client))).length;
}

/** Waits for what needs no time, but the network's turns. */
function ended(server: Server): Promise<void> {
  return until(() => server.active === 0, "the connection is closed");
}

Deno.test("serve() gives a client time to take what its handler has sent before it returned", async () => {
  await using at = await sent(LARGE, {});
  // The system tells of room in steps that a client may need many seconds for.
  for (let pause = 0; pause < 3; pause++) {
    await at.time.pass(25_000);
    const half = LARGE / 4;
    for (let left = half; left > 0;) {
      left -= (await soon(recv(at.client, { maxBytes: left })))!.length;
    }
  }
  assertEquals(await receivedBy(at.client), LARGE / 4);
  assertEquals(at.errors, []);
});

Deno.test("idleTimeout ends what a handler has sent, too, where nothing of it leaves", async () => {
  await using at = await sent(LARGE, { idleTimeout: 5000, linger: 0 });
  for (let second = 0; second < 60 && at.errors.length === 0; second++) await at.time.pass(1000);
  assertEquals(kinds(at.errors), ["TimedOut close"]);
  const [{ message }] = at.errors as SocketError[];
  assert(message.endsWith("none had left for 5000 ms"), message);
});

Deno.test("K6: a client that goes on sending after its handler has 30 s, and onError hears of the cut", async () => {
  await using at = await sent(10, {});
  assertEquals(await receivedBy(at.client), 10);
  for (let passed = 0; passed < 29_500; passed += 500) {
    await send(at.client, bytesOf("x"));
    await turns(2);
    await at.time.pass(500);
  }
  assertEquals([at.server.active, at.errors.length], [1, 0]);
  await send(at.client, bytesOf("x"));
  await turns(2);
  await at.time.pass(500);
  await ended(at.server);
  assertEquals(kinds(at.errors), ["TimedOut close"]);
  assertStringIncludes((at.errors[0] as SocketError).message, "sent data may be lost");
});

Deno.test("K5: linger is no part of the time that a client has to take what was sent", async () => {
  await using at = await sent(LARGE, { idleTimeout: 1000, linger: Infinity });
  for (let second = 0; second < 60 && at.errors.length === 0; second++) await at.time.pass(1000);
  assertEquals(kinds(at.errors), ["TimedOut close"]);
});

Deno.test("linger is how long a server waits for the client's end", async () => {
  await using at = await sent(10, { linger: 5000 });
  assertEquals(await receivedBy(at.client), 10);
  await at.time.pass(4999);
  assertEquals(at.server.active, 1);
  await at.time.pass(1);
  await ended(at.server);
  await using quick = await sent(10, { linger: 0 });
  await quick.time.pass(0);
  await ended(quick.server);
  assertEquals(await receivedBy(quick.client), 10);
});

Deno.test("shutdown() counts those as drained that have all, but have not closed when the time is up", async () => {
  await using at = await sent(10, { linger: 1000 });
  assertEquals(await receivedBy(at.client), 10);
  const ending = at.server.shutdown({ timeout: 500 });
  await at.time.pass(500);
  assertEquals(await soon(ending), { drained: 1, aborted: 0 });
  await using other = await sent(LARGE, { linger: 1000 });
  const cut = other.server.shutdown({ timeout: 500 });
  await other.time.pass(500);
  assertEquals(await soon(cut), { drained: 0, aborted: 1 });
});

Deno.test("shutdown() counts those as aborted whose client took nothing of what was sent", async () => {
  await using at = await sent(LARGE, { idleTimeout: 1000, linger: 0 });
  const ending = at.server.shutdown();
  for (let second = 0; second < 60 && at.server.active > 0; second++) await at.time.pass(1000);
  assertEquals(await soon(ending), { drained: 0, aborted: 1 });
  assertEquals(kinds(at.errors), ["TimedOut close"]);
});

Deno.test("shutdown() tells handlers at once where the system is out of descriptors, which theirs may free", async () => {
  // Before anything pauses: a pause in real time does not end in one that the test passes.
  using time = virtualTime();
  using runtime = new ScriptedListener([new ScriptedConn(), outOfDescriptors()]);
  const told = Promise.withResolvers<void>();
  const server = serve(await listen(LOOPBACK), async (_, { signal }) => {
    signal.addEventListener("abort", () => told.resolve());
    await told.promise;
  }, { onError: () => {} });
  await turns();
  const ending = server.shutdown();
  await time.pass(10);
  await soon(told.promise);
  runtime.give(new ScriptedConn());
  await time.pass(100);
  assertEquals(await soon(ending), { drained: 2, aborted: 0 });
});

Deno.test("a handler's connection that is told something it cannot hear is not closed any earlier", async () => {
  await using at = await sent(10, { linger: Infinity });
  assertEquals(await receivedBy(at.client), 10);
  await send(at.client, bytesOf("nobody hears this"));
  await at.time.pass(60_000);
  assertEquals(at.server.active, 1);
  abort(at.client);
  await ended(at.server);
});
