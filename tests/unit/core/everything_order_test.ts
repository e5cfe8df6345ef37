import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { concat } from "@std/bytes";
import * as sockets from "../../../mod.ts";
import {
  abort,
  accept,
  close,
  closeListener,
  closeWrite,
  connect,
  type Connection,
  connectionOver,
  flush,
  framed,
  lines,
  listen,
  recv,
  recvExactly,
  recvFrames,
  recvInto,
  recvLine,
  recvUntil,
  send,
  sendFrame,
  sendFrames,
} from "../../../mod.ts";
import { RECEIVING_CALLS } from "../../support/receiving_calls.ts";
import { connectionReset } from "../../support/runtime_errors.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { LOOPBACK } from "../../support/tcp_pair.ts";
import { bytesOf } from "../../support/text.ts";
import { turns } from "../../support/turns.ts";
import { rejection } from "../../support/socket_errors.ts";

const BAD = { timeout: -1 };
const ABORTED = AbortSignal.abort();
const BOTH = { signal: ABORTED, timeout: 0 };
const LATE = { timeout: 0 };

type Call = (connection: Connection, options?: sockets.OperationOptions) => Promise<unknown>;

const CALLS: Record<string, Call> = {
  send: (connection, options) => send(connection, new Uint8Array(1), options),
  sendFrame: (connection, options) => sendFrame(framed(connection, lines()), "line", options),
  sendFrames: (connection, options) => sendFrames(framed(connection, lines()), ["line"], options),
  closeWrite: (connection, options) => closeWrite(connection, options),
  flush: (connection, options) => flush(connection, options),
  ...Object.fromEntries(RECEIVING_CALLS.map(({ name, call }) => [name, call])),
};

for (const [name, call] of Object.entries(CALLS)) {
  Deno.test(`E10: ${name}() says InvalidInput before Closed before Aborted before TimedOut`, async () => {
    const connection = connectionOver(new ScriptedTransport());
    await rejection(() => call(connection, { ...BAD, signal: ABORTED }), "InvalidInput", name);
    await rejection(() => call(connection, BOTH), "Aborted", name);
    abort(connection);
    await rejection(() => call(connection, { ...BAD, signal: ABORTED }), "InvalidInput", name);
    await rejection(() => call(connection, BOTH), "Closed", name);
    await rejection(() => call(connection, LATE), "Closed", name);
  });
}

Deno.test("E10: bad bytes, buffers and limits are InvalidInput on a closed connection too", async () => {
  const connection = connectionOver(new ScriptedTransport());
  abort(connection);
  await rejection(() => send(connection, "text" as never), "InvalidInput", "send");
  await rejection(() => recv(connection, { maxBytes: 1.5 }), "InvalidInput", "recv");
  await rejection(() => recvInto(connection, new Uint8Array(0)), "InvalidInput", "recvInto");
  await rejection(() => recvExactly(connection, -1), "InvalidInput", "recvExactly");
  await rejection(() => recvUntil(connection, new Uint8Array(0)), "InvalidInput", "recvUntil");
  await rejection(() => recvLine(connection, { maxLength: 1.5 }), "InvalidInput", "recvLine");
  const stream = framed(connection, lines());
  await rejection(() => sendFrame(stream, "two\nlines"), "InvalidInput", "sendFrame");
  await rejection(() => sendFrame(stream, "x".repeat(65_537)), "TooLarge", "sendFrame");
  await rejection(() => sendFrames(stream, ["a", "two\nlines"]), "InvalidInput", "sendFrames");
  await rejection(() => recvFrames(stream, { maxFrames: 0 }), "InvalidInput", "recvFrames");
  await rejection(() => close(connection, { linger: NaN }), "InvalidInput", "close");
});

Deno.test("E10: accept() says InvalidInput, Closed, Aborted, TimedOut in this order", async () => {
  const listener = await listen(LOOPBACK);
  await rejection(() => accept(listener, { ...BAD, signal: ABORTED }), "InvalidInput", "accept");
  await rejection(() => accept(listener, BOTH), "Aborted", "accept");
  await rejection(() => accept(listener, LATE), "TimedOut", "accept");
  await closeListener(listener);
  await rejection(() => accept(listener, { ...BAD, signal: ABORTED }), "InvalidInput", "accept");
  await rejection(() => accept(listener, BOTH), "Closed", "accept");
});

Deno.test("E10: connect() says InvalidInput before Aborted before TimedOut before a refusal", async () => {
  const listener = await listen(LOOPBACK);
  const { address } = listener;
  await closeListener(listener);
  await rejection(() => connect({ host: "", port: 1 }, BOTH), "InvalidInput", "connect");
  await rejection(() => connect(address, { ...BAD, signal: ABORTED }), "InvalidInput", "connect");
  await rejection(() => connect(address, BOTH), "Aborted", "connect");
  await rejection(() => connect(address, LATE), "TimedOut", "connect");
});

for (const { name } of RECEIVING_CALLS) {
  Deno.test(`E10: ${name}() says Aborted and TimedOut before Busy before the breakage`, async () => {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const call = CALLS[name];
    const first = recv(connection);
    const sent = send(connection, bytesOf("broken"));
    (await transport.nextWrite()).fail(connectionReset());
    await rejection(() => sent, "ConnectionReset", "send");

    await rejection(() => call(connection, BOTH), "Aborted", name);
    await rejection(() => call(connection, LATE), "TimedOut", name);
    const busy = await rejection(() => call(connection), "Busy", name);
    assert(busy.retryable);
    (await transport.nextRead()).end();
    await rejection(() => first, "ConnectionReset", "recv");
    await rejection(() => call(connection, BOTH), "Aborted", name);
    await rejection(() => call(connection, LATE), "TimedOut", name);
    await rejection(() => call(connection), "ConnectionReset", name);
  });
}

for (const name of ["send", "sendFrame", "sendFrames"]) {
  Deno.test(`E10: ${name}() says Aborted and TimedOut before QueueFull before the breakage`, async () => {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport, { sendQueueLimit: 2 });
    const call = CALLS[name];
    const received = recv(connection);
    const first = send(connection, bytesOf("writing"));
    const second = send(connection, bytesOf("ab"));
    await rejection(() => call(connection, BOTH), "Aborted", name);
    await rejection(() => call(connection, LATE), "TimedOut", name);
    await rejection(() => call(connection), "QueueFull", name);

    (await transport.nextRead()).fail(connectionReset());
    await rejection(() => received, "ConnectionReset", "recv");
    await rejection(() => call(connection), "QueueFull", name);
    (await transport.nextWrite()).fail(connectionReset());
    await rejection(() => first, "ConnectionReset", "send");
    await rejection(() => second, "ConnectionReset", "send");
    await rejection(() => call(connection, BOTH), "Aborted", name);
    await rejection(() => call(connection), "ConnectionReset", name);
  });
}

for (const { name, call, answer, given } of RECEIVING_CALLS) {
  Deno.test(`E10: an expired deadline wins over bytes that have arrived for ${name}()`, async () => {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const some = recv(connection, { maxBytes: 1 });
    (await transport.nextRead()).give(concat([bytesOf("!"), answer]));
    await some;
    await rejection(() => call(connection, LATE), "TimedOut", name);
    await rejection(() => call(connection, BOTH), "Aborted", name);
    assertEquals(await call(connection), given);
  });
}

Deno.test("E10: every function gives a promise, also if it is called with junk", async () => {
  const codecs = [
    ...["lengthPrefixed", "lengthField", "varintPrefixed", "netstrings", "delimited", "lines"],
    ...["contentLength", "octetCounted", "json", "mapCodec"],
  ];
  const synchronous = new Set([
    ...[
      "abort",
      "connectionOver",
      "listenerOver",
      "parseAddress",
      "parseSocketAddress",
      "formatAddress",
    ],
    ...["framed", "encodeProxyHeader", "serve", "disconnectSignal", "heartbeat", "observe"],
    ...["ref", "unref", "keepConnected"],
    ...codecs,
    ...["frameTooLarge", "invalidFrame", "frameBytes"],
  ]);
  const connection = connectionOver(new ScriptedTransport());
  abort(connection);
  const junk = [[], [undefined], [null, null], [{}, {}, {}], [Symbol(), Symbol(), Symbol()], [
    connection,
    Symbol(),
    Symbol(),
  ]];
  for (const [name, value] of Object.entries(sockets)) {
    if (typeof value !== "function" || /^[A-Z]/.test(name) || synchronous.has(name)) continue;
    for (const args of junk) {
      const promise = (value as (...args: unknown[]) => Promise<unknown>)(...args);
      assertInstanceOf(promise, Promise, name);
      await promise.then(() => {}, (error) => assertInstanceOf(error, sockets.SocketError));
    }
  }
});

Deno.test("E10: abort() never throws, and does nothing to anything but a connection", async () => {
  for (const garbage of [undefined, null, 5, "text", {}, Symbol(), () => {}]) {
    assertEquals(abort(garbage as never), undefined);
  }
  const connection = connectionOver({
    read: () => Promise.resolve(null),
    write: () => Promise.resolve(1),
    close: () => {
      throw new TypeError("no");
    },
  });
  assertEquals(abort(connection), undefined);
  await turns();
});
