import { assert, assertEquals, assertNotEquals, assertStrictEquals } from "@std/assert";
import {
  abort,
  accept,
  close,
  closeListener,
  connect,
  type Connection,
  connectionOver,
  listen,
  type OperationOptions,
  recv,
  recvInto,
  send,
} from "../../../mod.ts";
import { FRAMING_CALLS } from "../../support/receiving_calls.ts";
import { connectionReset } from "../../support/runtime_errors.ts";
import { ScriptedConn, ScriptedListener } from "../../support/scripted_runtime.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { LOOPBACK, tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { transfer } from "../../support/transferring.ts";
import { isPending, turns } from "../../support/turns.ts";
import { rejection, soon } from "../../support/socket_errors.ts";

type Receive = (connection: Connection, options?: OperationOptions) => Promise<string | null>;

async function receiveInto(connection: Connection, options?: OperationOptions) {
  const buffer = new Uint8Array(100);
  const count = await recvInto(connection, buffer, options);
  return count === null ? null : textOf(buffer.subarray(0, count));
}

const RECEIVING: Record<string, Receive> = {
  "recv()": async (connection, options) => textOf(await recv(connection, options)),
  "recvInto()": receiveInto,
};

const NEXT: Record<string, Receive> = {
  "recv()": RECEIVING["recv()"],
  "recv() with a timeout": (connection) => RECEIVING["recv()"](connection, { timeout: 60_000 }),
  "recvInto()": receiveInto,
  "recvInto() with a timeout": (connection) => receiveInto(connection, { timeout: 60_000 }),
  "the iteration": async (connection) => {
    for await (const bytes of connection) return textOf(bytes);
    return null;
  },
  "readable": async (connection) => {
    const reader = connection.readable.getReader();
    const { value } = await reader.read();
    reader.releaseLock();
    return textOf(value ?? null);
  },
};

/** Cancels a call that waits; nothing may have reached it. */
async function cancelled(call: (options: OperationOptions) => Promise<unknown>): Promise<void> {
  const controller = new AbortController();
  const promise = call({ signal: controller.signal });
  assert(await isPending(promise));
  controller.abort();
  assertEquals(await promise.then(() => "resolved", ({ kind }) => kind), "Aborted");
}

for (const { name, call, answer, given } of FRAMING_CALLS) {
  Deno.test(`E6: the bytes that a cancelled ${name}() waited for go to the next one, partial or not`, async () => {
    for (let cut = 0; cut < answer.length; cut++) {
      const transport = new ScriptedTransport();
      const connection = connectionOver(transport);
      await cancelled((options) => call(connection, options));
      if (cut > 0) (await transport.nextRead()).give(answer.subarray(0, cut));
      await cancelled((options) => call(connection, options));
      const received = call(connection);
      (await transport.nextRead()).give(answer.subarray(cut));
      assertEquals(await soon(received), given);
      assertEquals(transport.reads, cut > 0 ? 2 : 1);
    }
  });

  Deno.test(`E6: the break that a cancelled ${name}() waited for rejects the next calls`, async () => {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    await cancelled((options) => call(connection, options));
    (await transport.nextRead()).fail(connectionReset());
    await turns();
    for (let round = 0; round < 3; round++) {
      await rejection(() => call(connection), "ConnectionReset", name);
    }
    assertEquals(transport.reads, 1);
  });

  Deno.test(`E6: on real sockets a ${name}() that timed out loses nothing`, async () => {
    await using pair = await tcpPair();
    const { client, server } = pair;
    for (let round = 0; round < 20; round++) {
      const cut = round % answer.length;
      if (cut > 0) await send(client, answer.subarray(0, cut));
      await rejection(() => call(server, { timeout: 1 }), "TimedOut", name);
      await send(client, answer.subarray(cut));
      assertEquals(await soon(call(server)), given);
    }
  });
}

for (const [first, receive] of Object.entries(RECEIVING)) {
  for (const [second, next] of Object.entries(NEXT)) {
    Deno.test(`E6: the bytes that a cancelled ${first} waited for go to ${second}`, async () => {
      for (const when of ["before", "after"]) {
        const transport = new ScriptedTransport();
        const connection = connectionOver(transport);
        await cancelled((options) => receive(connection, options));
        const read = await transport.nextRead();
        if (when === "before") {
          read.give(bytesOf("parked"));
          await turns();
        }
        const received = next(connection);
        assertEquals(transport.reads, 1, "the pending read is used, no other is started");
        if (when === "after") read.give(bytesOf("parked"));
        assertEquals(await soon(received), "parked");
        assertEquals(transport.reads, 1);
      }
    });
  }

  Deno.test(`E6: an end or a break that a cancelled ${first} waited for goes to the next call`, async () => {
    const ended = new ScriptedTransport();
    const connection = connectionOver(ended);
    await cancelled((options) => receive(connection, options));
    (await ended.nextRead()).end();
    assertEquals(await soon(receive(connection)), null);

    const reset = new ScriptedTransport();
    const broken = connectionOver(reset);
    await cancelled((options) => receive(broken, options));
    (await reset.nextRead()).fail(connectionReset());
    await turns();
    await rejection(() => receive(broken), "ConnectionReset", first.slice(0, -2));
  });

  Deno.test(`E6: on real sockets a ${first} that timed out loses nothing`, async () => {
    await using pair = await tcpPair();
    const { client, server } = pair;
    for (let round = 0; round < 20; round++) {
      const timedOut = () => receive(server, { timeout: 1 });
      await rejection(timedOut, "TimedOut", first.slice(0, -2));
      await send(client, bytesOf(`round ${round}`));
      assertEquals(await soon(receive(server)), `round ${round}`);
    }
  });
}

Deno.test("E6: bytes that do not fit the next call's buffer stay for the one after it", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  await cancelled((options) => recv(connection, options));
  (await transport.nextRead()).give(bytesOf("abcdef"));
  const buffer = new Uint8Array(2);
  assertEquals(await recvInto(connection, buffer), 2);
  assertEquals(textOf(buffer), "ab");
  assertEquals(textOf(await recv(connection, { maxBytes: 3 })), "cde");
  assertEquals(textOf(await recv(connection)), "f");
  assertEquals(transport.reads, 1);
});

Deno.test("E6: a cancelled recvInto()'s buffer is never written to, and may be transferred", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const buffer = new Uint8Array(6);
  await cancelled((options) => recvInto(connection, buffer, options));
  (await transport.nextRead()).give(bytesOf("parked"));
  await turns();
  assertEquals(buffer, new Uint8Array(6));
  transfer(buffer);
  assertEquals(textOf(await recv(connection)), "parked");
});

Deno.test("E6: recvInto() without signal and timeout reads straight into the caller's buffer", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const whole = new Uint8Array(20);
  const buffer = whole.subarray(5, 15);
  const received = recvInto(connection, buffer);
  const read = await transport.nextRead();
  assertStrictEquals(read.buffer.buffer, whole.buffer);
  assertEquals([read.buffer.byteOffset, read.buffer.length], [5, 10]);
  read.give(bytesOf("there"));
  assertEquals(await received, 5);
  assertEquals(textOf(whole.subarray(5, 10)), "there");

  const limited = recvInto(connection, buffer, { maxBytes: 3 });
  const second = await transport.nextRead();
  assertStrictEquals(second.buffer.buffer, whole.buffer);
  assertEquals([second.buffer.byteOffset, second.buffer.length], [5, 3]);
  second.give(bytesOf("abc"));
  assertEquals(await limited, 3);
});

for (const options of [{ timeout: 60_000 }, { signal: new AbortController().signal }]) {
  Deno.test(`E6: recvInto() with a ${Object.keys(options)} reads elsewhere and copies`, async () => {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const buffer = new Uint8Array(10);
    const received = recvInto(connection, buffer, options);
    const read = await transport.nextRead();
    assertNotEquals(read.buffer.buffer, buffer.buffer);
    read.give(bytesOf("there"));
    assertEquals(await received, 5);
    assertEquals(textOf(buffer.subarray(0, 5)), "there");
  });
}

for (const [what, end] of Object.entries({ close, abort })) {
  Deno.test(`E6: at ${what}() recvInto() that reads straight settles when that read has ended`, async () => {
    const transport = new ScriptedTransport({ deafToClose: true });
    const connection = connectionOver(transport);
    const received = recvInto(connection, new Uint8Array(10));
    const read = await transport.nextRead();
    const ended = Promise.resolve(end(connection, { linger: 0 }));
    assert(await isPending(received));
    read.give(bytesOf("late"));
    await rejection(() => received, "Closed", "recvInto");
    await soon(ended);
  });
}

Deno.test("E6: the client that a cancelled accept() waited for goes to the next", async () => {
  await using listener = await listen(LOOPBACK);
  for (let round = 0; round < 10; round++) {
    await rejection(() => accept(listener, { timeout: 1 }), "TimedOut", "accept");
    const client = await connect(listener.address);
    const server = await soon(accept(listener));
    assertEquals(server.remoteAddress, client.localAddress);
    abort(client);
    abort(server);
  }
});

for (const second of ["accept()", "the iteration"]) {
  Deno.test(`E6: a client that comes after a cancelled accept() is parked for ${second}`, async () => {
    using runtime = new ScriptedListener([]);
    await using listener = await listen(LOOPBACK);
    await cancelled((options) => accept(listener, options));
    const conn = new ScriptedConn();
    runtime.give(conn);
    await turns();
    await using connection = second === "accept()"
      ? await soon(accept(listener))
      : (await soon(listener[Symbol.asyncIterator]().next())).value!;
    assertEquals(connection.remoteAddress, { host: "127.0.0.1", port: 2 });
    assertEquals(runtime.accepts, 1);
  });
}

Deno.test("E6: a client that is parked when the listener closes is closed with it", async () => {
  using runtime = new ScriptedListener([]);
  const listener = await listen(LOOPBACK);
  await cancelled((options) => accept(listener, options));
  const conn = new ScriptedConn();
  runtime.give(conn);
  await turns();
  await soon(closeListener(listener));
  assert(conn.log.includes("close"));
});
