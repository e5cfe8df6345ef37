import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  abort,
  type ByteQueue,
  close,
  closeWrite,
  type Codec,
  type Connection,
  connectionOver,
  type Decoder,
  framed,
  lines,
  recv,
  recvExactly,
  recvFrame,
  recvInto,
  recvLine,
  send,
  sendFrame,
  SocketError,
} from "../../../mod.ts";
import { WRONG_OBJECTS } from "../../support/hostile.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { turns } from "../../support/turns.ts";
import { watchUnhandled } from "../../support/unhandled.ts";

const PEER: Deno.NetAddr = { transport: "tcp", hostname: "192.0.2.7", port: 80 };
const ADDRESS = { host: "192.0.2.7", port: 80 };

/** Values that a codec may throw. */
const THROWN: readonly (readonly [what: string, value: unknown])[] = [
  ["a TypeError", new TypeError("mine")],
  ["a DOMException", new DOMException("mine", "AbortError")],
  ["a runtime error", new Deno.errors.ConnectionReset("mine")],
  ...WRONG_OBJECTS,
];

/** Text that an error adds about a value that a codec has thrown. */
function addedFor(value: unknown): string {
  const message = value instanceof Error ? value.message : value;
  return typeof message === "string" && message !== "" ? `: ${JSON.stringify(message)}` : "";
}

function codecOf(parts: Partial<Decoder<unknown>> & Partial<Codec<unknown>>): Codec<unknown> {
  const { encode, decode = () => undefined, end } = parts;
  return { encode: encode ?? (() => bytesOf("x")), decoder: () => ({ decode, end }) };
}

function thrower(value: unknown): () => never {
  return () => {
    throw value;
  };
}

/** Makes a framed connection on which these bytes have come. */
async function begin(
  parts: Parameters<typeof codecOf>[0],
  text = "12345",
): Promise<[connection: Connection, next: () => Promise<unknown>, ScriptedTransport]> {
  const transport = new ScriptedTransport({ remoteAddr: PEER });
  const connection = connectionOver(transport);
  const first = recv(connection, { maxBytes: 1 });
  (await transport.nextRead()).give(bytesOf(`!${text}`));
  await first;
  const stream = framed(connection, codecOf(parts));
  return [connection, () => recvFrame(stream), transport];
}

for (const [what, value] of THROWN) {
  Deno.test(`F10: if decode() throws ${what}, recvFrame() is Other with it as the cause`, async () => {
    const [connection, next] = await begin({ decode: thrower(value) });
    for (let round = 0; round < 2; round++) {
      const error = await rejection(next, "Other", "recvFrame");
      assertEquals(error.message, `recvFrame 192.0.2.7:80: the codec failed${addedFor(value)}`);
      assertStrictEquals(error.cause, value);
      assertEquals(error.address, ADDRESS);
    }
    assertEquals(textOf(await soon(recv(connection))), "12345", "what has come is still there");
  });

  Deno.test(`F10: if decode() throws ${what} after bytes came, the waiting call is Other`, async () => {
    let waits = true;
    const decode = () => waits ? undefined : thrower(value)();
    const [connection, next, transport] = await begin({ decode });
    const waiting = next();
    const read = await transport.nextRead();
    waits = false;
    read.give(bytesOf("67"));
    assertStrictEquals((await rejection(() => waiting, "Other", "recvFrame")).cause, value);
    assertEquals(textOf(await soon(recvExactly(connection, 7))), "1234567");
  });

  Deno.test(`F1: if end() throws ${what}, each later call is Other`, async () => {
    const [connection, next, transport] = await begin({ end: thrower(value) });
    const waiting = next();
    (await transport.nextRead()).end();
    assertStrictEquals((await rejection(() => waiting, "Other", "recvFrame")).cause, value);
    assertStrictEquals((await rejection(next, "Other", "recvFrame")).cause, value);
    assertEquals(textOf(await soon(recv(connection))), "12345");
    assertStrictEquals((await rejection(next, "Other", "recvFrame")).cause, value);
  });

  Deno.test(`F8: if encode() throws ${what}, sendFrame() is Other and sends nothing`, async () => {
    const transport = new ScriptedTransport({ remoteAddr: PEER });
    const connection = connectionOver(transport);
    const stream = framed(connection, codecOf({ encode: thrower(value) }));
    const error = await rejection(() => sendFrame(stream, 1), "Other", "sendFrame");
    assertEquals(error.message, `sendFrame 192.0.2.7:80: the codec failed${addedFor(value)}`);
    assertStrictEquals(error.cause, value);
    assertEquals(transport.log, []);
    const sent = send(connection, bytesOf("fine"));
    (await transport.nextWrite()).take();
    await soon(sent);
  });
}

for (const remoteAddr of [PEER, undefined]) {
  const where = remoteAddr === undefined ? "" : " 192.0.2.7:80";
  for (const operation of ["recvFrame", "sendFrame", "mine"]) {
    const own = () => new SocketError("InvalidData", operation, "no such frame", { code: "EMINE" });

    Deno.test(`F10: a codec's own error of ${operation} becomes the error of the call${where}`, async () => {
      const transport = new ScriptedTransport({ remoteAddr });
      const connection = connectionOver(transport);
      const throwing = () => thrower(own())();
      const stream = framed(connection, codecOf({ decode: throwing, encode: throwing }));
      const received = await rejection(() => recvFrame(stream), "InvalidData", "recvFrame");
      assertEquals(received.message, `recvFrame${where}: no such frame (EMINE)`);
      assertEquals(received.address, remoteAddr && ADDRESS);
      assertEquals(received.code, "EMINE");
      const sent = await rejection(() => sendFrame(stream, 1), "InvalidData", "sendFrame");
      assertEquals(sent.message, `sendFrame${where}: no such frame (EMINE)`);
      assertEquals(transport.log, []);
    });
  }

  Deno.test(`E2: errors of recvLine() name the function that was called${where}`, async () => {
    const transport = new ScriptedTransport({ remoteAddr });
    const connection = connectionOver(transport);
    const waiting = recvLine(connection, { maxLength: 1 });
    (await transport.nextRead()).give(new Uint8Array([65, 66, 67, 10, 0xff, 10]));
    const error = await rejection(() => waiting, "TooLarge", "recvLine");
    assertEquals(error.message, `recvLine${where}: the line has more than 1 bytes, the limit`);
    const invalid = await rejection(() => recvLine(connection), "InvalidData", "recvLine");
    assertEquals(invalid.message, `recvLine${where}: the line is not UTF-8`);
  });
}

/** Values other than `undefined` that are no frame. */
const NO_FRAMES: readonly (readonly [what: string, make: () => unknown])[] = [
  ["null", () => null],
  ["a promise", () => Promise.resolve("late")],
  ["a promise that never resolves", () => new Promise(() => {})],
  ["something like a promise", () => ({ then: (_: unknown, no: (e: unknown) => void) => no(1) })],
  ["a function like a promise", () => Object.assign(() => {}, { then: () => {} })],
];

for (const [what, make] of NO_FRAMES) {
  const kind = what === "null" ? "InvalidData" : "Other";

  Deno.test(`F1: a decoder that gives ${what} as a frame has failed`, async () => {
    const decode = () => make() as never;
    const [, next] = await begin({ decode });
    for (let round = 0; round < 2; round++) {
      const { message } = await rejection(next, kind, "recvFrame");
      const reason = kind === "Other"
        ? 'the codec failed: "the decoder gave a promise"'
        : "the decoder gave null, which is the end of stream and no frame";
      assertEquals(message, `recvFrame 192.0.2.7:80: ${reason}`);
    }
  });

  Deno.test(`F1: a decoder that gives ${what} to a waiting call has failed`, async () => {
    let waits = true;
    const [, next, transport] = await begin({ decode: () => waits ? undefined : make() as never });
    const waiting = next();
    const read = await transport.nextRead();
    waits = false;
    read.give(bytesOf("6"));
    await rejection(() => waiting, kind, "recvFrame");
    await rejection(next, kind, "recvFrame");
  });

  Deno.test(`F1: a decoder that gives ${what} at the end has failed`, async () => {
    const [, next, transport] = await begin({ end: () => make() as never });
    const waiting = next();
    (await transport.nextRead()).end();
    await rejection(() => waiting, kind, "recvFrame");
    await rejection(next, kind, "recvFrame");
  });
}

Deno.test("a frame may be 0, false, empty, NaN, a function or a symbol", async () => {
  const frames = [0, false, "", NaN, () => {}, Symbol("frame"), {}, [], 5n, { then: 5 }];
  let index = 0;
  const decode = (input: ByteQueue) => {
    if (input.length === 0) return undefined;
    input.skip(1);
    return frames[index++];
  };
  const [, next] = await begin({ decode }, "x".repeat(frames.length));
  for (const frame of frames) assert(Object.is(await soon(next()), frame), String(frame));
});

const NO_BYTES: readonly (readonly [what: string, value: unknown])[] = [
  ...WRONG_OBJECTS,
  ["a promise of bytes", Promise.resolve(bytesOf("x"))],
  ["an array with a text in it", [bytesOf("x"), "y"]],
  ["an array with an array in it", [[bytesOf("x")]]],
  ["an array with a hole", [bytesOf("x"), , bytesOf("y")]],
  ["16-bit numbers", new Uint16Array(1)],
];

for (const [what, value] of NO_BYTES) {
  Deno.test(`F8: if encode() gives ${what}, sendFrame() is Other and sends nothing`, async () => {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const stream = framed(connection, codecOf({ encode: () => value as Uint8Array }));
    await rejection(() => sendFrame(stream, 1), "Other", "sendFrame");
    await rejection(() => sendFrame(stream, 1, { timeout: 60_000 }), "Other", "sendFrame");
    await turns();
    assertEquals([transport.log, connection.bytesSent], [[], 0]);
  });
}

const INSIDE: Record<string, (connection: Connection) => unknown> = {
  "abort()": (connection) => abort(connection),
  "close()": (connection) => void close(connection, { linger: 0 }),
};

for (const [what, end] of Object.entries(INSIDE)) {
  for (const given of [undefined, "a frame", new TypeError("mine")]) {
    const how = given instanceof Error ? "throws" : `gives ${given}`;

    Deno.test(`E7: if decode() calls ${what} and ${how}, the call is Closed`, async () => {
      using unhandled = watchUnhandled();
      for (const waits of [false, true]) {
        const decode = () => {
          if (left-- > 0) return undefined;
          end(connection);
          if (given instanceof Error) throw given;
          return given;
        };
        let left = waits ? 1 : 0;
        const [connection, next, transport] = await begin({ decode });
        const waiting = next();
        if (waits) (await transport.nextRead()).give(bytesOf("6"));
        await rejection(() => waiting, "Closed", "recvFrame");
        await rejection(next, "Closed", "recvFrame");
        await rejection(() => recv(connection), "Closed", "recv");
        await turns();
        assertEquals(transport.log.at(-1), "close");
      }
      assertEquals(await unhandled.seen(), []);
    });
  }

  Deno.test(`E7: if end() calls ${what}, the call is Closed`, async () => {
    const [connection, next, transport] = await begin({
      end: () => {
        end(connection);
        return "a frame";
      },
    });
    const waiting = next();
    (await transport.nextRead()).end();
    await rejection(() => waiting, "Closed", "recvFrame");
  });

  Deno.test(`E7: if encode() calls ${what}, the call is Closed and sends nothing`, async () => {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const encode = () => {
      end(connection);
      return bytesOf("x");
    };
    const stream = framed(connection, codecOf({ encode }));
    await rejection(() => sendFrame(stream, 1), "Closed", "sendFrame");
    await turns();
    assert(!transport.log.some((entry) => entry.startsWith("write")));
  });
}

const RECEIVES: Record<string, (connection: Connection) => Promise<unknown>> = {
  recv,
  recvInto: (connection) => recvInto(connection, new Uint8Array(9)),
  recvExactly: (connection) => recvExactly(connection, 1),
  recvFrame: (connection) => recvFrame(framed(connection, lines())),
};

for (const [name, receive] of Object.entries(RECEIVES)) {
  Deno.test(`R3: ${name}() inside decode() is Busy, and the call that decodes goes on`, async () => {
    for (const text of ["", "12345"]) {
      const kinds: Promise<string>[] = [];
      const decode = (input: ByteQueue) => {
        kinds.push(receive(connection).then(() => "resolved", ({ kind }) => kind));
        return input.length < 7 ? undefined : textOf(input.take(7));
      };
      const [connection, next, transport] = await begin({ decode }, text);
      const waiting = next();
      const more = "1234567".slice(text.length);
      (await transport.nextRead()).give(bytesOf(more));
      assertEquals(await soon(waiting), "1234567");
      assertEquals(await soon(Promise.all(kinds)), ["Busy", "Busy"]);
      assertEquals(connection.bytesReceived, 1 + 7);
      assertEquals(transport.reads, 2);
      const after = recv(connection);
      (await transport.nextRead()).give(bytesOf("after"));
      assertEquals(textOf(await soon(after)), "after");
    }
  });
}

Deno.test("R3: readable inside decode() is Busy", async () => {
  const reads: Promise<string>[] = [];
  const decode = (input: ByteQueue) => {
    reads.push(reader.read().then(() => "read", ({ kind }) => kind));
    return textOf(input.take(input.length));
  };
  const [connection, next] = await begin({ decode });
  const reader = connection.readable.getReader();
  await turns();
  assertEquals(await soon(next()), "12345");
  assertEquals(await soon(Promise.all(reads)), ["Busy"]);
});

Deno.test("decode() may send and end the sending side", async () => {
  const sends: Promise<unknown>[] = [];
  const decode = (input: ByteQueue) => {
    const text = textOf(input.take(input.length))!;
    sends.push(send(connection, bytesOf(text)), sendFrame(stream, text), closeWrite(connection));
    return text;
  };
  const [connection, next, transport] = await begin({ decode });
  const stream = framed(connection, lines());
  assertEquals(await soon(next()), "12345");
  for (const text of ["12345", "12345\n"]) {
    const write = await transport.nextWrite();
    assertEquals(textOf(write.bytes), text);
    write.take();
  }
  await soon(Promise.all(sends));
});

Deno.test("F8: bytes that encode() sends itself leave whole before the frame", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const sends: Promise<unknown>[] = [];
  const encode = () => {
    sends.push(send(connection, bytesOf("inner")));
    return [bytesOf("out"), bytesOf("er")];
  };
  sends.push(sendFrame(framed(connection, codecOf({ encode })), 1));
  const written: (string | null)[] = [];
  while (connection.bytesSent < 10) {
    const write = await transport.nextWrite();
    written.push(textOf(write.bytes));
    write.take();
    await turns();
  }
  await soon(Promise.all(sends));
  assertEquals(written.join(""), "innerouter");
});

Deno.test("a codec that keeps its queue and takes from it later breaks only its own stream", async () => {
  let kept: ByteQueue | undefined;
  const decode = (input: ByteQueue) => {
    kept = input;
    return undefined;
  };
  const [connection, next, transport] = await begin({ decode });
  const waiting = next();
  const read = await transport.nextRead();
  kept!.take(5);
  read.give(bytesOf("678"));
  (await transport.nextRead()).end();
  await rejection(() => waiting, "UnexpectedEof", "recvFrame");
  assertEquals(textOf(await soon(recv(connection))), "678");
  assertEquals(await soon(recv(connection)), null);
});

Deno.test("a decoder that gives frames without taking bytes gives one frame a call", async () => {
  const [connection, next, transport] = await begin({ decode: () => "nothing" });
  for (let count = 0; count < 1000; count++) assertEquals(await next(), "nothing");
  assertEquals(textOf(await soon(recv(connection))), "12345");
  assertEquals(transport.reads, 1);
});
