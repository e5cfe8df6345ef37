import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  close,
  closeWrite,
  connect,
  recv,
  recvInto,
  ref,
  send,
  SocketError,
  unref,
} from "../../../mod.ts";
import { Arrivals, type Handler, until } from "../../support/serving.ts";
import { soon } from "../../support/socket_errors.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { type TimedServing, timedServing } from "../../support/timed_serving.ts";
import { turns } from "../../support/turns.ts";

/** Checks that the client was ended, and that `onError` heard why. */
async function assertEnded(
  { server, client, errors }: TimedServing,
  reason: string,
): Promise<void> {
  assertEquals(await soon(recv(client)), null);
  assertEquals(server.active, 0);
  assertEquals(errors.map((error) => (error as SocketError).message), [
    `serve 127.0.0.1:${client.localAddress.port}: ${reason}`,
  ]);
  const [{ kind, address }] = errors as SocketError[];
  assertEquals([kind, address], ["TimedOut", client.localAddress]);
}

const waiting: Handler = async (connection) => {
  while (await recv(connection) !== null);
};

Deno.test("V4: idleTimeout ends a connection on which nothing moves", async () => {
  await using at = await timedServing(waiting, { idleTimeout: 1000 });
  await at.time.pass(999);
  assertEquals(at.server.active, 1);
  await at.time.pass(251);
  await assertEnded(at, "nothing moved for 1000 ms");
});

Deno.test("V4: ref() and unref() of the server do not put off the end of a silent connection", async () => {
  await using at = await timedServing(waiting, { idleTimeout: 1000 });
  for (let round = 0; round < 25; round++) {
    (round % 3 === 0 ? unref : ref)(at.server);
    await at.time.pass(50);
  }
  await assertEnded(at, "nothing moved for 1000 ms");
});

Deno.test("V4: idleTimeout ends a connection whose handler does not receive", async () => {
  const reached = new Arrivals<unknown>();
  const gate = Promise.withResolvers<void>();
  await using at = await timedServing(async (connection) => {
    await gate.promise;
    reached.push(await recv(connection).catch((error) => error));
  }, { idleTimeout: 1000 });
  await at.time.pass(1250);
  assertEquals(await soon(recv(at.client)), null);
  assertEquals(at.errors.length, 1);
  // The handler has not returned, so the connection still counts as active.
  assertEquals(at.server.active, 1);
  gate.resolve();
  assertEquals(((await soon(reached.next())) as SocketError).kind, "Closed");
  await turns();
  assertEquals(at.server.active, 0);
});

Deno.test("V4: idleTimeout gives the place of a connection to others while its handler waits elsewhere", async () => {
  const gate = Promise.withResolvers<void>();
  let calls = 0;
  await using at = await timedServing(async (connection) => {
    if (++calls === 1) return await gate.promise;
    await send(connection, bytesOf("served"));
  }, { idleTimeout: 1000, maxConnections: 1, maxConnectionsPerHost: 1 });
  const next = await connect(at.server.address);
  await turns(20);
  assertEquals([at.server.active, at.server.accepted], [1, 1]);
  await at.time.pass(1250);
  assertEquals(textOf(await soon(recv(next))), "served");
  assertEquals([at.server.active, at.server.accepted, at.server.refused], [2, 2, 0]);
  await close(next);
  gate.resolve();
  await until(() => at.server.active === 0, "both are over");
});

Deno.test("V4: idleTimeout spares a connection on which only the client sends", async () => {
  const heard = new Arrivals<string | null>();
  await using at = await timedServing(async (connection) => {
    for await (const bytes of connection) heard.push(textOf(bytes));
  }, { idleTimeout: 1000 });
  for (let count = 0; count < 10; count++) {
    await send(at.client, bytesOf("more"));
    assertEquals(await soon(heard.next()), "more");
    await at.time.pass(700);
  }
  assertEquals(at.errors, []);
  await at.time.pass(550);
  await assertEnded(at, "nothing moved for 1000 ms");
});

Deno.test("V4: idleTimeout spares a connection on which only the server sends", async () => {
  const wanted = new Arrivals<string>();
  await using at = await timedServing(async (connection) => {
    for (;;) await send(connection, bytesOf(await wanted.next()));
  }, { idleTimeout: 1000 });
  for (let count = 0; count < 10; count++) {
    wanted.push("more");
    assertEquals(textOf(await soon(recv(at.client))), "more");
    await at.time.pass(700);
  }
  assertEquals(at.errors, []);
  await at.time.pass(550);
  assertEquals(await soon(recv(at.client)), null);
  assertEquals(at.errors.length, 1);
  wanted.push("unheard");
});

Deno.test("V4: idleTimeout ends a connection whose client takes nothing", async () => {
  const outcome = new Arrivals<unknown>();
  await using at = await timedServing(async (connection) => {
    outcome.push(await send(connection, new Uint8Array(64 * 1024 * 1024)).catch((error) => error));
  }, { idleTimeout: 1000 });
  // The bytes that both kernels hold leave first.
  for (let tries = 0; tries < 100 && at.errors.length === 0; tries++) await at.time.pass(250);
  assertEquals(at.errors.length, 1);
  const { kind, bytesSent } = await soon(outcome.next()) as SocketError;
  assertEquals(kind, "Closed");
  assert(bytesSent! > 0 && bytesSent! < 64 * 1024 * 1024, `${bytesSent}`);
});

Deno.test("V4: idleTimeout is one timer for all, and none without connections", async () => {
  const begun = new Arrivals<void>();
  await using at = await timedServing((connection) => {
    begun.push();
    return waiting(connection, undefined as never);
  }, { idleTimeout: 1000, firstByteTimeout: 1000 });
  const clients = await Promise.all(Array.from({ length: 20 }, () => connect(at.server.address)));
  for (let count = 0; count < 21; count++) await soon(begun.next());
  assertEquals(at.time.running, 1);
  await Promise.all([...clients, at.client].map((client) => close(client, { linger: 0 })));
  for (let tries = 0; at.server.active > 0 && tries < 1000; tries++) await turns();
  assertEquals([at.server.active, at.time.running], [0, 0]);
});

Deno.test("V4: idleTimeout does not end a connection that is closing", async () => {
  await using at = await timedServing(() => {}, { idleTimeout: 100, firstByteTimeout: 100 });
  await at.time.pass(900);
  // Its handler has returned, and its client does not close.
  assertEquals(at.server.active, 1);
  await at.time.pass(200);
  assertEquals(at.server.active, 0);
  assertEquals(at.errors, []);
});

Deno.test("V4: firstByteTimeout ends a connection whose client never says anything", async () => {
  await using at = await timedServing(waiting, { firstByteTimeout: 1000 });
  await at.time.pass(999);
  assertEquals(at.server.active, 1);
  await at.time.pass(126);
  await assertEnded(at, "not a byte came within 1000 ms");
});

Deno.test("V4: firstByteTimeout does not bound later bytes", async () => {
  const heard = new Arrivals<string | null>();
  await using at = await timedServing(async (connection) => {
    for await (const bytes of connection) heard.push(textOf(bytes));
  }, { firstByteTimeout: 1000 });
  await at.time.pass(900);
  await send(at.client, bytesOf("x"));
  assertEquals(await soon(heard.next()), "x");
  await at.time.pass(8_000);
  assertEquals([at.server.active, at.errors.length], [1, 0]);
});

Deno.test("V4: firstByteTimeout ends a silent client of a handler that speaks first", async () => {
  const wanted = new Arrivals<string>();
  await using at = await timedServing(async (connection) => {
    for (;;) await send(connection, bytesOf(await wanted.next()));
  }, { firstByteTimeout: 1000 });
  for (let count = 0; count < 4; count++) {
    wanted.push("more");
    assertEquals(textOf(await soon(recv(at.client))), "more");
    await at.time.pass(250);
  }
  await at.time.pass(125);
  assertEquals(await soon(recv(at.client)), null);
  assertEquals(at.errors.length, 1);
  wanted.push("unheard");
});

Deno.test("V4: firstByteTimeout notices a first byte that the handler has not read", async () => {
  const gate = Promise.withResolvers<void>();
  const heard = new Arrivals<string | null>();
  await using at = await timedServing(async (connection) => {
    await gate.promise;
    heard.push(textOf(await recv(connection)));
    await recv(connection);
  }, { firstByteTimeout: 1000 });
  await send(at.client, bytesOf("early"));
  await turns(20);
  await at.time.pass(8_000);
  assertEquals([at.server.active, at.errors.length], [1, 0]);
  gate.resolve();
  assertEquals(await soon(heard.next()), "early");
});

Deno.test("V4: firstByteTimeout takes no bytes from a handler with recvInto()", async () => {
  const all = crypto.getRandomValues(new Uint8Array(20_000));
  const heard = new Arrivals<Uint8Array>();
  await using at = await timedServing(async (connection) => {
    const whole = new Uint8Array(all.length);
    for (let at = 0; at < whole.length;) {
      at += await recvInto(connection, whole.subarray(at, at + 777)) ?? NaN;
    }
    heard.push(whole);
    await recv(connection);
  }, { firstByteTimeout: 1000 });
  await send(at.client, all.subarray(0, 1));
  await at.time.pass(2000);
  await send(at.client, all.subarray(1));
  assertEquals(await soon(heard.next()), all);
  assertEquals(at.errors, []);
});

Deno.test("V4: firstByteTimeout accepts an end of stream as the first byte", async () => {
  const wanted = new Arrivals<string>();
  await using at = await timedServing(async (connection) => {
    for (let count = 0; count < 2; count++) await send(connection, bytesOf(await wanted.next()));
  }, { firstByteTimeout: 1000 });
  await closeWrite(at.client);
  await turns(20);
  await at.time.pass(5000);
  for (const text of ["time", "and date"]) {
    wanted.push(text);
    assertEquals(textOf(await soon(recv(at.client))), text);
  }
  assertEquals(at.errors, []);
});

Deno.test("V4: firstByteTimeout and idleTimeout work together", async () => {
  const heard = new Arrivals<void>();
  await using at = await timedServing(async (connection) => {
    for await (const _ of connection) heard.push();
  }, { firstByteTimeout: 200, idleTimeout: 1000 });
  await send(at.client, bytesOf("x"));
  await soon(heard.next());
  await at.time.pass(1000);
  assertEquals(at.server.active, 1);
  await at.time.pass(50);
  await assertEnded(at, "nothing moved for 1000 ms");
});

Deno.test("V4: a timeout rejects the handler's calls with Closed, which is not reported", async () => {
  const outcome = new Arrivals<unknown>();
  await using at = await timedServing(async (connection) => {
    const error = await assertRejects(() => recv(connection), SocketError);
    outcome.push(error.kind);
    throw error;
  }, { idleTimeout: 1000 });
  await at.time.pass(1250);
  assertEquals(await soon(outcome.next()), "Closed");
  await assertEnded(at, "nothing moved for 1000 ms");
});
