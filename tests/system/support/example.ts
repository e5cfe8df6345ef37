import { fail } from "@std/assert";
import { deadline } from "@std/async";

const PATIENCE = 30_000;
const ROOT = new URL("../../../", import.meta.url);

/** An example that runs as a process of its own, with the permissions that its header names. */
export class Example implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #errors: Promise<string>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  #output = "";
  #changed = Promise.withResolvers<void>();
  #ended = false;

  private constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#errors = new Response(process.stderr).text();
    this.#input = process.stdin.getWriter();
    void this.#collect();
  }

  static start(name: string, ...args: string[]): Example {
    return Example.startWith(["--allow-net"], name, ...args);
  }

  /** Starts an example whose header names other flags. */
  static startWith(flags: readonly string[], name: string, ...args: string[]): Example {
    return Example.#start(flags, {}, name, args);
  }

  /** Starts an example with environment variables in addition to those of this process. */
  static startWithEnv(
    env: Readonly<Record<string, string>>,
    name: string,
    ...args: string[]
  ): Example {
    return Example.#start(["--allow-net"], env, name, args);
  }

  static #start(
    flags: readonly string[],
    env: Readonly<Record<string, string>>,
    name: string,
    args: readonly string[],
  ): Example {
    const process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", ...flags, `examples/${name}.ts`, ...args],
      cwd: ROOT,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      env: { NO_COLOR: "1", ...env },
    }).spawn();
    return new Example(process);
  }

  /** Runs an example to its end, and returns its output and its exit code. */
  static async run(name: string, ...args: string[]): Promise<{ output: string; code: number }> {
    await using example = Example.start(name, ...args);
    return { code: await example.end(), output: example.output };
  }

  get pid(): number {
    return this.#process.pid;
  }

  get output(): string {
    return this.#output;
  }

  /** Waits until its output matches a pattern. */
  async until(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#output);
      if (match !== null) return match;
      if (this.#ended) fail(`ended without ${pattern}: ${this.#output}${await this.#errors}`);
      await deadline(this.#changed.promise, PATIENCE);
    }
  }

  /** Writes a line to its standard input. */
  async type(line: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${line}\n`));
  }

  async endInput(): Promise<void> {
    await this.#input.close();
  }

  signal(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  async end(): Promise<number> {
    const { code } = await deadline(this.#process.status, PATIENCE);
    await this.#errors;
    return code;
  }

  async errors(): Promise<string> {
    return await this.#errors;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) {
      try {
        this.#process.kill("SIGKILL");
      } catch {
        // The process has just ended by itself.
      }
    }
    await this.#process.status;
    await this.#errors;
    await this.#input.close().catch(() => {});
  }

  async #collect(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of this.#process.stdout) {
      this.#output += decoder.decode(bytes, { stream: true });
      this.#wake();
    }
    this.#ended = true;
    this.#wake();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
