import { accept, listen } from "../../../mod.ts";
import { connectProcess, type ProcessConnection } from "../../../examples/process_connection.ts";
import { must } from "./packages.ts";

/** The JSON server of Visual Studio Code, and the packages of it whose behaviour the tests see. */
const PACKAGES = [
  "vscode-json-languageserver@1.3.4",
  "vscode-json-languageservice@4.2.1",
  "vscode-languageserver@7.0.0",
];

/** A language server for JSON, in a folder that its disposal removes. */
export class LanguageServer implements AsyncDisposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async install(): Promise<LanguageServer> {
    const folder = await Deno.makeTempDir({ prefix: "language_server-" });
    try {
      const flags = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund"];
      await must("npm", "install", ...flags, "--prefix", folder, ...PACKAGES);
      return new LanguageServer(folder);
    } catch (error) {
      await Deno.remove(folder, { recursive: true });
      throw error;
    }
  }

  /** The program and its arguments, without those that choose how it is spoken to. */
  get command(): readonly [string, string] {
    const name = "vscode-json-languageserver";
    return ["node", `${this.#folder}/node_modules/${name}/bin/${name}`];
  }

  /** Starts it with its messages on its standard input and output. */
  overStdio(): ProcessConnection {
    const [node, script] = this.command;
    return connectProcess(node, [script, "--stdio"]);
  }

  /** Starts it with its messages on a TCP connection, which it makes. */
  async overTcp(): Promise<ProcessConnection> {
    await using listener = await listen({ host: "127.0.0.1", port: 0 });
    const [node, script] = this.command;
    const process = new Deno.Command(node, {
      args: [script, `--socket=${listener.address.port}`],
      stdin: "null",
      stdout: "null",
    }).spawn();
    try {
      const connection = await accept(listener, { timeout: 60_000 });
      return { connection, process };
    } catch (error) {
      process.kill("SIGKILL");
      await process.status;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
  }
}
