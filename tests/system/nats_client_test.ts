/** The NATS example with a server that misbehaves. tests/interop/nats_test.ts has a real one. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { abort, close, SocketError, type SocketErrorKind } from "../../mod.ts";
import { NatsClient, type NatsOptions, NatsRefusal } from "../../examples/nats_client.ts";
import { Unanswered } from "../../examples/pending_calls.ts";
import { type FakePeer, FakeServer } from "../support/fake_server.ts";
import { until } from "../support/serving.ts";
import { soon } from "../support/socket_errors.ts";
import { isPending } from "../support/turns.ts";
import { watchUnhandled } from "../support/unhandled.ts";

const LINK = { backoff: { first: 1, longest: 10 }, handshakeTimeout: 5000 } as const;
const INFO = 'INFO {"max_payload":100}\r\n';

/** Accepts a connection and its login. Returns the lines of the login between CONNECT and PING. */
async function accept(server: FakeServer): Promise<[FakePeer, (string | null)[]]> {
  const peer = await server.accept();
  await peer.send(INFO);
  const lines: (string | null)[] = [];
  for (let line; (line = await peer.line()) !== "PING";) lines.push(line);
  const [connect, ...subscriptions] = lines;
  assert(connect?.startsWith("CONNECT {"), `${connect}`);
  await peer.send("PONG\r\n");
  return [peer, subscriptions];
}

async function connected(options: NatsOptions = {}): Promise<[FakeServer, NatsClient, FakePeer]> {
  const server = await FakeServer.start();
  const client = new NatsClient(server.address, { ...options, link: { ...LINK, ...options.link } });
  const [peer] = await accept(server);
  return [server, client, peer];
}

async function end(...parts: readonly AsyncDisposable[]): Promise<void> {
  await Promise.all(parts.map((part) => part[Symbol.asyncDispose]()));
}

/** Reads a publish and its PING. */
async function published(peer: FakePeer): Promise<string | null> {
  assertEquals((await peer.line())?.slice(0, 4), "PUB ");
  const payload = await peer.line();
  assertEquals(await peer.line(), "PING");
  return payload;
}

const LOGINS: readonly (readonly [name: string, answer: string, kind: SocketErrorKind])[] = [
  ["says PONG first", "PONG\r\n", "InvalidData"],
  ["says PING first", "PING\r\n", "InvalidData"],
  ["speaks HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n", "InvalidData"],
  ["sends INFO that is no JSON", "INFO {\r\n", "InvalidData"],
  ["sends an endless line", "x".repeat(40_000), "TooLarge"],
  ["announces a message that is too long", `${INFO}MSG a 1 99999999\r\n`, "TooLarge"],
  ["ends inside a line", "INF", "UnexpectedEof"],
  ["ends at once", "", "UnexpectedEof"],
];

for (const [name, answer, kind] of LOGINS) {
  Deno.test(`a NATS client goes on to the next connection if a server ${name}`, async () => {
    using unhandled = watchUnhandled();
    await using server = await FakeServer.start();
    const client = new NatsClient(server.address, { link: LINK });
    const publishing = client.publish("a", "b");
    const wrong = await server.accept();
    await wrong.send(answer);
    await close(wrong.connection);
    const [peer] = await accept(server);
    const { lastError } = client.link;
    assertInstanceOf(lastError, SocketError);
    // A server that closes with bytes unread resets the connection.
    const reset = answer.startsWith(INFO) && lastError.kind === "ConnectionReset";
    assert(reset || lastError.kind === kind, lastError.message);
    assertEquals(await published(peer), "b");
    await peer.send("PONG\r\n");
    await publishing;
    await end(client, peer);
    assertEquals(await unhandled.seen(), []);
  });
}

for (
  const [reason, ends] of [
    ["Authorization Violation", true],
    ["User Authentication Expired", true],
    ['Permissions Violation for Subscription to "a"', true],
    ["maximum connections exceeded", false],
    ["Authentication Timeout", false],
    ["Server Shutdown", false],
  ] as const
) {
  Deno.test(`a login that is refused with ${reason} ${ends ? "ends" : "does not end"} the client`, async () => {
    await using server = await FakeServer.start();
    const client = new NatsClient(server.address, { link: LINK });
    const waiting = client.flush();
    waiting.catch(() => {});
    const peer = await server.accept();
    await peer.send(`${INFO}-ERR '${reason}'\r\n`);
    await close(peer.connection);
    if (ends) {
      for (const call of [waiting, client.link.finished, client.publish("a", "b")]) {
        assertEquals((await assertRejects(() => soon(call), NatsRefusal)).message, reason);
      }
    } else {
      const [next] = await accept(server);
      assertEquals(await next.line(), "PING");
      await next.send("PONG\r\n");
      await soon(waiting);
      await end(next);
    }
    await end(client);
  });
}

Deno.test("a server that wants TLS ends the client before it sends a password", async () => {
  await using server = await FakeServer.start();
  const client = new NatsClient(server.address, { user: "ann", password: "secret", link: LINK });
  await using peer = await server.accept();
  await peer.send('INFO {"tls_required":true}\r\n');
  const error = await assertRejects(() => soon(client.link.finished), SocketError);
  assertEquals(error.kind, "Unsupported");
  assertEquals(await peer.line(), null);
  await end(client);
});

Deno.test("a server that accepts and says nothing holds no attempt for ever", async () => {
  await using server = await FakeServer.start();
  const client = new NatsClient(server.address, { link: { ...LINK, handshakeTimeout: 50 } });
  await using silent = await server.accept();
  const another = await server.accept();
  assertEquals(await silent.line(), null);
  await end(client, another);
});

Deno.test("a publish resolves after its own PONG, an error of the server rejects the first that waits, and subscriptions are renewed", async () => {
  const [server, client, peer] = await connected();
  const came: string[] = [];
  const subscribing = client.subscribe("a.*", ({ subject }) => came.push(subject), { queue: "q" });
  assertEquals([await peer.line(), await peer.line()], ["SUB a.* q 1", "PING"]);
  // A message may come before the PONG.
  await peer.send("MSG a.1 1 0\r\n\r\nPONG\r\n");
  const endSubscription = await subscribing;
  assertEquals(came, ["a.1"]);
  const publishes = ["1", "2", "3"].map((text) => client.publish("b", text));
  for (const text of ["1", "2", "3"]) assertEquals(await published(peer), text);
  assert(await isPending(publishes[0]));
  await peer.send("PONG\r\n-ERR 'Permissions Violation for Publish to \"b\"'\r\nPONG\r\n");
  await soon(publishes[0]);
  await assertRejects(() => publishes[1], NatsRefusal, "Permissions Violation for Publish");
  assert(await isPending(publishes[2]));
  abort(peer.connection);
  await assertRejects(() => soon(publishes[2]), Unanswered);
  const [next, renewed] = await accept(server);
  assertEquals(renewed, ["SUB a.* q 1"]);
  await next.send("MSG a.2 1 0\r\n\r\n");
  await client.link.up();
  await until(() => came.length === 2, "the message came");
  const ending = endSubscription();
  assertEquals([await next.line(), await next.line()], ["UNSUB 1", "PING"]);
  await next.send("MSG a.3 1 0\r\n\r\nPONG\r\n");
  await ending;
  assertEquals(came, ["a.1", "a.2"]);
  // One that came in spite of that is answered, so that a server that missed it learns of it.
  assertEquals(await next.line(), "UNSUB 1");
  await end(client, next, server);
});

Deno.test("a subscription that is wrong or refused spoils no later login", async () => {
  const [server, client, peer] = await connected();
  await assertRejects(() => client.subscribe("a b", () => {}), SocketError, "without spaces");
  const refused = client.subscribe("secret", () => {});
  assertEquals([await peer.line(), await peer.line()], ["SUB secret 2", "PING"]);
  await peer.send("-ERR 'Permissions Violation for Subscription to \"secret\"'\r\nPONG\r\n");
  await assertRejects(() => soon(refused), NatsRefusal);
  const unanswered = client.subscribe("c", () => {});
  unanswered.catch(() => {});
  assertEquals(await peer.line(), "SUB c 3");
  abort(peer.connection);
  await assertRejects(() => soon(unanswered), Unanswered);
  const [next, renewed] = await accept(server);
  assertEquals(renewed, []);
  await end(client, next, server);
});

const MISBEHAVIOUR: readonly (readonly [name: string, bytes: string, kind: SocketErrorKind])[] = [
  ["an unknown message", "HELLO\r\n", "InvalidData"],
  ["a line that ends with LF alone", "PING\n", "InvalidData"],
  ["a payload that is longer than it says", "MSG a 1 1\r\nab\r\n", "InvalidData"],
  ["a PONG too many", "PONG\r\nPONG\r\nPONG\r\n", "InvalidData"],
  ["a message over the limit", "MSG a 1 1048577\r\n", "TooLarge"],
];

for (const [name, bytes, kind] of MISBEHAVIOUR) {
  Deno.test(`after ${name} the calls that wait are not known, and the next connection works`, async () => {
    using unhandled = watchUnhandled();
    const [server, client, peer] = await connected();
    const waiting = [client.publish("a", "1"), client.publish("a", "2")];
    const settled = Promise.allSettled(waiting);
    for (const _ of waiting) await published(peer);
    await peer.send(bytes);
    for (const result of await soon(settled)) {
      if (result.status === "fulfilled") {
        assertEquals(name, "a PONG too many");
        continue;
      }
      assertInstanceOf(result.reason, Unanswered);
      assertInstanceOf(result.reason.cause, SocketError);
      assertEquals(result.reason.cause.kind, kind);
    }
    const [next] = await accept(server);
    const again = client.publish("a", "3");
    assertEquals(await published(next), "3");
    await next.send("PONG\r\n");
    await soon(again);
    await end(client, peer, next, server);
    assertEquals(await unhandled.seen(), []);
  });
}

Deno.test("calls that are wrong reject before anything is sent", async () => {
  const [server, client, peer] = await connected();
  const calls: readonly (readonly [call: () => Promise<unknown>, kind: SocketErrorKind])[] = [
    [() => client.publish("a.*", "b"), "InvalidInput"],
    [() => client.publish("a\r\nPUB b", "b"), "InvalidInput"],
    [() => client.publish("a", "b", { reply: "c d" }), "InvalidInput"],
    [() => client.publish("a", "x".repeat(101)), "TooLarge"],
    [() => client.publish("a", "b", { timeout: -1 }), "InvalidInput"],
    [() => client.publish("a", "b", { signal: AbortSignal.abort() }), "Aborted"],
  ];
  for (const [call, kind] of calls) {
    assertEquals((await assertRejects(() => soon(call()), SocketError)).kind, kind);
  }
  const flush = client.flush();
  assertEquals(await peer.line(), "PING");
  await peer.send("PING\r\nPONG\r\n");
  await soon(flush);
  assertEquals(await peer.line(), "PONG");
  await end(client, peer, server);
});

Deno.test("a server that answers no ping is given up, and one that does is kept", async () => {
  const [server, client, peer] = await connected({ pingInterval: 20 });
  for (let pings = 0; pings < 3; pings++) {
    assertEquals(await peer.line(), "PING");
    await peer.send("PONG\r\n");
  }
  assertEquals(await peer.line(), "PING");
  assertEquals(await peer.line(), null);
  const [next] = await accept(server);
  const { lastError } = client.link;
  assertInstanceOf(lastError, SocketError);
  assertEquals([lastError.kind, lastError.operation], ["TimedOut", "recvFrame"]);
  await end(client, peer, next, server);
});

Deno.test("closing rejects what waits, and what comes after it", async () => {
  using unhandled = watchUnhandled();
  const [server, client, peer] = await connected();
  const waiting = Promise.allSettled([client.publish("a", "b")]);
  assertEquals(await published(peer), "b");
  await end(client, peer);
  const [result] = await soon(waiting);
  assertInstanceOf(result.status === "rejected" && result.reason, Unanswered);
  const error = await assertRejects(() => client.publish("a", "b"), SocketError);
  assertEquals(error.kind, "Closed");
  await end(server);
  assertEquals(await unhandled.seen(), []);
});

Deno.test("a subscriber that throws ends the client with its error", async () => {
  const [server, client, peer] = await connected();
  const subscribing = client.subscribe("a", () => {
    throw new RangeError("mine");
  });
  assertEquals([await peer.line(), await peer.line()], ["SUB a 1", "PING"]);
  await peer.send("PONG\r\n");
  await subscribing;
  await peer.send("MSG a 1 0\r\n\r\n");
  await assertRejects(() => soon(client.link.finished), RangeError, "mine");
  await end(client, peer, server);
});
