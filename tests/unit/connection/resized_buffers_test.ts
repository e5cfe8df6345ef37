import { assertEquals } from "@std/assert";
import { connectionOver, recv, recvInto, send } from "../../../mod.ts";
import { plainError } from "../../support/runtime_errors.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { isPending } from "../../support/turns.ts";

const SIZE = 64 * 1024;

function resizable(size = SIZE): ArrayBuffer {
  return new ArrayBuffer(size, { maxByteLength: size });
}

const VIEWS: Record<string, (buffer: ArrayBuffer) => Uint8Array> = {
  "of all of it": (buffer) => new Uint8Array(buffer),
  "of a fixed part": (buffer) => new Uint8Array(buffer, 0, SIZE),
  "of the part that goes": (buffer) => new Uint8Array(buffer, SIZE / 2),
};

for (const [which, view] of Object.entries(VIEWS)) {
  for (const options of [undefined, { timeout: 60_000 }, { maxBytes: 500 }]) {
    const how = JSON.stringify(options) ?? "no options";
    Deno.test(`E6: recvInto() a view ${which} that shrinks, with ${how}, loses nothing`, async () => {
      await using pair = await tcpPair();
      const { client, server } = pair;
      const buffer = resizable();
      const received = recvInto(server, view(buffer), options);
      buffer.resize(10);
      await send(client, bytesOf("not a byte is lost"));
      await rejection(() => received, "InvalidInput", "recvInto");
      assertEquals(textOf((await soon(recv(server)))!), "not a byte is lost");
    });
  }
}

Deno.test("E6: recvInto() a resizable buffer that keeps its size fills it", async () => {
  await using pair = await tcpPair();
  const buffer = new Uint8Array(resizable());
  await send(pair.client, bytesOf("whole"));
  assertEquals(await soon(recvInto(pair.server, buffer)), 5);
  assertEquals(textOf(buffer.subarray(0, 5)), "whole");
});

Deno.test("S4: a send whose buffer shrinks while it is written is InvalidInput and aborts", async () => {
  await using pair = await tcpPair();
  const { client } = pair;
  const buffer = resizable(32 * 1024 * 1024);
  const sent = send(client, new Uint8Array(buffer));
  await isPending(sent);
  buffer.resize(4096);
  const waiting = send(client, bytesOf("behind it"));
  const reading = (async () => {
    for await (const _ of pair.server) { /* Makes room. */ }
  })();
  const error = await rejection(() => sent, "InvalidInput", "send");
  assertEquals(error.bytesSent, client.bytesSent);
  await rejection(() => waiting, "Closed", "send");
  await rejection(() => send(client, bytesOf("after it")), "Closed", "send");
  await reading;
});

for (const [how, options] of Object.entries({ directly: undefined, queued: { timeout: 60_000 } })) {
  Deno.test(`S4: a write that fails because its buffer shrank, ${how}, is InvalidInput`, async () => {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const buffer = resizable();
    const sent = send(connection, new Uint8Array(buffer), options);
    const write = await transport.nextWrite();
    buffer.resize(10);
    write.fail(plainError("EFAULT", "Bad address (os error 14)"));
    const error = await rejection(() => sent, "InvalidInput", "send");
    assertEquals(error.bytesSent, 0);
    await rejection(() => recv(connection), "Closed", "recv");
  });
}

Deno.test("S4: a send whose buffer shrinks while it waits fails alone, with nothing of it sent", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const first = send(connection, bytesOf("first"));
  const buffer = resizable(2 * SIZE);
  const shrunk = send(connection, new Uint8Array(buffer));
  const last = send(connection, bytesOf("last"));
  buffer.resize(10);
  (await transport.nextWrite()).take();
  const error = await rejection(() => shrunk, "InvalidInput", "send");
  assertEquals("bytesSent" in error, false);
  const write = await transport.nextWrite();
  assertEquals(textOf(write.bytes), "last");
  write.take();
  await soon(Promise.all([first, last]));
});
