import { needProgram } from "./packages.ts";
import { endProcess } from "./ending.ts";

/** Another program may take a free port before Redis has it. */
const ATTEMPTS = 5;

/** A redis-server that runs until it is disposed of, and stores nothing on disk. */
export interface Redis extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly pid: number;
}

/** Installs redis-cli and redis-benchmark if they are missing. */
export async function needRedisTools(): Promise<void> {
  await needProgram("redis-cli", "--version", "redis-tools");
}

/** Starts a redis-server on a free loopback port, and waits until it accepts. */
export async function startRedis(): Promise<Redis> {
  await needProgram("redis-server", "--version");
  for (let attempt = 1;; attempt++) {
    const host = "127.0.0.1";
    const port = freePort(host);
    const folder = await Deno.makeTempDir({ prefix: "redis-" });
    const child = new Deno.Command("redis-server", {
      args: ["--bind", host, "--port", `${port}`, "--save", "", "--appendonly", "no"],
      cwd: folder,
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const output = new Output(child.stdout);
    const stop = async () => {
      await endProcess(child, "SIGTERM");
      await output.ended;
      await Deno.remove(folder, { recursive: true });
    };
    if (await output.until("Ready to accept connections")) {
      return { host, port, pid: child.pid, [Symbol.asyncDispose]: stop };
    }
    await stop();
    if (attempt === ATTEMPTS || !output.text.includes("Address already in use")) {
      throw new Error(`redis-server ended at once:\n${output.text}`);
    }
  }
}

/** Gives a port that nobody has at the moment. */
export function freePort(hostname: string): number {
  const listener = Deno.listen({ hostname, port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

/** The output of a process so far. */
export class Output {
  text = "";
  readonly ended: Promise<void>;
  #changed = Promise.withResolvers<void>();
  #over = false;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.ended = this.#collect(stream);
  }

  /** Resolves to true when the output has this text, to false if the process ends without it. */
  async until(text: string): Promise<boolean> {
    while (!this.text.includes(text)) {
      if (this.#over) return false;
      await this.#changed.promise;
    }
    return true;
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      this.text += decoder.decode(bytes, { stream: true });
      this.#wake();
    }
    this.#over = true;
    this.#wake();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
