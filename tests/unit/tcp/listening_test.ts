import { assert, assertEquals, assertNotEquals } from "@std/assert";
import {
  abort,
  accept,
  closeListener,
  connect,
  type Connection,
  listen,
  recv,
  send,
} from "../../../mod.ts";
import { ScriptedConn, ScriptedConnect, ScriptedListener } from "../../support/scripted_runtime.ts";
import { LOOPBACK } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { isPending } from "../../support/turns.ts";
import { rejection, soon } from "../../support/socket_errors.ts";

Deno.test("L3: concurrent accepts are served in the order they were made", async () => {
  await using listener = await listen(LOOPBACK);
  const accepts = Array.from({ length: 10 }, () => accept(listener));
  for (const accepted of accepts) {
    const client = await connect(listener.address);
    const connection = await soon(accepted);
    assertEquals(connection.remoteAddress, client.localAddress);
    abort(client);
    abort(connection);
  }
});

Deno.test("L3: a cancelled accept leaves the queue, the others keep their order", async () => {
  using runtime = new ScriptedListener([]);
  await using listener = await listen(LOOPBACK);
  const controllers = Array.from({ length: 6 }, () => new AbortController());
  const order: number[] = [];
  const accepts = controllers.map(async ({ signal }, index) => {
    const connection = await accept(listener, { signal });
    order.push(index);
    abort(connection);
  });
  const rejections = [0, 3, 5].map((index) => rejection(() => accepts[index], "Aborted", "accept"));
  for (const index of [0, 3, 5]) controllers[index].abort();
  await Promise.all(rejections);
  for (const index of [1, 2, 4]) {
    runtime.give(new ScriptedConn());
    await soon(accepts[index]);
  }
  assertEquals(order, [1, 2, 4]);
});

Deno.test("L3: accepts and iterations take turns at one listener", async () => {
  await using listener = await listen(LOOPBACK);
  const first = accept(listener);
  const second = listener[Symbol.asyncIterator]().next();
  const third = accept(listener);
  for (const next of [first, second.then(({ value }) => value), third]) {
    const client = await connect(listener.address);
    const connection = await soon<Connection | void>(next);
    assertEquals(connection?.remoteAddress, client.localAddress);
    abort(client);
    if (connection) abort(connection);
  }
});

Deno.test("L4: break out of the iteration leaves the listener open", async () => {
  await using listener = await listen(LOOPBACK);
  for (let round = 0; round < 3; round++) {
    const client = await connect(listener.address);
    for await (const connection of listener) {
      assertEquals(connection.remoteAddress, client.localAddress);
      abort(connection);
      break;
    }
    abort(client);
  }
  const client = await connect(listener.address);
  abort(await soon(accept(listener)));
  abort(client);
});

Deno.test("L4: closeListener() ends the iteration without an error", async () => {
  const listener = await listen(LOOPBACK);
  const seen: Connection[] = [];
  const iteration = (async () => {
    for await (const connection of listener) seen.push(connection);
  })();
  const client = await connect(listener.address);
  await send(client, bytesOf("x"));
  while (seen.length === 0) await isPending(iteration);
  await soon(closeListener(listener));
  await soon(iteration);
  assertEquals(seen.length, 1);
  seen.forEach(abort);
  abort(client);
});

Deno.test("L4: closeListener() inside the iteration ends it", async () => {
  const listener = await listen(LOOPBACK);
  const client = await connect(listener.address);
  let turns = 0;
  for await (const connection of listener) {
    turns++;
    abort(connection);
    await closeListener(listener);
  }
  assertEquals(turns, 1);
  abort(client);
});

for (const pending of ["nothing pending", "an accept pending", "an iteration pending"]) {
  Deno.test(`L4: with ${pending} the port is free when closeListener() resolves`, async () => {
    for (let round = 0; round < 20; round++) {
      const listener = await listen(LOOPBACK);
      const waiting = pending === "nothing pending"
        ? undefined
        : pending === "an accept pending"
        ? rejection(() => accept(listener), "Closed", "accept")
        : listener[Symbol.asyncIterator]().next();
      if (waiting !== undefined) assert(await isPending(waiting));
      await soon(closeListener(listener));
      await using again = await listen(listener.address);
      assertEquals(again.address, listener.address);
      await waiting;
    }
  });
}

Deno.test("L4: await using frees the port", async () => {
  let address = LOOPBACK;
  {
    await using listener = await listen(LOOPBACK);
    address = listener.address;
  }
  await using again = await listen(address);
  assertEquals(again.address, address);
});

Deno.test("L4: clients that still wait in the backlog are reset by closeListener()", async () => {
  const listener = await listen(LOOPBACK);
  const client = await connect(listener.address);
  const received = rejection(() => recv(client), "ConnectionReset", "recv");
  await closeListener(listener);
  await received;
  abort(client);
});

const SETTINGS = [
  { options: undefined, log: ["noDelay true", "keepAlive true"] },
  { options: {}, log: ["noDelay true", "keepAlive true"] },
  {
    options: { noDelay: undefined, keepAlive: undefined },
    log: ["noDelay true", "keepAlive true"],
  },
  { options: { noDelay: false }, log: ["keepAlive true"] },
  { options: { keepAlive: false }, log: ["noDelay true"] },
  { options: { noDelay: false, keepAlive: false }, log: [] },
];

/** Gives the settings that were turned on: in a new socket all are off. */
function settings(conn: ScriptedConn): string[] {
  return conn.log.filter((entry) => entry.endsWith("true"));
}

for (const { options, log } of SETTINGS) {
  const given = JSON.stringify(options);
  Deno.test(`L5: accepted connections get ${log} with ${given}`, async () => {
    const conn = new ScriptedConn();
    using _runtime = new ScriptedListener([conn]);
    await using listener = await listen(LOOPBACK, options);
    const connection = await soon(accept(listener));
    assertEquals(settings(conn), log);
    abort(connection);
  });

  Deno.test(`L5: connect() sets ${log} with ${given}`, async () => {
    const conn = new ScriptedConn();
    using runtime = new ScriptedConnect();
    runtime.succeed(conn);
    const connection = await connect({ host: "127.0.0.1", port: 9 }, options);
    assertEquals(settings(conn), log);
    abort(connection);
  });
}

Deno.test("L5: a client that left before its options were set is still accepted", async () => {
  const gone = new ScriptedConn();
  gone.setNoDelay = gone.setKeepAlive = () => {
    throw new Error("Invalid argument (os error 22)");
  };
  using _runtime = new ScriptedListener([gone]);
  await using listener = await listen(LOOPBACK);
  abort(await soon(accept(listener)));
  assert(gone.log.includes("close"));
});

Deno.test("listen() takes a backlog and a port", async () => {
  const first = await listen(LOOPBACK, { backlog: 1 });
  assertNotEquals(first.address.port, 0);
  await closeListener(first);
  await using second = await listen(first.address, { backlog: 4096 });
  const client = await connect(second.address);
  const connection = await accept(second);
  await send(connection, bytesOf("heard"));
  assertEquals(textOf(await soon(recv(client))), "heard");
  abort(client);
  abort(connection);
});

Deno.test("S3: listen() gives sendQueueLimit to the connections that it accepts", async () => {
  await using listener = await listen(LOOPBACK, { sendQueueLimit: 0 });
  const client = await connect(listener.address);
  const connection = await accept(listener);
  const first = send(connection, bytesOf("at once"));
  await rejection(() => send(connection, bytesOf("x")), "QueueFull", "send");
  await first;
  abort(client);
  abort(connection);
});
