import { Random } from "../../support/random.ts";

/**
 * What one run of these tests has in common: the name that all its network namespaces begin with, and the
 * seed of all that is random in it. `deno task test:faults` sets both, and removes what the name says.
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
