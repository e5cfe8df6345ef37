/** Measures values that must stay small: memory, the cost of idle connections, and the time of the import. */
import type { Peer } from "../contenders/work.ts";
import { MEASURED_CPU, pinned } from "./child.ts";
import type { Limit } from "./results.ts";
import { median } from "./rounds.ts";

const ROUNDS = 7;
const IMPORTS = 15;
const IDLE = 10_000;
const FEW = 10;
const KIB = 1024;
const MIB = 1024 * KIB;

export interface LimitSpec {
  readonly name: string;
  measure(peer: Peer): Promise<Limit>;
}

export const LIMITS: readonly LimitSpec[] = [
  { name: "memory of an idle connection with a pending recv", measure: idleMemory },
  { name: "time of an echo beside 10,000 idle connections", measure: echoBesideIdle },
  { name: "memory while a peer takes nothing", measure: slowReader },
  { name: "import of mod.ts", measure: importTime },
];

async function idleMemory(this: LimitSpec, { tcp }: Peer): Promise<Limit> {
  const flags = ["--v8-flags=--expose-gc"];
  const [ours, raw] = await inTurn(
    ROUNDS,
    async () => (await numbers(flags, "idle_memory", "ours", `${tcp}`, `${IDLE}`))[0],
    async () => (await numbers(flags, "idle_memory", "raw", `${tcp}`, `${IDLE}`))[0],
  );
  return {
    name: `${this.name} (of 10,000; raw: a 4 KiB buffer each)`,
    unit: "KiB",
    ours: median(ours) / KIB,
    baseline: median(raw) / KIB,
    baselineName: "raw Deno",
    atMost: "1.3 times",
    met: median(ours) <= 1.3 * median(raw),
  };
}

async function echoBesideIdle(this: LimitSpec, { tcp }: Peer): Promise<Limit> {
  const rounds: number[][] = [];
  for (let round = 0; round < ROUNDS; round++) {
    rounds.push(await numbers([], "echo_beside_idle", "ours", `${tcp}`, `${FEW}`, `${IDLE}`));
  }
  const ratio = median(rounds.map(([few, many]) => many / few));
  const few = median(rounds.map(([few]) => few));
  return {
    name: this.name,
    unit: "µs",
    ours: ratio * few,
    baseline: few,
    baselineName: `ours beside ${FEW}`,
    atMost: "1.3 times",
    met: ratio <= 1.3,
  };
}

async function slowReader(this: LimitSpec, { tcp }: Peer): Promise<Limit> {
  const rounds: number[][] = [];
  for (let round = 0; round < ROUNDS; round++) {
    rounds.push(await numbers([], "slow_reader", `${tcp}`));
  }
  const grown = median(rounds.map(([grown]) => grown));
  const [, limit] = rounds[0];
  return {
    name: this.name,
    unit: "MiB",
    ours: grown / MIB,
    baseline: limit / MIB,
    baselineName: "sendQueueLimit",
    atMost: "+16 MiB",
    met: grown <= limit + 16 * MIB,
  };
}

async function importTime(this: LimitSpec): Promise<Limit> {
  const time = async (program: string) => {
    const started = performance.now();
    await run([], program);
    return performance.now() - started;
  };
  const [ours, empty] = await inTurn(
    IMPORTS,
    () => time("import_module"),
    () => time("import_nothing"),
  );
  return {
    name: `${this.name} in a fresh process`,
    unit: "ms",
    ours: median(ours),
    baseline: median(empty),
    baselineName: "an empty program",
    atMost: "+15 ms",
    met: median(ours) <= median(empty) + 15,
  };
}

/** Measures both in alternation. It calls `ours` once before that, so that caches are warm. */
async function inTurn(
  rounds: number,
  ours: () => Promise<number>,
  baseline: () => Promise<number>,
): Promise<[ours: number[], baseline: number[]]> {
  await ours();
  const values: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    values[0].push(await ours());
    values[1].push(await baseline());
  }
  return values;
}

async function numbers(flags: string[], program: string, ...args: string[]): Promise<number[]> {
  return (await run(flags, program, ...args)).trim().split(" ").map(Number);
}

async function run(flags: string[], program: string, ...args: string[]): Promise<string> {
  const source = new URL(`programs/${program}.ts`, import.meta.url).pathname;
  const [command, ...rest] = pinned(MEASURED_CPU, [
    Deno.execPath(),
    "run",
    "-A",
    ...flags,
    source,
    ...args,
  ]);
  const { success, stdout } = await new Deno.Command(command, { args: rest, stderr: "inherit" })
    .output();
  if (!success) throw new Error(`${program} failed`);
  return new TextDecoder().decode(stdout);
}
