import { must } from "./commands.ts";
import { Process } from "./process.ts";
import { PREFIX, SEED } from "./run.ts";

/** What a relay does to packets: percentages of all of them, but for the delay. */
export interface RelayOptions {
  readonly loss?: number;
  readonly duplication?: number;
  readonly reordering?: number;
  readonly corruption?: number;
  /** Milliseconds each way. */
  readonly delay?: number;
}

/** What became of the packets of one protocol. */
export interface RelayCounts {
  readonly packets: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly corrupted: number;
  /** Those that the relay had no room for, or the device. */
  readonly overflowed: number;
}

/** What became of all of them. */
export interface RelayReport {
  readonly tcp: RelayCounts;
  readonly udp: RelayCounts;
}

let built: Promise<string> | undefined;

/** Compiles the relay, once a test file. */
async function build(): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: PREFIX });
  globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  const source = new URL("../programs/relay.c", import.meta.url).pathname;
  const target = `${folder}/relay`;
  await must("gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", target, source);
  return target;
}

/** A link between two network namespaces, or from one back to itself, which does harm to packets. */
export class Relay implements AsyncDisposable {
  readonly #process: Process;

  private constructor(process: Process) {
    this.#process = process;
  }

  static async start(
    { loss = 0, duplication = 0, reordering = 0, corruption = 0, delay = 0 }: RelayOptions,
    device: string,
    spaces: readonly string[],
  ): Promise<Relay> {
    const program = await (built ??= build());
    const numbers = [SEED, loss, duplication, reordering, corruption, delay].map(String);
    const process = new Process(program, [...numbers, device, ...spaces]);
    const { value } = await process.lines.next();
    if (value !== "ready") {
      await process[Symbol.asyncDispose]();
      throw new Error(`the relay did not start: ${process.errors}`);
    }
    return new Relay(process);
  }

  /** Ends it, and tells what it did. */
  async end(): Promise<RelayReport> {
    this.#process.signal("SIGTERM");
    const { value } = await this.#process.lines.next();
    return JSON.parse(value!);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}
