/** The MQTT example with the original programs: the mosquitto broker, mosquitto_pub and mosquitto_sub. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { connect, framed, recvFrame, sendFrame, SocketError } from "../../mod.ts";
import { type Message, MqttClient, MqttRefusal } from "../../examples/mqtt_client.ts";
import { clientPackets } from "../../examples/mqtt_codec.ts";
import { Example } from "../system/support/example.ts";
import { soon } from "../support/socket_errors.ts";
import { watchUnhandled } from "../support/unhandled.ts";
import {
  type Mosquitto,
  publishWith,
  startMosquitto,
  startSubscriber,
} from "./support/mosquitto.ts";

const MANY = 10_000;
/** Valid in MQTT: spaces, a byte order mark, characters of one to four bytes, and empty levels. */
const UNICODE_TOPIC = "\uFEFFräume//Küche 1/°C/温度/🌡";

const decoder = new TextDecoder();

/** Takes a number of messages from a client's iteration, which goes on later where this stops. */
async function take(client: MqttClient, count: number): Promise<Message[]> {
  const messages: Message[] = [];
  await soon((async () => {
    for await (const message of client) {
      messages.push(message);
      if (messages.length === count) break;
    }
  })());
  assertEquals(messages.length, count);
  return messages;
}

function textsOf(messages: readonly Message[]): string[] {
  return messages.map(({ payload }) => decoder.decode(payload));
}

function numbers(): string[] {
  return Array.from({ length: MANY }, (_, index) => `${index}`);
}

for (const qos of [0, 1] as const) {
  Deno.test(`mosquitto_sub gets what MqttClient publishes with QoS ${qos}`, async () => {
    await using broker = await startMosquitto();
    await using client = await MqttClient.connect(broker);
    const options = { qos, count: 4, format: "%t|%q|%r|%p" };
    await using subscriber = await startSubscriber(broker, "reader", "#", options);
    await client.publish("room/1", "21.5", { qos });
    await client.publish(UNICODE_TOPIC, "grüß dich", { qos });
    await client.publish("room/1", "", { qos });
    await client.publishAll([{
      topic: "a/b",
      payload: new Uint8Array([52, 50]),
      qos,
      retain: true,
    }]);
    assertEquals((await subscriber.output).split("\n"), [
      `room/1|${qos}|0|21.5`,
      `${UNICODE_TOPIC}|${qos}|0|grüß dich`,
      `room/1|${qos}|0|`,
      `a/b|${qos}|0|42`,
      "",
    ]);
  });

  Deno.test(`MqttClient gets what mosquitto_pub publishes with QoS ${qos}`, async () => {
    await using broker = await startMosquitto();
    await using client = await MqttClient.connect(broker);
    assertEquals(await client.subscribe("#", { qos }), qos);
    await publishWith(broker, ["-q", `${qos}`, "-t", "room/1", "-m", "21.5"]);
    await publishWith(broker, ["-q", `${qos}`, "-t", UNICODE_TOPIC, "-s"], "grüß dich");
    await publishWith(broker, ["-q", `${qos}`, "-t", "room/1", "-n"]);
    const bytes = (text: string) => new TextEncoder().encode(text);
    assertEquals(await take(client, 3), [
      { topic: "room/1", payload: bytes("21.5"), qos, retain: false },
      { topic: UNICODE_TOPIC, payload: bytes("grüß dich"), qos, retain: false },
      { topic: "room/1", payload: bytes(""), qos, retain: false },
    ]);
  });

  Deno.test(`a payload of 1 MiB goes through the broker in both directions with QoS ${qos}`, async () => {
    await using broker = await startMosquitto();
    await using client = await MqttClient.connect(broker, { maxLength: 2 ** 21 });
    const options = { qos, count: 1, format: "%x" };
    await using subscriber = await startSubscriber(broker, "reader", "ours", options);
    await client.subscribe("theirs", { qos });
    const payload = new Uint8Array(2 ** 20);
    for (let at = 0; at < payload.length; at += 65536) {
      crypto.getRandomValues(payload.subarray(at, at + 65536));
    }
    await client.publish("ours", payload, { qos });
    assert((await subscriber.output).trim() === payload.toHex());
    await publishWith(broker, ["-q", `${qos}`, "-t", "theirs", "-s"], payload);
    assert((await take(client, 1))[0].payload.toHex() === payload.toHex());
  });
}

Deno.test("mosquitto_sub gets 10,000 messages of QoS 1 once each, in order, and all are acknowledged", async () => {
  await using broker = await startMosquitto();
  await using client = await MqttClient.connect(broker);
  const options = { qos: 1, count: MANY, format: "%p" } as const;
  await using subscriber = await startSubscriber(broker, "reader", "many", options);
  const payloads = numbers();
  // Half of them leave as one send, the others each with a call of its own.
  const half = MANY / 2;
  await Promise.all([
    client.publishAll(payloads.slice(0, half).map((payload) => ({ topic: "many", payload }))),
    ...payloads.slice(half).map((payload) => client.publish("many", payload)),
  ]);
  assertEquals((await subscriber.output).trimEnd().split("\n"), payloads);
});

Deno.test("MqttClient gets 10,000 messages of QoS 1 once each, in order", async () => {
  await using broker = await startMosquitto();
  await using client = await MqttClient.connect(broker);
  await client.subscribe("many");
  const payloads = numbers();
  const publishing = publishWith(broker, ["-q", "1", "-t", "many", "-l"], payloads.join("\n"));
  assertEquals(textsOf(await take(client, MANY)), payloads);
  await publishing;
  // The broker sends more only after acknowledgements, so that none was lost.
  await client.publish("many", "last");
  assertEquals(textsOf(await take(client, 1)), ["last"]);
});

Deno.test("identifiers are used again after 65,535, and none while it waits", async () => {
  await using broker = await startMosquitto();
  await using client = await MqttClient.connect(broker);
  const message = { topic: "nobody", payload: "" };
  await client.publishAll(Array(40_000).fill(message));
  await client.publishAll(Array(40_000).fill(message));
  await assertRejects(
    () => client.publishAll(Array(65_536).fill(message)),
    SocketError,
    "too much waits for the broker already",
  );
  await client.publish("nobody", "");
});

Deno.test("a client that publishes in the loop over its messages loses none, and never waits for itself", async () => {
  await using broker = await startMosquitto();
  await using client = await MqttClient.connect(broker);
  // Nothing but the client itself holds back messages of QoS 0: it has 4 MB of them before the loop begins.
  await client.subscribe("questions", { qos: 0 });
  await client.subscribe("answers");
  await using other = await MqttClient.connect(broker);
  const count = 1000;
  const payload = "x".repeat(4000);
  await other.publishAll(Array(count).fill({ topic: "questions", payload }));
  for (let answers = 0; answers < count;) {
    const [{ topic }] = await take(client, 1);
    if (topic === "answers") answers++;
    else await soon(client.publish("answers", payload));
  }
});

Deno.test("a reader that takes nothing holds back the broker, and loses nothing", async () => {
  await using broker = await startMosquitto();
  await using client = await MqttClient.connect(broker);
  await client.subscribe("large", { qos: 0 });
  await using other = await MqttClient.connect(broker);
  // More than 64 MiB, at which the client would give up if it read on.
  const payload = new Uint8Array(64 * 1024);
  const count = 1100;
  for (let sent = 0; sent < count; sent += 100) {
    await other.publishAll(Array(100).fill({ topic: "large", payload }));
  }
  await take(client, count);
});

Deno.test("the broker refuses a wrong password and a client without one, and accepts the right one", async () => {
  await using broker = await startMosquitto({ ann: "sécret" });
  for (const login of [{ userName: "ann", password: "secret" }, {}]) {
    const refusal = await assertRejects(() => MqttClient.connect(broker, login), MqttRefusal);
    assertEquals(refusal.message, "the broker refuses: this client may not connect");
    assertEquals(refusal.code, 5);
  }
  await using client = await MqttClient.connect(broker, { userName: "ann", password: "sécret" });
  await client.publish("a", "b");
});

Deno.test("a client that does nothing stays connected while the broker drops one that never pings", async () => {
  await using broker = await startMosquitto();
  await using client = await MqttClient.connect(broker, { keepAliveSeconds: 2 });
  await client.subscribe("a");
  await using silent = framed(await connect(broker), clientPackets());
  await sendFrame(silent, { type: "CONNECT", clientId: "silent", keepAliveSeconds: 1 });
  assertEquals((await recvFrame(silent))?.type, "CONNACK");
  assertEquals(await recvFrame(silent), null);
  assertStringIncludes(broker.log.text, "silent has exceeded timeout");
  await client.publish("a", "still here");
  assertEquals(textsOf(await take(client, 1)), ["still here"]);
});

Deno.test("if the broker is killed, all publishes that wait and the iteration get the reason", async () => {
  using unhandled = watchUnhandled();
  await using broker = await startMosquitto();
  await using client = await MqttClient.connect(broker);
  await client.subscribe("a");
  // The kernel still takes what is sent, so that each of them waits for its acknowledgement.
  broker.signal("SIGSTOP");
  const iteration = take(client, 1);
  const publishes = Array.from({ length: 1000 }, () => client.publish("a", "lost"));
  await client.publish("a", "sent", { qos: 0 });
  const settled = Promise.allSettled([iteration, ...publishes]);
  broker.signal("SIGKILL");
  const reasons = (await settled).map((result) => result.status === "rejected" && result.reason);
  const [first] = reasons;
  assert(first instanceof SocketError);
  assert(["ConnectionReset", "UnexpectedEof"].includes(first.kind), first.message);
  assertEquals(new Set(reasons).size, 1);
  assert(await client.publish("a", "too late").catch((error) => error) === first);
  assertEquals(await unhandled.seen(), []);
});

Deno.test("a retained message comes to those who subscribe later, until an empty one takes its place", async () => {
  await using broker = await startMosquitto();
  await using client = await MqttClient.connect(broker);
  await client.publish("state", "on", { retain: true });
  await client.subscribe("state");
  const [{ topic, payload, retain }] = await take(client, 1);
  assertEquals([topic, decoder.decode(payload), retain], ["state", "on", true]);
  await client.publish("state", "", { retain: true });
  await using later = await MqttClient.connect(broker);
  await later.subscribe("state");
  await client.publish("state", "next");
  assertEquals(
    (await take(later, 1)).map(({ payload, retain }) => [decoder.decode(payload), retain]),
    [
      ["next", false],
    ],
  );
});

Deno.test("wildcards match a level or all that follow, and an ended subscription gives nothing", async () => {
  await using broker = await startMosquitto();
  await using client = await MqttClient.connect(broker);
  for (const filter of ["room/+/heat", "door/#", "+/+"]) await client.subscribe(filter);
  await client.unsubscribe("+/+");
  const topics = ["room/1/heat", "room/heat", "room//heat", "room/1/2/heat", "door", "door/1/lock"];
  for (const topic of [...topics, "hall/1", "door/end"]) await client.publish(topic, "");
  const expected = ["room/1/heat", "room//heat", "door", "door/1/lock", "door/end"];
  assertEquals((await take(client, expected.length)).map(({ topic }) => topic), expected);
});

Deno.test("mosquitto says that a client that closes has disconnected, not that it was lost", async () => {
  await using broker = await startMosquitto();
  const client = await MqttClient.connect(broker, { clientId: "polite" });
  await client.close();
  assert(await broker.log.until("Client polite disconnected."), broker.log.text);
});

async function runExample(broker: Mosquitto, ...args: string[]) {
  return await Example.run("mqtt_client", `${broker.host}:${broker.port}`, ...args);
}

Deno.test("the MQTT example publishes lines, keeps a message and prints it, and says why the broker refuses", async () => {
  await using broker = await startMosquitto({ ann: "secret" });
  const login = ["--user", "ann", "--password", "secret"];
  const kept = await runExample(broker, "publish", "room/1", "grüß dich", "--retain", ...login);
  assertEquals(kept, { code: 0, output: "" });
  const address = `${broker.host}:${broker.port}`;
  await using reader = Example.start("mqtt_client", address, "subscribe", "room/+", ...login);
  await reader.until(/^room\/1 grüß dich\n/);
  await using writer = Example.start("mqtt_client", address, "publish", "room/2", ...login);
  for (const line of ["one", "two"]) await writer.type(line);
  await writer.endInput();
  assertEquals([await writer.end(), await writer.errors()], [0, ""]);
  await reader.until(/^room\/2 one\nroom\/2 two\n$/m);
  reader.signal("SIGINT");
  assertEquals([await reader.end(), await reader.errors()], [0, ""]);
  await using refused = Example.start("mqtt_client", address, "publish", "a", "b");
  const problem = "the broker refuses: this client may not connect\n";
  assertEquals([await refused.end(), await refused.errors()], [1, problem]);
});
