import { assert, assertRejects } from "@std/assert";
import {
  abort,
  accept,
  bindUdp,
  closeUdp,
  type Connection,
  connectionOver,
  framed,
  lengthPrefixed,
  lines,
  listen,
  type OperationOptions,
  recv,
  recvExactly,
  recvFrame,
  recvFrames,
  recvFrom,
  recvInto,
  recvLine,
  recvUntil,
  send,
  sendTo,
  SocketError,
  type Transport,
} from "../../../mod.ts";
import { ScriptedConn, ScriptedListener } from "../../support/scripted_runtime.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { soon } from "../../support/socket_errors.ts";
import { LOOPBACK, tcpPair } from "../../support/tcp_pair.ts";
import { turns } from "../../support/turns.ts";

/** This many timers must fire while a flood is received. */
const TIMERS = 5;
/** A flood that is answered this often without a timer has kept the event loop. */
const MOST_ANSWERS = 1_000_000;

/** A peer that always has more to say. */
function endless(pattern: Uint8Array): Transport {
  return {
    read(buffer: Uint8Array): Promise<number> {
      const length = buffer.length - buffer.length % pattern.length;
      for (let at = 0; at < length; at += pattern.length) buffer.set(pattern, at);
      return Promise.resolve(length);
    },
    write: (bytes) => Promise.resolve(bytes.length),
    close(): void {},
  };
}

/** Timers that follow one another, until they have fired often enough. */
function timers(): { readonly fired: number; stop(): void } {
  let fired = 0;
  let id = setTimeout(function next() {
    fired++;
    if (fired < TIMERS) id = setTimeout(next, 1);
  }, 1);
  return {
    get fired(): number {
      return fired;
    },
    stop: () => clearTimeout(id),
  };
}

/** Fails if timers do not fire while calls are answered that always have an answer. */
async function assertFair(receive: () => Promise<unknown>): Promise<void> {
  const ticks = timers();
  try {
    let answers = 0;
    while (ticks.fired < TIMERS && answers < MOST_ANSWERS) {
      await receive();
      answers++;
    }
    assert(ticks.fired === TIMERS, `${answers} answers, and ${ticks.fired} timers fired`);
  } finally {
    ticks.stop();
  }
}

type Receive = (connection: Connection, options?: OperationOptions) => Promise<unknown>;

/** Makes calls of an iteration, which begins when a connection comes for the first time. */
function iterating(iterate: (connection: Connection) => AsyncIterable<unknown>): Receive {
  const iterators = new WeakMap<Connection, AsyncIterator<unknown>>();
  return (connection) => {
    const iterator = iterators.get(connection) ?? iterate(connection)[Symbol.asyncIterator]();
    iterators.set(connection, iterator);
    return iterator.next();
  };
}

const EMPTY_LINE = Uint8Array.of(10);
const EMPTY_FRAME = new Uint8Array(4);
const codec = lengthPrefixed();
const buffer = new Uint8Array(1);
let reader: ReadableStreamBYOBReader | undefined;

const FLOODS: readonly (readonly [name: string, pattern: Uint8Array, receive: Receive])[] = [
  ["recvLine()", EMPTY_LINE, recvLine],
  ["recvUntil()", EMPTY_LINE, (connection, options) => recvUntil(connection, EMPTY_LINE, options)],
  ["recvExactly()", EMPTY_LINE, (connection, options) => recvExactly(connection, 1, options)],
  [
    "recvFrame() of lines",
    EMPTY_LINE,
    (connection, options) => recvFrame(framed(connection, lines()), options),
  ],
  [
    "recvFrame() of empty frames",
    EMPTY_FRAME,
    (connection, options) => recvFrame(framed(connection, codec), options),
  ],
  [
    "recvFrames() of lines",
    EMPTY_LINE,
    (connection, options) => recvFrames(framed(connection, lines()), options),
  ],
  [
    "recvFrames() of empty frames",
    EMPTY_FRAME,
    (connection, options) => recvFrames(framed(connection, codec), options),
  ],
  [
    "recv() of single bytes",
    EMPTY_LINE,
    (connection, options) => recv(connection, { ...options, maxBytes: 1 }),
  ],
  [
    "recvInto() of single bytes",
    EMPTY_LINE,
    (connection, options) => recvInto(connection, buffer, options),
  ],
  ["an iteration of frames", EMPTY_FRAME, iterating((connection) => framed(connection, codec))],
  ["an iteration of bytes", EMPTY_LINE, iterating((connection) => connection)],
  [
    "readable",
    EMPTY_LINE,
    (connection) =>
      (reader ??= connection.readable.getReader({ mode: "byob" })).read(new Uint8Array(1)),
  ],
];

for (const [name, pattern, receive] of FLOODS) {
  for (const options of [undefined, { timeout: 60_000 }]) {
    const how = options === undefined ? "" : " with a timeout";

    Deno.test(`E11: ${name}${how} lets timers run while a peer floods`, async () => {
      const connection = connectionOver(endless(pattern));
      reader = undefined;
      await assertFair(() => receive(connection, options));
      abort(connection);
    });
  }
}

Deno.test("E11: send() lets timers run while a transport takes everything at once", async () => {
  const connection = connectionOver(endless(EMPTY_LINE));
  await assertFair(() => send(connection, EMPTY_LINE));
  abort(connection);
});

Deno.test("E11: batches let timers run beside a program that takes long for each of their frames", async () => {
  const connection = connectionOver(endless(EMPTY_LINE));
  const stream = framed(connection, lines());
  // Fast answers first: after them the clock is read less often.
  for (let answers = 0; answers < 20_000; answers++) await recvFrame(stream);
  let fired = false;
  const id = setTimeout(() => fired = true, 1);
  let batches = 0;
  for (; !fired && batches < 100; batches++) {
    const end = performance.now() + 10 * (await recvFrames(stream))!.length / 4096;
    while (performance.now() < end);
  }
  clearTimeout(id);
  abort(connection);
  assert(batches < 20, `${batches} batches before a timer`);
});

/** Makes calls until one has to wait for the event loop. Returns that call, in an object so that it is not awaited. */
async function untilTurnIsDue(flooded: Connection): Promise<{ call: Promise<unknown> }> {
  for (let answers = 0; answers < MOST_ANSWERS; answers++) {
    let settled = false;
    const call = recvLine(flooded).then(() => settled = true);
    for (let microtask = 0; microtask < 50 && !settled; microtask++) await undefined;
    if (!settled) return { call };
  }
  throw new Error("no call had to wait");
}

const LEFT: Record<string, Receive> = {
  recv,
  recvLine,
  recvFrames: (connection) => recvFrames(framed(connection, lines())),
};

for (const [name, receive] of Object.entries(LEFT)) {
  Deno.test(`E6: ${name}() that waits for the event loop gets what is there, not what a cancelled call reads`, async () => {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const flooded = connectionOver(endless(EMPTY_LINE));
    const controller = new AbortController();
    const cancelled = recvExactly(connection, 9, { signal: controller.signal });
    (await transport.nextRead()).give(EMPTY_LINE);
    const read = await transport.nextRead();
    controller.abort();
    await cancelled.catch(() => {});
    const { call } = await untilTurnIsDue(flooded);
    await soon(receive(connection));
    read.end();
    await call;
    abort(flooded);
    abort(connection);
  });
}

Deno.test("E11: another socket is served while a peer floods", async () => {
  await using pair = await tcpPair();
  const flooded = connectionOver(endless(EMPTY_LINE));
  let answers = 0;
  let over = false;
  const flood = (async () => {
    for (; !over && answers < MOST_ANSWERS; answers++) await recvLine(flooded);
  })();
  for (let word = 0; word < 5; word++) {
    await send(pair.client, Uint8Array.of(word));
    await send(pair.server, (await soon(recv(pair.server)))!);
    await soon(recv(pair.client));
  }
  assert(answers < MOST_ANSWERS, "the flood was answered to its end before");
  over = true;
  await flood;
  abort(flooded);
});

for (
  const [name, call] of [
    ["recv()", (connection) => recv(connection)],
    ["recvInto()", (connection) => recvInto(connection, new Uint8Array(8))],
    ["recvExactly()", (connection) => recvExactly(connection, 3)],
    ["readable", (connection) => connection.readable.getReader().read()],
  ] satisfies readonly (readonly [string, (connection: Connection) => Promise<unknown>])[]
) {
  Deno.test(`E6, E11: ${name} gives what a cancelled call has left while another peer floods`, async () => {
    const flooded = connectionOver(endless(EMPTY_LINE));
    let reads = 0;
    const connection = connectionOver({
      read(buffer): Promise<number> {
        buffer.set([1, 2, 3]);
        return reads++ === 0 ? Promise.resolve(3) : new Promise(() => {});
      },
      write: (bytes) => Promise.resolve(bytes.length),
      close(): void {},
    });
    const controller = new AbortController();
    const { signal } = controller;
    const cancelled = assertRejects(() => recvLine(connection, { signal }), SocketError);
    await turns(2);
    controller.abort();
    await cancelled;
    // From here on the event loop has to turn before any call is answered.
    let answered = true;
    let flood: Promise<unknown> | undefined;
    for (let answers = 0; answered && answers < MOST_ANSWERS; answers++) {
      answered = false;
      flood = recvLine(flooded).then(() => answered = true);
      for (let step = 0; step < 20 && !answered; step++) await undefined;
    }
    assert(!answered, "the event loop never had to turn");
    await soon<unknown>(call(connection));
    await flood;
    abort(connection);
    abort(flooded);
  });
}

Deno.test("E11: accept() lets timers run while clients flood", async () => {
  const clients = Array.from({ length: 1000 }, () => new ScriptedConn());
  using _ = new ScriptedListener(Array.from({ length: 300_000 }, (_, at) => clients[at % 1000]));
  await using listener = await listen(LOOPBACK);
  await assertFair(() => soon(accept(listener)));
});

Deno.test("E11: recvFrom() lets timers run while a peer floods", async () => {
  await using receiver = await bindUdp(LOOPBACK);
  const sender = await bindUdp(LOOPBACK);
  let stop = false;
  const flood = (async () => {
    while (!stop) await sendTo(sender, receiver.address, EMPTY_LINE);
  })();
  await assertFair(() => recvFrom(receiver));
  stop = true;
  await flood;
  await closeUdp(sender);
});
