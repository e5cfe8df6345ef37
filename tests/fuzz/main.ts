/**
 * Fuzzes for a long time. It checks a million mutations of valid inputs for every parser of foreign bytes, and ten
 * thousand sequences of calls on pairs of connections against a model. Then it measures the growth of the worst cases'
 * time, and the memory that a connection holds for endless input.
 *
 *     deno task fuzz                            everything
 *     deno task fuzz --target "PROXY v2 parser" one target, or model, growth or memory
 *     deno task fuzz --inputs 100000 --seed 7   fewer inputs or sequences, with the same random choices
 *
 * A failed input is made small and saved in cases/cases.json, which the unit tests run. The last line is JSON.
 */
import { Random } from "../support/random.ts";
import { findTargets } from "./all_targets.ts";
import { keepCase } from "./cases.ts";
import { ENDLESS, type Held, readEndless } from "./endless.ts";
import { type Growth, growthOf, MOST } from "./growth.ts";
import { checkSequences } from "./model/commands.ts";
import { checkLinkSequences } from "./model/links.ts";
import { NETWORK_TLS_KINDS } from "./model/tls_ends.ts";
import { checkViewSequences } from "./model/view_commands.ts";
import { numberOf, optionsOf } from "./options.ts";
import { missingOutcomes } from "./campaign.ts";
import type { Target } from "./target.ts";
import { watchedCampaign } from "./watched.ts";

const INPUTS = 1_000_000;
const SEQUENCES = 10_000;
/** Sequences over TLS are fewer by this factor: each begins with a handshake. */
const TLS_PART = 10;
const ENDLESS_BYTES = 256 * 1024 * 1024;
/** Memory for uncollected garbage and for the runtime itself (bytes). */
const MEMORY_CONSTANT = 4 * 1024 * 1024;

interface Row {
  readonly target: string;
  readonly inputs: number;
  readonly outcomes: number;
  readonly seconds: number;
  readonly seed: number;
  readonly finding?: string;
}

async function fuzz(target: Target, inputs: number, seed: number): Promise<Row> {
  const answer = await watchedCampaign({ target: target.name, inputs, seed });
  const { finding, milliseconds, outcomes } = answer;
  const shown: Row = {
    target: target.name,
    inputs: answer.inputs,
    outcomes: outcomes.size,
    seconds: Math.round(milliseconds / 100) / 10,
    seed,
  };
  console.log(
    `${shown.target.padEnd(30)} ${String(shown.inputs).padStart(9)} inputs ` +
      `${String(shown.outcomes).padStart(5)} outcomes ${shown.seconds.toFixed(1).padStart(7)} s  ` +
      `seed ${seed}`,
  );
  if (finding !== undefined) {
    const hex = finding.input.toHex();
    console.log(`  FAILED on ${hex || "(nothing)"}\n${finding.error}`);
    await keepCase(target.name, { hex, why: finding.error.split("\n", 1)[0] });
    return { ...shown, finding: hex };
  }
  const missing = missingOutcomes(target, { ...answer, finding: undefined });
  if (missing.length === 0) return shown;
  console.log(`  FAILED: never had the outcomes ${missing.join(", ")}`);
  return { ...shown, finding: `never ${missing.join(", ")}` };
}

/** Checks sequences of calls on the functions, on the stream views, over memory and over TCP, and on links. */
async function model(sequences: number, seed: number): Promise<Row[]> {
  const checks: [target: string, check: () => Promise<void>][] = [
    ["model over memory", () => checkSequences("memory", sequences, seed | 0)],
    ["model over TCP", () => checkSequences("TCP", sequences, seed | 0)],
    ["views over memory", () => checkViewSequences("memory", sequences, seed | 0)],
    ["views over TCP", () => checkViewSequences("TCP", sequences, seed | 0)],
    ...NETWORK_TLS_KINDS.map((kind): [string, () => Promise<void>] => [
      `model over ${kind}`,
      () => checkSequences(kind, Math.ceil(sequences / TLS_PART), seed | 0),
    ]),
    ...NETWORK_TLS_KINDS.map((kind): [string, () => Promise<void>] => [
      `views over ${kind}`,
      () => checkViewSequences(kind, Math.ceil(sequences / TLS_PART), seed | 0),
    ]),
    ["links", () => checkLinkSequences(sequences, seed | 0)],
  ];
  const rows: Row[] = [];
  for (const [target, check] of checks) {
    const started = performance.now();
    const failure = await check().then(() => undefined, String);
    const seconds = Math.round((performance.now() - started) / 100) / 10;
    console.log(
      `${target.padEnd(30)} ${String(sequences).padStart(9)} sequences ${seconds.toFixed(1)} s  ` +
        `seed ${seed}${failure === undefined ? "" : `\n  FAILED: ${failure}`}`,
    );
    rows.push({ target, inputs: sequences, outcomes: 0, seconds, seed, finding: failure });
  }
  return rows;
}

async function growth(targets: readonly Target[]): Promise<(Growth & { target: string })[]> {
  const rows: (Growth & { target: string })[] = [];
  for (const target of targets) {
    for (const worst of target.worst) {
      const grown = await growthOf(worst);
      rows.push({ target: target.name, ...grown });
      const { name, size, milliseconds, factor } = grown;
      console.log(
        `${target.name.padEnd(22)} ${name.padEnd(58)} ${milliseconds.toFixed(3).padStart(9)} ms ` +
          `for ${size}, twice as much ${factor.toFixed(2)} times${factor > MOST ? "  FAILED" : ""}`,
      );
    }
  }
  return rows;
}

type HeldRow = Held & { readonly memory: number; readonly failed: boolean };

/** Returns the memory of the process after garbage collection (bytes). */
function memoryInUse(): number {
  // The first collection may free its garbage concurrently. After the second one, it is certainly freed.
  for (let time = 0; time < 2; time++) (globalThis as unknown as { gc(): void }).gc();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

async function memory(): Promise<HeldRow[]> {
  const rows: HeldRow[] = [];
  for (const endless of ENDLESS) {
    const before = memoryInUse();
    let [next, most] = [0, 0];
    const held = await readEndless(endless, ENDLESS_BYTES, (sent) => {
      if (sent < next) return;
      next += ENDLESS_BYTES / 16;
      most = Math.max(most, memoryInUse() - before);
    });
    // A growing queue may reserve twice the memory of its content.
    const failed = most > 2 * held.limit + MEMORY_CONSTANT;
    rows.push({ ...held, memory: most, failed });
    console.log(
      `${held.name.padEnd(52)} ${mib(held.sent)} sent, ${mib(held.most)} held at most of ` +
        `${mib(held.limit)}, ${mib(most)} of memory${failed ? "  FAILED" : ""}`,
    );
  }
  return rows;
}

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

async function main(args: readonly string[]): Promise<boolean> {
  const options = optionsOf(args, ["target", "inputs", "seed"]);
  const inputs = numberOf(options, "inputs", INPUTS);
  const seed = numberOf(options, "seed", new Random().seed);
  const only = options.get("target");
  const wanted = (name: string) => only === undefined || only === name;
  const targets = await findTargets(undefined);
  const chosen = targets.filter(({ name }) => wanted(name));
  if (chosen.length === 0 && !["model", "growth", "memory"].includes(only!)) {
    const names = [...targets.map(({ name }) => name), "model", "growth", "memory"];
    throw new Error(`no target ${only}, the targets are: ${names.join(", ")}`);
  }
  console.log(`seed ${seed}`);
  const rows: Row[] = [];
  for (const target of chosen) {
    rows.push(await fuzz(target, Math.ceil(inputs / (target.slowness ?? 1)), seed));
  }
  const sequences = only === "model" ? numberOf(options, "inputs", SEQUENCES) : Math.min(
    inputs,
    SEQUENCES,
  );
  if (wanted("model")) rows.push(...await model(sequences, seed));
  const grown = wanted("growth") ? await growth(targets) : [];
  const held = wanted("memory") ? await memory() : [];
  const ok = rows.every(({ finding }) => finding === undefined) &&
    grown.every(({ factor }) => factor <= MOST) && held.every(({ failed }) => !failed);
  const steepest = Math.max(0, ...grown.map(({ factor }) => factor));
  console.log(JSON.stringify({ ok, seed, targets: rows, steepest, grown: grown.length, held }));
  return ok;
}

if (import.meta.main) Deno.exit(await main(Deno.args) ? 0 : 1);
