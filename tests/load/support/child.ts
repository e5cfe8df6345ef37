import { deadline } from "@std/async";

const ANSWER_TIMEOUT_MS = 120_000;

/** A program of `programs/` that answers each line with one line. */
export class Child implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: AsyncIterator<string>;

  private constructor(name: string, args: readonly string[]) {
    const program = new URL(`../programs/${name}.ts`, import.meta.url).pathname;
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--v8-flags=--expose-gc", program, ...args],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    this.#lines = linesOf(this.#process.stdout);
  }

  /** Starts a program, and returns it with its first line. */
  static async start(
    name: string,
    ...args: string[]
  ): Promise<{ child: Child; firstLine: string } & AsyncDisposable> {
    const child = new Child(name, args);
    const firstLine = await child.#next();
    return { child, firstLine, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
  }

  /** Sends a line, and returns the answer. */
  async ask<T>(): Promise<T> {
    await this.#input.write(new TextEncoder().encode("?\n"));
    return JSON.parse(await this.#next());
  }

  async #next(): Promise<string> {
    const { value, done } = await deadline(this.#lines.next(), ANSWER_TIMEOUT_MS);
    if (done) throw new Error("the program has ended");
    return value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    await this.#lines.return?.();
    await deadline(this.#process.status, ANSWER_TIMEOUT_MS);
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}
