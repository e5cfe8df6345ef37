import { assert, assertEquals, assertMatch, assertStrictEquals } from "@std/assert";
import {
  abort,
  connect,
  type Connection,
  framed,
  lines as codecOfLines,
  listen,
  mapCodec,
  recv,
  recvFrame,
  send,
  serve,
  type ServeOptions,
  SocketError,
} from "../../../mod.ts";
import { outOfDescriptors } from "../../support/runtime_errors.ts";
import { ScriptedConn, ScriptedListener } from "../../support/scripted_runtime.ts";
import { echo, type Handler, kinds, serving, until } from "../../support/serving.ts";
import { soon } from "../../support/socket_errors.ts";
import { LOOPBACK } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { turns } from "../../support/turns.ts";
import { watchUnhandled } from "../../support/unhandled.ts";
import { virtualTime } from "../../support/virtual_time.ts";

const SECRET = "hunter2";

/** Values that a handler may throw, each with the first line about it. */
const THROWN: readonly (readonly [what: string, thrown: unknown, line: string])[] = [
  ["an error", new Error(SECRET), 'the handler failed with Error: "hunter2"'],
  [
    "an error of another class",
    new RangeError(SECRET),
    'the handler failed with RangeError: "hunter2"',
  ],
  [
    "a SocketError that quotes a frame",
    new SocketError("InvalidData", "recvFrame", `the frame ${SECRET} is none`, { code: "EPROTO" }),
    "the handler failed with InvalidData of recvFrame (EPROTO)",
  ],
  ["nothing", undefined, "the handler failed with a thrown undefined"],
  ["null", null, "the handler failed with a thrown object"],
  ["a string", SECRET, 'the handler failed with a thrown string: "hunter2"'],
  ["a symbol", Symbol(SECRET), "the handler failed with a thrown symbol"],
  ["an object without a prototype", Object.create(null), "the handler failed with an object"],
  [
    "an object whose class has no proper name",
    { constructor: { name: `a ${SECRET}` } },
    "the handler failed with an object",
  ],
];

const WAYS: Record<string, (error: unknown) => Handler> = {
  "throws at once": (error) => () => {
    throw error;
  },
  rejects: (error) => () => Promise.reject(error),
  "throws later": (error) => async (connection) => {
    await recv(connection);
    throw error;
  },
  "gives a thenable that throws": (error) => () =>
    ({
      then() {
        throw error;
      },
    }) as unknown as Promise<void>,
};

for (const [way, make] of Object.entries(WAYS)) {
  Deno.test(`V5: a handler that ${way} ends its own connection only`, async () => {
    using unhandled = watchUnhandled();
    for (const [what, thrown] of THROWN) {
      const reports: [unknown, Connection | undefined][] = [];
      let calls = 0;
      await using served = await serving(
        (connection, context) =>
          ++calls === 1 ? make(thrown)(connection, context) : echo(connection),
        { onError: (error, connection) => void reports.push([error, connection]) },
      );
      const bad = await served.client();
      await send(bad, bytesOf("x"));
      assertEquals(await soon(recv(bad)), null, what);
      const good = await served.client();
      await send(good, bytesOf("good"));
      assertEquals(textOf(await soon(recv(good))), "good", what);
      assertEquals(reports.length, 1, what);
      assertStrictEquals(reports[0][0], thrown, what);
      assertEquals(reports[0][1]?.remoteAddress, bad.localAddress);
    }
    assertEquals(await unhandled.seen(), []);
  });
}

/** Collects the lines on standard error while `run` runs. */
async function linesOf(run: () => Promise<void>): Promise<string[]> {
  const lines: string[] = [];
  const real = console.error;
  console.error = (...all) => void lines.push(all.map(String).join(" "));
  try {
    await run();
  } finally {
    console.error = real;
  }
  return lines;
}

async function linesAbout(thrown: unknown, options: ServeOptions): Promise<string[]> {
  let server = "";
  let client = "";
  const lines = await linesOf(async () => {
    await using served = await serving(() => Promise.reject(thrown), options);
    const connection = await served.client();
    assertEquals(await soon(recv(connection)), null);
    server = `127.0.0.1:${served.server.address.port}`;
    client = `127.0.0.1:${connection.localAddress.port}`;
  });
  return lines.map((line) => line.replaceAll(server, "SERVER").replaceAll(client, "CLIENT"));
}

Deno.test("V5: without onError standard error has the message and the stack of what a handler threw", async () => {
  for (const [what, thrown, line] of THROWN) {
    const [text, ...others] = await linesAbout(thrown, { onError: undefined });
    assertEquals(others, [], what);
    const [first, ...places] = text.split("\n");
    assertEquals(first, `serve SERVER: CLIENT: ${line}`, what);
    const hasStack = thrown instanceof Error && !(thrown instanceof SocketError);
    assertEquals(places.length > 0, hasStack, what);
    for (const place of places) assertMatch(place, /^ {4}at ./, what);
    if (hasStack) assertMatch(places[0], /serve_errors_test\.ts/);
  }
});

Deno.test("V5: a message on standard error forges no line, and is cut off if it is long", async () => {
  const forged =
    "x\nserve 1.2.3.4:80: forged\n    at forged (file:///forged.ts:1:1)\r\x1b[2J\u2028\u202e";
  const [text] = await linesAbout(new Error(forged), { onError: undefined });
  const [first, ...places] = text.split("\n");
  const quoted = '"x\\nserve 1.2.3.4:80: forged\\n    at forged (file:///forged.ts:1:1)' +
    '\\r\\u001b[2J\\u2028\\u202e"';
  assertEquals(first, `serve SERVER: CLIENT: the handler failed with Error: ${quoted}`);
  for (const place of places) assert(!place.includes("forged"), place);
  const [long] = await linesAbout(new Error("y".repeat(10_000)), { onError: undefined });
  assertEquals(long.split("\n")[0].match(/y+/)?.[0].length, 497);
  const changed = new Error(forged);
  // The runtime writes the stack when it is first asked for.
  assert(changed.stack?.includes("forged"));
  changed.message = "another one";
  const [other] = await linesAbout(changed, { onError: undefined });
  assertEquals(other, 'serve SERVER: CLIENT: the handler failed with Error: "another one"');
});

Deno.test("V5: without onError the words of a codec's error are not on standard error", async () => {
  const lines = await linesOf(async () => {
    const codec = mapCodec(codecOfLines(), {
      encode: String,
      decode: (line: string): string => {
        throw new Error(`${line} is none`);
      },
    });
    await using served = await serving(
      async (connection) => void await recvFrame(framed(connection, codec)),
      { onError: undefined },
    );
    const client = await served.client();
    await send(client, bytesOf(`${SECRET}\n`));
    assertEquals(await soon(recv(client)), null);
  });
  assertEquals(lines.length, 1);
  assertMatch(lines[0], /: the handler failed with InvalidData of recvFrame$/);
});

Deno.test("V5: an onError that throws or rejects ends nothing, and a line reports it", async () => {
  using unhandled = watchUnhandled();
  const mistake = new TypeError(SECRET);
  const ways: Record<string, () => void> = {
    throws: () => {
      throw mistake;
    },
    rejects: () => Promise.reject(mistake),
    "gives a thenable that throws": () => ({
      then() {
        throw mistake;
      },
    }),
  };
  for (const [way, onError] of Object.entries(ways)) {
    const lines = await linesAbout(new Error(SECRET), { onError });
    const [first, ...places] = lines.join("\n").split("\n");
    assertEquals(first, 'serve SERVER: CLIENT: onError failed with TypeError: "hunter2"', way);
    for (const place of places) assertMatch(place, /^ {4}at ./, way);
  }
  assertEquals(await unhandled.seen(), []);
});

Deno.test("V5: the line about a timeout or a missing PROXY header gives the reason", async () => {
  const lines = await linesOf(async () => {
    await using idle = await serving(
      async (connection) => void await recv(connection),
      { onError: undefined, idleTimeout: 1 },
    );
    assertEquals(await soon(recv(await idle.client())), null);
    await using behind = await serving(() => {}, {
      onError: undefined,
      proxyProtocol: { trust: ["127.0.0.1"] },
    });
    const client = await behind.client();
    await send(client, bytesOf(`GET /${SECRET} HTTP/1.1\r\n\r\n`));
    assertEquals(await soon(recv(client).catch(() => null)), null);
  });
  assertEquals(lines.length, 2);
  assertMatch(lines[0], /^serve 127\.0\.0\.1:\d+: 127\.0\.0\.1:\d+: nothing moved for 1 ms$/);
  assertMatch(lines[1], /^serve 127\.0\.0\.1:\d+: 127\.0\.0\.1:\d+: no PROXY header: InvalidData$/);
});

Deno.test("V1: what a handler sent before it threw is delivered", async () => {
  await using served = await serving((connection) => {
    void send(connection, new Uint8Array(5_000_000));
    throw new Error("afterwards");
  });
  const client = await served.client();
  let received = 0;
  for (let bytes; (bytes = await soon(recv(client))) !== null;) received += bytes.length;
  assertEquals(received, 5_000_000);
});

Deno.test("V5: onError hears of an answer that a client did not take", async () => {
  const listener = await listen(LOOPBACK);
  const errors: unknown[] = [];
  const client = connect(listener.address);
  const called = Promise.withResolvers<void>();
  using time = virtualTime(turns);
  const server = serve(listener, (connection) => {
    // Both kernels hold less than this.
    void send(connection, new Uint8Array(64 * 1024 * 1024));
    called.resolve();
  }, { onError: (error) => void errors.push(error) });
  await called.promise;
  // Bytes leave until the buffers of both kernels are full.
  for (let second = 0; second < 90 && errors.length === 0; second++) await time.pass(1000);
  assertEquals(kinds(errors), ["TimedOut close"]);
  assertEquals(server.active, 0);
  const ended = server.shutdown();
  await time.pass(30);
  await ended;
  abort(await client);
});

Deno.test("V7: a system that is out of descriptors ends nothing: onError hears of it, and accepting pauses", async () => {
  using runtime = new ScriptedListener([], outOfDescriptors);
  using time = virtualTime();
  const errors: [unknown, unknown][] = [];
  const server = serve(await listen(LOOPBACK), () => {}, {
    onError: (error, connection) => void errors.push([error, connection]),
  });
  await time.pass(5000);
  // 5 ms doubling to 1 s: 5 + 10 + … + 640 = 1275 ms, then once a second.
  assert(runtime.accepts >= 11 && runtime.accepts <= 13, `${runtime.accepts} accepts`);
  assertEquals(kinds(errors.map(([error]) => error)), errors.map(() => "ResourceExhausted accept"));
  for (const [, connection] of errors) assertEquals(connection, undefined);
  assertEquals(server.accepted, 0);
  await soon(server.shutdown({ timeout: 0 }));
  assertEquals(time.running, 0);
});

Deno.test("V7: serve() goes on when there are descriptors again", async () => {
  using runtime = new ScriptedListener([outOfDescriptors(), outOfDescriptors()]);
  using time = virtualTime();
  const errors: unknown[] = [];
  const server = serve(await listen(LOOPBACK), () => {}, {
    onError: (error) => void errors.push(error),
  });
  await time.pass(20);
  assertEquals(errors.length, 2);
  const conn = new ScriptedConn();
  runtime.give(conn);
  await time.pass(0);
  assertEquals([server.accepted, server.active], [1, 0]);
  assertEquals(conn.log.at(-1), "close");
  const ended = server.shutdown();
  await time.pass(30);
  await ended;
  assertEquals(time.running, 0);
});

Deno.test("V7: shutdown() waits for descriptors to let in the clients of the backlog", async () => {
  using runtime = new ScriptedListener(Array.from({ length: 4 }, outOfDescriptors));
  using time = virtualTime();
  const server = serve(await listen(LOOPBACK), () => {}, { onError: () => {} });
  // The pause after the fourth failure lasts from 35 to 75 ms.
  await time.pass(40);
  const ended = server.shutdown();
  await time.pass(30);
  runtime.give(new ScriptedConn());
  await time.pass(40);
  assertEquals(await soon(ended), { drained: 1, aborted: 0 });
});

Deno.test("V5: onError does not hear what a handler throws because the server ends", async () => {
  using unhandled = watchUnhandled();
  const own: Record<string, Handler> = {
    "recv with the signal": async (connection, { signal }) =>
      void await recv(connection, { signal }),
    "the signal's reason": async (_, { signal }) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      signal.throwIfAborted();
    },
    "recv of an aborted connection": async (connection) => void await recv(connection),
  };
  for (const [what, handler] of Object.entries(own)) {
    await using served = await serving(handler);
    const client = await served.client();
    await until(() => served.server.active === 1, "it is accepted");
    // The client leaves when the handler ends, so that the close does not linger.
    void recv(client).then(() => abort(client), () => {});
    const timeout = what === "recv of an aborted connection" ? 1 : Infinity;
    await soon(served.server.shutdown({ timeout }));
    assertEquals(served.errors, [], what);
  }
  assertEquals(await unhandled.seen(), []);
});

Deno.test("V5: onError hears what else a handler throws when the server ends", async () => {
  using unhandled = watchUnhandled();
  const gate = Promise.withResolvers<void>();
  await using served = await serving(async () => {
    await gate.promise;
    throw new Error("a mistake");
  });
  await served.client();
  await until(() => served.server.active === 1, "it is accepted");
  // The handler ends after the server.
  assertEquals(await soon(served.server.shutdown({ timeout: 1 })), { drained: 0, aborted: 1 });
  gate.resolve();
  assertEquals(await unhandled.seen(), []);
  assertEquals(served.errors.map(String), ["Error: a mistake"]);
});
