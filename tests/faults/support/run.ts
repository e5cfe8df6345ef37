import { Random } from "../../support/random.ts";

/**
 * The beginning of the names of all network namespaces of a run, and the seed of its random choices. `deno task
 * test:faults` sets both, and removes the namespaces with these names.
 */
export const PREFIX = "sockets-faults";
export const RUN = Deno.env.get("FAULTS_RUN") ?? `${PREFIX}-${Deno.pid}`;
export const SEED = Number(Deno.env.get("FAULTS_SEED") ?? new Random().seed);

/** Flags for programs that need no unstable features. */
export const STABLE = [
  "--quiet",
  "--config",
  new URL("../../stable/deno.json", import.meta.url).pathname,
];
