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

/** More bytes than both kernels hold. */
const LARGE_BYTES = 64 * 1024 * 1024;

/** Starts a server whose handler sends, awaits nothing and returns. */
function sent(length: number, options: ServeOptions): Promise<TimedServing> {
  return timedServing((connection) => void send(connection, new Uint8Array(length)), options);
}

async function receivedBy(client: Connection): Promise<number> {
  return (await soon(receiveAll(client))).length;
}

/** Waits until the network has had its turns, which takes no time of the clock. */
function ended(server: Server): Promise<void> {
  return until(() => server.active === 0, "the connection is closed");
}

Deno.test("V1: a client has time to take what its handler sent before it returned", async () => {
  await using at = await sent(LARGE_BYTES, {});
  // The system reports room in steps for which a client may need many seconds.
  for (let pause = 0; pause < 3; pause++) {
    await at.time.pass(25_000);
    const half = LARGE_BYTES / 4;
    for (let left = half; left > 0;) {
      left -= (await soon(recv(at.client, { maxBytes: left })))!.length;
    }
  }
  assertEquals(await receivedBy(at.client), LARGE_BYTES / 4);
  assertEquals(at.errors, []);
});

Deno.test("V4: idleTimeout also bounds the delivery of what a handler sent", async () => {
  await using at = await sent(LARGE_BYTES, { idleTimeout: 5000, linger: 0 });
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
  await using at = await sent(LARGE_BYTES, { idleTimeout: 1000, linger: Infinity });
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

Deno.test("V6: shutdown() counts a client that has received everything as drained, although it has not closed in time", async () => {
  await using at = await sent(10, { linger: 1000 });
  assertEquals(await receivedBy(at.client), 10);
  const ending = at.server.shutdown({ timeout: 500 });
  await at.time.pass(500);
  assertEquals(await soon(ending), { drained: 1, aborted: 0 });
  await using other = await sent(LARGE_BYTES, { linger: 1000 });
  const cut = other.server.shutdown({ timeout: 500 });
  await other.time.pass(500);
  assertEquals(await soon(cut), { drained: 0, aborted: 1 });
});

Deno.test("V6: shutdown() counts a client that did not take what was sent as aborted", async () => {
  await using at = await sent(LARGE_BYTES, { idleTimeout: 1000, linger: 0 });
  const ending = at.server.shutdown();
  for (let second = 0; second < 60 && at.server.active > 0; second++) await at.time.pass(1000);
  assertEquals(await soon(ending), { drained: 0, aborted: 1 });
  assertEquals(kinds(at.errors), ["TimedOut close"]);
});

Deno.test("V6: shutdown() aborts the signal of handlers at once if the system is out of descriptors, which theirs may free", async () => {
  // The clock is replaced first: a pause that began in real time would not end in virtual time.
  using time = virtualTime();
  using runtime = new ScriptedListener([new ScriptedConn(), outOfDescriptors()]);
  const signalled = Promise.withResolvers<void>();
  const server = serve(await listen(LOOPBACK), async (_, { signal }) => {
    signal.addEventListener("abort", () => signalled.resolve());
    await signalled.promise;
  }, { onError: () => {} });
  await turns();
  const ending = server.shutdown();
  await time.pass(10);
  await soon(signalled.promise);
  runtime.give(new ScriptedConn());
  await time.pass(100);
  assertEquals(await soon(ending), { drained: 2, aborted: 0 });
});

Deno.test("V1: input that comes after the handler has returned does not shorten the close", async () => {
  await using at = await sent(10, { linger: Infinity });
  assertEquals(await receivedBy(at.client), 10);
  await send(at.client, bytesOf("nobody hears this"));
  await at.time.pass(60_000);
  assertEquals(at.server.active, 1);
  abort(at.client);
  await ended(at.server);
});
