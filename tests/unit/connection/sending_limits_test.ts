import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  abort,
  connectionOver,
  flush,
  type OperationOptions,
  recv,
  send,
  type SocketErrorKind,
} from "../../../mod.ts";
import { brokenPipe, connectionReset } from "../../support/runtime_errors.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { turns } from "../../support/turns.ts";
import { virtualTime } from "../../support/virtual_time.ts";
import { rejection, soon } from "../../support/socket_errors.ts";

const MEBIBYTE = 1024 * 1024;

Deno.test("S3: waiting sends are bounded to 16 MiB, the one being written does not count", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const writing = send(connection, new Uint8Array(20 * MEBIBYTE));
  const waiting = [10, 6].map((size) => send(connection, new Uint8Array(size * MEBIBYTE)));
  const error = await rejection(() => send(connection, new Uint8Array(1)), "QueueFull", "send");
  assert(error.retryable);
  assertEquals("bytesSent" in error, false);

  const write = await transport.nextWrite();
  assertEquals(write.bytes.length, 20 * MEBIBYTE);
  write.take();
  await writing;
  (await transport.nextWrite()).take();
  await waiting[0];
  const fits = send(connection, bytesOf("fits"));
  (await transport.nextWrite()).take();
  await waiting[1];
  const last = await transport.nextWrite();
  assertEquals(textOf(last.bytes), "fits", "nothing was sent of what was rejected");
  last.take();
  await fits;
});

for (const sendQueueLimit of [0, 1, 10, Infinity]) {
  Deno.test(`S3: with sendQueueLimit ${sendQueueLimit} at most that many bytes may wait`, async () => {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport, { sendQueueLimit });
    const sends = [send(connection, new Uint8Array(100))];
    const room = Math.min(sendQueueLimit, 1000);
    for (let size = 0; size < room; size++) sends.push(send(connection, new Uint8Array(1)));
    const over = () => send(connection, new Uint8Array(1));
    if (sendQueueLimit === Infinity) sends.push(over());
    else await rejection(over, "QueueFull", "send");
    (await transport.nextWrite()).take();
    if (sends.length > 1) (await transport.nextWrite()).take();
    await Promise.all(sends);
  });
}

Deno.test("S3: a partly written send does not count as waiting, a cancelled one no longer", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport, { sendQueueLimit: 4 });
  const first = send(connection, bytesOf("writing"));
  (await transport.nextWrite()).take(1);
  await transport.nextWrite();
  const controller = new AbortController();
  const second = send(connection, bytesOf("1234"), { signal: controller.signal });
  await rejection(() => send(connection, bytesOf("5")), "QueueFull", "send");
  controller.abort();
  await rejection(() => second, "Aborted", "send");
  const third = send(connection, bytesOf("abcd"));
  abort(connection);
  assertEquals((await rejection(() => first, "Closed", "send")).bytesSent, 1);
  assertEquals((await rejection(() => third, "Closed", "send")).bytesSent, 0);
});

Deno.test("S3: an idle connection takes any size, on real sockets too", async () => {
  await using pair = await tcpPair({ sendQueueLimit: 0 });
  const { client, server } = pair;
  const sent = send(client, new Uint8Array(MEBIBYTE));
  await rejection(() => send(client, bytesOf("x")), "QueueFull", "send");
  for (let left = MEBIBYTE; left > 0;) left -= (await soon(recv(server)))!.length;
  await soon(sent);
  await send(client, bytesOf("after"));
  assertEquals(textOf(await soon(recv(server))), "after");
});

/** The two ways to cancel a call. The test decides when. */
const CANCEL: Record<
  string,
  () => {
    options: OperationOptions;
    kind: SocketErrorKind;
    cancel(): Promise<void>;
  } & Disposable
> = {
  signal() {
    const controller = new AbortController();
    const cancel = () => Promise.resolve(controller.abort());
    const options = { signal: controller.signal };
    return { options, kind: "Aborted", cancel, [Symbol.dispose]() {} };
  },
  timeout() {
    const time = virtualTime();
    const cancel = () => time.pass(50);
    const dispose = () => time[Symbol.dispose]();
    return { options: { timeout: 50 }, kind: "TimedOut", cancel, [Symbol.dispose]: dispose };
  },
};

for (const [what, prepare] of Object.entries(CANCEL)) {
  Deno.test(`S4: a ${what} while it waits: nothing is sent, the connection is as good as before`, async () => {
    using cancelling = prepare();
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const first = send(connection, bytesOf("first "));
    const failed = rejection(
      () => send(connection, bytesOf("never "), cancelling.options),
      cancelling.kind,
      "send",
    );
    const last = send(connection, bytesOf("last"));
    await cancelling.cancel();
    const error = await failed;
    assertEquals("bytesSent" in error, false);
    assertEquals(error.retryable, cancelling.kind === "TimedOut");
    (await transport.nextWrite()).take();
    const write = await transport.nextWrite();
    assertEquals(textOf(write.bytes), "last");
    write.take();
    await Promise.all([first, last]);
    assertEquals(connection.bytesSent, 10);
    assertEquals(transport.log, ["write 6", "write 4"]);
  });

  Deno.test(`S4: a ${what} after the runtime has it tears the stream: the connection is aborted`, async () => {
    for (const taken of [0, 2]) {
      using cancelling = prepare();
      const transport = new ScriptedTransport();
      const connection = connectionOver(transport);
      const received = rejection(() => recv(connection), "Closed", "recv");
      const failed = rejection(
        () => send(connection, bytesOf("abcde"), cancelling.options),
        cancelling.kind,
        "send",
      );
      if (taken > 0) (await transport.nextWrite()).take(taken);
      await turns();
      const waiting = rejection(() => send(connection, bytesOf("waits")), "Closed", "send");
      await cancelling.cancel();
      const error = await failed;
      assertEquals([error.bytesSent, error.retryable], [taken, false]);
      assertEquals((await waiting).bytesSent, 0);
      await received;
      assertEquals(transport.log.at(-1), "close");
      await rejection(() => send(connection, bytesOf("x")), "Closed", "send");
    }
  });

  Deno.test(`S4: a ${what} after it was gathered: the sends gathered with it reject Closed`, async () => {
    using cancelling = prepare();
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const first = send(connection, bytesOf("first"));
    const whole = send(connection, bytesOf("ab"));
    const failed = rejection(
      () => send(connection, bytesOf("cde"), cancelling.options),
      cancelling.kind,
      "send",
    );
    const after = rejection(() => send(connection, bytesOf("fg")), "Closed", "send");
    (await transport.nextWrite()).take();
    (await transport.nextWrite()).take(3);
    await Promise.all([first, whole]);
    await cancelling.cancel();
    assertEquals((await failed).bytesSent, 1);
    assertEquals((await after).bytesSent, 0);
    assertEquals(transport.log.at(-1), "close");
  });
}

Deno.test("S4: on real sockets a send that its peer does not take times out with bytesSent", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  const bytes = new Uint8Array(64 * MEBIBYTE);
  const error = await rejection(() => send(client, bytes, { timeout: 100 }), "TimedOut", "send");
  assert(error.bytesSent! >= 0 && error.bytesSent! < bytes.length);
  assertEquals(error.retryable, false);
  await rejection(() => recv(client), "Closed", "recv");
  let received = 0;
  for await (const chunk of server) received += chunk.length;
  assert(received >= error.bytesSent!, `${received} came, ${error.bytesSent} were known to leave`);
  assert(received < bytes.length);
});

Deno.test("S4: a send that settles is not undone by a later abort of its signal", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  const controller = new AbortController();
  const sends = [1, 2, 3].map(() => send(client, bytesOf("x"), { signal: controller.signal }));
  await soon(Promise.all(sends));
  controller.abort();
  await turns();
  await send(client, bytesOf("y"));
  let text = "";
  while (text.length < 4) text += textOf(await soon(recv(server)));
  assertEquals(text, "xxxy");
});

for (const [kind, raw] of [["BrokenPipe", brokenPipe()], ["ConnectionReset", connectionReset()]]) {
  Deno.test(`R4: a write that fails rejects all pending sends ${kind}, with bytesSent`, async () => {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const lost = ["abc", "def"].map((text) =>
      rejection(() => send(connection, bytesOf(text)), kind as SocketErrorKind, "send")
    );
    (await transport.nextWrite()).take(2);
    (await transport.nextWrite()).fail(raw);
    for (const [index, bytesSent] of [2, 0].entries()) {
      const error = await lost[index];
      assertEquals([error.bytesSent, error.retryable], [bytesSent, false]);
      assertStrictEquals(error.cause, raw);
    }
    await rejection(() => send(connection, bytesOf("x")), kind as SocketErrorKind, "send");
    assertEquals(transport.writes, 2, "broken stays broken");
  });
}

Deno.test("E7: bytesSent is 0 if a send is lost while it waits, and missing if it changes nothing", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport, { sendQueueLimit: 4 });
  const begin = (kind: SocketErrorKind, bytes = 1, options?: OperationOptions) =>
    rejection(() => send(connection, new Uint8Array(bytes), options), kind, "send");
  const [written, waits] = [begin("ConnectionReset", 8), begin("ConnectionReset", 4)];
  const write = await transport.nextWrite();
  const harmless = [
    await begin("InvalidInput", 1, { timeout: -1 }),
    await begin("QueueFull", 1),
    await begin("TimedOut", 0, { timeout: 0 }),
    await begin("Aborted", 0, { signal: AbortSignal.abort() }),
  ];
  const flushing = rejection(() => flush(connection), "ConnectionReset", "flush");
  write.fail(connectionReset());
  assertEquals([(await written).bytesSent, (await waits).bytesSent], [0, 0]);
  harmless.push(await flushing, await begin("ConnectionReset"));
  abort(connection);
  harmless.push(await begin("Closed"));
  for (const error of harmless) assertEquals("bytesSent" in error, false, error.message);
});
