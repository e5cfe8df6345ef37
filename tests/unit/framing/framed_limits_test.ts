import { assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import {
  type Codec,
  type Connection,
  connectionOver,
  delimited,
  framed,
  lengthPrefixed,
  lines,
  netstrings,
  type OperationOptions,
  recv,
  recvFrame,
  recvInto,
  recvLine,
  recvUntil,
  send,
  varintPrefixed,
} from "../../../mod.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { isPending, turns } from "../../support/turns.ts";

const END = bytesOf(";");

/** Makes a connection on which one read has brought this text, and nothing of it is taken. */
async function openWith(text: string): Promise<[Connection, ScriptedTransport]> {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const first = recv(connection, { maxBytes: 1 });
  (await transport.nextRead()).give(bytesOf(`!${text}`));
  await first;
  return [connection, transport];
}

type Next = (options?: OperationOptions) => Promise<string | null>;

/** Readers that go on after an oversized part, each with a limit of 4 bytes; `;` ends a part. */
const GOES_ON: Record<string, (connection: Connection) => Next> = {
  "recvUntil": (connection) => async (options) =>
    textOf(await recvUntil(connection, END, { ...options, maxLength: 4 })),
  "recvLine": (connection) => (options) => recvLine(connection, { ...options, maxLength: 4 }),
  "recvFrame of lines": (connection) => {
    const stream = framed(connection, lines({ maxLength: 4 }));
    return (options) => recvFrame(stream, options);
  },
  "recvFrame of delimited": (connection) => {
    const stream = framed(connection, delimited(END, { maxLength: 4 }));
    return async (options) => textOf(await recvFrame(stream, options));
  },
};

for (const [name, begin] of Object.entries(GOES_ON)) {
  const operation = name.split(" ")[0];
  const ofLines = /line/i.test(name);
  const wire = (text: string) => ofLines ? text.replaceAll(";", "\n") : text;

  Deno.test(`F9: ${name} is TooLarge once for a part that came whole, and goes on behind it`, async () => {
    const [connection] = await openWith(wire("12345;next;"));
    const next = begin(connection);
    await rejection(next, "TooLarge", operation);
    assertEquals(connection.bytesReceived, 1 + 6, "what was dropped is counted as given");
    assertEquals(await soon(next()), "next");
  });

  Deno.test(`F9: ${name} is TooLarge before the part has ended, and drops the rest as it comes`, async () => {
    const [connection, transport] = await openWith(wire("12345"));
    const next = begin(connection);
    // One byte more may be the carriage return of the line's ending.
    const failing = rejection(next, "TooLarge", operation);
    if (ofLines) (await transport.nextRead()).give(bytesOf("6"));
    await failing;
    const rest = next();
    for (let round = 0; round < 3; round++) {
      (await transport.nextRead()).give(bytesOf("still too long"));
      assertEquals(await isPending(rest), true);
    }
    (await transport.nextRead()).give(bytesOf(wire("end;next;more;")));
    assertEquals(await soon(rest), "next");
    assertEquals(await soon(next()), "more");
  });

  Deno.test(`F9: ${name} reports no second error if the stream ends inside the oversized part`, async () => {
    const [connection, transport] = await openWith("123456");
    const next = begin(connection);
    await rejection(next, "TooLarge", operation);
    const rest = next();
    (await transport.nextRead()).give(bytesOf("78"));
    (await transport.nextRead()).end();
    assertEquals(await soon(rest), null);
    assertEquals(await soon(next()), null);
  });

  Deno.test(`F9: ${name} may be cancelled while it drops an oversized part`, async () => {
    const [connection, transport] = await openWith("123456");
    const next = begin(connection);
    await rejection(next, "TooLarge", operation);
    const controller = new AbortController();
    const cancelled = next({ signal: controller.signal });
    (await transport.nextRead()).give(bytesOf("78"));
    const read = await transport.nextRead();
    controller.abort();
    await rejection(() => cancelled, "Aborted", operation);
    read.give(bytesOf(wire("9;ok;")));
    await turns();
    assertEquals(await soon(next()), "ok");
  });

  const others: Record<string, (connection: Connection) => Promise<unknown>> = {
    "recv()": recv,
    "recvInto()": (connection) => recvInto(connection, new Uint8Array(100)),
    "recvInto() with a timeout": (connection) =>
      recvInto(connection, new Uint8Array(100), { timeout: 60_000 }),
    "readable": async (connection) => {
      const reader = connection.readable.getReader();
      await reader.read();
      reader.releaseLock();
    },
  };
  for (const [other, read] of Object.entries(others)) {
    Deno.test(`F9: ${name} drops nothing more after ${other} took the rest of an oversized part`, async () => {
      const [connection, transport] = await openWith("123456");
      const next = begin(connection);
      await rejection(next, "TooLarge", operation);
      const reading = read(connection);
      (await transport.nextRead()).give(bytesOf(wire("789;")));
      await soon(reading);
      const rest = next();
      (await transport.nextRead()).give(bytesOf(wire("next;more;")));
      assertEquals(await soon(rest), "next");
      assertEquals(await soon(next()), "more");
    });
  }
}

const FATAL: readonly (readonly [name: string, Codec<Uint8Array>, wire: string])[] = [
  ["lengthPrefixed", lengthPrefixed({ bytes: 1, maxLength: 4 }), "\x05"],
  ["varintPrefixed", varintPrefixed({ maxLength: 4 }), "\x05"],
  ["netstrings", netstrings({ maxLength: 4 }), "5"],
];

for (const [name, codec, header] of FATAL) {
  Deno.test(`F4: a frame of ${name} over the limit is TooLarge after its header, every time`, async () => {
    const [connection, transport] = await openWith(header);
    const stream = framed(connection, codec);
    const messages = new Set<string>();
    for (let round = 0; round < 3; round++) {
      const error = await rejection(() => recvFrame(stream), "TooLarge", "recvFrame");
      messages.add(error.message);
    }
    assertEquals([...messages], ["recvFrame: the frame has 5 bytes, at most 4 are allowed"]);
    await rejection(() => stream[Symbol.asyncIterator]().next(), "TooLarge", "recvFrame");
    assertEquals(transport.reads, 1, "nothing of the frame was waited for");
    // Another reader can still get all bytes.
    assertEquals(textOf(await soon(recv(connection))), header);
  });
}

Deno.test("F4: recvUntil() with maxLength 0 takes only delimiters", async () => {
  const [connection] = await openWith(";;1;;");
  const next = async () => textOf(await recvUntil(connection, END, { maxLength: 0 }));
  assertEquals(await soon(next()), "");
  assertEquals(await soon(next()), "");
  await rejection(next, "TooLarge", "recvUntil");
  assertEquals(await soon(next()), "");
});

Deno.test("F4: recvLine() with maxLength 0 takes only line endings", async () => {
  const [connection] = await openWith("\n\r\n1\n\r\n");
  const next = () => recvLine(connection, { maxLength: 0 });
  assertEquals(await soon(next()), "");
  assertEquals(await soon(next()), "");
  await rejection(next, "TooLarge", "recvLine");
  assertEquals(await soon(next()), "");
});

Deno.test("F4: maxLength counts the bytes before the delimiter exactly", async () => {
  for (const maxLength of [1, 2, 5, 64]) {
    const [connection] = await openWith(`${"x".repeat(maxLength)};${"x".repeat(maxLength + 1)};`);
    const next = () => recvUntil(connection, END, { maxLength });
    assertEquals((await soon(next()))!.length, maxLength);
    const error = await rejection(next, "TooLarge", "recvUntil");
    const what = `the part before the delimiter has more than ${maxLength} bytes, the limit`;
    assertEquals(error.message, `recvUntil: ${what}`);

    const [other] = await openWith(`${"x".repeat(maxLength)}\r\n${"x".repeat(maxLength + 1)}\r\n`);
    assertEquals((await soon(recvLine(other, { maxLength })))!.length, maxLength);
    const tooLong = await rejection(() => recvLine(other, { maxLength }), "TooLarge", "recvLine");
    assertEquals(tooLong.message, `recvLine: the line has more than ${maxLength} bytes, the limit`);
  }
});

Deno.test("F4: maxLength Infinity is no limit, and the defaults are those of delimited() and lines()", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  const [line, part] = [64 * 1024, 1024 * 1024].map((size) => new Uint8Array(size).fill(65));
  const over = concat([part, bytesOf("A")]);
  const sent = send(
    client,
    concat([over, END, over, bytesOf("\n"), part, END, line, bytesOf("\n")]),
  );
  assertEquals((await soon(recvUntil(server, END, { maxLength: Infinity })))!.length, over.length);
  assertEquals((await soon(recvLine(server, { maxLength: Infinity })))!.length, over.length);
  assertEquals((await soon(recvUntil(server, END)))!.length, part.length);
  assertEquals((await soon(recvLine(server)))!.length, line.length);
  await sent;
  const more = send(client, concat([over, END, bytesOf("after;"), line, bytesOf("A\nafter\n")]));
  await rejection(() => recvUntil(server, END), "TooLarge", "recvUntil");
  assertEquals(textOf(await soon(recvUntil(server, END))), "after");
  await rejection(() => recvLine(server), "TooLarge", "recvLine");
  assertEquals(await soon(recvLine(server)), "after");
  await more;
});

Deno.test("F9: each call has its own limit: a smaller one fails on bytes that a larger one waited for", async () => {
  const [connection, transport] = await openWith("12345");
  const controller = new AbortController();
  const waiting = recvUntil(connection, END, { maxLength: 10, signal: controller.signal });
  controller.abort();
  await rejection(() => waiting, "Aborted", "recvUntil");
  await rejection(() => recvUntil(connection, END, { maxLength: 4 }), "TooLarge", "recvUntil");
  const rest = recvUntil(connection, END, { maxLength: 2 });
  (await transport.nextRead()).give(bytesOf(";ok;"));
  assertEquals(textOf(await soon(rest)), "ok");
});

/** Calls that are rejected, and must change nothing. */
const IN_VAIN: Record<string, (connection: Connection) => Promise<unknown>> = {
  "a Busy one with another limit": (connection) => recvUntil(connection, END, { maxLength: 100 }),
  "a Busy one with another delimiter": (connection) => recvUntil(connection, bytesOf("4")),
  "an aborted one": (connection) =>
    recvUntil(connection, END, { maxLength: 100, signal: AbortSignal.abort() }),
  "an aborted one with another delimiter": (connection) =>
    recvUntil(connection, bytesOf("4"), { signal: AbortSignal.abort() }),
  "one without time": (connection) => recvUntil(connection, END, { maxLength: 100, timeout: 0 }),
  "a Busy recvLine()": (connection) => recvLine(connection, { maxLength: 100 }),
};

for (const [what, inVain] of Object.entries(IN_VAIN)) {
  Deno.test(`R3: ${what} changes nothing for the recvUntil() that waits`, async () => {
    const [connection, transport] = await openWith("12");
    const waiting = recvUntil(connection, END, { maxLength: 4 });
    const failing = rejection(() => waiting, "TooLarge", "recvUntil");
    await inVain(connection).then(() => Promise.reject(new Error("it succeeded")), () => {});
    (await transport.nextRead()).give(bytesOf("345678"));
    await failing;
    // The oversized part is dropped up to its end, also if other calls were rejected meanwhile.
    if (!what.includes("Busy")) {
      await inVain(connection).then(() => Promise.reject(new Error("it succeeded")), () => {});
    }
    const rest = recvUntil(connection, END, { maxLength: 4 });
    (await transport.nextRead()).give(bytesOf("9;ok;"));
    assertEquals(textOf(await soon(rest)), "ok");
  });
}

Deno.test("R3: a Busy recvLine() changes nothing for the recvLine() that waits", async () => {
  const [connection, transport] = await openWith("12");
  const failing = rejection(() => recvLine(connection, { maxLength: 4 }), "TooLarge", "recvLine");
  await rejection(() => recvLine(connection, { maxLength: 100 }), "Busy", "recvLine");
  (await transport.nextRead()).give(bytesOf("345678"));
  await failing;
});

Deno.test("recvUntil() copies its delimiter, which may change after the call", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const delimiter = bytesOf("ab");
  const waiting = recvUntil(connection, delimiter);
  delimiter.fill(120);
  (await transport.nextRead()).give(bytesOf("xx1ab2"));
  assertEquals(textOf(await soon(waiting)), "xx1");
  delimiter.set(bytesOf("2"));
  const next = recvUntil(connection, delimiter.subarray(0, 1));
  await turns();
  assertEquals(textOf(await soon(next)), "");
});

Deno.test("F3: a delimiter is found across reads and after a false beginning", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const waiting = recvUntil(connection, bytesOf("aab"), { maxLength: 4 });
  for (const text of ["xa", "aa", "a", "b!"]) (await transport.nextRead()).give(bytesOf(text));
  assertEquals(textOf(await soon(waiting)), "xaa");
  assertEquals(textOf(await soon(recv(connection))), "!");
});

Deno.test("F6: bytes that recv() took are no part of a later delimiter", async () => {
  const [connection, transport] = await openWith("1\r");
  const controller = new AbortController();
  const waiting = recvUntil(connection, bytesOf("\r\n"), { signal: controller.signal });
  controller.abort();
  await rejection(() => waiting, "Aborted", "recvUntil");
  assertEquals(textOf(await soon(recv(connection))), "1\r");
  const next = recvUntil(connection, bytesOf("\r\n"));
  (await transport.nextRead()).give(bytesOf("\n2\r\n"));
  assertEquals(textOf(await soon(next)), "\n2");
});
