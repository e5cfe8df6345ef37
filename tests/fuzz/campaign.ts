import { deadline } from "@std/async";
import { Random } from "../support/random.ts";
import { minimised } from "./minimise.ts";
import { mutated } from "./mutation.ts";
import type { Target } from "./target.ts";

/** An asynchronous check that takes longer never settles (ms). */
const CHECK_TIMEOUT_MS = 20_000;
/** The maximum number of inputs with new outcomes that are kept in addition to the seeds. */
const CORPUS_LIMIT = 2000;

/** An input that failed, and its error. */
export interface Finding {
  readonly input: Uint8Array;
  readonly error: unknown;
}

/** The result of a campaign. */
export interface CampaignResult {
  readonly inputs: number;
  readonly milliseconds: number;
  /** The number of inputs with each outcome. */
  readonly outcomes: ReadonlyMap<string, number>;
  readonly finding: Finding | undefined;
}

/** Checks one input, and returns its error, if any. */
export async function errorOf(target: Target, input: Uint8Array): Promise<unknown> {
  try {
    await settled(target.check(input));
    return undefined;
  } catch (error) {
    return error ?? new Error("undefined or null was thrown");
  }
}

function settled<T>(value: T | Promise<T>): T | Promise<T> {
  return value instanceof Promise ? deadline(value, CHECK_TIMEOUT_MS) : value;
}

/** Checks the seeds and then mutations of them until one fails. It calls `watch` with each input before its check. */
export async function campaign(
  target: Target,
  inputs: number,
  seed: number,
  watch: (input: Uint8Array) => void = () => {},
): Promise<CampaignResult> {
  const random = new Random(seed);
  const corpus = [...target.seeds];
  const outcomes = new Map<string, number>();
  const started = performance.now();
  const result = (done: number, finding?: Finding): CampaignResult => ({
    inputs: done,
    milliseconds: performance.now() - started,
    outcomes,
    finding,
  });
  for (let index = 0; index < inputs; index++) {
    const input = index < target.seeds.length
      ? target.seeds[index]
      : mutated(target, corpus, random);
    let outcome: string;
    watch(input);
    try {
      const checked = target.check(input);
      // An `await` for every input of a parser would take longer than the parser.
      outcome = typeof checked === "string" ? checked : await deadline(checked, CHECK_TIMEOUT_MS);
    } catch (error) {
      return result(index + 1, await smallest(target, { input, error }));
    }
    const count = outcomes.get(outcome) ?? 0;
    outcomes.set(outcome, count + 1);
    if (count === 0 && corpus.length < CORPUS_LIMIT) corpus.push(input);
  }
  return result(inputs);
}

/** Finds the smallest input that fails with the same class and, except for numbers, the same words. */
async function smallest(target: Target, finding: Finding): Promise<Finding> {
  const same = kindOf(finding.error);
  const input = await minimised(
    finding.input,
    async (input) => kindOf(await errorOf(target, input)) === same,
  );
  return { input, error: await errorOf(target, input) ?? finding.error };
}

function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const words = error.message.split("\n", 1)[0].replaceAll(/[0-9]+/g, "#").slice(0, 40);
  return `${error.name}: ${words}`;
}

/** Returns the required outcomes that a target did not show. */
export function missingOutcomes(target: Target, { outcomes }: CampaignResult): string[] {
  const shown = [...outcomes.keys()];
  return target.outcomes.filter((wanted) => !shown.some((outcome) => outcome.startsWith(wanted)));
}
