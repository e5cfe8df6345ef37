/** The MQTT example with a broker that misbehaves. tests/interop/mqtt_test.ts has a real one. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { abort, recvFrame, SocketError, type SocketErrorKind } from "../../../mod.ts";
import { type Message, MqttClient, MqttRefusal } from "../../../examples/mqtt_client.ts";
import { acknowledge, FakeBroker, idOf, publish } from "../../support/fake_broker.ts";
import { soon } from "../../support/socket_errors.ts";
import { isPending } from "../../support/turns.ts";
import { watchUnhandled } from "../../support/unhandled.ts";

async function next(client: MqttClient): Promise<Message> {
  const { value } = await soon(client[Symbol.asyncIterator]().next());
  assert(value !== undefined, "the iteration has ended");
  return value;
}

async function reasonOf(promise: Promise<unknown>): Promise<SocketError> {
  const reason = await soon(promise.then(() => undefined, (error) => error));
  assertInstanceOf(reason, SocketError);
  return reason;
}

const HANDSHAKES: readonly (readonly [name: string, answer: number[], kind: SocketErrorKind])[] = [
  ["with another packet", [0xd0, 0], "InvalidData"],
  ["with a PUBLISH before it accepts", publish([1]), "InvalidData"],
  ["with an old session", [0x20, 2, 1, 0], "InvalidData"],
  ["with a malformed CONNACK", [0x20, 3, 0, 0, 0], "InvalidData"],
  ["with reserved flags", [0x22, 2, 0, 0], "InvalidData"],
  ["with a packet that is too long", [0x20, 255, 255, 255, 127], "TooLarge"],
  ["with a part of a packet", [0x20, 2, 0], "UnexpectedEof"],
  ["with nothing", [], "UnexpectedEof"],
];

for (const [name, answer, kind] of HANDSHAKES) {
  Deno.test(`MqttClient.connect rejects ${kind} if the broker answers ${name}`, async () => {
    const [broker, connecting] = await FakeBroker.accept((address) => MqttClient.connect(address));
    const reason = reasonOf(connecting);
    await broker.send(answer);
    await broker[Symbol.asyncDispose]();
    assertEquals((await reason).kind, kind);
  });
}

for (
  const [code, why] of [
    [1, "it does not speak MQTT 3.1.1"],
    [2, "it does not allow this client id"],
    [3, "it is not available"],
    [4, "the user name or password is wrong"],
    [5, "this client may not connect"],
    [99, "99"],
  ] as const
) {
  Deno.test(`MqttClient.connect rejects a refusal with the code ${code}, and says why`, async () => {
    const [broker, connecting] = await FakeBroker.accept((address) => MqttClient.connect(address));
    const refusal = assertRejects(() => connecting, MqttRefusal, `the broker refuses: ${why}`);
    await broker.send([0x20, 2, 0, code]);
    assertEquals((await refusal).code, code);
    assertEquals(await soon(recvFrame(broker.packets)), null);
    await broker[Symbol.asyncDispose]();
  });
}

Deno.test("MqttClient.connect gives up a broker that says nothing", async () => {
  const [broker, connecting] = await FakeBroker.accept((address) =>
    MqttClient.connect(address, { timeout: 50 })
  );
  assertEquals((await reasonOf(connecting)).kind, "TimedOut");
  assertEquals(await soon(recvFrame(broker.packets)), null);
  await broker[Symbol.asyncDispose]();
});

const MISBEHAVIOUR: readonly (readonly [name: string, bytes: number[], kind: SocketErrorKind])[] = [
  ["a packet type that is reserved", [0xf0, 0], "InvalidData"],
  ["a length of five bytes", [0x30, 128, 128, 128, 128, 0], "InvalidData"],
  ["a packet over the limit", [0x30, 255, 255, 255, 127], "TooLarge"],
  ["a topic that is not UTF-8", [0x30, 3, 0, 1, 0xff], "InvalidData"],
  ["a second CONNACK", [0x20, 2, 0, 0], "InvalidData"],
  ["an acknowledgement that nobody waits for", acknowledge(4, 9), "InvalidData"],
  ["SUBACK for a PUBLISH", acknowledge(9, 1, 0), "InvalidData"],
  ["UNSUBACK for a PUBLISH", acknowledge(11, 1), "InvalidData"],
  ["a PUBLISH of QoS 2", [0x34, 5, 0, 1, 97, 0, 1], "InvalidData"],
];

for (const [name, bytes, kind] of MISBEHAVIOUR) {
  Deno.test(`all that waits on an MqttClient rejects ${kind} after ${name}, and messages before it come`, async () => {
    using unhandled = watchUnhandled();
    const [broker, client] = await FakeBroker.pair();
    const waiting = [client.publish("a", "1"), client.publish("a", "2"), client.subscribe("b")];
    for (let packet = 0; packet < 3; packet++) await broker.next();
    const settled = Promise.all(waiting.map(reasonOf));
    await broker.send([...publish([7]), ...bytes, ...publish([8])]);
    const reasons = await settled;
    assertEquals(reasons[0].kind, kind, reasons[0].message);
    assertEquals(new Set(reasons).size, 1);
    assertEquals((await next(client)).payload, Uint8Array.of(7));
    assertEquals(await reasonOf(next(client)), reasons[0]);
    assertEquals(await reasonOf(client.publish("a", "too late", { qos: 0 })), reasons[0]);
    // The client has given the connection up.
    assertEquals(await soon(recvFrame(broker.packets)), null);
    await client.close();
    await broker[Symbol.asyncDispose]();
    assertEquals(await unhandled.seen(), []);
  });
}

Deno.test("a publish resolves after its own acknowledgement, in any order", async () => {
  const [broker, client] = await FakeBroker.pair();
  const publishes = ["1", "2", "3"].map((payload) => client.publish("a", payload));
  const ids: number[] = [];
  for (const _ of publishes) ids.push(idOf(await broker.next()));
  assertEquals(new Set(ids).size, 3);
  for (const index of [2, 0, 1]) {
    assert(await isPending(publishes[index]));
    await broker.send(acknowledge(4, ids[index]));
    await soon(publishes[index]);
  }
  await client.publish("a", "none", { qos: 0 });
  await Promise.all([client.close(), broker[Symbol.asyncDispose]()]);
});

Deno.test("an identifier is never in use twice, also after 65,535", async () => {
  const [broker, client] = await FakeBroker.pair();
  const first = client.publish("a", "kept");
  const kept = idOf(await broker.next());
  for (let round = 0; round < 2; round++) {
    const all = client.publishAll(Array(40_000).fill({ topic: "a", payload: "" }));
    const ids = new Set<number>();
    const answers: number[] = [];
    while (ids.size < 40_000) {
      const id = idOf(await broker.next());
      assert(id !== 0 && id !== kept && !ids.has(id), `${id}`);
      ids.add(id);
      answers.push(...acknowledge(4, id));
    }
    await broker.send(answers);
    await soon(all);
  }
  assert(await isPending(first));
  await broker.send(acknowledge(4, kept));
  await soon(first);
  await Promise.all([client.close(), broker[Symbol.asyncDispose]()]);
});

Deno.test("more publishes than identifiers are QueueFull, and send nothing", async () => {
  const [broker, client] = await FakeBroker.pair();
  const message = { topic: "a", payload: "" };
  const reason = await reasonOf(client.publishAll(Array(65_536).fill(message)));
  assertEquals([reason.kind, reason.retryable], ["QueueFull", true]);
  const one = client.publish("b", "");
  const packet = await broker.next();
  assertEquals(packet.body[2], "b".charCodeAt(0));
  await broker.send(acknowledge(4, idOf(packet)));
  await soon(one);
  await Promise.all([client.close(), broker[Symbol.asyncDispose]()]);
});

Deno.test("an invalid message sends none of its call, and keeps no identifier", async () => {
  const [broker, client] = await FakeBroker.pair();
  const good = { topic: "good", payload: "" };
  for (
    const bad of [{ topic: "a/#", payload: "" }, { topic: "a", payload: new Uint8Array(2 ** 21) }]
  ) {
    const reason = await reasonOf(client.publishAll([...Array(60_000).fill(good), bad]));
    assertEquals(reason.kind, bad.topic === "a" ? "TooLarge" : "InvalidInput");
  }
  assertEquals((await reasonOf(client.subscribe("a/b+"))).kind, "InvalidInput");
  const all = client.publishAll(Array(20_000).fill(good));
  const answers: number[] = [];
  for (let count = 0; count < 20_000; count++) {
    answers.push(...acknowledge(4, idOf(await broker.next())));
  }
  await broker.send(answers);
  await soon(all);
  await Promise.all([client.close(), broker[Symbol.asyncDispose]()]);
});

Deno.test("a filter that the broker refuses rejects its own call only", async () => {
  const [broker, client] = await FakeBroker.pair();
  const calls = [
    client.subscribe("secret/#"),
    client.subscribe("a"),
    client.subscribe("b", { qos: 0 }),
  ];
  const refusal = assertRejects(() => calls[0], MqttRefusal, 'refuses the filter "secret/#"');
  const [secret, one, other] = [await broker.next(), await broker.next(), await broker.next()];
  await broker.send([
    ...acknowledge(9, idOf(one), 0),
    ...acknowledge(9, idOf(secret), 0x80),
    ...acknowledge(9, idOf(other), 0),
  ]);
  assertEquals((await soon(refusal)).code, 0x80);
  assertEquals(await soon(Promise.all(calls.slice(1))), [0, 0]);
  const ending = client.unsubscribe("a");
  await broker.send(acknowledge(11, idOf(await broker.next())));
  await soon(ending);
  await Promise.all([client.close(), broker[Symbol.asyncDispose]()]);
});

Deno.test("a message of QoS 1 is acknowledged after the reader has taken it, in order", async () => {
  const [broker, client] = await FakeBroker.pair();
  await broker.send([...publish([1], 500), ...publish([2]), ...publish([3], 7)]);
  const arriving = broker.next();
  assert(await isPending(arriving));
  assertEquals((await next(client)).payload, Uint8Array.of(1));
  assertEquals(idOf(await arriving), 500);
  const last = broker.next();
  assertEquals((await next(client)).payload, Uint8Array.of(2));
  assert(await isPending(last));
  assertEquals((await next(client)).payload, Uint8Array.of(3));
  const { type, body } = await last;
  assertEquals([type, body.length, idOf({ type, flags: 0, body })], [4, 2, 7]);
  await Promise.all([client.close(), broker[Symbol.asyncDispose]()]);
});

Deno.test("a broker that sends on although a call waits and nobody reads is given up", async () => {
  const [broker, client] = await FakeBroker.pair();
  // The client must read on for the acknowledgement.
  const reason = reasonOf(client.publish("a", ""));
  const large = new Uint8Array(2 ** 20 - 1024);
  const header = [
    0x30,
    ...[large.length + 3].flatMap((n) => [n & 127 | 128, n >> 7 & 127 | 128, n >> 14]),
  ];
  const packet = Uint8Array.from([...header, 0, 1, 97, ...large]);
  const flood = (async () => {
    for (let count = 0; count < 80; count++) await broker.send(packet);
  })();
  assertEquals((await reason).kind, "QueueFull");
  await flood.catch(() => {});
  await client.close();
  await broker[Symbol.asyncDispose]();
});

Deno.test("a broker that answers no pings is given up, and one that answers is not", async () => {
  const [silent, lost] = await FakeBroker.pair({ keepAliveSeconds: 1 });
  const [alive, kept] = await FakeBroker.pair({ keepAliveSeconds: 1 });
  const answering = (async () => {
    for (let pings = 0;; pings++) {
      const packet = await alive.next();
      if (packet.type === 3) return pings;
      assertEquals(packet, { type: 12, flags: 0, body: new Uint8Array() });
      await alive.send([0xd0, 0]);
    }
  })();
  const reason = await reasonOf(lost.publish("a", "lost"));
  assertEquals([reason.kind, reason.reason], ["TimedOut", "the broker does not answer pings"]);
  await kept.publish("a", "kept", { qos: 0 });
  assert(await answering >= 1);
  await Promise.all([lost, kept].map((client) => client.close()));
  await Promise.all([silent, alive].map((broker) => broker[Symbol.asyncDispose]()));
});

Deno.test("closing sends DISCONNECT behind what was sent, ends the iteration, and rejects what waits with Closed", async () => {
  using unhandled = watchUnhandled();
  const [broker, client] = await FakeBroker.pair();
  const iteration = client[Symbol.asyncIterator]().next();
  const waiting = reasonOf(client.publish("a", "1"));
  const closing = client.close();
  assertEquals(await soon(iteration), { done: true, value: undefined });
  assertEquals((await waiting).kind, "Closed");
  assertEquals((await broker.next()).type, 3);
  assertEquals(await broker.next(), { type: 14, flags: 0, body: new Uint8Array() });
  assertEquals(await soon(recvFrame(broker.packets)), null);
  assertEquals((await reasonOf(client.publish("a", "2", { qos: 0 }))).kind, "Closed");
  assertEquals((await reasonOf(client.subscribe("a"))).kind, "Closed");
  await broker[Symbol.asyncDispose]();
  await closing;
  await client.close();
  assertEquals(await unhandled.seen(), []);
});

Deno.test("a connection that ends while an MqttClient waits gives all the same reason", async () => {
  using unhandled = watchUnhandled();
  const [broker, client] = await FakeBroker.pair();
  const waiting = Array.from({ length: 100 }, () => reasonOf(client.publish("a", "1")));
  const iteration = reasonOf(next(client));
  for (let count = 0; count < 100; count++) await broker.next();
  abort(broker.packets.connection);
  const reason = await iteration;
  assertEquals(reason.message, "recvFrame: the broker has ended the connection");
  assertEquals(new Set(await Promise.all(waiting)), new Set([reason]));
  await client.close();
  await broker[Symbol.asyncDispose]();
  assertEquals(await unhandled.seen(), []);
});
