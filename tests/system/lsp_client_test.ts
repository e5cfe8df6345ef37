/** The example's language server client with servers that do what each test wants. */
import { assert, assertEquals, assertInstanceOf, assertMatch, assertRejects } from "@std/assert";
import { deadline } from "@std/async";
import {
  accept,
  close,
  connect,
  type Connection,
  listen,
  recv,
  send,
  SocketError,
} from "../../mod.ts";
import { RpcError, type RpcHandlers, RpcPeer } from "../../examples/json_rpc.ts";
import { LspClient } from "../../examples/lsp_client.ts";
import { connectProcess } from "../../examples/process_connection.ts";
import { Example } from "./support/example.ts";

const PATIENCE_MS = 30_000;

/** Connects a client with a server of these handlers. */
async function withServer(
  handlers: RpcHandlers,
  use: (connection: Connection, server: RpcPeer) => Promise<void>,
): Promise<void> {
  await using listener = await listen({ host: "127.0.0.1", port: 0 });
  const [ours, theirs] = await Promise.all([connect(listener.address), accept(listener)]);
  const server = new RpcPeer(theirs, handlers);
  try {
    await deadline(use(ours, server), PATIENCE_MS);
  } finally {
    await Promise.all([close(ours), server.close()]);
  }
}

Deno.test("a session is initialize, initialized, what the user does, shutdown, exit, and the end", async () => {
  const heard: unknown[] = [];
  const handlers: RpcHandlers = {
    onNotification: (method, params) => void heard.push([method, params]),
    onRequest(method, params) {
      heard.push([method, params]);
      return method === "initialize" ? { capabilities: { hoverProvider: true } } : null;
    },
  };
  await withServer(handlers, async (connection, server) => {
    const params = { rootUri: "file:///a", capabilities: { general: {} } };
    {
      await using client = await LspClient.start(connection, params);
      assertEquals(client.capabilities, { hoverProvider: true });
      assertEquals(await client.request("textDocument/hover", { a: 1 }), null);
    }
    const reason = await server.ended;
    assertInstanceOf(reason, SocketError);
    assertEquals(reason.kind, "UnexpectedEof");
    assertEquals(heard, [
      ["initialize", { processId: null, ...params }],
      ["initialized", {}],
      ["textDocument/hover", { a: 1 }],
      ["shutdown", undefined],
      ["exit", undefined],
    ]);
  });
});

Deno.test("a server that refuses to initialize gives its error, and its connection ends", async () => {
  const refuse = () => {
    throw new RpcError(-32002, "not today", { retry: false });
  };
  await withServer({ onRequest: refuse }, async (connection, server) => {
    const error = await assertRejects(() => LspClient.start(connection, {}), RpcError, "not today");
    assertEquals([error.code, error.data], [-32002, { retry: false }]);
    assertInstanceOf(await server.ended, SocketError);
  });
});

Deno.test("a signal ends the wait for a server that never answers initialize", async () => {
  const controller = new AbortController();
  const onRequest = () => {
    controller.abort();
    return new Promise(() => {});
  };
  await withServer({ onRequest }, async (connection, server) => {
    const { signal } = controller;
    const error = await assertRejects(
      () => LspClient.start(connection, {}, { signal }),
      SocketError,
    );
    assertEquals(error.kind, "Aborted");
    await server.ended;
  });
});

Deno.test("a server that answers initialize with null, or without capabilities, has none", async () => {
  for (const answer of [null, {}, "text", 0]) {
    await withServer({ onRequest: () => answer }, async (connection) => {
      await using client = await LspClient.start(connection, {});
      assertEquals(client.capabilities, {});
    });
  }
});

Deno.test("a server that has ended before it was shut down is no error of the end", async () => {
  await withServer({ onRequest: () => ({}) }, async (connection, server) => {
    await using client = await LspClient.start(connection, {});
    await server.close();
    const reason = await client.ended;
    assertInstanceOf(reason, SocketError);
    assertEquals(reason.kind, "UnexpectedEof");
  });
});

Deno.test("a server that fails to shut down gives its error after the end of its connection", async () => {
  const onRequest = (method: string) => {
    if (method === "shutdown") throw new RpcError(-32603, "cannot stop");
    return {};
  };
  await withServer({ onRequest }, async (connection, server) => {
    const client = await LspClient.start(connection, {});
    await assertRejects(async () => await client[Symbol.asyncDispose](), RpcError, "cannot stop");
    await server.ended;
  });
});

Deno.test("a program's input and output are a connection, and its end is the end of stream", async () => {
  const { connection, process } = connectProcess("cat", []);
  const bytes = crypto.getRandomValues(new Uint8Array(60_000));
  const sent = send(connection, bytes);
  const received: number[] = [];
  while (received.length < bytes.length) received.push(...(await recv(connection))!);
  assertEquals(Uint8Array.from(received), bytes);
  await sent;
  await close(connection, { linger: PATIENCE_MS });
  assertEquals((await process.status).code, 0);
});

Deno.test("bytes that a program writes at once come whole to readers with a small buffer", async () => {
  const { connection, process } = connectProcess("sh", ["-c", "seq 1 20000"]);
  let text = "";
  for (let bytes; (bytes = await recv(connection, { maxBytes: 7 })) !== null;) {
    text += new TextDecoder().decode(bytes);
  }
  assert(text === Array.from({ length: 20_000 }, (_, index) => `${index + 1}\n`).join(""));
  assertEquals((await process.status).code, 0);
  await close(connection);
});

for (
  const [script, reason] of [
    ["exit 3", "sh ended with code 3"],
    ["kill -KILL $$", "sh was ended by SIGKILL"],
  ]
) {
  Deno.test(`the end of a program by "${script}" is an error with the reason`, async () => {
    const { connection } = connectProcess("sh", ["-c", `read line; ${script}`]);
    const waiting = assertRejects(() => recv(connection), SocketError);
    await send(connection, new TextEncoder().encode("go\n"));
    const error = await waiting;
    assertEquals([error.kind, error.message], ["UnexpectedEof", `recv: ${reason}`]);
    await close(connection).catch(() => {});
  });
}

Deno.test("the end of a connection ends a program that ignores the end of its input, and its pending read", async () => {
  // The sleep holds the output open after the shell was killed.
  const { connection, process } = connectProcess("sh", ["-c", "echo up; sleep 5"]);
  assertEquals(new TextDecoder().decode((await recv(connection))!), "up\n");
  const waiting = assertRejects(() => recv(connection), SocketError);
  await close(connection, { linger: 0 });
  assertEquals((await waiting).kind, "Closed");
  assertEquals((await process.status).signal, "SIGKILL");
});

Deno.test("the program prints problems of its arguments and of the server in one line", async () => {
  const flags = ["--allow-read", "--allow-run"];
  for (
    const [args, problem] of [
      [[], /^usage: lsp_client\.ts FILE COMMAND \[ARGUMENT\]\.\.\.\n$/],
      [["deno.json"], /^usage: .*\n$/],
      [["no/such/file.json", "true"], /^No such file or directory .*no\/such\/file\.json'\n$/],
      [["deno.json", "no-such-program"], /^Failed to spawn 'no-such-program': .*\n$/],
      [["deno.json", "sh", "-c", "read line; exit 3"], /^recvFrame: sh ended with code 3\n$/],
      // It sends back each message, so that initialize is a request to the client.
      [["deno.json", "cat"], /^unknown method: initialize\n$/],
    ] as const
  ) {
    await using example = Example.startWith(flags, "lsp_client", ...args);
    assertEquals(await example.end(), 2);
    assertMatch(await example.errors(), problem);
    assertEquals(example.output, "");
  }
});
