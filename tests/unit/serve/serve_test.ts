import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { once } from "node:events";
import { connect as nodeConnect } from "node:net";
import {
  abort,
  close,
  closeListener,
  closeWrite,
  connect,
  type Connection,
  listen,
  recv,
  recvInto,
  recvLine,
  send,
  serve,
  type ServeContext,
  type Server,
} from "../../../mod.ts";
import { Arrivals, echo, kinds, serving, until, untilEnd } from "../../support/serving.ts";
import { soon, thrown } from "../../support/socket_errors.ts";
import { LOOPBACK, receiveAll } from "../../support/tcp_pair.ts";
import { bytesOf, shown, textOf } from "../../support/text.ts";
import { turns } from "../../support/turns.ts";
import { watchUnhandled } from "../../support/unhandled.ts";

Deno.test("V1: serve() hands each client to the handler, many at once", async () => {
  await using served = await serving(echo);
  const answers = Array.from({ length: 50 }, async (_, index) => {
    const client = await served.client();
    await send(client, bytesOf(`client ${index}`));
    await closeWrite(client);
    return textOf(await receiveAll(client));
  });
  assertEquals(await Promise.all(answers), answers.map((_, index) => `client ${index}`));
  assertEquals(served.server.accepted, 50);
  await until(() => served.server.active === 0, "all are over");
  assertEquals(served.errors, []);
});

Deno.test("V1: a handler gets its server, and the one signal of all handlers", async () => {
  const contexts = new Arrivals<ServeContext>();
  await using served = await serving((connection, context) => {
    contexts.push(context);
    return untilEnd(connection);
  });
  await Promise.all([served.client(), served.client()]);
  const [one, other] = [await soon(contexts.next()), await soon(contexts.next())];
  assertStrictEquals(one.server, served.server);
  assertStrictEquals(one.signal, other.signal);
  assert(!one.signal.aborted);
});

Deno.test("V1: a server has its address, and counts its connections", async () => {
  const begun = new Arrivals<void>();
  const listener = await listen(LOOPBACK);
  const server = serve(listener, (connection) => {
    begun.push();
    return untilEnd(connection);
  });
  assertStrictEquals(server.address, listener.address);
  const clients: Connection[] = [];
  for (let count = 1; count <= 3; count++) {
    clients.push(await connect(server.address));
    await soon(begun.next());
    assertEquals([server.active, server.accepted, server.refused], [count, count, 0]);
  }
  assertEquals(
    shown(server),
    `Server { address: { host: "127.0.0.1", port: ${server.address.port} }, active: 3, ` +
      "accepted: 3, refused: 0, aborted: 0, timedOut: 0 }",
  );
  await close(clients[0]);
  await until(() => server.active === 2, "one is over");
  assertEquals(server.accepted, 3);
  await server.shutdown({ timeout: 0 });
  clients.forEach(abort);
  await turns();
});

Deno.test("V1: a connection is closed after its handler has returned, and what it sent is delivered", async () => {
  const bytes = crypto.getRandomValues(new Uint8Array(60_000));
  await using served = await serving((connection) => {
    // The sends are not awaited, and the client's bytes are never read.
    for (let part = 0; part < 50; part++) void send(connection, bytes);
  });
  const client = await served.client();
  await send(client, bytesOf("unread"));
  const received = await soon(receiveAll(client));
  assertEquals(received.length, 50 * bytes.length);
  for (let part = 0; part < 50; part++) {
    assertEquals(received.subarray(part * 60_000, (part + 1) * 60_000), bytes);
  }
  await close(client);
  assertEquals(served.errors, []);
});

/** Ways in which a handler may treat its own connection before it returns. */
const ENDINGS: Record<string, (connection: Connection) => void | Promise<void>> = {
  "returns at once": () => {},
  "closes it": (connection) => close(connection),
  "closes it and does not wait": (connection) => void close(connection),
  "aborts it": (connection) => abort(connection),
  "half-closes it": (connection) => closeWrite(connection),
  "leaves a recv() behind": (connection) => void recv(connection),
  "leaves a recvInto() behind": (connection) => void recvInto(connection, new Uint8Array(9)),
  "pipes its streams": (connection) => connection.readable.pipeTo(connection.writable),
  "disposes of it": async (connection) => await connection[Symbol.asyncDispose](),
};

for (const [what, handler] of Object.entries(ENDINGS)) {
  Deno.test(`V1: a connection ends in order if its handler ${what}`, async () => {
    using unhandled = watchUnhandled();
    await using served = await serving(handler);
    const client = await served.client();
    await closeWrite(client);
    await soon(receiveAll(client));
    await until(() => served.server.active === 0, "it is over");
    assertEquals(served.errors, []);
    assertEquals(await unhandled.seen(), []);
  });
}

Deno.test("F6: in a handler each reader goes on where the last one stopped", async () => {
  await using served = await serving(async (connection) => {
    const line = await recvLine(connection);
    await send(connection, bytesOf(`${line}|${textOf(await recv(connection))}`));
  });
  const client = await served.client();
  await send(client, bytesOf("line\r\nrest"));
  assertEquals(textOf(await soon(receiveAll(client))), "line|rest");
});

Deno.test("V7: serve() goes on after clients that reset", async () => {
  await using served = await serving(echo);
  const { host, port } = served.server.address;
  for (let round = 0; round < 20; round++) {
    const client = nodeConnect(port, host);
    await once(client, "connect");
    // Half of them reset before they are accepted.
    if (round % 2 === 0) await until(() => served.server.active > 0, "it is accepted");
    const closed = once(client, "close");
    client.resetAndDestroy();
    await closed;
    await until(() => served.server.active === 0, "it is over");
  }
  const client = await served.client();
  await send(client, bytesOf("still here"));
  assertEquals(textOf(await soon(recv(client))), "still here");
  for (const what of kinds(served.errors)) assertEquals(what, "ConnectionReset recv");
});

Deno.test("V6: a server ends when its listener is closed", async () => {
  const contexts = new Arrivals<ServeContext>();
  const listener = await listen(LOOPBACK);
  const server = serve(listener, async (connection, context) => {
    contexts.push(context);
    await recv(connection, context).catch(() => {});
  });
  const client = await connect(server.address);
  const { signal } = await soon(contexts.next());
  await closeListener(listener);
  assertEquals(await recv(client), null);
  await close(client);
  await soon(server.finished);
  assert(signal.aborted);
  assertEquals(await server.shutdown(), { drained: 0, aborted: 0 });
});

Deno.test("V6: a server ends when its listener is closed while accepting pauses", async () => {
  const listener = await listen(LOOPBACK);
  const server: Server = serve(listener, async (connection, { signal }) => {
    await recv(connection, { signal });
  }, { maxConnections: 1, onError: () => {} });
  const client = await connect(server.address);
  await until(() => server.active === 1, "it is accepted");
  await turns();
  await closeListener(listener);
  assertEquals(await soon(recv(client)), null);
  await close(client);
  await soon(server.finished);
});

Deno.test("E10: serve() of a closed listener is Closed, of a served one Busy", async () => {
  const closed = await listen(LOOPBACK);
  await closeListener(closed);
  const error = thrown(() => serve(closed, () => {}), "Closed", "serve");
  assertEquals(error.address, closed.address);

  const listener = await listen(LOOPBACK);
  const server = serve(listener, () => {});
  thrown(() => serve(listener, () => {}), "Busy", "serve");
  await server.shutdown();
  thrown(() => serve(listener, () => {}), "Closed", "serve");
});

Deno.test("V6: await using shuts a server down, and waits for its handlers", async () => {
  const gate = Promise.withResolvers<void>();
  const order: string[] = [];
  let received: Promise<void>;
  const listener = await listen(LOOPBACK);
  {
    await using server = serve(listener, async (connection, { signal }) => {
      signal.addEventListener("abort", () => gate.resolve());
      await gate.promise;
      await send(connection, bytesOf("bye"));
      order.push("handled");
    });
    const client = await connect(server.address);
    received = receiveAll(client).then(async (bytes) => {
      assertEquals(textOf(bytes), "bye");
      await close(client);
    });
  }
  order.push("over");
  assertEquals(order, ["handled", "over"]);
  await received;
});
