/** The example's JSON-RPC, with a peer that does what each test wants. Real servers are in tests/interop/lsp_test.ts. */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { deadline } from "@std/async";
import {
  accept,
  close,
  connect,
  type Connection,
  contentLength,
  framed,
  type FramedConnection,
  json,
  listen,
  recvFrame,
  send,
  sendFrame,
  SocketError,
} from "../../mod.ts";
import { RpcError, type RpcHandlers, RpcPeer } from "../../examples/json_rpc.ts";

const PATIENCE_MS = 30_000;

interface Received {
  readonly jsonrpc?: string;
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly error?: { readonly code: number };
}

/** The other side, which sends and receives single messages. */
class Raw {
  readonly #connection: Connection;
  readonly #messages: FramedConnection<unknown, Received>;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#messages = framed(connection, json<unknown, Received>(contentLength()));
  }

  /** Receives a message, which must come. */
  async next(): Promise<Received> {
    const message = await recvFrame(this.#messages, { timeout: PATIENCE_MS });
    assert(message !== null);
    return message;
  }

  async say(message: object): Promise<void> {
    await sendFrame(this.#messages, { jsonrpc: "2.0", ...message });
  }

  async sayBytes(text: string): Promise<void> {
    await send(this.#connection, new TextEncoder().encode(text));
  }

  async end(): Promise<void> {
    await close(this.#connection);
  }
}

/** Connects a peer of the example with a raw one; afterwards both have ended. */
async function withPeers(
  use: (peer: RpcPeer, raw: Raw) => Promise<void>,
  handlers?: RpcHandlers,
): Promise<void> {
  await using listener = await listen({ host: "127.0.0.1", port: 0 });
  const [ours, theirs] = await Promise.all([connect(listener.address), accept(listener)]);
  const peer = new RpcPeer(ours, handlers);
  const raw = new Raw(theirs);
  try {
    await deadline(use(peer, raw), PATIENCE_MS);
  } finally {
    await Promise.all([peer.close(), raw.end()]);
  }
}

/** Asserts that a call rejects with a `SocketError`. */
async function assertFails(
  call: Promise<unknown>,
  kind: string,
  reason: RegExp,
): Promise<SocketError> {
  const error = await assertRejects(() => call, SocketError);
  assertEquals(error.kind, kind, error.message);
  assertMatch(error.reason, reason);
  return error;
}

Deno.test("100 concurrent requests get their own answers, in whatever order these come", async () => {
  await withPeers(async (peer, raw) => {
    const answers = Array.from({ length: 100 }, (_, n) => peer.request("double", { n }));
    const calls: Received[] = [];
    while (calls.length < 100) calls.push(await raw.next());
    assertEquals(new Set(calls.map(({ id }) => id)).size, 100);
    assertEquals(calls[7], { jsonrpc: "2.0", id: calls[7].id, method: "double", params: { n: 7 } });
    for (const { id, params } of calls.reverse()) {
      await raw.say({ id, result: (params as { n: number }).n * 2 });
    }
    assertEquals(await Promise.all(answers), Array.from({ length: 100 }, (_, n) => n * 2));
  });
});

Deno.test("an error of the peer has its code, message and data, and belongs to its request only", async () => {
  await withPeers(async (peer, raw) => {
    const failing = peer.request("bad"), other = peer.request("good");
    const [bad, good] = [await raw.next(), await raw.next()];
    await raw.say({ id: bad.id, error: { code: -32602, message: "no such file", data: ["a"] } });
    const error = await assertRejects(() => failing, RpcError, "no such file");
    assertEquals([error.name, error.code, error.data], ["RpcError", -32602, ["a"]]);
    await raw.say({ id: good.id, result: null });
    assertEquals(await other, null);
  });
});

Deno.test("notifications go both ways, in order, and have no id", async () => {
  const heard: unknown[] = [];
  const all = Promise.withResolvers<void>();
  await withPeers(async (peer, raw) => {
    for (const n of [1, 2, 3]) await peer.notify("count", { n });
    for (const n of [1, 2, 3]) {
      assertEquals<unknown>(await raw.next(), { jsonrpc: "2.0", method: "count", params: { n } });
      await raw.say({ method: "count", params: [n] });
    }
    await raw.say({ method: "grüße 😀" });
    await all.promise;
    assertEquals(heard, [["count", [1]], ["count", [2]], ["count", [3]], ["grüße 😀", undefined]]);
  }, {
    onNotification(method, params) {
      if (heard.push([method, params]) === 4) all.resolve();
    },
  });
});

const handlers: Record<string, () => unknown> = {
  sync: () => "at once",
  none: () => null,
  async: () => Promise.resolve([1]),
  refuse: () => {
    throw new RpcError(-32803, "request failed", { why: "because" });
  },
  break: () => Promise.reject(new TypeError("a mistake")),
  inexpressible: () => 1n,
};

for (
  const [method, answer] of [
    ["sync", { result: "at once" }],
    ["none", { result: null }],
    ["async", { result: [1] }],
    [
      "refuse",
      { error: { code: -32803, message: "request failed", data: { why: "because" } } },
    ],
    ["break", { error: { code: -32603, message: "TypeError: a mistake" } }],
    ["unknown", { error: { code: -32601, message: "unknown method: unknown" } }],
  ] as const
) {
  Deno.test(`a request of the peer to a handler that does "${method}" gets one answer`, async () => {
    await withPeers(async (_, raw) => {
      // Ids of strings and numbers come back as they were.
      for (const id of [0, "a/1"]) {
        await raw.say({ id, method });
        assertEquals<unknown>(await raw.next(), { jsonrpc: "2.0", id, ...answer });
      }
    }, { onRequest: (method) => handlers[method]?.() });
  });
}

Deno.test("a result that JSON cannot express is an error for the peer, which would wait without end", async () => {
  await withPeers(async (_, raw) => {
    await raw.say({ id: 1, method: "inexpressible" });
    const { error } = await raw.next();
    assertEquals(error?.code, -32603);
  }, { onRequest: (method) => handlers[method]?.() });
});

Deno.test("without handlers, requests of the peer are answered and notifications are ignored", async () => {
  await withPeers(async (_, raw) => {
    await raw.say({ method: "window/logMessage", params: { type: 3, message: "hello" } });
    await raw.say({ id: 5, method: "workspace/configuration" });
    const { id, error } = await raw.next();
    assertEquals([id, error?.code], [5, -32601]);
  });
});

Deno.test("a signal cancels its request at once, and the peer gets $/cancelRequest with its id", async () => {
  await withPeers(async (peer, raw) => {
    const controller = new AbortController();
    const { signal } = controller;
    const slow = peer.request("slow", {}, { signal }), other = peer.request("other");
    const [{ id }, { id: otherId }] = [await raw.next(), await raw.next()];
    controller.abort("not needed");
    const error = await assertFails(slow, "Aborted", /cancelled by its signal/);
    assertEquals([error.operation, error.cause], ["slow", "not needed"]);
    assertEquals<unknown>(await raw.next(), {
      jsonrpc: "2.0",
      method: "$/cancelRequest",
      params: { id },
    });
    // The answer that the protocol wants all the same disturbs nothing.
    await raw.say({ id, error: { code: -32800, message: "cancelled" } });
    await raw.say({ id: otherId, result: "fine" });
    assertEquals(await other, "fine");
    // A second answer belongs to no request.
    await raw.say({ id, result: 1 });
    await assertFails(peer.ended.then((reason) => Promise.reject(reason)), "InvalidData", /answer/);
  });
});

Deno.test("a request whose signal has aborted sends nothing, and one that has settled cancels nothing", async () => {
  await withPeers(async (peer, raw) => {
    await assertFails(
      peer.request("never", {}, { signal: AbortSignal.abort() }),
      "Aborted",
      /cancelled/,
    );
    const controller = new AbortController();
    const answered = peer.request("first", {}, { signal: controller.signal });
    const { id, method } = await raw.next();
    assertEquals(method, "first");
    await raw.say({ id, result: 1 });
    assertEquals(await answered, 1);
    controller.abort();
    await peer.notify("last");
    assertEquals((await raw.next()).method, "last");
  });
});

Deno.test("the end of the peer rejects all that waits and all later requests, with one reason", async () => {
  await withPeers(async (peer, raw) => {
    const waiting = Array.from({ length: 10 }, () => peer.request("wait"));
    const settled = Promise.allSettled(waiting);
    for (const _ of waiting) await raw.next();
    await raw.end();
    const reason = await peer.ended;
    assertInstanceOf(reason, SocketError);
    assertEquals([reason.kind, reason.reason], [
      "UnexpectedEof",
      "the peer has ended the connection",
    ]);
    for (const result of await settled) {
      assert(result.status === "rejected");
      assertStrictEquals(result.reason, reason);
    }
    assertStrictEquals(await assertRejects(() => peer.request("late"), SocketError), reason);
  });
});

Deno.test("closing this side rejects all that waits, and the reason is this side", async () => {
  await withPeers(async (peer, raw) => {
    const waiting = assertRejects(() => peer.request("wait"), SocketError);
    await raw.next();
    await Promise.all([peer.close(), raw.end()]);
    assertEquals((await waiting).kind, "Closed");
    assertStrictEquals(await peer.ended, await waiting);
  });
});

Deno.test("an error of onNotification ends the connection, and is its reason", async () => {
  const mistake = new Error("a mistake");
  await withPeers(async (peer, raw) => {
    const waiting = assertRejects(() => peer.request("wait"));
    await raw.next();
    await raw.say({ method: "boom" });
    assertStrictEquals(await peer.ended, mistake);
    assertStrictEquals(await waiting, mistake);
  }, {
    onNotification() {
      throw mistake;
    },
  });
});

Deno.test("a message that cannot be sent rejects its call only", async () => {
  await withPeers(async (peer, raw) => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    await assertFails(peer.request("cycle", cycle), "InvalidInput", /cannot be encoded/);
    await assertFails(peer.notify("cycle", cycle), "InvalidInput", /cannot be encoded/);
    const large = "x".repeat(64 * 2 ** 20);
    await assertFails(peer.request("large", large), "TooLarge", /at most 67108864/);
    const answer = peer.request("small");
    await raw.say({ id: (await raw.next()).id, result: true });
    assertEquals(await answer, true);
  });
});

Deno.test("a message that comes a byte at a time is whole, and its length counts bytes", async () => {
  await withPeers(async (peer, raw) => {
    const answer = peer.request("text");
    const { id } = await raw.next();
    const body = new TextEncoder().encode(`{"jsonrpc":"2.0","id":${id},"result":"ä漢😀"}`);
    assertEquals(body.length, `{"jsonrpc":"2.0","id":${id},"result":""}`.length + 9);
    const message =
      `content-LENGTH: ${body.length}\r\nContent-Type: application/vscode-jsonrpc\r\n\r\n`;
    for (const character of message) await raw.sayBytes(character);
    await raw.sayBytes(new TextDecoder().decode(body));
    assertEquals(await answer, "ä漢😀");
  });
});

const frame = (body: string) => `Content-Length: ${body.length}\r\n\r\n${body}`;

for (
  const [what, bytes, kind, reason] of [
    ["no length", "Content-Type: a\r\n\r\n{}", "InvalidData", /no Content-Length/],
    [
      "two lengths",
      "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
      "InvalidData",
      /two Content-Length/,
    ],
    ["a negative length", "Content-Length: -2\r\n\r\n{}", "InvalidData", /no decimal/],
    ["an empty length", "Content-Length:\r\n\r\n{}", "InvalidData", /no decimal/],
    ["a length in hexadecimal", "Content-Length: 0x2\r\n\r\n{}", "InvalidData", /no decimal/],
    ["a line that is no header", "hello\r\n\r\n", "InvalidData", /no header/],
    ["a length over the limit", "Content-Length: 67108865\r\n\r\n", "TooLarge", /67108864/],
    ["a header block without an end", "X".repeat(8192), "TooLarge", /header block/],
    ["a body that is no JSON", frame("{'id':1}"), "InvalidData", /not JSON/],
    ["an empty body", frame(""), "InvalidData", /not JSON/],
    ["more than one value", frame("{}{}"), "InvalidData", /not JSON/],
    ["a length that is too short", "Content-Length: 1\r\n\r\n{}", "InvalidData", /not JSON/],
    ["null", frame("null"), "InvalidData", /null/],
    ["a number", frame("1"), "InvalidData", /JSON-RPC/],
    ["a batch", frame('[{"jsonrpc":"2.0","method":"a"}]'), "InvalidData", /JSON-RPC/],
    ["JSON-RPC 1", frame('{"id":1,"result":1}'), "InvalidData", /JSON-RPC/],
    ["a method that is a number", frame('{"jsonrpc":"2.0","method":1}'), "InvalidData", /JSON-RPC/],
    [
      "a request with an object as id",
      frame('{"jsonrpc":"2.0","id":{},"method":"a"}'),
      "InvalidData",
      /JSON-RPC/,
    ],
    ["an answer without a result", frame('{"jsonrpc":"2.0","id":1}'), "InvalidData", /JSON-RPC/],
    [
      "an error without a code",
      frame('{"jsonrpc":"2.0","id":1,"error":"no"}'),
      "InvalidData",
      /JSON-RPC/,
    ],
    [
      "an answer to no request",
      frame('{"jsonrpc":"2.0","id":99,"result":1}'),
      "InvalidData",
      /an answer came to no request/,
    ],
    [
      "an answer with the id as text",
      frame('{"jsonrpc":"2.0","id":"1","result":1}'),
      "InvalidData",
      /an answer came to no request/,
    ],
    [
      "an error without an id",
      frame('{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error"}}'),
      "InvalidData",
      /no request: parse error/,
    ],
  ] as const
) {
  Deno.test(`the connection ends after ${what}, and the waiting request says why`, async () => {
    await withPeers(async (peer, raw) => {
      const waiting = peer.request("wait");
      waiting.catch(() => {});
      assertEquals((await raw.next()).id, 1);
      await raw.sayBytes(bytes);
      await assertFails(waiting, kind, reason);
      await assertFails(peer.request("later"), kind, reason);
    });
  });
}

for (
  const bytes of ["Content-Le", "Content-Length: 9\r\n\r\n", 'Content-Length: 9\r\n\r\n{"json']
) {
  Deno.test(`the end of stream after ${JSON.stringify(bytes)} is one inside a message`, async () => {
    await withPeers(async (peer, raw) => {
      const waiting = peer.request("wait");
      waiting.catch(() => {});
      await raw.next();
      await raw.sayBytes(bytes);
      await raw.end();
      await assertFails(waiting, "UnexpectedEof", /inside a frame/);
    });
  });
}

Deno.test("a body that is not UTF-8 ends the connection", async () => {
  await using listener = await listen({ host: "127.0.0.1", port: 0 });
  const [ours, theirs] = await Promise.all([connect(listener.address), accept(listener)]);
  const peer = new RpcPeer(ours);
  await send(theirs, new TextEncoder().encode("Content-Length: 3\r\n\r\n"));
  await send(theirs, new Uint8Array([0x22, 0xff, 0x22]));
  const reason = await deadline(peer.ended, PATIENCE_MS);
  assertInstanceOf(reason, SocketError);
  assertEquals([reason.kind, reason.reason], ["InvalidData", "the frame is not UTF-8"]);
  await close(theirs);
});
