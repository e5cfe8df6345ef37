import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import {
  abort,
  accept,
  close,
  closeListener,
  closeWrite,
  connect,
  connectionOver,
  encodeProxyHeader,
  heartbeat,
  listen,
  recv,
  send,
  serve,
  SocketError,
} from "../../../mod.ts";
import { observedEvents } from "../../support/observed_events.ts";
import { connectionReset } from "../../support/runtime_errors.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { echo, serving, until, untilEnd } from "../../support/serving.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { LOOPBACK, tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf } from "../../support/text.ts";
import { timedServing } from "../../support/timed_serving.ts";
import { virtualTime } from "../../support/virtual_time.ts";

Deno.test("X6: connect, accept and close are one event each, with what a metric needs", async () => {
  using events = observedEvents();
  await using listener = await listen(LOOPBACK);
  const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
  await send(client, bytesOf("hello"));
  await recv(server);
  await Promise.all([close(client), close(server)]);
  await close(client);
  abort(server);

  assertEquals([...events.names].sort(), ["accept", "close", "close", "connect"]);
  const [connected] = events.of("connect");
  assertEquals(Object.keys(connected), ["address", "duration", "connection"]);
  assertEquals(connected.address, listener.address);
  assertStrictEquals(connected.connection, client);
  const [accepted] = events.of("accept");
  assertStrictEquals(accepted.connection, server);
  assertStrictEquals(accepted.address, listener.address);
  const closed = new Map(events.of("close").map((event) => [event.connection, event]));
  for (const [connection, sent, received] of [[client, 5, 0], [server, 0, 5]] as const) {
    const event = closed.get(connection);
    assertEquals([event.bytesSent, event.bytesReceived, event.error], [sent, received, undefined]);
    assert(!("error" in event));
    assert(event.duration > 0 && event.duration < performance.now());
  }
  for (const { event } of events.all) {
    assert(Object.isFrozen(event));
    if (event.duration !== undefined) assert(event.duration >= 0);
  }
});

Deno.test("X6: a connect that fails is one event with the error that it rejects with", async () => {
  using events = observedEvents();
  const listener = await listen(LOOPBACK);
  const { address } = listener;
  await closeListener(listener);
  const refused = await rejection(() => connect(address), "ConnectionRefused", "connect");
  const [event] = events.of("connect");
  assertEquals(Object.keys(event), ["address", "duration", "error"]);
  assertStrictEquals(event.error, refused);
  assertEquals(event.address, address);

  // Nothing was tried in these.
  await rejection(() => connect({ host: "", port: 1 }), "InvalidInput", "connect");
  await rejection(() => connect(address, { timeout: 0 }), "TimedOut", "connect");
  assertEquals(events.names, ["connect"]);

  const attempt = new AbortController();
  const cancelled = connect({ host: "192.0.2.1", port: 9 }, { signal: attempt.signal });
  attempt.abort();
  const aborted = await rejection(() => cancelled, "Aborted", "connect");
  assertStrictEquals(events.of("connect")[1].error, aborted);
});

Deno.test("X6: an iteration over a listener reports each client, and so does a server", async () => {
  using events = observedEvents();
  await using served = await serving(echo);
  const clients = [await served.client(), await served.client(), await served.client()];
  await until(() => served.server.accepted === 3, "all are served");
  assertEquals(events.of("accept").length, 3);
  await Promise.all(clients.map((client) => close(client)));
  await until(() => served.server.active === 0, "all are over");
  assertEquals(events.of("close").length, 6);
});

Deno.test("X6: close reports the error that broke the connection, tore it or gave it up", async () => {
  const ends: Record<string, (transport: ScriptedTransport) => Promise<string>> = {
    async reset(transport) {
      const connection = connectionOver(transport);
      const received = recv(connection);
      (await transport.nextRead()).fail(connectionReset());
      await rejection(() => received, "ConnectionReset", "recv");
      abort(connection);
      return "ConnectionReset recv";
    },
    async "a send that finds the peer gone"(transport) {
      const connection = connectionOver(transport);
      const sent = send(connection, bytesOf("x"));
      (await transport.nextWrite()).fail(connectionReset());
      await rejection(() => sent, "ConnectionReset", "send");
      abort(connection);
      return "ConnectionReset send";
    },
    async "a cancelled send"(transport) {
      const connection = connectionOver(transport);
      await rejection(() => send(connection, bytesOf("x"), { timeout: 1 }), "TimedOut", "send");
      return "TimedOut send";
    },
    async "a close that gives up"(transport) {
      const connection = connectionOver(transport);
      send(connection, bytesOf("x")).catch(() => {});
      await rejection(() => close(connection, { flushTimeout: 1 }), "TimedOut", "close");
      return "TimedOut close";
    },
    async "a heartbeat"(transport) {
      using time = virtualTime();
      const connection = connectionOver(transport);
      heartbeat(connection, { interval: 8, timeout: 8, ping: () => {} });
      await time.pass(100);
      return "TimedOut heartbeat";
    },
  };
  for (const [name, end] of Object.entries(ends)) {
    using events = observedEvents();
    const transport = new ScriptedTransport();
    const expected = await soon(end(transport));
    assertEquals(events.names, ["close"], name);
    const { error } = events.of("close")[0];
    assertInstanceOf(error, SocketError, name);
    assertEquals(`${error.kind} ${error.operation}`, expected, name);
  }
});

Deno.test("X6: a close event comes when this side has closed, and not when the peer has", async () => {
  using events = observedEvents();
  await using pair = await tcpPair();
  await closeWrite(pair.client);
  assertEquals(await recv(pair.server), null);
  assertEquals(events.of("close"), []);
  abort(pair.server);
  assertEquals(events.of("close").map(({ connection }) => connection), [pair.server]);
});

Deno.test("X6: duration counts from the opening, or from observe() if that was later", async () => {
  using time = virtualTime();
  const before = connectionOver(new ScriptedTransport());
  await time.pass(1000);
  using events = observedEvents();
  await time.pass(20);
  const after = connectionOver(new ScriptedTransport());
  await time.pass(5);
  abort(before);
  abort(after);
  assertEquals(events.of("close").map(({ duration }) => duration), [25, 5]);
});

Deno.test("X6: a refused client is an accept, a refuse with the limit, and a close", async () => {
  for (const reason of ["maxConnections", "maxConnectionsPerHost"] as const) {
    using events = observedEvents();
    await using served = await serving(untilEnd, { [reason]: 1, whenFull: "refuse" });
    await served.client();
    await until(() => served.server.active === 1, "the first is served");
    const refused = await served.client();
    assertEquals(await soon(recv(refused)), null);
    const [event] = events.of("refuse");
    assertEquals([event.reason, served.server.refused], [reason, 1]);
    const { connection } = event;
    assertEquals(connection.remoteAddress, refused.localAddress);
    const own = events.all.filter(({ event }) => event.connection === connection);
    assertEquals(own.map(({ name }) => name), ["accept", "refuse", "close"]);
  }
});

Deno.test("X6: a PROXY header is a handshake, and a peer without one is refused", async () => {
  using events = observedEvents();
  await using served = await serving(untilEnd, { proxyProtocol: { trust: ["127.0.0.1"] } });
  const source = { host: "192.0.2.7", port: 7 };
  const header = encodeProxyHeader({ source, destination: source }, { version: 2 });
  await send(await served.client(), header);
  await until(() => served.server.accepted === 1, "the first is served");
  const [good] = events.of("handshake");
  assertEquals([good.protocol, good.error], ["proxy", undefined]);
  assertEquals(good.connection.remoteAddress, source);

  const bad = await served.client();
  await send(bad, bytesOf("GET / HTTP/1.1\r\n\r\n"));
  assertEquals(await soon(recv(bad)), null);
  assertEquals(events.of("handshake")[1].error.kind, "InvalidData");
  assertEquals(events.of("refuse").map(({ reason }) => reason), ["proxyProtocol"]);

  const silent = await served.client();
  await close(silent);
  await until(() => served.server.refused === 2, "the health check is refused");
  assertEquals(events.of("handshake").length, 2);
});

Deno.test("X6: a peer that is not trusted is refused without a handshake", async () => {
  using events = observedEvents();
  await using served = await serving(untilEnd, { proxyProtocol: { trust: ["10.0.0.0/8"] } });
  assertEquals(await soon(recv(await served.client())), null);
  assertEquals(events.of("handshake"), []);
  assertEquals(events.of("refuse").map(({ reason }) => reason), ["proxyProtocol"]);
});

Deno.test("X6: the end of a server is one event with the counts of shutdown()", async () => {
  using events = observedEvents();
  await using served = await serving(async (connection, { signal }) => {
    await recv(connection, { signal }).catch(() => {});
    if (connection.bytesReceived > 0) await new Promise(() => {});
  });
  const stuck = await served.client();
  await served.client();
  await until(() => served.server.accepted === 2, "both are served");
  await send(stuck, bytesOf("x"));
  await until(() => served.server.accepted === 2 && events.all.length >= 4, "all are there");
  const { connection } = events.of("accept").find(({ connection }) =>
    connection.remoteAddress.port === stuck.localAddress.port
  );
  await until(() => connection.bytesReceived === 1, "the byte was received");
  const result = await served.server.shutdown({ timeout: 500 });
  assertEquals(result, { drained: 1, aborted: 1 });
  const [event, ...more] = events.of("shutdown");
  assertEquals(more, []);
  assertStrictEquals(event.server, served.server);
  assertEquals([event.drained, event.aborted, served.server.aborted], [1, 1, 1]);
  assert(event.duration > 0);
});

Deno.test("X6: a server whose listener is closed has its shutdown event too", async () => {
  using events = observedEvents();
  const listener = await listen(LOOPBACK);
  const server = serve(listener, untilEnd);
  await closeListener(listener);
  await server.finished;
  assertEquals(events.names, ["shutdown"]);
});

Deno.test("V4: the server counts in timedOut each connection that a timeout or a heartbeat has ended", async () => {
  for (const limit of ["firstByteTimeout", "idleTimeout"] as const) {
    using events = observedEvents();
    await using served = await timedServing(untilEnd, { [limit]: 1000 });
    await served.time.pass(2000);
    assertEquals([served.server.timedOut, served.server.aborted], [1, 0], limit);
    assertEquals(events.of("close").map(({ error }) => error?.kind), ["TimedOut"]);
  }
  const silent = await timedServing(async (connection) => {
    using _heart = heartbeat(connection, { interval: 100, timeout: 100, ping: () => {} });
    await untilEnd(connection);
  }, {});
  await silent.time.pass(400);
  assertEquals([silent.server.timedOut, silent.server.active], [1, 0]);
  assertEquals(silent.errors.map((error) => (error as SocketError).kind), ["TimedOut"]);
  await silent[Symbol.asyncDispose]();
});

Deno.test("V4: the server counts in timedOut a client that takes nothing in the close after the handler", async () => {
  const large = new Uint8Array(32 * 1024 * 1024);
  await using served = await serving((connection) => {
    send(connection, large).catch(() => {});
  }, { idleTimeout: 50 });
  using events = observedEvents();
  await served.client();
  await until(() => events.of("close").length === 1, "the server gives it up");
  const [{ error }] = events.of("close");
  assertEquals([error.kind, error.operation], ["TimedOut", "close"]);
  await until(() => served.server.active === 0, "it is over");
  assertEquals([served.server.timedOut, served.server.aborted], [1, 0]);
});
