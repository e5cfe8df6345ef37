/** A child process that answers each line with one line. Disposing kills it. */
export class Child implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<string>;
  #read = "";

  constructor(command: readonly string[]) {
    this.#process = new Deno.Command(command[0], {
      args: command.slice(1),
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#writer = this.#process.stdin.getWriter();
    this.#reader = this.#process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  async ask(line: string): Promise<string> {
    await this.#writer.write(new TextEncoder().encode(`${line}\n`));
    return await this.line();
  }

  async line(): Promise<string> {
    for (;;) {
      const end = this.#read.indexOf("\n");
      if (end >= 0) {
        const line = this.#read.slice(0, end);
        this.#read = this.#read.slice(end + 1);
        return line;
      }
      const { value, done } = await this.#reader.read();
      if (done) throw new Error("a program of the benchmark ended by itself");
      this.#read += value;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader.cancel();
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#process.status;
    await this.#writer.close().catch(() => {});
  }
}

/**
 * Returns the command that runs a program on one processor, if the machine has at least two. The scheduler's choice
 * matters more than anything that is compared here: a ping-pong makes 64,000 round trips a second with both ends on one
 * core, 18,000 on two, and the choice changes between rounds.
 */
export function pinned(cpu: 0 | 1, command: readonly string[]): string[] {
  return navigator.hardwareConcurrency > 1
    ? ["taskset", "--cpu-list", `${cpu}`, ...command]
    : [...command];
}

export const PEER_CPU = 0;
export const MEASURED_CPU = 1;
