import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import {
  abort,
  accept,
  close,
  closeWrite,
  connect,
  connectionOver,
  disconnectSignal,
  flush,
  framed,
  heartbeat,
  lines,
  listen,
  recv,
  recvFrame,
  recvInto,
  recvLine,
  send,
  SocketError,
} from "../../../mod.ts";
import { beating, CHECK, INTERVAL, TIMEOUT } from "../../support/heartbeats.ts";
import { withSeed } from "../../support/random.ts";
import { RECEIVING_CALLS } from "../../support/receiving_calls.ts";
import { connectionReset } from "../../support/runtime_errors.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { LOOPBACK, tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { isPending, turns } from "../../support/turns.ts";
import { watchUnhandled } from "../../support/unhandled.ts";
import { virtualTime } from "../../support/virtual_time.ts";

const REASON = `the peer sent nothing for ${INTERVAL} ms, nor within ${TIMEOUT} ms after a ping`;

Deno.test("X4: whenever bytes come, a ping and the abort are never early, and late by two checks at most", () =>
  withSeed(async (random) => {
    const pings: number[] = [];
    await using beat = beating(() => void pings.push(performance.now()));
    const { time, transport, connection } = beat;
    let lastByte = performance.now();
    let ended: number | undefined;
    const receiving = (async () => {
      while ((await recv(connection))!.length > 0);
    })().catch(() => void (ended = performance.now()));
    const limit = INTERVAL + TIMEOUT + 3 * CHECK;
    for (let count = 0; count < 20 && ended === undefined; count++) {
      const read = await transport.nextRead();
      await time.pass(random.below(limit + 1));
      const silence = performance.now() - lastByte;
      const [ping, ...more] = pings.splice(0);
      assertEquals(more, []);
      if (ping === undefined) assert(silence < INTERVAL + 2 * CHECK, `no ping in ${silence} ms`);
      else {
        const waited = ping - lastByte;
        assert(waited >= INTERVAL && waited <= INTERVAL + 2 * CHECK, `a ping after ${waited} ms`);
      }
      if (ended === undefined) {
        assert(silence < limit, `no end in ${silence} ms`);
        lastByte = performance.now();
        read.give(bytesOf("x"));
        await turns();
      } else {
        const waited = ended - ping;
        assert(waited >= TIMEOUT && waited <= TIMEOUT + 2 * CHECK, `an end after ${waited} ms`);
      }
    }
    abort(connection);
    await receiving;
  }));

Deno.test("X4: a silent peer gets one ping after the interval, and is given up after the timeout", async () => {
  await using beat = beating();
  const { time, connection } = beat;
  const received = recv(connection);
  await time.pass(INTERVAL - 1);
  assertEquals(beat.pings, 0);
  await time.pass(CHECK + 1);
  assertEquals(beat.pings, 1);
  await time.pass(TIMEOUT - CHECK - 1);
  assert(await isPending(received));
  await time.pass(2 * CHECK + 1);
  const error = await rejection(() => received, "TimedOut", "recv");
  assertEquals([error.reason, error.retryable], [REASON, false]);
  assertInstanceOf(error.cause, SocketError);
  assertEquals([error.cause.operation, error.cause.cause], ["heartbeat", undefined]);
  assertEquals(beat.pings, 1);
  assertEquals(time.running, 0);
});

Deno.test("X4: the error names the peer, and an iteration and a view throw it", async () => {
  await using pair = await tcpPair();
  using _heart = heartbeat(pair.server, { interval: 8, timeout: 8, ping: () => {} });
  const error = await rejection(
    () => soon((async () => await Array.fromAsync(pair.server))()),
    "TimedOut",
    "recv",
  );
  assertEquals(error.address, pair.client.localAddress);
  await rejection(() => pair.server.readable.getReader().read(), "TimedOut", "recv");
  const frames = framed(pair.server, lines());
  await rejection(async () => await Array.fromAsync(frames), "TimedOut", "recvFrame");
  // The iteration that was between two chunks does not take what came until then for everything.
  await rejection(async () => await Array.fromAsync(pair.server), "TimedOut", "recv");
});

Deno.test("X4: pending and later calls of every kind reject TimedOut, and close() resolves", async () => {
  await using beat = beating();
  const { time, transport, connection } = beat;
  const pending = {
    recv: recv(connection),
    send: send(connection, bytesOf("is being written")),
    flush: flush(connection),
    closeWrite: closeWrite(connection),
  };
  const queued = send(connection, bytesOf("waits")).catch((error) => error);
  for (const promise of Object.values(pending)) promise.catch(() => {});
  const signal = disconnectSignal(connection);
  await time.pass(INTERVAL + TIMEOUT + 2 * CHECK);
  for (const [operation, promise] of Object.entries(pending)) {
    const error = await rejection(() => promise, "TimedOut", operation);
    assertEquals(error.bytesSent, operation === "send" ? 0 : undefined, operation);
  }
  assertEquals((await queued).kind, "Closed", "closeWrite() came before it");
  assertEquals(transport.log.at(-1), "close");
  assertEquals([signal.aborted, signal.reason.kind], [true, "TimedOut"]);
  await rejection(() => recv(connection), "TimedOut", "recv");
  await rejection(() => send(connection, bytesOf("x")), "TimedOut", "send");
  await rejection(() => send(connection, bytesOf("x"), { timeout: 1 }), "TimedOut", "send");
  await rejection(() => closeWrite(connection), "TimedOut", "closeWrite");
  await close(connection);
  abort(connection);
});

for (const { name, call, answer } of RECEIVING_CALLS) {
  Deno.test(`X4: bytes that ${name}() receives are a sign of life`, async () => {
    await using beat = beating();
    const { time, transport, connection } = beat;
    for (let count = 0; count < 5; count++) {
      const received = call(connection);
      await time.pass(INTERVAL - CHECK);
      (await transport.nextRead()).give(answer);
      await received;
    }
    assertEquals(beat.pings, 0);
  });
}

Deno.test("X4: a part of a line is a sign of life, and so is an answer to the ping", async () => {
  await using beat = beating((connection) => send(connection, bytesOf("PING\n")));
  const { time, transport, connection } = beat;
  const line = recvLine(connection);
  for (let count = 1; count <= 5; count++) {
    await time.pass(INTERVAL + CHECK);
    (await transport.nextWrite()).take();
    assertEquals(beat.pings, count);
    await time.pass(TIMEOUT - 3 * CHECK);
    (await transport.nextRead()).give(bytesOf("x"));
    await time.pass(CHECK);
  }
  await turns();
  (await transport.nextRead()).give(bytesOf("\n"));
  assertEquals(await line, "xxxxx");
});

Deno.test("X4: if nobody receives, bytes are read ahead, and the next calls get them in order", async () => {
  await using beat = beating();
  const { time, transport, connection } = beat;
  let sent = "";
  for (let count = 0; count < 20; count++) {
    await time.pass(INTERVAL - 4 * CHECK);
    sent += `line ${count}\n`;
    (await transport.nextRead()).give(bytesOf(`line ${count}\n`));
    await turns();
  }
  assertEquals(beat.pings, 0);
  assertEquals(connection.bytesReceived, 0);
  assertEquals(await recvLine(connection), "line 0");
  const buffer = new Uint8Array(4);
  assertEquals(await recvInto(connection, buffer), 4);
  assertEquals(textOf(buffer), "line");
  assertEquals(textOf((await recv(connection, { maxBytes: 2 }))!), " 1");
  let rest: string = "";
  while (!rest.endsWith("line 19\n")) rest += textOf((await recv(connection))!);
  assertEquals(`line 0\nline 1${rest}`, sent);
  assertEquals(connection.bytesReceived, sent.length);
});

Deno.test("X4: bytes that come behind a read ahead wait for a call that wants more than that", async () => {
  await using beat = beating();
  const { time, transport, connection } = beat;
  await time.pass(5 * CHECK);
  (await transport.nextRead()).give(bytesOf("first "));
  await time.pass(5 * CHECK);
  const behind = await transport.nextRead();
  assertEquals(textOf((await recv(connection))!), "first ");
  const frame = recvFrame(framed(connection, lines()));
  assert(await isPending(frame));
  behind.give(bytesOf("second\nthird"));
  assertEquals(await frame, "second");
  assertEquals(textOf((await recv(connection))!), "third");
});

Deno.test("X4: a read ahead that ends while this side closes breaks nothing", async () => {
  for (const last of ["bytes", "end", "failure"] as const) {
    await using beat = beating();
    const { time, transport, connection } = beat;
    await time.pass(5 * CHECK);
    (await transport.nextRead()).give(bytesOf("first"));
    await time.pass(5 * CHECK);
    const behind = await transport.nextRead();
    const closed = close(connection);
    await turns();
    if (last === "bytes") {
      behind.give(bytesOf("second"));
      (await transport.nextRead()).end();
    } else if (last === "end") behind.end();
    else behind.fail(connectionReset());
    await soon(closed);
    assertEquals(time.running, 0, last);
  }
});

Deno.test("X4: while 64 KiB wait that nobody receives, a peer is not given up, and after that it is", async () => {
  await using beat = beating();
  const { time, transport, connection } = beat;
  let sent = 0;
  while (sent < 64 * 1024) {
    await time.pass(4 * CHECK);
    const { buffer, give } = await transport.nextRead();
    give(new Uint8Array(buffer.length));
    sent += buffer.length;
  }
  const { reads } = transport;
  await time.pass(3 * (INTERVAL + TIMEOUT));
  assertEquals([transport.reads, beat.pings], [reads, 0]);
  assert(sent < 128 * 1024);
  for (let received = 0; received < sent;) received += (await recv(connection))!.length;
  await time.pass(INTERVAL + TIMEOUT + 4 * CHECK);
  await rejection(() => recv(connection), "TimedOut", "recv");
});

Deno.test("X4, E12: the time for which this process did not run does not count", async () => {
  await using beat = beating();
  const { time, connection } = beat;
  const received = recv(connection);
  await time.pass(INTERVAL / 2);
  time.block(100 * INTERVAL);
  await time.pass(INTERVAL / 2 - 4 * CHECK);
  assertEquals(beat.pings, 0);
  while (beat.pings === 0) await time.pass(CHECK);
  time.block(100 * INTERVAL);
  await time.pass(TIMEOUT - 4 * CHECK);
  assert(await isPending(received));
  await time.pass(TIMEOUT);
  await rejection(() => received, "TimedOut", "recv");
});

Deno.test("X4, E12: an answer that came while this process did not run counts", async () => {
  await using beat = beating();
  const { time, transport, connection } = beat;
  const received = recv(connection);
  await time.pass(INTERVAL + CHECK);
  assertEquals(beat.pings, 1);
  time.block(100 * TIMEOUT);
  const passed = time.pass(1);
  (await transport.nextRead()).give(bytesOf("PONG"));
  await passed;
  assertEquals(textOf((await received)!), "PONG");
  await time.pass(INTERVAL - CHECK);
  assertEquals(beat.pings, 1);
});

const WRONG = new TypeError("a mistake in ping");
const PINGS: Record<string, { ping: () => unknown; cause?: unknown }> = {
  throws: {
    ping: () => {
      throw WRONG;
    },
    cause: WRONG,
  },
  rejects: { ping: () => Promise.reject(WRONG), cause: WRONG },
  "gives a thenable that throws": {
    ping: () => ({
      then: () => {
        throw WRONG;
      },
    }),
    cause: WRONG,
  },
  hangs: { ping: () => new Promise(() => {}) },
  "gives a number": { ping: () => 5 },
};
for (const [what, { ping, cause }] of Object.entries(PINGS)) {
  Deno.test(`X4: a ping that ${what} ends nothing: the peer's silence decides`, async () => {
    using unhandled = watchUnhandled();
    await using beat = beating(ping as () => void);
    const { time, transport, connection } = beat;
    const received = recv(connection);
    await time.pass(INTERVAL + CHECK);
    (await transport.nextRead()).give(bytesOf("alive"));
    await received;
    const next = recv(connection);
    next.catch(() => {});
    await time.pass(INTERVAL + 2 * CHECK);
    assertEquals(beat.pings, 2);
    await time.pass(TIMEOUT + CHECK);
    const error = await rejection(() => next, "TimedOut", "recv");
    assertStrictEquals((error.cause as SocketError).cause, cause);
    assertEquals(await unhandled.seen(), []);
  });
}

Deno.test("X5: a heartbeat that is disposed, once or twice or in its ping, says nothing more", async () => {
  await using beat = beating();
  const { time, connection, heart } = beat;
  heart[Symbol.dispose]();
  heart[Symbol.dispose]();
  assertEquals(time.running, 0);
  await time.pass(10 * INTERVAL);
  assertEquals(beat.pings, 0);
  const last = heartbeat(connection, {
    interval: INTERVAL,
    timeout: TIMEOUT,
    ping: () => last[Symbol.dispose](),
  });
  const received = recv(connection);
  await time.pass(10 * INTERVAL);
  assert(await isPending(received));
  assertEquals(time.running, 0);
  abort(connection);
  await rejection(() => received, "Closed", "recv");
});

Deno.test("X5: a ping that aborts its connection ends the heartbeat with it", async () => {
  await using beat = beating(abort);
  const received = recv(beat.connection);
  received.catch(() => {});
  await beat.time.pass(10 * INTERVAL);
  await rejection(() => received, "Closed", "recv");
  assertEquals([beat.pings, beat.time.running], [1, 0]);
});

Deno.test("X5: close(), abort(), the peer's end and a break end the heartbeat, and leave no timer", async () => {
  const ends: Record<string, (beat: ReturnType<typeof beating>) => Promise<unknown> | void> = {
    close: ({ connection }) => void close(connection, { linger: 0 }).catch(() => {}),
    abort: ({ connection }) => abort(connection),
    end: async ({ transport }) => (await transport.nextRead()).end(),
    reset: async ({ transport }) => (await transport.nextRead()).fail(connectionReset()),
  };
  for (const [name, end] of Object.entries(ends)) {
    await using beat = beating();
    const { time, connection } = beat;
    recv(connection).catch(() => {});
    await time.pass(INTERVAL / 2);
    await end(beat);
    await time.pass(4 * CHECK);
    assertEquals(time.running, 0, name);
    await time.pass(10 * INTERVAL);
    assertEquals(beat.pings, 0, name);
  }
});

Deno.test("X5: on a connection that is over it does nothing", async () => {
  await using beat = beating();
  const closed = connectionOver(new ScriptedTransport());
  abort(closed);
  const running = beat.time.running;
  const ping = () => assert(false, "nobody is there");
  const heart = heartbeat(closed, { interval: INTERVAL, timeout: TIMEOUT, ping });
  assertEquals(beat.time.running, running);
  heart[Symbol.dispose]();
  await rejection(() => recv(closed), "Closed", "recv");
});

Deno.test("X4: of two heartbeats on one connection each has its own times and pings", async () => {
  await using beat = beating();
  const { time, transport, connection } = beat;
  let seldom = 0;
  const other = heartbeat(connection, {
    interval: 3 * INTERVAL,
    timeout: Infinity,
    ping: () => void seldom++,
  });
  const received = recv(connection);
  await time.pass(INTERVAL + CHECK);
  assertEquals([beat.pings, seldom], [1, 0]);
  beat.heart[Symbol.dispose]();
  await time.pass(2.5 * INTERVAL);
  assertEquals([beat.pings, seldom], [1, 1]);
  await time.pass(20 * INTERVAL);
  assert(await isPending(received), "a timeout of Infinity never aborts");
  assertEquals(seldom, 1, "one ping in a silence");
  (await transport.nextRead()).give(bytesOf("x"));
  await time.pass(5 * INTERVAL);
  assertEquals(seldom, 2);
  other[Symbol.dispose]();
  assertEquals(time.running, 0);
});

Deno.test("X4: state belongs to one connection: the next one begins with its own silence", async () => {
  await using beat = beating();
  await beat.time.pass(INTERVAL + CHECK);
  abort(beat.connection);
  const transport = new ScriptedTransport();
  const next = connectionOver(transport);
  let pings = 0;
  const ping = () => void pings++;
  using _heart = heartbeat(next, { interval: INTERVAL, timeout: TIMEOUT, ping });
  const received = recv(next);
  await beat.time.pass(INTERVAL - CHECK);
  assertEquals([beat.pings, pings], [1, 0]);
  assert(await isPending(received));
  abort(next);
  await rejection(() => received, "Closed", "recv");
});

Deno.test("X5: many heartbeats share one timer, and the last one takes it away", async () => {
  using time = virtualTime();
  const connections = Array.from({ length: 100 }, () => connectionOver(new ScriptedTransport()));
  let pings = 0;
  const hearts = connections.map((connection, index) =>
    heartbeat(connection, {
      interval: INTERVAL + index,
      timeout: TIMEOUT + index / 10,
      ping: () => void pings++,
    })
  );
  assertEquals(time.running, 1);
  await time.pass(INTERVAL + 300);
  assertEquals([pings, time.running], [100, 1]);
  for (const connection of connections.splice(50)) abort(connection);
  assertEquals(time.running, 1);
  for (const heart of hearts) heart[Symbol.dispose]();
  assertEquals(time.running, 0);
  for (const connection of connections) abort(connection);
  await turns();
});

Deno.test("X4: pings that take long let the event loop turn between them", async () => {
  using time = virtualTime();
  const connections = Array.from({ length: 6 }, () => connectionOver(new ScriptedTransport()));
  const order: string[] = [];
  const ping = () => {
    order.push("ping");
    if (order.length === 1) setTimeout(() => order.push("turn"), 0);
    time.block(6);
  };
  const times = { interval: INTERVAL, timeout: TIMEOUT };
  for (const connection of connections) heartbeat(connection, { ...times, ping });
  await time.pass(INTERVAL + 2 * CHECK);
  assertEquals(order, ["ping", "ping", "turn", "ping", "ping", "ping", "ping"]);
  for (const connection of connections) abort(connection);
  assertEquals(time.running, 0);
  await turns();
});

Deno.test("R7: disconnectSignal() beside a heartbeat sees the end, and both read the same bytes ahead", async () => {
  await using beat = beating();
  const { time, transport, connection } = beat;
  await time.pass(INTERVAL / 2);
  const signal = disconnectSignal(connection);
  (await transport.nextRead()).give(bytesOf("ahead"));
  await time.pass(INTERVAL / 2);
  (await transport.nextRead()).end();
  await turns();
  assertEquals([signal.aborted, signal.reason?.kind], [true, "UnexpectedEof"]);
  assertEquals(textOf((await recv(connection))!), "ahead");
  assertEquals(await recv(connection), null);
  await time.pass(10 * INTERVAL);
  assertEquals([beat.pings, time.running], [0, 0]);
});

Deno.test("X4: over TCP a client that answers stays, and one that does not is dropped", async () => {
  await using listener = await listen(LOOPBACK);
  const PING = bytesOf("PING\n");
  const times = { interval: 20, timeout: 2000 };
  const alive = await connect(listener.address);
  const server = await accept(listener);
  let pings = 0;
  const ping = () => {
    pings += 1;
    return send(server, PING);
  };
  using _heart = heartbeat(server, { ...times, ping });
  for (let count = 0; count < 5; count++) {
    assertEquals(await soon(recvLine(alive)), "PING");
    await send(alive, bytesOf("PONG\n"));
  }
  assert(pings >= 5);
  for (let count = 0; count < 5; count++) assertEquals(await recvLine(server), "PONG");

  const silent = await connect(listener.address);
  const other = await accept(listener);
  using _other = heartbeat(other, { interval: 8, timeout: 8, ping: () => send(other, PING) });
  const error = await rejection(() => recv(other), "TimedOut", "recv");
  assertEquals(error.address, silent.localAddress);
  assertEquals(await recvLine(silent), "PING");
  assertEquals(await recv(silent), null);
  for (const connection of [alive, server, silent]) abort(connection);
});
