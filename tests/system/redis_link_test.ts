/** The Redis link with a server that misbehaves. tests/interop/redis_link_test.ts has a real one. */
import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { abort, SocketError } from "../../mod.ts";
import { Unanswered } from "../../examples/pending_calls.ts";
import { RedisLink, type RedisOptions, RedisRefusal } from "../../examples/redis_link.ts";
import { type FakePeer, FakeServer } from "../support/fake_server.ts";
import { soon } from "../support/socket_errors.ts";
import { watchUnhandled } from "../support/unhandled.ts";

const LINK = { backoff: { first: 1, longest: 10 }, handshakeTimeout: 5000 } as const;

/** Reads a request of words without CRLF. */
async function request(peer: FakePeer): Promise<(string | null)[]> {
  const words: (string | null)[] = [];
  const count = Number((await peer.line())?.slice(1));
  for (let index = 0; index < count; index++) {
    await peer.line();
    words.push(await peer.line());
  }
  return words;
}

async function connected(options: RedisOptions = {}): Promise<[FakeServer, RedisLink, FakePeer]> {
  const server = await FakeServer.start();
  const redis = new RedisLink(server.address, { link: LINK, ...options });
  return [server, redis, await accept(server)];
}

async function accept(server: FakeServer): Promise<FakePeer> {
  const peer = await server.accept();
  assertEquals(await request(peer), ["PING"]);
  await peer.send("+PONG\r\n");
  return peer;
}

async function end(...parts: readonly AsyncDisposable[]): Promise<void> {
  await Promise.all(parts.map((part) => part[Symbol.asyncDispose]()));
}

for (
  const [reason, ends] of [
    ["WRONGPASS invalid username-password pair or user is disabled.", true],
    ["NOAUTH Authentication required.", true],
    ["NOPERM this user has no permissions to run the 'ping' command", true],
    ["ERR Client sent AUTH, but no password is set", true],
    ["LOADING Redis is loading the dataset in memory", false],
    ["ERR max number of clients reached", false],
  ] as const
) {
  Deno.test(`a login that is refused with ${reason} ${ends ? "ends" : "does not end"} the link`, async () => {
    await using server = await FakeServer.start();
    const redis = new RedisLink(server.address, { link: LINK });
    const waiting = redis.command(["GET", "a"]);
    waiting.catch(() => {});
    await using peer = await server.accept();
    assertEquals(await request(peer), ["PING"]);
    await peer.send(`-${reason}\r\n`);
    if (ends) {
      for (const call of [waiting, redis.command(["GET", "a"])]) {
        assertEquals((await assertRejects(() => soon(call), RedisRefusal)).message, reason);
      }
      await assertRejects(() => redis.link.finished, RedisRefusal);
    } else {
      const next = await accept(server);
      assertEquals(await request(next), ["GET", "a"]);
      await next.send("$1\r\nb\r\n");
      assertEquals(await soon(waiting), "b");
      await end(next);
    }
    await end(redis);
  });
}

Deno.test("a link sends its login on each connection, and its password in UTF-8", async () => {
  await using server = await FakeServer.start();
  await using _redis = new RedisLink(server.address, {
    user: "ann",
    password: "sécret",
    link: LINK,
  });
  for (let connections = 0; connections < 3; connections++) {
    const peer = await server.accept();
    assertEquals(await request(peer), ["AUTH", "ann", "sécret"]);
    await peer.send("+OK\r\n");
    assertEquals(await request(peer), ["PING"]);
    await peer.send("+PONG\r\n");
    await end(peer);
  }
});

for (
  const [name, bytes, kind] of [
    ["a reply that nobody waits for", ":1\r\n:2\r\n:3\r\n", "InvalidData"],
    ["a reply of no known type", "?\r\n", "InvalidData"],
    ["a reply over the limit", "$1048577\r\n", "TooLarge"],
  ] as const
) {
  Deno.test(`after ${name} commands that wait are not known, and the next connection works`, async () => {
    using unhandled = watchUnhandled();
    const [server, redis, peer] = await connected();
    const waiting = [redis.command(["INCR", "a"]), redis.command(["INCR", "a"])];
    const settled = Promise.allSettled(waiting);
    for (const _ of waiting) assertEquals(await request(peer), ["INCR", "a"]);
    await peer.send(bytes);
    const next = await accept(server);
    const results = await soon(settled);
    if (name !== "a reply that nobody waits for") {
      for (const result of results) {
        assertEquals(result.status, "rejected");
        if (result.status === "fulfilled") continue;
        assertInstanceOf(result.reason, Unanswered);
        assertEquals((result.reason.cause as SocketError).kind, kind);
      }
    } else assertEquals(results.map(({ status }) => status), ["fulfilled", "fulfilled"]);
    assertEquals((redis.link.lastError as SocketError).kind, kind);
    const again = redis.command(["INCR", "a"]);
    assertEquals(await request(next), ["INCR", "a"]);
    await next.send(":3\r\n");
    assertEquals(await soon(again), 3);
    await end(redis, peer, next, server);
    assertEquals(await unhandled.seen(), []);
  });
}

Deno.test("commands that the server has answered before it breaks have their replies, and later ones are not known", async () => {
  const [server, redis, peer] = await connected();
  const commands = ["1", "2", "3"].map((word) => redis.command(["ECHO", word]));
  const settled = Promise.allSettled(commands);
  for (const word of ["1", "2", "3"]) assertEquals(await request(peer), ["ECHO", word]);
  await peer.send("$1\r\n1\r\n$1\r\n2");
  abort(peer.connection);
  const [first, ...others] = await soon(settled);
  assertEquals(first, { status: "fulfilled", value: "1" });
  for (const other of others) {
    assertInstanceOf(other.status === "rejected" && other.reason, Unanswered);
  }
  await end(redis, server);
});

Deno.test("a command that is wrong rejects before it is sent, and disturbs no other", async () => {
  const [server, redis, peer] = await connected();
  for (
    const [words, kind] of [[[], "InvalidInput"], [["SET", "a", "ж"], "InvalidInput"]] as const
  ) {
    const error = await assertRejects(() => soon(redis.command(words)), SocketError);
    assertEquals(error.kind, kind);
  }
  const large = ["SET", "a", "x".repeat(2 ** 20)];
  assertEquals((await assertRejects(() => redis.command(large), SocketError)).kind, "TooLarge");
  const reply = redis.command(["GET", "a"]);
  assertEquals(await request(peer), ["GET", "a"]);
  await peer.send("$-1\r\n");
  assertEquals(typeof await soon(reply), "symbol");
  await end(redis, peer, server);
});

Deno.test("a server that answers no PING is given up, and one that does is kept", async () => {
  const [server, redis, peer] = await connected({ pingInterval: 20 });
  for (let pings = 0; pings < 3; pings++) {
    assertEquals(await request(peer), ["PING"]);
    await peer.send("+PONG\r\n");
  }
  assertEquals(await request(peer), ["PING"]);
  assertEquals(await peer.line(), null);
  const next = await accept(server);
  assertEquals((redis.link.lastError as SocketError).kind, "TimedOut");
  await end(redis, peer, next, server);
});
