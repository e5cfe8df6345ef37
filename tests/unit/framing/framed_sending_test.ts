import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { concat } from "@std/bytes";
import {
  abort,
  close,
  closeWrite,
  type Codec,
  type Connection,
  connectionOver,
  framed,
  lengthPrefixed,
  lines,
  netstrings,
  type OperationOptions,
  recvExactly,
  recvFrame,
  send,
  sendFrame,
} from "../../../mod.ts";
import { AwkwardTransport } from "../../support/awkward_transport.ts";
import { withSeed } from "../../support/random.ts";
import { brokenPipe, connectionReset } from "../../support/runtime_errors.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { receiveAll, tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { transfer } from "../../support/transferring.ts";
import { turns } from "../../support/turns.ts";

const PEER: Deno.NetAddr = { transport: "tcp", hostname: "192.0.2.7", port: 80 };

/** Every character of a frame, and every `|` in it, is a piece of its own. */
const PIECES: Codec<string> = {
  encode: (frame) => Array.from(frame, (character) => bytesOf(character === "|" ? "" : character)),
  decoder: () => ({ decode: () => undefined }),
};

/** The frame's bytes as its only piece. */
const ALONE: Codec<Uint8Array> = {
  encode: (frame) => [frame],
  decoder: () => ({ decode: () => undefined }),
};

type SendPieces = (text: string, options?: OperationOptions) => Promise<void>;

function scripted(sendQueueLimit?: number): [Connection, SendPieces, ScriptedTransport] {
  const transport = new ScriptedTransport({ remoteAddr: PEER });
  const connection = connectionOver(transport, { sendQueueLimit });
  const stream = framed(connection, PIECES);
  return [connection, (text, options) => sendFrame(stream, text, options), transport];
}

/** Takes all writes, at most `most` bytes of each, until no more come. */
async function takeAll(transport: ScriptedTransport, most = Infinity): Promise<string> {
  let text = "";
  for (let seen = 0; transport.writes > seen; seen++) {
    const write = await transport.nextWrite();
    const count = Math.min(write.bytes.length, most);
    text += textOf(write.bytes.subarray(0, count));
    write.take(count);
    await turns(1);
  }
  return text;
}

Deno.test("F8: sendFrame() sends the pieces of a frame in order, empty ones among them", async () => {
  for (const [frame, text] of [["abc", "abc"], ["|a||b|", "ab"], ["a|", "a"], ["|a", "a"]]) {
    for (const options of [undefined, { timeout: 60_000 }]) {
      for (const most of [1, Infinity]) {
        const [connection, send, transport] = scripted();
        const sent = send(frame, options);
        assertEquals(await takeAll(transport, most), text);
        await soon(sent);
        assertEquals(connection.bytesSent, text.length);
      }
    }
  }
});

Deno.test("S5: a frame without bytes does nothing on an open connection, and is Closed on a closed one", async () => {
  const [connection, send, transport] = scripted();
  for (const frame of ["", "|", "||"]) await soon(send(frame));
  const empty = framed(connection, ALONE);
  await soon(sendFrame(empty, new Uint8Array()));
  assertEquals(transport.log, []);
  abort(connection);
  for (const frame of ["", "|", "||"]) await rejection(() => send(frame), "Closed", "sendFrame");
  await rejection(() => sendFrame(empty, new Uint8Array()), "Closed", "sendFrame");
});

Deno.test("S1: sendFrame() resolves after all of its pieces were written, and not before", async () => {
  const [connection, send, transport] = scripted();
  const sent = send("abcd");
  let settled = false;
  void sent.then(() => settled = true);
  for (let taken = 1; taken <= 4; taken++) {
    (await transport.nextWrite()).take(1);
    await turns();
    assertEquals(settled, taken === 4);
    assertEquals(connection.bytesSent, taken);
  }
});

Deno.test("S2: frames in pieces, in one, and sends leave in call order and never interleave", async () => {
  for (const most of [1, 3, Infinity]) {
    const [connection, sendPieces, transport] = scripted();
    const stream = framed(connection, lines());
    const expected: string[] = [];
    const sends: Promise<void>[] = [];
    for (let index = 0; index < 40; index++) {
      const text = `<${index}|${"x".repeat(index % 7)}>`;
      const options = index % 5 === 0 ? { timeout: 60_000 } : undefined;
      if (index % 3 === 0) {
        sends.push(sendPieces(text, options));
        expected.push(text.replace("|", ""));
      } else if (index % 3 === 1) {
        sends.push(sendFrame(stream, text, options));
        expected.push(`${text}\n`);
      } else {
        sends.push(send(connection, bytesOf(text), options));
        expected.push(text);
      }
    }
    assertEquals(await takeAll(transport, most), expected.join(""));
    await soon(Promise.all(sends));
    assertEquals(connection.bytesSent, expected.join("").length);
  }
});

Deno.test("S2: large and small frames of concurrent callers arrive whole, over TCP", async () => {
  await using pair = await tcpPair();
  const messages = lengthPrefixed();
  const [out, into] = [pair.client, pair.server].map((end) => framed(end, messages));
  const frames = Array.from(
    { length: 60 },
    (_, index) => new Uint8Array([3, 20_000, 70_000, 300_000][index % 4]).fill(index),
  );
  const sent = Promise.all(frames.map((frame) => sendFrame(out, frame)));
  for (const frame of frames) assertEquals(await soon(recvFrame(into)), frame);
  await soon(sent);
  const bytes = frames.reduce((sum, { length }) => sum + 4 + length, 0);
  assertEquals([pair.client.bytesSent, pair.server.bytesReceived], [bytes, bytes]);
});

Deno.test("S2: frames arrive whole over a transport that takes odd numbers of bytes, or none", async () => {
  await withSeed(async (random) => {
    const [near, far] = AwkwardTransport.pair(random).map((end) => connectionOver(end));
    const [out, into] = [near, far].map((end) => framed(end, netstrings()));
    const frames = Array.from({ length: 50 }, () => random.bytes(random.below(3) ** 9 * 50));
    const sent = Promise.all(frames.map((frame) => sendFrame(out, frame)));
    for (const frame of frames) assertEquals(await soon(recvFrame(into)), frame);
    await soon(sent);
    abort(near);
    abort(far);
  });
});

Deno.test("S3: a frame that does not fit is QueueFull, and nothing of it is sent", async () => {
  const [connection, sendPieces, transport] = scripted(4);
  const writing = send(connection, bytesOf("first "));
  const waiting = sendPieces("ab");
  const error = await rejection(() => sendPieces("c|d|e"), "QueueFull", "sendFrame");
  assertEquals(
    error.message,
    "sendFrame 192.0.2.7:80: 2 bytes wait already, 3 more would pass the limit of 4",
  );
  assert(error.retryable);
  assertEquals("bytesSent" in error, false);
  const stream = framed(connection, lines());
  await rejection(() => sendFrame(stream, "zz"), "QueueFull", "sendFrame");
  const fits = sendPieces("cd");
  assertEquals(await takeAll(transport), "first abcd");
  await soon(Promise.all([writing, waiting, fits]));
  // An idle connection takes any size.
  const large = sendPieces("x".repeat(100));
  const write = await soon(transport.nextWrite());
  assertEquals(textOf(write.bytes), "x".repeat(100));
  write.take();
  await soon(large);
});

Deno.test("S4: a frame that is cancelled while it waits is not sent at all", async () => {
  const [connection, sendPieces, transport] = scripted();
  const first = send(connection, bytesOf("first "));
  const controller = new AbortController();
  const cancelled = rejection(
    () => sendPieces("never", { signal: controller.signal }),
    "Aborted",
    "sendFrame",
  );
  const last = sendPieces("last");
  controller.abort();
  assertEquals("bytesSent" in await cancelled, false);
  assertEquals(await takeAll(transport), "first last");
  await soon(Promise.all([first, last]));
  assertEquals(connection.bytesSent, 10);
});

Deno.test("S4: a cancelled frame that was handed over tears the stream, and bytesSent counts all pieces", async () => {
  for (const taken of [0, 1, 2, 4]) {
    const [connection, sendPieces, transport] = scripted();
    const controller = new AbortController();
    const cancelled = rejection(
      () => sendPieces("ab|cde", { signal: controller.signal }),
      "Aborted",
      "sendFrame",
    );
    for (let count = 0; count < taken; count++) (await transport.nextWrite()).take(1);
    await turns();
    const waits = rejection(() => sendPieces("waits"), "Closed", "sendFrame");
    controller.abort();
    const error = await cancelled;
    assertEquals([error.bytesSent, error.retryable], [taken, false]);
    assertEquals((await waits).bytesSent, 0);
    assertEquals(transport.log.at(-1), "close");
    assertEquals(connection.bytesSent, taken);
  }
});

Deno.test("E7: close() flushes frames; abort() rejects them with Closed and bytesSent", async () => {
  const [connection, sendPieces, transport] = scripted();
  transport.onCloseWrite = async () => (await transport.nextRead()).end();
  const sends = [sendPieces("ab"), sendPieces("cd"), sendPieces("ef")];
  const closed = close(connection);
  await rejection(() => sendPieces("x"), "Closed", "sendFrame");
  assertEquals(await takeAll(transport, 1), "abcdef");
  await soon(Promise.all([...sends, closed]));

  const [other, sendOther, otherTransport] = scripted();
  const lost = ["abc", "def"].map((text) =>
    rejection(() => sendOther(text), "Closed", "sendFrame")
  );
  (await otherTransport.nextWrite()).take(1);
  (await otherTransport.nextWrite()).take(1);
  await turns();
  abort(other);
  assertEquals((await Promise.all(lost)).map(({ bytesSent }) => bytesSent), [2, 0]);
});

Deno.test("K2: after closeWrite() a frame is Closed, and those before it are sent", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  const stream = framed(client, lines());
  const sent = [sendFrame(stream, "one"), sendFrame(framed(client, PIECES), "two")];
  const ended = closeWrite(client);
  const error = await rejection(() => sendFrame(stream, "three"), "Closed", "sendFrame");
  assertEquals(error.address, client.remoteAddress);
  assertEquals(textOf(await soon(receiveAll(server))), "one\ntwo");
  await soon(Promise.all([...sent, ended]));
});

for (
  const [kind, raw] of [["BrokenPipe", brokenPipe()], [
    "ConnectionReset",
    connectionReset(),
  ]] as const
) {
  Deno.test(`S4: a write that fails rejects its frames with ${kind}, and bytesSent counts their pieces`, async () => {
    const [, sendPieces, transport] = scripted();
    const lost = ["abc", "def"].map((text) => rejection(() => sendPieces(text), kind, "sendFrame"));
    (await transport.nextWrite()).take(1);
    (await transport.nextWrite()).take(1);
    (await transport.nextWrite()).fail(raw);
    for (const [index, bytesSent] of [2, 0].entries()) {
      const error = await lost[index];
      assertEquals([error.bytesSent, error.retryable], [bytesSent, false]);
      assertStrictEquals(error.cause, raw);
      assert(error.message.startsWith("sendFrame 192.0.2.7:80: "), error.message);
    }
    await rejection(() => sendPieces("x"), kind, "sendFrame");
  });
}

for (const which of [0, 1, 2]) {
  Deno.test(`F8: if piece ${which} of a frame is transferred while it waits, that is InvalidInput and nothing is sent`, async () => {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const pieces = ["ab", "cd", "ef"].map(bytesOf);
    const stream = framed<string>(connection, { ...PIECES, encode: () => pieces });
    const first = send(connection, bytesOf("first "));
    const failing = rejection(() => sendFrame(stream, ""), "InvalidInput", "sendFrame");
    const last = send(connection, bytesOf("last"));
    transfer(pieces[which]);
    assertEquals(await takeAll(transport), "first last");
    await failing;
    await soon(Promise.all([first, last]));
  });

  Deno.test(`S4: if piece ${which} of a frame is transferred while it is sent, the stream is torn`, async () => {
    const transport = new ScriptedTransport({ remoteAddr: PEER });
    const connection = connectionOver(transport);
    const pieces = ["ab", "cd", "ef"].map(bytesOf);
    const encode = (frame: string) => frame === "" ? pieces : bytesOf(frame);
    const stream = framed<string>(connection, { ...PIECES, encode });
    const failing = rejection(() => sendFrame(stream, ""), "InvalidInput", "sendFrame");
    const write = await transport.nextWrite();
    transfer(pieces[which]);
    write.take(1);
    const error = await failing;
    assertEquals(error.bytesSent, 1);
    assert(error.message.startsWith("sendFrame 192.0.2.7:80: the buffer was transferred"));
    await rejection(() => sendFrame(stream, "next"), "Closed", "sendFrame");
    assertEquals(transport.log.at(-1), "close");
  });
}

Deno.test("S2: the pieces of a frame are few writes, however many a codec makes", async () => {
  const transport = new ScriptedTransport();
  const codec = {
    ...PIECES,
    encode: () => Array.from({ length: 50_000 }, () => new Uint8Array(3)),
  };
  const sent = sendFrame(framed<string>(connectionOver(transport), codec), "");
  const write = await soon(transport.nextWrite());
  assertEquals(write.bytes.length, 150_000);
  write.take();
  await soon(sent);
});

Deno.test("F8: the array of pieces may change after sendFrame() was called", async () => {
  const [connection, , transport] = scripted();
  const pieces = [bytesOf("ab"), bytesOf("cd")];
  const stream = framed<string>(connection, { ...PIECES, encode: () => pieces });
  const first = send(connection, bytesOf("first "));
  const sent = sendFrame(stream, "");
  pieces.length = 0;
  assertEquals(await takeAll(transport), "first abcd");
  await soon(Promise.all([first, sent]));
});

Deno.test("F8: a frame that cannot be encoded is TooLarge or InvalidInput before anything is sent", async () => {
  const transport = new ScriptedTransport({ remoteAddr: PEER });
  const connection = connectionOver(transport);
  const small = framed(connection, lengthPrefixed({ maxLength: 3 }));
  const error = await rejection(() => sendFrame(small, bytesOf("four")), "TooLarge", "sendFrame");
  assertEquals(
    error.message,
    "sendFrame 192.0.2.7:80: the frame has 4 bytes, at most 3 are allowed",
  );
  const text = framed(connection, lines({ maxLength: 3 }));
  await rejection(() => sendFrame(text, "four"), "TooLarge", "sendFrame");
  await rejection(() => sendFrame(text, "a\nb"), "InvalidInput", "sendFrame");
  await turns();
  assertEquals(transport.log, []);
  const sent = sendFrame(text, "ok");
  assertEquals(await takeAll(transport), "ok\n");
  await soon(sent);
});

Deno.test("bytesSent and bytesReceived count headers and delimiters as well", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  const [out, into] = [client, server].map((end) => framed(end, netstrings()));
  await sendFrame(out, bytesOf("hello"));
  assertEquals(client.bytesSent, 8);
  assertEquals(textOf(await soon(recvFrame(into))), "hello");
  assertEquals(server.bytesReceived, 8);
  await sendFrame(out, bytesOf("hello"));
  assertEquals(await soon(recvExactly(server, 2)), concat([bytesOf("5:")]));
  assertEquals(server.bytesReceived, 10);
});
