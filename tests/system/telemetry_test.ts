/** The examples of telemetry, against small receivers on loopback. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  bindUdp,
  close,
  connect,
  listen,
  parseAddress,
  recv,
  recvFrom,
  send,
  serve,
} from "../../mod.ts";
import { echo } from "../support/serving.ts";
import { LOOPBACK } from "../support/tcp_pair.ts";
import { bytesOf, textOf } from "../support/text.ts";
import { Example } from "./support/example.ts";
import { attributesOf, OtlpReceiver } from "./support/otlp_receiver.ts";

const ADDRESS = /127\.0\.0\.1:\d+/;
const TCP = { "network.transport": "tcp" };

Deno.test("the relay sends its connections as metrics and traces through the runtime's exporter", async () => {
  await using receiver = new OtlpReceiver();
  const target = serve(await listen(LOOPBACK), echo);
  const { port } = target.address;
  await using relay = Example.startWithEnv(
    receiver.env,
    "otel",
    ...["--port", "0", "--target", `127.0.0.1:${port}`],
  );
  const address = parseAddress((await relay.until(ADDRESS))[0]);
  const client = await connect(address);
  await send(client, bytesOf("hello"));
  assertEquals(textOf((await recv(client))!), "hello");
  await close(client);
  await target.shutdown();
  // Nobody listens at the target any more.
  const unlucky = await connect(address);
  assertEquals(await recv(unlucky), null);
  await close(unlucky);
  relay.signal("SIGTERM");
  assertEquals(await relay.end(), 0);
  assertMatch(
    await relay.errors(),
    // With empty caches, downloads are reported before it.
    /^serve .*: the handler failed with ConnectionRefused of connect/m,
  );

  const points = (name: string) =>
    (receiver.points.get(name) ?? []).map((point) => ({
      ...attributesOf(point),
      value: point.asDouble ?? Number(point.count),
    }));
  assertEquals(points("sockets.connections.active"), [{ ...TCP, value: 0 }]);
  assertEquals(
    new Set(points("sockets.connect.duration")),
    new Set([
      { ...TCP, value: 1 },
      { ...TCP, "error.type": "ConnectionRefused", value: 1 },
    ]),
  );
  assertEquals(points("sockets.connection.duration"), [{ ...TCP, value: 3 }]);
  // The relay gets and sends each byte twice: on the connection of the client, and on that of the target.
  assertEquals(
    new Set(points("sockets.io")),
    new Set([
      { ...TCP, "network.io.direction": "transmit", value: 10 },
      { ...TCP, "network.io.direction": "receive", value: 10 },
    ]),
  );

  const connects = receiver.spans.filter(({ name }) => name === "connect");
  const server = { ...TCP, "server.address": "127.0.0.1", "server.port": port };
  assertEquals(connects.map(attributesOf), [
    server,
    { ...server, "error.type": "ConnectionRefused" },
  ]);
  assertEquals(connects.map(({ status }) => status.code), [0, 2]);
  assertMatch(connects[1].status.message, /connection refused/);
  const clients = receiver.spans.filter(({ name, kind }) => name === "connection" && kind === 2);
  assertEquals(
    new Set(clients.map(attributesOf)),
    new Set([client, unlucky].map(({ localAddress }) => ({
      ...TCP,
      "network.type": "ipv4",
      "network.local.address": "127.0.0.1",
      "network.local.port": address.port,
      "network.peer.address": "127.0.0.1",
      "network.peer.port": localAddress.port,
    }))),
  );
});

Deno.test("the echo server publishes its connections on diagnostics channels", async () => {
  await using collector = await bindUdp(LOOPBACK);
  const { port } = collector.address;
  await using server = Example.start(
    "diagnostics_channel",
    ...["--port", "0", "--collector", `127.0.0.1:${port}`],
  );
  const address = parseAddress((await server.until(ADDRESS))[0]);
  const client = await connect(address);
  await send(client, bytesOf("hello"));
  assertEquals(textOf((await recv(client))!), "hello");
  await close(client);
  const message = async () => {
    const { bytes } = await recvFrom(collector, { timeout: 20_000 });
    return JSON.parse(new TextDecoder().decode(bytes));
  };
  const connection = {
    ...TCP,
    "network.type": "ipv4",
    "network.local.address": "127.0.0.1",
    "network.local.port": address.port,
    "network.peer.address": "127.0.0.1",
    "network.peer.port": client.localAddress.port,
  };
  assertEquals(await message(), { name: "accept", ...connection });
  const { duration, ...closed } = await message();
  assertEquals(closed, { name: "close", ...connection, bytesSent: 5, bytesReceived: 5 });
  assert(duration > 0);
  server.signal("SIGTERM");
  assertEquals([await server.end(), await server.errors()], [0, ""]);
  assertEquals(server.output.trimEnd().split("\n").at(-1), "closed");
});

Deno.test("the examples of telemetry say what is missing on their command line", async () => {
  for (const [name, option] of [["otel", "--target"], ["diagnostics_channel", "--collector"]]) {
    await using example = Example.start(name, "--port", "0");
    assertEquals(await example.end(), 2);
    assertMatch(await example.errors(), new RegExp(`^${option} is missing, such as .*$`, "m"));
  }
});
