import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  abort,
  type Connection,
  connectionOver,
  recv,
  recvInto,
  send,
  SocketError,
} from "../../../mod.ts";
import { resettablePair } from "../../support/resetting_peer.ts";
import { brokenPipe, connectionReset, kernelTimeout } from "../../support/runtime_errors.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { turns } from "../../support/turns.ts";
import { rejection, soon } from "../../support/socket_errors.ts";

const RECEIVES: Record<string, (connection: Connection) => Promise<unknown>> = {
  recv: (connection) => recv(connection),
  recvInto: (connection) => recvInto(connection, new Uint8Array(8)),
  "recvInto with a timeout": (connection) =>
    recvInto(connection, new Uint8Array(8), { timeout: 60_000 }),
};

Deno.test("R4: the failure of a connection is not retryable, whatever error the transport throws", async () => {
  const raws = [
    new Deno.errors.TimedOut("late"),
    new Deno.errors.Busy("busy"),
    new SocketError("TimedOut", "recv", "late underneath"),
    new SocketError("Unreachable", "connect", "a tunnel's end"),
  ];
  for (const raw of raws) {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const first = recv(connection);
    (await transport.nextRead()).fail(raw);
    for (
      const call of [() => first, () => recv(connection), () => send(connection, bytesOf("x"))]
    ) {
      const error = await soon(call().then(() => undefined, (error) => error));
      assert(error instanceof SocketError && !error.retryable, `${error}`);
    }
    abort(connection);
  }
});

for (const [what, receive] of Object.entries(RECEIVES)) {
  const name = what.split(" ")[0];

  for (
    const [kind, raw] of [
      ["ConnectionReset", connectionReset()],
      ["TimedOut", kernelTimeout()],
    ] as const
  ) {
    Deno.test(`R4: after ${raw.name} ${what} rejects the same again and again, and never gives null`, async () => {
      const transport = new ScriptedTransport();
      const connection = connectionOver(transport);
      const first = receive(connection);
      (await transport.nextRead()).fail(raw);
      const error = await rejection(() => first, kind, name);
      assertStrictEquals(error.cause, raw);
      assertEquals(error.retryable, false);
      for (let round = 0; round < 3; round++) {
        await rejection(() => receive(connection), kind, name);
        await rejection(() => recv(connection), kind, "recv");
        await rejection(() => send(connection, bytesOf("x")), kind, "send");
        await rejection(() => connection[Symbol.asyncIterator]().next(), kind, "recv");
      }
      assertEquals(
        transport.log,
        ["read"],
        "the runtime would say null: the transport is not asked again",
      );
    });
  }

  Deno.test(`R4: a reset that the peer makes is never an end for ${what}`, async () => {
    await using pair = await resettablePair();
    const { connection } = pair;
    await pair.reset();
    for (let round = 0; round < 3; round++) {
      await rejection(() => receive(connection), "ConnectionReset", name);
    }
    await rejection(() => send(connection, bytesOf("x")), "ConnectionReset", "send");
  });

  Deno.test(`R4: if bytes and a reset wait together, ${what} gives the bytes and then says ConnectionReset`, async () => {
    await using pair = await resettablePair();
    const { connection } = pair;
    await pair.write(bytesOf("waits"));
    await pair.reset();
    // Both have come before the first call looks.
    await turns();
    assert(await receive(connection) !== null);
    for (let round = 0; round < 3; round++) {
      await rejection(() => receive(connection), "ConnectionReset", name);
    }
  });

  Deno.test(`R4: ${what} that waits while the peer resets says ConnectionReset`, async () => {
    await using pair = await resettablePair();
    const { connection } = pair;
    const pending = rejection(() => receive(connection), "ConnectionReset", name);
    await turns();
    await pair.reset();
    await pending;
    await rejection(() => receive(connection), "ConnectionReset", name);
  });

  Deno.test(`R4: a reset that a send meets first is also the error of ${what}`, async () => {
    await using pair = await resettablePair();
    const { connection } = pair;
    await pair.reset();
    await rejection(() => send(connection, bytesOf("x")), "ConnectionReset", "send");
    await rejection(() => receive(connection), "ConnectionReset", name);
    await rejection(() => send(connection, bytesOf("x")), "ConnectionReset", "send");
  });

  Deno.test(`R4: a reset while a large send and ${what} are under way rejects both`, async () => {
    await using pair = await resettablePair();
    const { connection } = pair;
    const bytes = new Uint8Array(64 * 1024 * 1024);
    const received = rejection(() => receive(connection), "ConnectionReset", name);
    const sent = rejection(() => send(connection, bytes), "ConnectionReset", "send");
    await turns();
    await pair.reset();
    const error = await soon(sent);
    assert(error.bytesSent! < bytes.length);
    await received;
    await rejection(() => receive(connection), "ConnectionReset", name);
  });

  Deno.test(`R4: an end that ${what} reads in the turn in which a send meets the reset is no end`, async () => {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const sent = rejection(() => send(connection, bytesOf("x")), "ConnectionReset", "send");
    const received = rejection(() => receive(connection), "ConnectionReset", name);
    // The runtime reports the reset to one of them only, here to the write, in the same turn.
    (await transport.nextRead()).end();
    (await transport.nextWrite()).fail(connectionReset());
    await Promise.all([sent, received]);
    await rejection(() => receive(connection), "ConnectionReset", name);
  });

  Deno.test(`R4: after BrokenPipe ${what} still gives the bytes that wait, then the peer's end`, async () => {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const sent = rejection(() => send(connection, bytesOf("x")), "BrokenPipe", "send");
    (await transport.nextWrite()).fail(brokenPipe());
    await sent;
    const first = receive(connection);
    (await transport.nextRead()).give(bytesOf("waits"));
    assert(await first !== null);
    await rejection(() => send(connection, bytesOf("x")), "BrokenPipe", "send");
    const end = receive(connection);
    (await transport.nextRead()).end();
    assertEquals(await end, null);
    assertEquals(await receive(connection), null);
    await rejection(() => send(connection, bytesOf("x")), "BrokenPipe", "send");
    assertEquals(transport.writes, 1);
  });
}

Deno.test("R4: bytes that were read before a reset are given, then ConnectionReset", async () => {
  await using pair = await resettablePair();
  const { connection } = pair;
  await pair.write(bytesOf("before"));
  assertEquals(textOf(await soon(recv(connection, { maxBytes: 2 }))), "be");
  await pair.reset();
  assertEquals(textOf(await soon(recv(connection))), "fore");
  await rejection(() => recv(connection), "ConnectionReset", "recv");
});

/** Sends until it fails: the peer's reset is a round trip away. */
async function sendUntilBroken(connection: Connection): Promise<unknown> {
  for (let attempt = 0; attempt < 10_000; attempt++) {
    try {
      await send(connection, bytesOf("anybody?"));
    } catch (error) {
      return error;
    }
    await turns(1);
  }
  throw new Error("a peer that is gone takes everything");
}

Deno.test("R4: on real sockets BrokenPipe breaks only the sending side", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  await send(server, bytesOf("goodbye"));
  abort(server);
  const error = await soon(sendUntilBroken(client));
  await rejection(() => Promise.reject(error), "BrokenPipe", "send");
  assertEquals(textOf(await soon(recv(client))), "goodbye");
  for (let round = 0; round < 3; round++) {
    assertEquals(await soon(recv(client)), null);
    await rejection(() => send(client, bytesOf("x")), "BrokenPipe", "send");
  }
});

Deno.test("R4: an unknown error of a transport stays as well", async () => {
  const raw = new Error("the cable is gone");
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const first = recv(connection);
  (await transport.nextRead()).fail(raw);
  const error = await rejection(() => first, "Other", "recv");
  assertEquals(error.message, "recv: the cable is gone");
  assertStrictEquals((await rejection(() => recv(connection), "Other", "recv")).cause, raw);
  await rejection(() => send(connection, bytesOf("x")), "Other", "send");
});
