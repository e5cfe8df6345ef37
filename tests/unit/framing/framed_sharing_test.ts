import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { concat } from "@std/bytes";
import {
  abort,
  close,
  type Connection,
  connectionOver,
  recv,
  recvExactly,
  send,
} from "../../../mod.ts";
import { CANCELLABLE, FRAMING_READERS, type Reader, READERS } from "../../support/readers.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { isPending, turns } from "../../support/turns.ts";

const PEER: Deno.NetAddr = { transport: "tcp", hostname: "2001:db8::7", port: 80 };
const ADDRESS = { host: "2001:db8::7", port: 80 };

function scripted(): [Connection, ScriptedTransport] {
  const transport = new ScriptedTransport({ remoteAddr: PEER });
  return [connectionOver(transport), transport];
}

for (const first of READERS) {
  Deno.test(`R3: while ${first.name} waits, any other is Busy, and both go on after it`, async () => {
    for (const second of FRAMING_READERS) {
      const [connection, transport] = scripted();
      const waiting = first.read(connection, 5);
      await turns();
      const error = await rejection(() => second.read(connection, 6), "Busy", second.operation);
      assert(error.retryable);
      assertEquals(error.address, ADDRESS);
      (await transport.nextRead()).give(first.wire("first"));
      assertEquals(await soon(waiting), "first", second.name);
      const next = second.read(connection, 6);
      (await transport.nextRead()).give(second.wire("second"));
      assertEquals(await soon(next), "second", second.name);
    }
  });
}

/** The readers that are one call each; an iteration ends if this side closes (R8). */
const CALLS = FRAMING_READERS.filter(({ name }) => !name.includes("iteration"));

for (const reader of CALLS) {
  const { name, operation, wire } = reader;

  for (const [what, end] of Object.entries({ "close()": close, "abort()": abort })) {
    Deno.test(`E7: ${what} rejects ${name} with Closed at once, in the middle of a frame`, async () => {
      const [connection, transport] = scripted();
      const waiting = reader.read(connection, 5);
      (await transport.nextRead()).give(wire("frame").subarray(0, 2));
      await transport.nextRead();
      const sent = send(connection, bytesOf("stuck")).catch(() => {});
      const ended = Promise.resolve(end(connection, { linger: 0 }));
      const error = await rejection(() => waiting, "Closed", operation);
      assertEquals(
        error.message,
        `${operation} [2001:db8::7]:80: the connection is closed on this side`,
      );
      (await transport.nextWrite()).take();
      await soon(Promise.all([sent, ended]));
      await rejection(() => reader.read(connection, 5), "Closed", operation);
    });
  }

  Deno.test(`E7: after this side has closed, a frame that has come whole is Closed as well: ${name}`, async () => {
    const [connection, transport] = scripted();
    const first = recv(connection, { maxBytes: 1 });
    (await transport.nextRead()).give(concat([bytesOf("!"), wire("frame")]));
    await first;
    abort(connection);
    await rejection(() => reader.read(connection, 5), "Closed", operation);
  });
}

for (const reader of FRAMING_READERS) {
  const { name, operation, wire } = reader;

  Deno.test(`R4: frames that came before a reset are given, then ConnectionReset: ${name}`, async () => {
    const [connection, transport] = scripted();
    const raw = new Deno.errors.ConnectionReset("Connection reset by peer (os error 104)");
    const first = reader.read(connection, 5);
    const part = wire("third").subarray(0, 3);
    (await transport.nextRead()).give(concat([wire("first"), wire("other"), part]));
    assertEquals(await soon(first), "first");
    assertEquals(await soon(reader.read(connection, 5)), "other");
    const third = reader.read(connection, 5);
    (await transport.nextRead()).fail(raw);
    for (const call of [() => third, () => reader.read(connection, 5)]) {
      const error = await rejection(call, "ConnectionReset", operation);
      assertStrictEquals(error.cause, raw);
      // After a PROXY header the address is the client's.
      assertEquals(error.address, connection.remoteAddress);
    }
    assertEquals(await soon(recv(connection)), part, "the part of a frame is recv()'s");
    await rejection(() => recv(connection), "ConnectionReset", "recv");
    await rejection(() => reader.read(connection, 5), "ConnectionReset", operation);
    assertEquals(transport.reads, 2);
  });

  Deno.test(`F7: ${name} gives the end of stream again and again`, async () => {
    const [connection, transport] = scripted();
    const waiting = reader.read(connection, 5);
    (await transport.nextRead()).end();
    for (let round = 0; round < 3; round++) {
      const call = () => round === 0 ? waiting : reader.read(connection, 5);
      if (reader.wantsAll) await rejection(call, "UnexpectedEof", operation);
      else assertEquals(await soon(call()), null);
    }
    assertEquals(await soon(recv(connection)), null);
    assertEquals(transport.reads, 1);
  });

  Deno.test(`F7: an end of stream inside a frame is UnexpectedEof, and recv() gives the part: ${name}`, async () => {
    const whole = wire("frame");
    // The end of stream ends the last line as well.
    if (whole.at(-1) === 10) return;
    for (let cut = 1; cut < whole.length; cut++) {
      const [connection, transport] = scripted();
      const part = whole.subarray(0, cut);
      const waiting = reader.read(connection, 5);
      (await transport.nextRead()).give(part);
      (await transport.nextRead()).end();
      for (const call of [() => waiting, () => reader.read(connection, 5)]) {
        const { message } = await rejection(call, "UnexpectedEof", operation);
        assert(message.startsWith(`${operation} [2001:db8::7]:80: the stream ended`), message);
        const counted = operation === "recvExactly" ? `${cut} of 5 bytes` : `after ${cut} `;
        assert(message.includes(counted), message);
      }
      assertEquals(connection.bytesReceived, 0);
      assertEquals(await soon(recv(connection)), part);
      assertEquals(await soon(recv(connection)), null);
      if (!reader.wantsAll) assertEquals(await soon(reader.read(connection, 5)), null);
    }
  });
}

Deno.test("F7: the last line needs no ending, and comes once", async () => {
  for (const reader of FRAMING_READERS.filter(({ wire }) => wire("x").at(-1) === 10)) {
    for (const ending of ["", "\r"]) {
      const [connection, transport] = scripted();
      const waiting = reader.read(connection, 5);
      (await transport.nextRead()).give(bytesOf(`last${ending}`));
      (await transport.nextRead()).end();
      assertEquals(await soon(waiting), "last", reader.name);
      for (let round = 0; round < 3; round++) {
        assertEquals(await soon(reader.read(connection, 5)), null, reader.name);
      }
      assertEquals(await soon(recv(connection)), null);
      assertEquals(connection.bytesReceived, 4 + ending.length);
    }
  }
});

Deno.test("F7: UnexpectedEof of recvExactly() says how many bytes came over TCP", async () => {
  await using pair = await tcpPair();
  const { client, server, listener } = pair;
  await send(server, bytesOf("12345"));
  await close(server, { linger: 0 });
  assertEquals(textOf(await soon(recvExactly(client, 2))), "12");
  const error = await rejection(() => recvExactly(client, 9), "UnexpectedEof", "recvExactly");
  const where = `127.0.0.1:${listener.address.port}`;
  assertEquals(error.message, `recvExactly ${where}: the stream ended after 3 of 9 bytes`);
  assertEquals(textOf(await soon(recvExactly(client, 0))), "");
  assertEquals(textOf(await soon(recvExactly(client, 3))), "345");
  await rejection(() => recvExactly(client, 1), "UnexpectedEof", "recvExactly");
  assertEquals(textOf(await soon(recvExactly(client, 0))), "");
});

/** Cancels a call that waits. */
async function cancelled(reader: Reader, connection: Connection): Promise<void> {
  const controller = new AbortController();
  const waiting = reader.read(connection, 5, { signal: controller.signal });
  assert(await isPending(waiting));
  controller.abort("mine");
  const error = await rejection(() => waiting, "Aborted", reader.operation);
  assertEquals([error.address, error.cause], [ADDRESS, "mine"]);
}

for (const reader of CANCELLABLE) {
  const { name, operation, wire } = reader;

  Deno.test(`E6: a frame comes whole however often ${name} was cancelled`, async () => {
    const [connection, transport] = scripted();
    for (const byte of wire("frame")) {
      await cancelled(reader, connection);
      (await transport.nextRead()).give(Uint8Array.of(byte));
      await turns();
      const already = { signal: AbortSignal.abort() };
      await rejection(() => reader.read(connection, 5, already), "Aborted", operation);
      await rejection(() => reader.read(connection, 5, { timeout: 0 }), "TimedOut", operation);
    }
    assertEquals(await soon(reader.read(connection, 5)), "frame");
    assertEquals(connection.bytesReceived, wire("frame").length);
    assertEquals(transport.reads, wire("frame").length);
  });

  Deno.test(`E6: every other reader gets the bytes of a cancelled ${name}`, async () => {
    for (const next of READERS) {
      const [connection, transport] = scripted();
      await cancelled(reader, connection);
      (await transport.nextRead()).give(next.wire("other"));
      await turns();
      assertEquals(await soon(next.read(connection, 5)), "other", next.name);
      assertEquals(transport.reads, 1);
    }
  });

  Deno.test(`E6: over TCP ${name} loses nothing if it times out again and again`, async () => {
    await using pair = await tcpPair();
    const { client, server } = pair;
    const texts = Array.from({ length: 30 }, (_, index) => `text-${index}`);
    const sending = (async () => {
      for (const text of texts) {
        const bytes = wire(text);
        const cut = text.length % bytes.length;
        await send(client, bytes.subarray(0, cut));
        await turns(1);
        await send(client, bytes.subarray(cut));
      }
    })();
    for (const text of texts) {
      let given: string | null | undefined;
      while (given === undefined) {
        given = await reader.read(server, text.length, { timeout: 0.1 }).catch((error) => {
          assertEquals([error.kind, error.operation], ["TimedOut", operation]);
          return undefined;
        });
      }
      assertEquals(given, text);
    }
    await soon(sending);
  });
}
