/** The Redis link with the original redis-server, which is killed and restarted under load. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { SocketError } from "../../mod.ts";
import { RedisLink, RedisRefusal } from "../../examples/redis_link.ts";
import { Unanswered } from "../../examples/pending_calls.ts";
import { Example } from "../system/support/example.ts";
import { soon } from "../support/socket_errors.ts";
import { watchUnhandled } from "../support/unhandled.ts";
import { startRedisOnDisk } from "./support/redis_on_disk.ts";
import { callThroughRestarts, RESTART_LINK, WORKERS } from "./support/restart_load.ts";

Deno.test("no command that Redis has acknowledged is lost, and none is done twice, while it is killed and restarted under load", async () => {
  using unhandled = watchUnhandled();
  await using server = await startRedisOnDisk();
  let connections = 0;
  await using redis = new RedisLink(server.address, {
    link: { ...RESTART_LINK, onChange: (state) => connections += Number(state === "ready") },
  });
  const values = new Map<number, number>();
  const result = await callThroughRestarts(server, async (number, worker) => {
    const length = await redis.command(["RPUSH", `list ${worker}`, `${number}`]);
    assert(typeof length === "number", Deno.inspect(length));
    values.set(number, length);
  });
  const stored: number[] = [];
  for (let worker = 0; worker < WORKERS; worker++) {
    const list = await redis.command(["LRANGE", `list ${worker}`, "0", "-1"]);
    assert(Array.isArray(list));
    for (const [index, text] of list.entries()) {
      const number = Number(text);
      stored.push(number);
      // Each has the place that the reply named.
      if (result.answered.has(number)) assertEquals(values.get(number), index + 1);
    }
  }
  const distinct = new Set(stored);
  assertEquals(distinct.size, stored.length, "a command that was not sent was done");
  for (const number of result.answered) assert(distinct.has(number), `${number} is lost`);
  for (const number of distinct) {
    assert(result.answered.has(number) || result.unanswered.has(number), `${number}`);
  }
  assert(connections > result.restarts, `${connections} connections`);
  // Otherwise no restart met a call, and nothing was tested.
  assert(result.unanswered.size + result.notSent > 0);
  assertEquals(await unhandled.seen(), []);
});

Deno.test("what SET and INCR have changed is there after each kill, if it was acknowledged", async () => {
  await using server = await startRedisOnDisk();
  await using redis = new RedisLink(server.address, { link: RESTART_LINK });
  const newest: number[] = [];
  const result = await callThroughRestarts(server, async (number, worker) => {
    const [set, incr] = await Promise.allSettled([
      redis.command(["SET", `newest ${worker}`, `${number}`]),
      redis.command(["INCR", "count"]),
    ]);
    if (incr.status === "rejected") throw incr.reason;
    // The two may meet a restart between them. SET again does no harm.
    if (set.status === "fulfilled") newest[worker] = number;
  });
  const count = Number(await redis.command(["GET", "count"]));
  const { answered, unanswered } = result;
  assert(count >= answered.size, `${count} of ${answered.size}`);
  assert(count <= answered.size + unanswered.size, `${count}, ${unanswered.size} not known`);
  for (const [worker, number] of newest.entries()) {
    const value = Number(await redis.command(["GET", `newest ${worker}`]));
    assert(value >= number, `worker ${worker} has ${value}, and ${number} was acknowledged`);
  }
});

Deno.test("a command that was not sent was not done, and what waited behind a stopped server is certain or not known", async () => {
  using unhandled = watchUnhandled();
  await using server = await startRedisOnDisk();
  await using redis = new RedisLink(server.address, { link: RESTART_LINK });
  const value = "x".repeat(200_000);
  let notSent = 0;
  for (let round = 0; round < 3; round++) {
    await redis.command(["PING"]);
    await server.stop();
    // More than the kernel takes, so that most of them wait here.
    const calls = Array.from(
      { length: 60 },
      (_, number) => redis.command(["SET", `${number}`, value]),
    );
    const settled = Promise.allSettled(calls);
    await server.restart("SIGKILL");
    for (const [number, result] of (await settled).entries()) {
      if (result.status === "rejected" && result.reason instanceof Unanswered) continue;
      const stored = await redis.command(["EXISTS", `${number}`]);
      if (result.status === "fulfilled") assertEquals(stored, 1);
      else {
        assert(result.reason instanceof SocketError && result.reason.retryable);
        assertEquals(stored, 0, result.reason.message);
        notSent++;
      }
    }
    await redis.command(["FLUSHALL"]);
  }
  assert(notSent > 0);
  assertEquals(await unhandled.seen(), []);
});

Deno.test("a server that is stopped for longer than the heartbeat is given up, and comes back", async () => {
  using unhandled = watchUnhandled();
  await using server = await startRedisOnDisk();
  await using redis = new RedisLink(server.address, {
    pingInterval: 100,
    link: { ...RESTART_LINK, handshakeTimeout: 500 },
  });
  assertEquals(await redis.command(["INCR", "a"]), 1);
  await server.stop();
  const error = await assertRejects(() => soon(redis.command(["INCR", "a"])), Unanswered);
  assertInstanceOf(error.cause, SocketError);
  assertEquals(error.cause.kind, "TimedOut");
  const waiting = redis.command(["INCR", "a"]);
  server.continue();
  // The one that nobody knew of was done, as the kernel had taken it.
  assertEquals(await soon(waiting), 3);
  assertEquals(await unhandled.seen(), []);
});

Deno.test("a wrong password ends the link, all that waits gets the reason, and the right one works", async () => {
  await using server = await startRedisOnDisk("--requirepass", "sécret");
  for (
    const [options, reason] of [
      [{ password: "secret" }, "WRONGPASS"],
      [{ user: "nobody", password: "sécret" }, "WRONGPASS"],
      [{}, "NOAUTH"],
    ] as const
  ) {
    const redis = new RedisLink(server.address, { ...options, link: RESTART_LINK });
    await assertRejects(() => soon(redis.command(["GET", "a"])), RedisRefusal, reason);
    await assertRejects(() => redis.link.finished, RedisRefusal, reason);
    assertEquals(redis.link.state, "ended");
  }
  await using redis = new RedisLink(server.address, { password: "sécret", link: RESTART_LINK });
  assertEquals(await redis.command(["PING"]), { status: "PONG" });
  assertEquals(
    await redis.command(["NOT", "A", "COMMAND"]).then((reply) => "error" in Object(reply)),
    true,
  );
});

Deno.test("the Redis program pushes each line, also after a restart, and says what failed", async () => {
  await using server = await startRedisOnDisk();
  const address = `${server.host}:${server.port}`;
  await using program = Example.start("redis_link", address, "RPUSH", "numbers");
  await program.type("one");
  await program.until(/^one: done\n/m);
  await server.restart("SIGKILL");
  await program.type("grüß dich");
  await program.until(/^grüß dich: done\n/m);
  await program.endInput();
  assertEquals(await program.end(), 0, await program.errors());
  assertEquals((await program.errors()).match(/^ready$/gm)?.length, 2);
  await using redis = new RedisLink(server.address);
  const bytes = new TextEncoder().encode("grüß dich");
  assertEquals(await redis.command(["LRANGE", "numbers", "0", "-1"]), [
    "one",
    String.fromCharCode(...bytes),
  ]);
  await using wrong = Example.start("redis_link", address, "INCR");
  await wrong.type("numbers");
  await wrong.until(/^numbers: failed: WRONGTYPE/m);
});
