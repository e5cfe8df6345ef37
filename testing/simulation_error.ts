/** Lines of the trace that the message of an error ends with. */
const LAST_LINES = 10;

/** Facts about a simulation that has failed. */
export interface SimulationFailure {
  readonly seed: number;
  readonly time: number;
  readonly lines: readonly string[];
  readonly cause?: unknown;
}

/**
 * The error of a simulation that has failed. Its `cause` is what the program threw; its message names a deadlock or a
 * difference between two runs, and the seed, with which the same happens again.
 */
export class SimulationError extends Error {
  /** Always `SimulationError`. */
  override readonly name: string = "SimulationError";
  /** The seed of the simulation. */
  readonly seed: number;
  /** The virtual time at which it failed (ms). */
  readonly time: number;
  /** Everything that happened on the network until then. */
  readonly trace: string;

  /**
   * Makes an error; `simulate` does.
   *
   * @param reason The failure in words.
   * @param failure The facts.
   */
  constructor(reason: string, { seed, time, lines, cause }: SimulationFailure) {
    const last = lines.slice(-LAST_LINES);
    const shown = last.length === 0 ? [] : ["The trace ends so:", ...last];
    const message = [`${reason} (seed ${seed}, at ${time.toFixed(3)} ms)`, ...shown].join("\n");
    super(message, cause === undefined ? undefined : { cause });
    this.seed = seed;
    this.time = time;
    this.trace = lines.join("\n");
  }
}

/** Returns the first difference between two traces, in words; undefined if they are the same. */
export function firstDifference(
  first: readonly string[],
  second: readonly string[],
): string | undefined {
  const length = Math.max(first.length, second.length);
  for (let at = 0; at < length; at++) {
    if (first[at] === second[at]) continue;
    const [one, other] = [first, second].map((lines) => lines[at] ?? "(the trace ends)");
    return `line ${
      at + 1
    } of the trace was\n${one}\nin the first run, and\n${other}\nin the second`;
  }
  return undefined;
}
