import { textLines } from "../programs/text_lines.ts";

/** A program that a test talks to, line by line. Whatever happens, disposing ends it. */
export class Process implements AsyncDisposable {
  readonly lines: AsyncGenerator<string, void, void>;
  /** What it has complained about so far. */
  errors = "";
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #complaining: Promise<void>;
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
    this.#complaining = this.#collect();
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

  /** Waits for its end, which its closed input brings about; if not, it is killed. */
  async end(): Promise<Deno.CommandStatus> {
    await this.#input.close().catch(() => {});
    const timer = setTimeout(() => this.signal("SIGKILL"), 5000);
    try {
      for await (const _ of this.lines) { /* What nobody waits for any more. */ }
      await this.#complaining;
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
