import { assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import {
  closeWrite,
  connectionOver,
  framed,
  lengthPrefixed,
  lines,
  netstrings,
  recv,
  recvExactly,
  recvFrame,
  recvLine,
  recvUntil,
  send,
  sendFrame,
} from "../../../mod.ts";
import { READERS } from "../../support/readers.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { soon } from "../../support/socket_errors.ts";
import { tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { turns } from "../../support/turns.ts";

for (const first of READERS) {
  for (const second of READERS) {
    Deno.test(`F6: ${second.name} goes on where ${first.name} stopped, and the other way round`, async () => {
      const transport = new ScriptedTransport();
      const connection = connectionOver(transport);
      const texts = ["one", "twotwo", "three", "four"];
      const readers = [first, second, first, second];
      const wires = texts.map((text, index) => readers[index].wire(text));
      // A reader that takes everything must not see the bytes of the next one.
      const apart = first.greedy || second.greedy;
      const start = recv(connection, { maxBytes: 1 });
      (await transport.nextRead()).give(concat([bytesOf("!"), ...(apart ? [] : wires)]));
      await soon(start);
      for (const [index, text] of texts.entries()) {
        const reading = readers[index].read(connection, text.length);
        if (apart) (await transport.nextRead()).give(wires[index]);
        assertEquals(await soon(reading), text);
      }
      assertEquals(transport.reads, apart ? 5 : 1, "nothing is read while something waits");
      assertEquals(connection.bytesReceived, 1 + concat(wires).length);
    });
  }

  Deno.test(`F6: over TCP every reader goes on where ${first.name} stopped`, async () => {
    for (const second of READERS) {
      await using pair = await tcpPair();
      const { client, server } = pair;
      const [one, two] = [first.wire("first"), second.wire("second")];
      if (first.greedy) await send(client, one);
      else await send(client, concat([one, two]));
      assertEquals(await soon(first.read(server, 5)), "first", second.name);
      if (first.greedy) await send(client, two);
      assertEquals(await soon(second.read(server, 6)), "second", second.name);
      assertEquals(server.bytesReceived, one.length + two.length);
      await closeWrite(client);
      assertEquals(await soon(recv(server)), null);
    }
  });
}

Deno.test("F3: every reader finds a frame that comes a byte at a time", async () => {
  for (const reader of READERS.filter(({ partial }) => !partial)) {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const reading = reader.read(connection, 5);
    for (const byte of reader.wire("bytes")) {
      (await transport.nextRead()).give(Uint8Array.of(byte));
    }
    assertEquals(await soon(reading), "bytes", reader.name);
    // The other side can still decode.
    const next = recv(connection);
    (await transport.nextRead()).give(bytesOf("rest"));
    assertEquals(textOf(await soon(next)), "rest", reader.name);
  }
});

Deno.test("F6: the next reader gets the part of a frame that a cancelled one left", async () => {
  for (const reader of READERS.filter(({ partial }) => !partial)) {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const wire = reader.wire("frame");
    const line = recvLine(connection);
    (await transport.nextRead()).give(concat([bytesOf("line\n"), wire.subarray(0, 2)]));
    assertEquals(await soon(line), "line");
    const reading = reader.read(connection, 5);
    (await transport.nextRead()).give(wire.subarray(2));
    assertEquals(await soon(reading), "frame", reader.name);
  }
});

Deno.test("F6: a protocol can switch its codec in mid-stream, and back", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  const messages = lengthPrefixed({ bytes: 1 });
  const sent = [
    sendFrame(framed(client, lines()), "UPGRADE messages"),
    sendFrame(framed(client, messages), bytesOf("not\na line")),
    sendFrame(framed(client, messages), bytesOf("")),
    sendFrame(framed(client, netstrings()), bytesOf("a string")),
    sendFrame(framed(client, lines({ ending: "\r\n" })), "BYE"),
    send(client, bytesOf("raw")),
  ];
  await soon(Promise.all(sent));
  const text = framed(server, lines());
  assertEquals(await soon(recvFrame(text)), "UPGRADE messages");
  const binary = framed(server, messages);
  assertEquals(textOf(await soon(recvFrame(binary))), "not\na line");
  assertEquals(textOf(await soon(recvFrame(binary))), "");
  assertEquals(textOf(await soon(recvFrame(framed(server, netstrings())))), "a string");
  assertEquals(await soon(recvFrame(text)), "BYE", "a decoder of before goes on as well");
  assertEquals(textOf(await soon(recvExactly(server, 2))), "ra");
  assertEquals(textOf(await soon(recv(server))), "w");
});

Deno.test("F6: break out of an iteration of frames leaves the connection open, and loses nothing", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const stream = framed(connection, lines());
  const taken: string[] = [];
  const loop = async (count: number) => {
    for await (const line of stream) {
      taken.push(line);
      if (taken.length === count) break;
    }
  };
  const looping = loop(2);
  (await transport.nextRead()).give(bytesOf("1\n2\n3\n4\n5\nrest"));
  await soon(looping);
  await soon(loop(3));
  assertEquals(await soon(recvFrame(stream)), "4");
  assertEquals(textOf(await soon(recvUntil(connection, bytesOf("\n")))), "5");
  assertEquals(textOf(await soon(recv(connection))), "rest");
  assertEquals(taken, ["1", "2", "3"]);
  assertEquals(transport.log, ["read"]);
});

Deno.test("F7: an iteration of frames ends at the end of stream, again and again", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  await send(client, bytesOf("a\nb\nlast"));
  await closeWrite(client);
  const stream = framed(server, lines());
  assertEquals(await Array.fromAsync(stream), ["a", "b", "last"]);
  assertEquals(await Array.fromAsync(stream), []);
  const frames = stream[Symbol.asyncIterator]();
  assertEquals(await frames.next(), { done: true, value: undefined });
  assertEquals(await frames.next(), { done: true, value: undefined });
  await send(server, bytesOf("open"));
  assertEquals(textOf(await soon(recv(client))), "open");
});

Deno.test("F6: a frame that next() waits for is not lost if return() comes before it", async () => {
  const transport = new ScriptedTransport();
  const frames = framed(connectionOver(transport), lines())[Symbol.asyncIterator]();
  const next = frames.next();
  assertEquals(await frames.return!(), { done: true, value: undefined });
  (await transport.nextRead()).give(bytesOf("line\n"));
  assertEquals(await soon(next), { done: false, value: "line" });
  assertEquals(await frames.next(), { done: true, value: undefined });
  assertEquals(transport.reads, 1);
});

Deno.test("F1: an iteration of frames can go on after a bad frame", async () => {
  const transport = new ScriptedTransport();
  const stream = framed(connectionOver(transport), lines({ maxLength: 3 }));
  const frames = stream[Symbol.asyncIterator]();
  const failing = frames.next().then(() => undefined, ({ kind }) => kind);
  (await transport.nextRead()).give(bytesOf("too long\nok\n"));
  assertEquals(await soon(failing), "TooLarge");
  assertEquals(await soon(frames.next()), { done: false, value: "ok" });
});

Deno.test("framed() reads nothing until a frame is asked for, and nothing if a frame waits", async () => {
  const transport = new ScriptedTransport();
  const stream = framed(connectionOver(transport), lines());
  const frames = stream[Symbol.asyncIterator]();
  await turns();
  assertEquals(transport.log, []);
  const first = frames.next();
  (await transport.nextRead()).give(bytesOf("1\n2\n"));
  await first;
  await frames.next();
  await turns();
  assertEquals(transport.log, ["read"]);
});
