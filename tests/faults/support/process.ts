import { textLines } from "../programs/text_lines.ts";

/** A program that reads and writes lines. Disposing always ends it. */
export class Process implements AsyncDisposable {
  readonly lines: AsyncGenerator<string, void, void>;
  /** The standard error until now. */
  errors = "";
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #collecting: Promise<void>;
  #ended = false;

  constructor(name: string, args: readonly string[]) {
    this.#child = new Deno.Command(name, {
      args: [...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      env: { NO_COLOR: "1" },
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.lines = textLines(this.#child.stdout);
    this.#collecting = this.#collect();
    void this.#child.status.then(() => this.#ended = true);
  }

  get pid(): number {
    return this.#child.pid;
  }

  async write(line: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${line}\n`));
  }

  signal(signal: Deno.Signal): void {
    if (!this.#ended) this.#child.kill(signal);
  }

  /** Closes the input and waits until the process ends. It is killed after 5 s. */
  async end(): Promise<Deno.CommandStatus> {
    await this.#input.close().catch(() => {});
    const timer = setTimeout(() => this.signal("SIGKILL"), 5000);
    try {
      for await (const _ of this.lines) { /* These lines have no reader any more. */ }
      await this.#collecting;
      return await this.#child.status;
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal("SIGCONT");
    this.signal("SIGKILL");
    await this.end();
  }

  async #collect(): Promise<void> {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.errors += text;
    }
  }
}
