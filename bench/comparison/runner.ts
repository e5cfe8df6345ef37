import type { PeerName } from "../rows.ts";
import type { Peer, WorkName, WorkOptions } from "../contenders/work.ts";
import { Child, MEASURED_CPU, PEER_CPU, pinned } from "./child.ts";
import type { Toolchain } from "./toolchain.ts";

/** This package, on Deno if nothing else is said. */
export type OursName = "ours" | "ours on Node" | "ours on Bun";

export type ContenderName = OursName | PeerName;

type Program = "deno" | "node" | "bun" | "client";

/** The program that each contender runs in, and its name in that program. */
const PROGRAMS: Readonly<Record<ContenderName, readonly [Program, name: string]>> = {
  ours: ["deno", "ours"],
  "ours on Node": ["node", "ours"],
  "ours on Bun": ["bun", "ours"],
  "ours, one by one": ["deno", "oneByOne"],
  "raw Deno": ["deno", "raw"],
  "raw, fresh buffers": ["deno", "rawFresh"],
  "Conn.readable": ["deno", "readable"],
  "node: API on Deno": ["deno", "node"],
  Node: ["node", "node"],
  "Node, corked": ["node", "corked"],
  Bun: ["bun", "bun"],
  C: ["client", "c"],
};

/** Runs the peer, and starts each contender's program on first use. */
export class Runner implements AsyncDisposable {
  readonly #tools: Toolchain;
  readonly #peerProgram: Child;
  readonly #programs = new Map<Program, Child>();
  readonly peer: Peer;

  static async open(tools: Toolchain): Promise<Runner> {
    const peer = new Child(pinned(PEER_CPU, [tools.peer]));
    const [tcp, udp] = (await peer.line()).split(" ").map(Number);
    return new Runner(tools, peer, { tcp, udp });
  }

  private constructor(tools: Toolchain, peerProgram: Child, peer: Peer) {
    this.#tools = tools;
    this.#peerProgram = peerProgram;
    this.peer = peer;
  }

  /** Does work for `milliseconds` and returns its rate per second. */
  async rate(
    contender: ContenderName,
    work: WorkName,
    { noDelay, unix, size, connections }: WorkOptions,
    milliseconds: number,
  ): Promise<number> {
    const [program, name] = PROGRAMS[contender];
    const { tcp, udp } = this.peer;
    const numbers = [Number(noDelay), size, connections, milliseconds, tcp, udp, Number(unix)];
    const answer = await this.#program(program).ask([name, work, ...numbers].join(" "));
    const [amount, elapsed] = answer.split(" ").map(Number);
    if (Number.isNaN(amount)) throw new Error(`${contender}, ${work}: ${answer}`);
    return amount / elapsed * 1000;
  }

  /** Ends the contenders' programs, so that the next work starts new ones. */
  async endPrograms(): Promise<void> {
    for (const program of this.#programs.values()) await program[Symbol.asyncDispose]();
    this.#programs.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.endPrograms();
    await this.#peerProgram[Symbol.asyncDispose]();
  }

  #program(name: Program): Child {
    const running = this.#programs.get(name);
    if (running !== undefined) return running;
    const started = new Child(pinned(MEASURED_CPU, this.#command(name)));
    this.#programs.set(name, started);
    return started;
  }

  #command(name: Program): string[] {
    const source = (file: string) => new URL(`programs/${file}.ts`, import.meta.url).pathname;
    const { node, bun, client, folder } = this.#tools;
    const copy = (file: string) => `${folder}/bench/comparison/programs/${file}.ts`;
    switch (name) {
      case "deno":
        return [Deno.execPath(), "run", "-A", "--unstable-net", source("deno")];
      case "node":
        return [node, copy("node")];
      case "bun":
        return [bun, copy("bun")];
      case "client":
        return [client];
    }
  }
}
