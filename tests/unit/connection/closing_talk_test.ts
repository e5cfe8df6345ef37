import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import {
  abort,
  close,
  closeWrite,
  type Connection,
  connectionOver,
  recv,
  send,
  SocketError,
} from "../../../mod.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf } from "../../support/text.ts";
import { isPending, turns } from "../../support/turns.ts";
import { type VirtualTime, virtualTime } from "../../support/virtual_time.ts";
import { soon } from "../../support/socket_errors.ts";

const MEGABYTE = 1_000_000;

/** Sends a byte from the peer every `every` ms, until `ms` have passed. */
async function talk(
  { transport, time, ms, every }: {
    transport: ScriptedTransport;
    time: VirtualTime;
    ms: number;
    every: number;
  },
): Promise<void> {
  for (let passed = 0; passed < ms; passed += every) {
    (await transport.nextRead()).give(bytesOf("x"));
    await time.pass(every);
  }
}

Deno.test("K6: linger counts from the last byte of the peer", async () => {
  using time = virtualTime();
  const transport = new ScriptedTransport();
  const closed = close(connectionOver(transport), { linger: 100 });
  await talk({ transport, time, ms: 5_000, every: 99 });
  (await transport.nextRead()).give(bytesOf("the last"));
  await time.pass(99);
  assert(await isPending(closed));
  await time.pass(1);
  await soon(closed);
  assertEquals(transport.log.at(-1), "close");
  assertEquals(time.running, 0);
});

Deno.test("K6: input during the flush does not shorten the linger", async () => {
  using time = virtualTime();
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const sent = send(connection, bytesOf("x"));
  const closed = close(connection, { linger: 100 });
  (await transport.nextRead()).give(bytesOf("early"));
  await time.pass(5000);
  (await transport.nextWrite()).take();
  await time.pass(99);
  assert(await isPending(closed));
  await time.pass(1);
  await soon(Promise.all([closed, sent]));
});

for (const [linger, longest] of [[undefined, 30_000], [5_000, 30_000], [50_000, 50_000]] as const) {
  Deno.test(`K6: with linger ${linger} a peer that goes on talking gets ${longest} ms, then close() rejects`, async () => {
    using time = virtualTime();
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const sent = send(connection, bytesOf("the answer"));
    const closed = close(connection, { linger });
    const failure = closed.then(() => undefined, (error) => error);
    (await transport.nextWrite()).take();
    await sent;
    const every = (linger ?? 1000) / 2;
    await talk({ transport, time, ms: longest - every, every });
    (await transport.nextRead()).give(bytesOf("x"));
    assert(await isPending(closed));
    await time.pass(every);
    const error = await soon(failure);
    assertInstanceOf(error, SocketError);
    assertEquals([error.kind, error.operation], ["TimedOut", "close"]);
    assertEquals([error.retryable, error.bytesSent], [false, 10]);
    assertStringIncludes(error.message, "sent data may be lost");
    assertEquals(transport.log.at(-1), "close");
    assertEquals(time.running, 0);
  });
}

Deno.test("K6: linger 0 does not listen to a peer that talks", async () => {
  using time = virtualTime();
  const transport = new ScriptedTransport();
  const closed = close(connectionOver(transport), { linger: 0 });
  (await transport.nextRead()).give(bytesOf("x"));
  await time.pass(0);
  await soon(closed);
});

Deno.test("K6: linger Infinity listens to a peer that talks until its end", async () => {
  using time = virtualTime();
  const transport = new ScriptedTransport();
  const closed = close(connectionOver(transport), { linger: Infinity });
  await talk({ transport, time, ms: 100_000, every: 1000 });
  assert(await isPending(closed));
  (await transport.nextRead()).end();
  await soon(closed);
});

/** Reads 1 MB a second, as from a slow line, and may talk meanwhile. Returns the number of bytes that came. */
async function readSteadily(
  { time, peer, expected, says }: {
    time: VirtualTime;
    peer: Connection;
    expected: number;
    says?: Uint8Array;
  },
): Promise<number> {
  let received = 0;
  for (let second = 0; received < expected && second < 60; second++) {
    for (let left = MEGABYTE; left > 0;) {
      const bytes = await soon(recv(peer, { maxBytes: left }));
      if (bytes === null) return received;
      received += bytes.length;
      left -= Math.min(left, bytes.length);
      if (received === expected) break;
    }
    // In small steps, so that the other side reads the talk between them.
    const steps = says === undefined ? 1 : 10;
    for (let step = 0; step < steps; step++) {
      if (says !== undefined) await send(peer, says);
      await turns();
      await time.pass(1000 / steps);
    }
  }
  return received;
}

Deno.test("K5: on real sockets a peer that reads 1 MB a second gets all of 12 MB with defaults", async () => {
  using time = virtualTime(turns);
  await using pair = await tcpPair();
  const { client, server } = pair;
  const sent = send(client, new Uint8Array(12 * MEGABYTE));
  const closed = close(client);
  const received = await readSteadily({ time, peer: server, expected: 12 * MEGABYTE });
  assertEquals(received, 12 * MEGABYTE);
  assertEquals(await soon(recv(server)), null);
  abort(server);
  await soon(Promise.all([sent, closed]));
});

Deno.test("K6: on real sockets a peer that talks while it reads gets all of 8 MB with defaults", async () => {
  using time = virtualTime(turns);
  await using pair = await tcpPair();
  const { client, server } = pair;
  const sent = send(client, new Uint8Array(8 * MEGABYTE));
  const closed = close(client);
  const says = new Uint8Array(1000);
  const received = await readSteadily({ time, peer: server, expected: 8 * MEGABYTE, says });
  assertEquals(received, 8 * MEGABYTE);
  assertEquals(await soon(recv(server)), null);
  await closeWrite(server);
  await soon(Promise.all([sent, closed]));
});
