import { compiled } from "./compile.ts";
import { Process } from "./process.ts";
import { SEED } from "./run.ts";

/** The faults of a relay, in percent of all packets. */
export interface RelayOptions {
  readonly loss?: number;
  readonly duplication?: number;
  readonly reordering?: number;
  readonly corruption?: number;
  /** The delay in each direction (ms). */
  readonly delay?: number;
}

/** The packets of one protocol, counted by their faults. */
export interface RelayCounts {
  readonly packets: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly corrupted: number;
  /** The packets that the relay or the device had no room for. */
  readonly overflowed: number;
}

/** The counts of both protocols. */
export interface RelayReport {
  readonly tcp: RelayCounts;
  readonly udp: RelayCounts;
}

/** A faulty link between two network namespaces, or from one back to itself. */
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
    const program = await compiled("relay");
    const numbers = [SEED, loss, duplication, reordering, corruption, delay].map(String);
    const process = new Process(program, [...numbers, device, ...spaces]);
    const { value } = await process.lines.next();
    if (value !== "ready") {
      await process[Symbol.asyncDispose]();
      throw new Error(`the relay did not start: ${process.errors}`);
    }
    return new Relay(process);
  }

  /** Ends the relay, and returns its counts. */
  async end(): Promise<RelayReport> {
    this.#process.signal("SIGTERM");
    const { value } = await this.#process.lines.next();
    return JSON.parse(value!);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}
