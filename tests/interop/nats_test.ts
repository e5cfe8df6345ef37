/** The NATS client with the original nats-server, which is killed and restarted under load. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { type Address, SocketError } from "../../mod.ts";
import { NatsClient, type NatsOptions, NatsRefusal } from "../../examples/nats_client.ts";
import { Unanswered } from "../../examples/pending_calls.ts";
import { Example } from "../system/support/example.ts";
import { soon } from "../support/socket_errors.ts";
import { watchUnhandled } from "../support/unhandled.ts";
import { startNats } from "./support/nats.ts";
import { callThroughRestarts, RESTART_LINK } from "./support/restart_load.ts";

const decoder = new TextDecoder();

/** Makes a client, and counts its connections. */
function countedClient(
  { address }: { readonly address: Address },
  options: NatsOptions = {},
): { readonly client: NatsClient; connections(): number } {
  let connections = 0;
  const onChange = (state: string) => connections += Number(state === "ready");
  const client = new NatsClient(address, { ...options, link: { ...RESTART_LINK, onChange } });
  return { client, connections: () => connections };
}

Deno.test("a message that the server has acknowledged reaches each subscriber who stays connected, through kills under load", async () => {
  using unhandled = watchUnhandled();
  await using server = await startNats();
  const publisher = countedClient(server);
  const subscriber = countedClient(server);
  await using _publisher = publisher.client;
  await using _subscriber = subscriber.client;
  const came: number[] = [];
  const cameBack = new Set<number>();
  await subscriber.client.subscribe("room.*", ({ payload }) => {
    came.push(Number(decoder.decode(payload)));
  });
  await publisher.client.subscribe("room.>", ({ payload }) => {
    cameBack.add(Number(decoder.decode(payload)));
  });
  const expected = new Set<number>();
  const result = await callThroughRestarts(server, async (number, worker) => {
    await subscriber.client.flush();
    const before = subscriber.connections();
    await publisher.client.publish(`room.${worker}`, `${number}`);
    // The server has sent it to this client before the PONG, over the same connection.
    assert(cameBack.has(number), `${number} did not come back`);
    const stayed = await subscriber.client.flush().then(() => true, () => false);
    if (stayed && subscriber.connections() === before) expected.add(number);
  });
  const distinct = new Set(came);
  assert(expected.size > 0 && expected.size <= result.answered.size);
  for (const number of expected) assert(distinct.has(number), `${number} is lost`);
  assertEquals(distinct.size, came.length, "a message that was not sent has come");
  assert(result.unanswered.size + result.notSent > 0);
  for (const { connections } of [publisher, subscriber]) {
    assert(connections() > result.restarts, `${connections()} connections`);
  }
  assertEquals(await unhandled.seen(), []);
});

Deno.test("a message that is published until its receiver answers arrives, through kills under load", async () => {
  await using server = await startNats();
  await using receiver = new NatsClient(server.address, { link: RESTART_LINK });
  await using sender = new NatsClient(server.address, { link: RESTART_LINK });
  const received = new Set<string>();
  await receiver.subscribe("work", ({ payload, reply }) => {
    received.add(decoder.decode(payload));
    // An answer that is lost is asked for again.
    receiver.publish(reply!, payload).catch(() => {});
  });
  const inbox = `_INBOX.${crypto.randomUUID()}`;
  const waiting = new Map<string, () => void>();
  await sender.subscribe(inbox, ({ payload }) => waiting.get(decoder.decode(payload))?.());
  const result = await callThroughRestarts(server, async (number) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.set(`${number}`, resolve);
    // Each time that a publish settles, the answer may have come or not.
    for (let answered = false; !answered;) {
      const timer = Promise.withResolvers<boolean>();
      const id = setTimeout(() => timer.resolve(false), 100);
      await sender.publish("work", `${number}`, { reply: inbox }).catch(() => {});
      answered = await Promise.race([promise.then(() => true), timer.promise]);
      clearTimeout(id);
    }
    waiting.delete(`${number}`);
  });
  assertEquals([result.unanswered.size, result.notSent], [0, 0]);
  for (const number of result.answered) assert(received.has(`${number}`), `${number} is lost`);
  const [last] = [...result.answered].toSorted((a, b) => b - a);
  assertEquals(result.answered.size, last, "each number was answered");
});

Deno.test("a server that is stopped for longer than the heartbeat is given up, and subscriptions come back with it", async () => {
  using unhandled = watchUnhandled();
  await using server = await startNats();
  await using client = new NatsClient(server.address, {
    pingInterval: 100,
    link: { ...RESTART_LINK, handshakeTimeout: 500 },
  });
  const came: string[] = [];
  await client.subscribe("a", ({ payload }) => came.push(decoder.decode(payload)));
  await server.stop();
  const error = await assertRejects(() => soon(client.publish("a", "1")), Unanswered);
  assertInstanceOf(error.cause, SocketError);
  assertEquals(error.cause.kind, "TimedOut");
  const waiting = client.publish("a", "2");
  server.continue();
  await soon(waiting);
  assertEquals(came.at(-1), "2");
  assertEquals(await unhandled.seen(), []);
});

Deno.test("the next server of a list takes over from one that is stopped for good", async () => {
  await using stopped = await startNats();
  await using other = await startNats();
  const endpoints = [stopped.address];
  await using client = new NatsClient(() => endpoints[0], {
    pingInterval: 100,
    link: { ...RESTART_LINK, handshakeTimeout: 500 },
  });
  await client.publish("a", "1");
  await stopped.stop();
  endpoints[0] = other.address;
  await assertRejects(() => soon(client.publish("a", "2")), Unanswered);
  await soon(client.publish("a", "3"));
  assertEquals((await client.link.up()).remoteAddress, other.address);
});

Deno.test("a wrong login ends the client, all that waits gets the reason, and a password that a restart has changed too", async () => {
  let password = "sécret";
  const login = () => `authorization { user: ann, password: ${JSON.stringify(password)} }`;
  await using server = await startNats(login);
  for (const options of [{ user: "ann", password: "secret" }, { token: "sécret" }, {}]) {
    const client = new NatsClient(server.address, { ...options, link: RESTART_LINK });
    const calls: Promise<unknown>[] = [client.publish("a", "b"), client.flush()];
    calls.push(client.subscribe("a", () => {}));
    for (const call of [...calls, client.link.finished]) {
      await assertRejects(() => soon(call), NatsRefusal, "Authorization Violation");
    }
    assertEquals(client.link.state, "ended");
  }
  const client = new NatsClient(server.address, { user: "ann", password, link: RESTART_LINK });
  await client.publish("a", "b");
  await server.restart("SIGTERM");
  await client.publish("a", "b");
  password = "another";
  await server.restart("SIGKILL");
  await assertRejects(() => soon(client.link.finished), NatsRefusal, "Authorization Violation");
  await assertRejects(() => client.publish("a", "b"), NatsRefusal, "Authorization Violation");
});

Deno.test("a subject that is not permitted rejects its own call, and the connection stays", async () => {
  await using server = await startNats(() =>
    `authorization { users: [{
      user: ann, password: secret,
      permissions: { publish: { deny: "secret.>" }, subscribe: { deny: "secret.>" } }
    }] }`
  );
  const { client, connections } = countedClient(server, { user: "ann", password: "secret" });
  await using _client = client;
  const results = await Promise.allSettled([
    client.publish("open", "1"),
    client.publish("secret.a", "2"),
    client.publish("open", "3"),
    client.subscribe("secret.b", () => {}),
    client.subscribe("open", () => {}),
  ]);
  const refusals = results.map((one) => one.status === "rejected" && `${one.reason.message}`);
  assertEquals(refusals, [
    false,
    'Permissions Violation for Publish to "secret.a"',
    false,
    'Permissions Violation for Subscription to "secret.b"',
    false,
  ]);
  await client.flush();
  assertEquals(connections(), 1);
});

Deno.test("a payload of 1 MiB comes whole, one that is longer than the server takes is refused here", async () => {
  await using server = await startNats(() => "max_payload: 1048576");
  const { client, connections } = countedClient(server, { maxLength: 2 ** 21 });
  await using _client = client;
  const payload = new Uint8Array(2 ** 20);
  for (let at = 0; at < payload.length; at += 65536) {
    crypto.getRandomValues(payload.subarray(at, at + 65536));
  }
  const came: Uint8Array[] = [];
  await client.subscribe("large", ({ payload }) => came.push(payload));
  await client.publish("large", payload);
  await client.publish("large", "");
  assertEquals(came.map((bytes) => bytes.length), [payload.length, 0]);
  assert(came[0].toHex() === payload.toHex());
  const error = await assertRejects(
    () => client.publish("large", new Uint8Array(2 ** 20 + 1)),
    SocketError,
  );
  assertEquals(error.kind, "TooLarge");
  assertEquals(connections(), 1);
});

Deno.test("of a queue one subscriber gets each message, and one that has ended gets none", async () => {
  await using server = await startNats();
  await using client = new NatsClient(server.address);
  const came: string[][] = [[], [], []];
  const [endFirst] = await Promise.all(came.map((texts, index) =>
    client.subscribe(
      "work.>",
      ({ payload }) => texts.push(decoder.decode(payload)),
      index === 2 ? {} : { queue: "workers" },
    )
  ));
  const publish = async (from: number, to: number) => {
    for (let number = from; number < to; number++) {
      await client.publish(`work.${number}.grüße`, `${number}`);
    }
  };
  await publish(0, 50);
  assertEquals(came[2].length, 50);
  assertEquals([...came[0], ...came[1]].toSorted(), came[2].toSorted());
  const before = came[0].length;
  await endFirst();
  await publish(50, 60);
  assertEquals([came[0].length, came[2].length], [before, 60]);
});

Deno.test("the NATS programs publish lines and print them, before and after the server was killed", async () => {
  await using server = await startNats();
  const address = `${server.host}:${server.port}`;
  await using reader = Example.start("nats_client", address, "subscribe", "room.*");
  await using writer = Example.start("nats_client", address, "publish", "room.1");
  const client = new NatsClient(server.address, { link: RESTART_LINK });
  // Messages of the time before it has subscribed are missed.
  const untilHeard = async (text: string, pattern: RegExp) => {
    const heard = soon(reader.until(pattern));
    let over = false;
    void heard.finally(() => over = true).catch(() => {});
    while (!over) {
      await client.publish("room.0", text).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await heard;
  };
  await untilHeard("begin", /^room\.0 begin$/m);
  await writer.type("21.5");
  await reader.until(/^room\.1 21\.5$/m);
  await server.restart("SIGKILL");
  await untilHeard("again", /^room\.0 again$/m);
  await writer.type("grüß dich");
  await reader.until(/^room\.1 grüß dich$/m);
  await writer.endInput();
  assertEquals(await writer.end(), 0, await writer.errors());
  reader.signal("SIGINT");
  assertEquals(await reader.end(), 0, await reader.errors());
  await client[Symbol.asyncDispose]();
});
