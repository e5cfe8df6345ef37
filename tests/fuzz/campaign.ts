import { deadline } from "@std/async";
import { Random } from "../support/random.ts";
import { minimised } from "./minimise.ts";
import { mutated } from "./mutation.ts";
import type { Target } from "./target.ts";

/** How an asynchronous check that never settles is told from one that takes its time. */
const PATIENCE = 20_000;
/** So many inputs with outcomes of their own are kept beside the seeds. */
const CORPUS_LIMIT = 2000;

/** An input for which something did not hold. */
export interface Finding {
  readonly input: Uint8Array;
  readonly error: unknown;
}

/** What came of a number of inputs. */
export interface CampaignResult {
  readonly inputs: number;
  readonly milliseconds: number;
  /** How often each outcome came. */
  readonly outcomes: ReadonlyMap<string, number>;
  readonly finding: Finding | undefined;
}

/** Checks one input; gives the error where something does not hold. */
export async function errorOf(target: Target, input: Uint8Array): Promise<unknown> {
  try {
    await settled(target.check(input));
    return undefined;
  } catch (error) {
    return error ?? new Error("something empty was thrown");
  }
}

function settled<T>(value: T | Promise<T>): T | Promise<T> {
  return value instanceof Promise ? deadline(value, PATIENCE) : value;
}

/** Feeds the seeds and then mutations of them to a target, until one fails. `watch` sees each before. */
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
      // A promise for every input of a parser would be most of the work.
      outcome = typeof checked === "string" ? checked : await deadline(checked, PATIENCE);
    } catch (error) {
      return result(index + 1, await smallest(target, { input, error }));
    }
    const count = outcomes.get(outcome) ?? 0;
    outcomes.set(outcome, count + 1);
    if (count === 0 && corpus.length < CORPUS_LIMIT) corpus.push(input);
  }
  return result(inputs);
}

/** The smallest input that fails with an error of the same class and, but for numbers, words. */
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

/** The outcomes that a target must have shown and has not. */
export function missingOutcomes(target: Target, { outcomes }: CampaignResult): string[] {
  const shown = [...outcomes.keys()];
  return target.outcomes.filter((wanted) => !shown.some((outcome) => outcome.startsWith(wanted)));
}
