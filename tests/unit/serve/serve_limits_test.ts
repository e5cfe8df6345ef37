import { assert, assertEquals } from "@std/assert";
import { abort, close, connect, listen, recv, send, serve } from "../../../mod.ts";
import { ScriptedConn, ScriptedListener } from "../../support/scripted_runtime.ts";
import { BareClient } from "../../support/bare_client.ts";
import { Arrivals, echo, serving, until, untilEnd } from "../../support/serving.ts";
import { soon } from "../../support/socket_errors.ts";
import { LOOPBACK } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { isPending, turns } from "../../support/turns.ts";

Deno.test("V2: at maxConnections accepting pauses, and others wait in the kernel's backlog", async () => {
  const order = new Arrivals<number>();
  await using served = await serving((connection) => {
    order.push(connection.remoteAddress.port);
    return echo(connection);
  }, { maxConnections: 2 });
  const { server } = served;
  const clients = [];
  for (let count = 0; count < 6; count++) clients.push(await served.client());
  for (const client of clients) await send(client, bytesOf("first"));
  for (const client of clients.slice(0, 2)) {
    assertEquals(await soon(order.next()), client.localAddress.port);
    assertEquals(textOf(await soon(recv(client))), "first");
  }
  await turns(20);
  assertEquals([server.active, server.accepted], [2, 2]);

  // Each connection that ends lets in the client that has waited longest, with the bytes it has sent.
  for (const [index, client] of clients.slice(2).entries()) {
    const answer = recv(client);
    assert(await isPending(answer));
    assertEquals(server.active, 2);
    await close(clients[index]);
    assertEquals(await soon(order.next()), client.localAddress.port);
    assertEquals(textOf(await soon(answer)), "first");
  }
  assertEquals([server.accepted, server.refused], [6, 0]);
  assertEquals(served.errors, []);
});

Deno.test("V2: at maxConnections the runtime is not asked for more connections", async () => {
  using runtime = new ScriptedListener([]);
  const gate = Promise.withResolvers<void>();
  const server = serve(await listen(LOOPBACK), () => gate.promise, { maxConnections: 3 });
  for (let count = 1; count <= 3; count++) {
    assertEquals(runtime.accepts, count);
    runtime.give(new ScriptedConn());
    await turns();
  }
  assertEquals([server.active, runtime.accepts], [3, 3]);
  gate.resolve();
  await until(() => server.active === 0, "all are over");
  assertEquals(runtime.accepts, 4);
  await server.shutdown();
});

Deno.test("V2: a connection whose handler failed makes room for the next", async () => {
  await using served = await serving(async (connection) => {
    await recv(connection);
    throw new Error("on purpose");
  }, { maxConnections: 1 });
  for (let count = 1; count <= 5; count++) {
    const client = await served.client();
    await send(client, bytesOf("x"));
    assertEquals(await soon(recv(client)), null);
    await close(client);
    assertEquals(served.server.accepted, count);
  }
});

Deno.test("V3: a connection beyond maxConnectionsPerHost is closed at once and counted", async () => {
  await using served = await serving(echo, { maxConnectionsPerHost: 2 });
  const { server } = served;
  const kept = [await served.client(), await served.client()];
  for (let count = 1; count <= 3; count++) {
    assertEquals(await soon(recv(await served.client())), null);
    assertEquals([server.active, server.accepted, server.refused], [2, 2, count]);
  }
  for (const client of kept) {
    await send(client, bytesOf("kept"));
    assertEquals(textOf(await soon(recv(client))), "kept");
  }
  // The next connection may take the place of one that has ended.
  await close(kept[0]);
  await until(() => server.active === 1, "one is over");
  const next = await served.client();
  await send(next, bytesOf("next"));
  assertEquals(textOf(await soon(recv(next))), "next");
  assertEquals([server.accepted, server.refused], [3, 3]);
  assertEquals(served.errors, []);
});

Deno.test({
  name: "V3: each host has its own maxConnectionsPerHost, and all share maxConnections",
  ignore: Deno.build.os !== "linux",
  async fn(): Promise<void> {
    await using served = await serving(untilEnd, { maxConnections: 5, maxConnectionsPerHost: 2 });
    const { server } = served;
    // On Linux all of 127.0.0.0/8 is loopback.
    const hosts = ["127.0.0.1", "127.0.0.2"];
    const kept = [];
    for (const host of hosts) {
      for (let count = 0; count < 2; count++) {
        kept.push(await BareClient.connect(server.address, host));
      }
      await until(() => server.active === kept.length, "they are accepted");
      const beyond = await BareClient.connect(server.address, host);
      await soon(beyond.closed());
    }
    assertEquals([server.active, server.accepted, server.refused], [4, 4, 2]);
    kept.push(await BareClient.connect(server.address, "127.0.0.3"));
    await until(() => server.active === 5, "the last is accepted");
    const waits = await BareClient.connect(server.address, "127.0.0.3");
    await turns(10);
    assertEquals([server.active, server.accepted, server.refused], [5, 5, 2]);
    for (const client of [...kept, waits]) {
      client.finish();
      await soon(client.closed());
    }
    await until(() => server.accepted === 6 && server.active === 0, "all are over");
  },
});

Deno.test("V3: an IPv4 client of an IPv6 listener counts for its IPv4 host", async () => {
  const listener = await listen({ host: "::", port: 0 });
  const server = serve(listener, echo, { maxConnectionsPerHost: 1 });
  const { port } = server.address;
  const six = await connect({ host: "::1", port });
  const four = await connect({ host: "127.0.0.1", port });
  for (const client of [six, four]) {
    await send(client, bytesOf("kept"));
    assertEquals(textOf(await soon(recv(client))), "kept");
  }
  const beyond = await connect({ host: "127.0.0.1", port });
  assertEquals(await soon(recv(beyond)), null);
  assertEquals([server.accepted, server.refused], [2, 1]);
  for (const client of [six, four, beyond]) abort(client);
  await server.shutdown();
});

Deno.test("V3: a connection that lingers after its handler counts for maxConnectionsPerHost", async () => {
  await using served = await serving(() => {}, { maxConnectionsPerHost: 1, linger: Infinity });
  const { server } = served;
  const lingering = await served.client();
  assertEquals(await soon(recv(lingering)), null);
  assertEquals(await soon(recv(await served.client())), null);
  await until(() => server.refused === 1, "the second is refused");
  assertEquals([server.active, server.accepted], [1, 1]);
  await close(lingering);
  await until(() => server.active === 0, "the first is closed");
  assertEquals(await soon(recv(await served.client())), null);
  assertEquals([server.accepted, server.refused], [2, 1]);
});
