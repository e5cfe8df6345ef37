import type { Address } from "../../../mod.ts";
import { freePort, Output } from "./redis.ts";
import { endProcess } from "./ending.ts";

/** The port may be taken for a moment: by another program, or by a client whose own port is this one. */
const ATTEMPTS = 20;

/** A program that serves a port of loopback, and how to start it. */
export interface ServerProgram {
  readonly command: string;
  /** Returns the arguments. The folder is empty at the first start. */
  args(port: number, folder: string): string[];
  readonly log: "stdout" | "stderr";
  /** Text of the log after which it accepts. */
  readonly readyText: string;
}

/** A real server that can be killed, stopped and started again, on one port and with one folder. */
export class RestartingServer implements AsyncDisposable {
  readonly host = "127.0.0.1";
  readonly port: number = freePort(this.host);
  readonly #program: ServerProgram;
  readonly #folder: string;
  #child!: Deno.ChildProcess;
  #log!: Output;

  private constructor(program: ServerProgram, folder: string) {
    this.#program = program;
    this.#folder = folder;
  }

  static async start(program: ServerProgram): Promise<RestartingServer> {
    const folder = await Deno.makeTempDir({ prefix: `${program.command}-` });
    const server = new RestartingServer(program, folder);
    await server.start();
    return server;
  }

  get address(): Address {
    return { host: this.host, port: this.port };
  }

  /** Starts it again after `end`. */
  async start(): Promise<void> {
    const { command, args, log, readyText } = this.#program;
    for (let attempt = 1;; attempt++) {
      this.#child = new Deno.Command(command, {
        args: args(this.port, this.#folder),
        cwd: this.#folder,
        stdin: "null",
        stdout: log === "stdout" ? "piped" : "null",
        stderr: log === "stderr" ? "piped" : "null",
      }).spawn();
      this.#log = new Output(this.#child[log]);
      if (await this.#log.until(readyText)) return;
      await this.#child.status;
      if (attempt === ATTEMPTS || !/address already in use/i.test(this.#log.text)) {
        throw new Error(`${command} ended at once:\n${this.#log.text}`);
      }
    }
  }

  /** Stops it until `continue`, and waits until each of its threads has stopped. */
  async stop(): Promise<void> {
    this.#child.kill("SIGSTOP");
    const threads = `/proc/${this.#child.pid}/task`;
    for (const { name } of Deno.readDirSync(threads)) {
      // The name of the program is in parentheses, and its state is behind them.
      while (!/\) T [^)]*$/.test(Deno.readTextFileSync(`${threads}/${name}/stat`))) {
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }
  }

  continue(): void {
    this.#child.kill("SIGCONT");
  }

  /** Ends it with a signal, and waits until it is gone. */
  async end(signal: Deno.Signal): Promise<void> {
    await endProcess(this.#child, signal);
    await this.#log.ended;
  }

  async restart(signal: Deno.Signal): Promise<void> {
    await this.end(signal);
    await this.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // This ends it even if a test has stopped it.
    await this.end("SIGKILL");
    await Deno.remove(this.#folder, { recursive: true });
  }
}
