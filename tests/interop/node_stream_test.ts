/** The Node stream example with clients from npm: mqtt against mosquitto, and pg against PostgreSQL. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { once } from "node:events";
import { nodeStreamOf, socketLike } from "../../examples/node_stream.ts";
import { abort, connect } from "../../mod.ts";
import { soon } from "../support/socket_errors.ts";
import { startMosquitto } from "./support/mosquitto.ts";
import { MqttClient, pg } from "./support/npm_clients.ts";
import { startPostgres } from "./support/postgres.ts";

const MANY = 2000;
/** Mosquitto drops a client that has more messages of QoS 2 under way. */
const AT_ONCE = 20;
const LARGE = 1024 * 1024;

// deno-lint-ignore no-explicit-any -- The types of the package need those of Node.
type Any = any;

async function connectMqtt(address: { host: string; port: number }): Promise<{
  client: Any;
  connection: Awaited<ReturnType<typeof connect>>;
}> {
  const connection = await connect(address);
  const options = { clientId: `c${crypto.randomUUID()}`, reconnectPeriod: 0, keepalive: 0 };
  const client: Any = new (MqttClient as Any)(() => nodeStreamOf(connection), options);
  await soon(once(client, "connect"));
  return { client, connection };
}

for (const qos of [0, 1, 2] as const) {
  Deno.test(`mqtt of npm publishes and subscribes over a connection with QoS ${qos}`, async () => {
    await using broker = await startMosquitto();
    const { client } = await connectMqtt(broker);
    await client.subscribeAsync("#", { qos });
    const payloads: Uint8Array[] = [];
    const all = Promise.withResolvers<void>();
    client.on("message", (_topic: string, payload: Uint8Array) => {
      if (payloads.push(new Uint8Array(payload)) === MANY + 1) all.resolve();
    });
    const large = crypto.getRandomValues(new Uint8Array(65_536));
    for (let from = 0; from < MANY; from += AT_ONCE) {
      const wave = Array.from({ length: AT_ONCE }, (_, index) => `${from + index}`);
      await Promise.all(wave.map((payload) => client.publishAsync("a/b", payload, { qos })));
    }
    // deno-lint-ignore no-node-globals
    await client.publishAsync("large", Buffer.from(large), { qos });
    await soon(all.promise);
    const texts = payloads.slice(0, MANY).map((bytes) => new TextDecoder().decode(bytes));
    assertEquals(texts, Array.from({ length: MANY }, (_, index) => `${index}`));
    assertEquals(payloads[MANY], large);
    await client.endAsync();
  });
}

Deno.test("mqtt of npm hears when the connection is aborted", async () => {
  await using broker = await startMosquitto();
  const { client, connection } = await connectMqtt(broker);
  client.on("error", () => {});
  const closed = once(client, "close");
  abort(connection);
  await soon(closed);
  await client.endAsync(true);
});

Deno.test("pg of npm queries over a connection", async () => {
  await using server = await startPostgres();
  const connection = await connect(server);
  const client: Any = new (pg.Client as Any)({
    user: "postgres",
    database: "postgres",
    stream: () => socketLike(connection),
  });
  await client.connect();
  assertEquals((await client.query("select $1::int + 1 as sum", [41])).rows, [{ sum: 42 }]);
  const large = "x".repeat(LARGE);
  const results = await Promise.all(
    Array.from(
      { length: 20 },
      (_, index) => client.query("select $1::int as id, $2::text as text", [index, large]),
    ),
  );
  for (const [index, { rows }] of results.entries()) {
    assertEquals(rows[0].id, index);
    assert(rows[0].text === large);
  }
  await assertRejects(() => client.query("select no_such_column"), Error, "no_such_column");
  assertEquals((await client.query("select count(*) from generate_series(1, 100000)")).rows, [{
    count: "100000",
  }]);
  await soon(client.end());
  abort(connection);
});
