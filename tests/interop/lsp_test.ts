/** The example's language server client with the JSON server of Visual Studio Code, over its standard streams and TCP. */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { deadline } from "@std/async";
import { SocketError } from "../../mod.ts";
import { RpcError, type RpcHandlers, RpcPeer } from "../../examples/json_rpc.ts";
import { LspClient } from "../../examples/lsp_client.ts";
import { Example } from "../system/support/example.ts";
import { LanguageServer } from "./support/language_server.ts";
import { endProcess } from "./support/ending.ts";

const PATIENCE_MS = 60_000;
/** Parameters of `initialize`. The server asks the client for a schema whose URI is neither HTTP nor a file. */
const PARAMS = {
  processId: Deno.pid,
  capabilities: {
    textDocument: {
      completion: { completionItem: { snippetSupport: true } },
      documentSymbol: { hierarchicalDocumentSymbolSupport: true },
    },
  },
};
const SCHEMA = JSON.stringify({
  properties: { colour: { description: "The größte 😀 colour", enum: ["red", "grün"] } },
});

interface Diagnostics {
  readonly uri: string;
  readonly diagnostics: readonly {
    readonly message: string;
    readonly range: { readonly start: { readonly line: number; readonly character: number } };
  }[];
}

interface DocumentSymbol {
  readonly name: string;
  readonly selectionRange: { readonly start: { readonly character: number } };
}

let installed: LanguageServer;
Deno.test.beforeAll(async () => {
  installed = await LanguageServer.install();
});
Deno.test.afterAll(async () => {
  await installed[Symbol.asyncDispose]();
});

const KINDS = {
  "standard streams": () => installed.overStdio(),
  "TCP": () => installed.overTcp(),
};

type Kind = keyof typeof KINDS;

/** Initializes a server, uses it, and asserts that it exits with 0 after `shutdown` and `exit`. */
async function withClient(
  kind: Kind,
  handlers: RpcHandlers,
  use: (client: LspClient, process: Deno.ChildProcess) => Promise<void>,
): Promise<void> {
  const { connection, process } = await KINDS[kind]();
  try {
    {
      await using client = await LspClient.start(connection, PARAMS, handlers);
      await deadline(use(client, process), PATIENCE_MS);
    }
    assertEquals(await deadline(process.status, PATIENCE_MS), {
      success: true,
      code: 0,
      signal: null,
    });
  } finally {
    await endProcess(process);
  }
}

async function open(client: LspClient, uri: string, text: string): Promise<void> {
  await client.notify("textDocument/didOpen", {
    textDocument: { uri, languageId: "json", version: 1, text },
  });
}

async function symbols(client: LspClient, uri: string): Promise<DocumentSymbol[]> {
  return await client.request("textDocument/documentSymbol", { textDocument: { uri } });
}

/** Returns a document that names a schema, for which the server asks the client. */
function withSchema(name: string): string {
  return `{ "$schema": "test:${name}", "colour": "red" }`;
}

/** Asks for the meaning of "colour" in a document of `withSchema`. */
async function hover(client: LspClient, uri: string, name: string, signal?: AbortSignal) {
  const position = { line: 0, character: withSchema(name).indexOf("colour") + 1 };
  const params = { textDocument: { uri }, position };
  return await client.request<{ contents: unknown }>("textDocument/hover", params, { signal });
}

for (const kind of Object.keys(KINDS) as Kind[]) {
  Deno.test(`${kind}: a document with an error gets diagnostics, hover and completion`, async () => {
    const found = Promise.withResolvers<Diagnostics>();
    const asked: unknown[] = [];
    const handlers: RpcHandlers = {
      onNotification(method, params) {
        if (method === "textDocument/publishDiagnostics") found.resolve(params as Diagnostics);
      },
      onRequest(method, params) {
        asked.push([method, params]);
        return method === "vscode/content" ? SCHEMA : undefined;
      },
    };
    await withClient(kind, handlers, async (client) => {
      assertEquals(client.capabilities.hoverProvider, true);
      const uri = "file:///gr%C3%BC%C3%9Fe.json",
        text = withSchema("a").replace('"red"', '"blau",');
      await open(client, uri, text);
      const { uri: where, diagnostics } = await found.promise;
      assertEquals(where, uri);
      const [wrong, comma] = diagnostics.map(({ message }) => message).sort();
      assertMatch(`${wrong}\n${comma}`, /Trailing comma/);
      assertMatch(`${wrong}\n${comma}`, /Value is not accepted. Valid values: "red", "grün"/);
      const characters = diagnostics.map(({ range }) => range.start.character);
      assert(characters.includes(text.indexOf('"blau"')), `${characters}`);
      assertEquals((await hover(client, uri, "a")).contents, ["The größte 😀 colour"]);
      const position = { line: 0, character: text.indexOf('"blau"') + 1 };
      const { items } = await client.request<{ items: { label: string }[] }>(
        "textDocument/completion",
        { textDocument: { uri }, position },
      );
      assertEquals(items.map(({ label }) => label).sort(), ['"grün"', '"red"']);
      assertEquals(asked, [["vscode/content", ["test:a"]]]);
    });
  });

  Deno.test(`${kind}: 100 concurrent requests get each its own answer`, async () => {
    await withClient(kind, {}, async (client) => {
      for (let n = 0; n < 10; n++) await open(client, `file:///${n}.json`, `{ "name${n}": ${n} }`);
      const names = await Promise.all(
        Array.from({ length: 100 }, async (_, index) => {
          const [{ name }, ...others] = await symbols(client, `file:///${index % 10}.json`);
          return [name, others.length];
        }),
      );
      assertEquals(names, Array.from({ length: 100 }, (_, index) => [`name${index % 10}`, 0]));
    });
  });

  Deno.test(`${kind}: a cancelled request rejects at once, the server stops it, and the session goes on`, async () => {
    const schema = Promise.withResolvers<string>(), asked = Promise.withResolvers<void>();
    const cancelled = Promise.withResolvers<void>();
    const handlers: RpcHandlers = {
      onNotification(method, params) {
        // The server logs this when it stops a request that was cancelled.
        const { message } = params as { message?: string };
        if (method === "window/logMessage" && message === "cancelled") cancelled.resolve();
      },
      onRequest() {
        asked.resolve();
        return schema.promise;
      },
    };
    await withClient(kind, handlers, async (client) => {
      await open(client, "file:///a.json", withSchema("slow"));
      const controller = new AbortController();
      const hovering = hover(client, "file:///a.json", "slow", controller.signal);
      await asked.promise;
      controller.abort();
      const error = await assertRejects(() => hovering, SocketError);
      assertEquals([error.kind, error.operation], ["Aborted", "textDocument/hover"]);
      assertEquals((await symbols(client, "file:///a.json")).length, 2);
      schema.resolve(SCHEMA);
      await cancelled.promise;
      const { contents } = await hover(client, "file:///a.json", "slow");
      assertEquals(contents, ["The größte 😀 colour"]);
    });
  });

  Deno.test(`${kind}: an error of the server is typed, and the session goes on`, async () => {
    await withClient(kind, {}, async (client) => {
      const error = await assertRejects(() => client.request("no/such", {}), RpcError);
      assertEquals(error.code, -32601);
      assertMatch(error.message, /no\/such/);
      assertEquals(await symbols(client, "file:///not-open.json"), []);
    });
  });

  Deno.test(`${kind}: text of every length in UTF-8 comes back, and positions count UTF-16`, async () => {
    await withClient(kind, {}, async (client) => {
      const names = [
        "a",
        "ß",
        "漢字",
        "😀",
        "a\u2028",
        "e\u0301",
        "\ufeffb",
        "\u{10ffff}",
        "\\u0000",
      ];
      const text = `{${names.map((name) => `"${name}":1`).join(",")}}`;
      await open(client, "file:///a.json", text);
      const found = await symbols(client, "file:///a.json");
      assertEquals(found.map(({ name }) => name), names.map((name) => JSON.parse(`"${name}"`)));
      const starts = found.map(({ selectionRange }) => selectionRange.start.character);
      assertEquals(starts, names.map((name) => text.indexOf(`"${name}"`)));
    });
  });

  Deno.test(`${kind}: a document of 3 MiB goes out, and an answer of more than that comes in`, async () => {
    await withClient(kind, {}, async (client) => {
      const count = 40_000, filling = "ü😀".repeat(12);
      const key = (index: number) => `${index} ${filling}`;
      const lines = Array.from({ length: count }, (_, index) => `"${key(index)}": ${index}`);
      const text = `{${lines.join(",\n")}}`;
      assert(new TextEncoder().encode(text).length > 3 * 2 ** 20);
      await open(client, "file:///large.json", text);
      const found = await symbols(client, "file:///large.json");
      // The names are not compared at once: printing their difference would take minutes.
      assertEquals(found.length, count);
      assertEquals(found.findIndex(({ name }, index) => name !== key(index)), -1);
    });
  });

  Deno.test(`${kind}: a server that is killed rejects all that waits, with one reason`, async () => {
    const asked = Promise.withResolvers<void>();
    const onRequest = () => {
      asked.resolve();
      return new Promise(() => {});
    };
    const { connection, process } = await KINDS[kind]();
    try {
      await using client = await LspClient.start(connection, PARAMS, { onRequest });
      await open(client, "file:///a.json", withSchema("never"));
      const waiting = Array.from({ length: 10 }, () => hover(client, "file:///a.json", "never"));
      const settled = Promise.allSettled(waiting);
      await deadline(asked.promise, PATIENCE_MS);
      process.kill("SIGKILL");
      const reason = await deadline(client.ended, PATIENCE_MS);
      assertInstanceOf(reason, SocketError);
      if (kind === "TCP") {
        assert(["UnexpectedEof", "ConnectionReset"].includes(reason.kind), reason.message);
      } else {
        assertEquals([reason.kind, reason.reason], ["UnexpectedEof", "node was ended by SIGKILL"]);
      }
      for (const result of await settled) {
        assert(result.status === "rejected");
        assertStrictEquals(result.reason, reason);
      }
      assertStrictEquals(
        await assertRejects(() => client.request("shutdown"), SocketError),
        reason,
      );
    } finally {
      await endProcess(process);
    }
  });
}

Deno.test("the server exits with 1 after exit without shutdown, and the client says so", async () => {
  const { connection, process } = installed.overStdio();
  try {
    const peer = new RpcPeer(connection);
    await peer.request("initialize", PARAMS);
    await peer.notify("exit");
    const reason = await deadline(peer.ended, PATIENCE_MS);
    assertInstanceOf(reason, SocketError);
    assertEquals([reason.kind, reason.reason], ["UnexpectedEof", "node ended with code 1"]);
  } finally {
    await endProcess(process);
  }
});

Deno.test("the program prints the problems and the symbols of a file", async () => {
  const file = await Deno.makeTempFile({ suffix: ".json" });
  try {
    await Deno.writeTextFile(file, '{\n  "grüße": { "a": 1 },\n  "list": [1,]\n}\n');
    const args = [file, ...installed.command, "--stdio"];
    await using program = Example.startWith(["--allow-read", "--allow-run"], "lsp_client", ...args);
    assertEquals([await program.end(), await program.errors()], [0, ""]);
    const lines = [
      "3: problem: Trailing comma",
      "2: symbol: grüße",
      "2: symbol: grüße.a",
      "3: symbol: list",
      "3: symbol: list.0",
    ];
    assertEquals(program.output, lines.map((line) => `${file}:${line}\n`).join(""));
  } finally {
    await Deno.remove(file);
  }
});
