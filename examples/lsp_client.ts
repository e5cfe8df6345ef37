/**
 * Prints the problems that a language server finds in a file, and the file's symbols:
 *
 *     deno run --allow-read --allow-run lsp_client.ts package.json npx vscode-json-languageserver@1.3.4 --stdio
 *
 * `LspClient` takes any connection: the input and output of a program, as here, or TCP. In your own program, import
 * from "jsr:@aivi/sockets" instead.
 */
import { extname } from "node:path";
import { pathToFileURL } from "node:url";
import { abort, type Connection } from "../mod.ts";
import { exitWithError, exitWithProblem } from "./arguments.ts";
import { type RequestOptions, RpcError, type RpcHandlers, RpcPeer } from "./json_rpc.ts";
import { connectProcess } from "./process_connection.ts";

/** Longest wait for the answer to `shutdown`, and then for the end of the server (ms). */
const SHUTDOWN_MS = 10_000;
/** Longest wait for the problems of the file (ms). A server sends them by itself. */
const PROBLEMS_MS = 10_000;

/** Talks with a language server, from `initialize` to `exit`. */
export class LspClient extends RpcPeer implements AsyncDisposable {
  #capabilities: Readonly<Record<string, unknown>> = {};
  #isOver = false;

  private constructor(connection: Connection, handlers: RpcHandlers) {
    super(connection, handlers);
    this.ended.then(() => this.#isOver = true);
  }

  /**
   * Initializes a language server.
   *
   * @param params Fields of the parameters of `initialize`, such as `capabilities` and `rootUri`.
   */
  static async start(
    connection: Connection,
    params: object,
    { signal, ...handlers }: RpcHandlers & RequestOptions = {},
  ): Promise<LspClient> {
    const client = new LspClient(connection, handlers);
    try {
      const all = { processId: null, rootUri: null, capabilities: {}, ...params };
      const result = await client.request("initialize", all, { signal });
      client.#capabilities = Object(result).capabilities ?? {};
      await client.notify("initialized", {});
      return client;
    } catch (error) {
      // It may be hung, and then it takes nothing that waits.
      abort(connection);
      await client.ended;
      throw error;
    }
  }

  /** Abilities that the server named in its answer to `initialize`. */
  get capabilities(): Readonly<Record<string, unknown>> {
    return this.#capabilities;
  }

  /** Lets the server shut down and exit. A server that has ended before is no error. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#isOver) return;
      await this.request("shutdown", undefined, { signal: AbortSignal.timeout(SHUTDOWN_MS) });
      await this.notify("exit");
    } finally {
      await this.close({ linger: SHUTDOWN_MS });
    }
  }
}

/** A place in a file; lines count from 0. */
interface Range {
  readonly start: { readonly line: number };
}

interface Diagnostics {
  readonly diagnostics: readonly { readonly range: Range; readonly message: string }[];
}

interface DocumentSymbol {
  readonly name: string;
  readonly range: Range;
  readonly children?: readonly DocumentSymbol[];
}

async function main([path, command, ...args]: readonly string[]): Promise<void> {
  if (command === undefined) exitWithProblem("usage: lsp_client.ts FILE COMMAND [ARGUMENT]...");
  const text = await Deno.readTextFile(path);
  const uri = pathToFileURL(path).href;
  const found = Promise.withResolvers<Diagnostics>();
  const { connection } = connectProcess(command, args);
  const capabilities = {
    textDocument: { documentSymbol: { hierarchicalDocumentSymbolSupport: true } },
  };
  await using client = await LspClient.start(connection, { capabilities }, {
    onNotification(method, params) {
      // The file is the only document, so the problems are its own.
      if (method === "textDocument/publishDiagnostics") found.resolve(params as Diagnostics);
    },
  });
  const languageId = extname(path).slice(1);
  await client.notify("textDocument/didOpen", {
    textDocument: { uri, languageId, version: 1, text },
  });
  const print = (kind: string, { start }: Range, words: string) =>
    console.log(`${path}:${start.line + 1}: ${kind}: ${words}`);
  const late = setTimeout(() => found.resolve({ diagnostics: [] }), PROBLEMS_MS);
  const over = client.ended.then((reason) => Promise.reject(reason));
  const { diagnostics } = await Promise.race([found.promise, over]);
  clearTimeout(late);
  for (const { range, message } of diagnostics) print("problem", range, message);
  const params = { textDocument: { uri } };
  const symbols = await client.request<DocumentSymbol[]>("textDocument/documentSymbol", params);
  const printSymbols = (symbols: readonly DocumentSymbol[], parents = "") => {
    for (const { name, range, children = [] } of symbols) {
      print("symbol", range, parents + name);
      printSymbols(children, `${parents}${name}.`);
    }
  };
  printSymbols(symbols);
}

if (import.meta.main) {
  try {
    await main(Deno.args);
  } catch (error) {
    const isProblem = error instanceof Deno.errors.NotFound || error instanceof RpcError;
    if (isProblem) exitWithProblem(error.message);
    exitWithError(error);
  }
}
