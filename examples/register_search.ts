/**
 * Searches for a seed with which the replicated register loses a write.
 *
 *     deno run examples/register_search.ts --seeds 10000
 *     deno run examples/register_search.ts --seed 4711   # the same failure again, with its trace
 *     deno run examples/register_search.ts --seeds 10000 --right   # without the planted mistake
 *
 * Each seed is another run: one packet in fifty is lost, and comes 200 ms later.
 */
import { simulate, SimulationError } from "../testing.ts";
import { exitWithProblem, readOptions } from "./arguments.ts";
import { RegisterClient, startReplica } from "./replicated_register.ts";

const REPLICAS = ["one", "two", "three"];
const WRITES = 3;

/** Writes and reads on a bad network. Throws if a read does not give the value that was written last. */
export function runRegister(seed: number, comparesVersions: boolean): Promise<void> {
  return simulate({ seed, latency: 1, jitter: 10, loss: 0.02 }, async (network) => {
    for (const host of REPLICAS) await startReplica(network.host(host), host, { comparesVersions });
    const client = new RegisterClient(network.host("client"), REPLICAS);
    for (let write = 1; write <= WRITES; write++) {
      await client.write(`value ${write}`);
      const found = await client.read();
      if (found !== `value ${write}`) throw new Error(`read "${found}" after write ${write}`);
    }
  });
}

/** Returns the first seed from `first` on with which the register fails, and its error. */
export async function searchSeeds(
  seeds: number,
  comparesVersions: boolean,
  first = 0,
): Promise<SimulationError | undefined> {
  for (let seed = first; seed < first + seeds; seed++) {
    try {
      await runRegister(seed, comparesVersions);
    } catch (error) {
      if (error instanceof SimulationError) return error;
      throw error;
    }
  }
  return undefined;
}

/** Reads a number from the command line. */
function parseCount(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= 0) return count;
  exitWithProblem(`--${name} is ${text}, not a whole number`);
}

if (import.meta.main) {
  const options = readOptions({
    seeds: { type: "string" },
    seed: { type: "string" },
    right: { type: "boolean" },
  });
  const seed = parseCount("seed", options.seed);
  const seeds = seed === undefined ? parseCount("seeds", options.seeds) ?? 10_000 : 1;
  const start = performance.now();
  const error = await searchSeeds(seeds, options.right ?? false, seed);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  if (error === undefined) console.log(`no failure with ${seeds} seeds, in ${seconds} s`);
  else {
    console.log(seed === undefined ? error.message : error.trace);
    console.log(`run it again with --seed ${error.seed}`);
    Deno.exitCode = 1;
  }
}
