import {
  checkBoolean,
  checkLimit,
  checkOptions,
  describe,
  invalidInput,
  readArguments,
} from "../core/arguments.ts";
import { suspendTurns, turnAwaited } from "../core/event_loop_turn.ts";
import { SocketError } from "../errors.ts";
import { watchUnhandledErrors } from "../runtime/unhandled_errors.ts";
import {
  type MemoryNetwork,
  type MemoryNetworkSettings,
  NetworkInMemory,
} from "./memory_network.ts";
import { firstDifference, SimulationError } from "./simulation_error.ts";
import { simulations } from "./simulation_queue.ts";
import { VirtualClock } from "./virtual_clock.ts";
import { installVirtualGlobals } from "./virtual_globals.ts";

const OPERATION = "simulate";
/** Virtual time after which a simulation fails, if no option says otherwise: a week (ms). */
const DEFAULT_TIME_LIMIT_MS = 7 * 24 * 3600 * 1000;

/** Deno 2.7 has it, but not its type. */
declare function setImmediate(callback: () => void): unknown;
/** The function of the platform, which a simulation replaces. */
const nextTurn: (callback: () => void) => unknown = setImmediate;

/** Options of `simulate`: the network's settings, and how to run. */
export interface SimulateOptions extends MemoryNetworkSettings {
  /**
   * Runs the program twice, and fails at the first difference between the two traces. Then something in the program
   * depends on more than the seed.
   *
   * @default {false}
   */
  check?: boolean;
  /**
   * Milliseconds of virtual time after which the simulation fails, from 0 to `Infinity`. A program that repeats
   * something for ever would run for ever.
   *
   * @default {604800000}
   */
  timeLimit?: number;
}

/** The time of a simulation. */
export interface SimulatedClock {
  /** Returns the milliseconds since the simulation began. `performance.now()` gives the same. */
  now(): number;
}

/** A program that is simulated. */
export type SimulatedProgram<T> = (
  network: MemoryNetwork,
  clock: SimulatedClock,
) => T | Promise<T>;

/**
 * Runs a program on a network in memory, in a time of its own. The time passes at once whenever nothing else can
 * happen, so that hours take milliseconds. The same seed gives the same run.
 *
 * Inside, timers, `performance.now`, `Date` and `AbortSignal.timeout` follow the virtual time, and `Math.random`,
 * `crypto.getRandomValues` and `crypto.randomUUID` the seed. Work from outside, such as files, real sockets, processes,
 * workers, `fetch` and `crypto.subtle`, is refused. `docs/testing.md` names what cannot be seen or refused.
 *
 * The simulation ends when the program's promise settles: timers and calls that are left never come. An error that
 * nobody handles ends it too. Several calls run one after the other.
 *
 * @param options The seed, the network, and how to run.
 * @param program Gets the network, without hosts, and the clock.
 * @returns The program's result.
 *
 * Rejects with a {@linkcode SimulationError}, which names the seed, if the program fails, if nothing is left that could
 * happen although it has not ended (a deadlock; the message names the calls that wait), if `timeLimit` has passed, or if
 * `check` finds a difference. A wrong argument is a {@linkcode SocketError} of kind `InvalidInput`.
 *
 * @example An hour in milliseconds
 * ```ts
 * import { accept, recvLine, send } from "jsr:@aivi/sockets";
 * import { simulate } from "jsr:@aivi/sockets/testing";
 * import { assert, assertEquals } from "jsr:@std/assert";
 *
 * const line = await simulate({ seed: 7, latency: 20 }, async (network, clock) => {
 *   const listener = await network.host("server").listen({ host: "server", port: 80 });
 *   const client = await network.host("client").connect({ host: "server", port: 80 });
 *   await new Promise((resolve) => setTimeout(resolve, 3_600_000));
 *   await send(client, new TextEncoder().encode("still here\n"));
 *   const line = await recvLine(await accept(listener));
 *   assert(clock.now() > 3_600_000);
 *   return line;
 * });
 * assertEquals(line, "still here");
 * ```
 */
export async function simulate<T>(
  options: SimulateOptions,
  program: SimulatedProgram<T>,
): Promise<T> {
  const { check, timeLimit } = readOptions(options, program);
  const leave = await simulations.enter();
  try {
    const first = new Simulation(options, timeLimit);
    const result = await first.run(program);
    if (check) {
      const again = new Simulation({ ...options, seed: first.seed }, timeLimit);
      await compare(first, again, program);
    }
    return result;
  } finally {
    leave();
  }
}

function readOptions(
  options: SimulateOptions,
  program: unknown,
): { check: boolean; timeLimit: number } {
  return readArguments(OPERATION, () => {
    const { check, timeLimit, trace } = checkOptions(OPERATION, options);
    if (typeof program !== "function") {
      throw invalidInput(OPERATION, `the program is ${describe(program)}, not a function`);
    }
    const isChecked = checkBoolean(OPERATION, "check", check, false);
    if (isChecked && trace === false) {
      throw invalidInput(OPERATION, "check compares traces, so trace cannot be false");
    }
    // Reads the settings of the network, so that a wrong one rejects before anything waits.
    new NetworkInMemory(OPERATION, options, new VirtualClock());
    return {
      check: isChecked,
      timeLimit: checkLimit(OPERATION, "timeLimit", timeLimit, DEFAULT_TIME_LIMIT_MS),
    };
  });
}

/** Runs a program again, and throws if anything is not as in the first run. */
async function compare<T>(
  first: Simulation,
  second: Simulation,
  program: SimulatedProgram<T>,
): Promise<void> {
  let error: unknown;
  try {
    await second.run(program);
  } catch (failure) {
    error = failure;
  }
  const difference = firstDifference(first.lines, second.lines) ??
    (error === undefined ? undefined : "the second run failed, and the first one did not") ??
    (first.events === second.events ? undefined : "the number of timers was another one");
  if (difference === undefined) return;
  throw second.failure(`two runs with one seed differ: ${difference}`, error);
}

/** The end of a program. */
type Outcome<T> = { readonly value: T } | { readonly error: unknown };

/** One run of a program. */
class Simulation {
  readonly #clock = new VirtualClock();
  readonly #network: NetworkInMemory;
  readonly #timeLimit: number;
  /** The first error that nobody handled. */
  #unhandled: { readonly error: unknown } | undefined;

  constructor(options: SimulateOptions, timeLimit: number) {
    this.#network = new NetworkInMemory(OPERATION, options, this.#clock);
    this.#timeLimit = timeLimit;
  }

  get seed(): number {
    return this.#network.seed;
  }

  get lines(): readonly string[] {
    return this.#network.traceLines;
  }

  get events(): number {
    return this.#clock.events;
  }

  async run<T>(program: SimulatedProgram<T>): Promise<T> {
    // A turn that was announced in real time has to come in real time.
    while (turnAwaited()) await new Promise<void>((resolve) => void nextTurn(resolve));
    const restore = [
      this.#watchErrors(),
      suspendTurns(),
      installVirtualGlobals(this.#clock, this.seed, refusedWork),
    ];
    try {
      return await this.#run(program);
    } catch (error) {
      throw error instanceof SimulationError ? error : this.failure(reasonOf(error), error);
    } finally {
      for (const undo of restore.reverse()) undo();
    }
  }

  failure(reason: string, cause?: unknown): SimulationError {
    return new SimulationError(reason, {
      seed: this.seed,
      time: this.#clock.now(),
      lines: this.lines,
      cause,
    });
  }

  /** Lets one event happen in each turn of the real event loop. All that follows from it comes before the next one. */
  #run<T>(program: SimulatedProgram<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let outcome: Outcome<T> | undefined;
    const turn = (): void => {
      try {
        if (this.#unhandled !== undefined) return reject(this.#unhandled.error);
        if (outcome !== undefined) {
          return "value" in outcome ? resolve(outcome.value) : reject(outcome.error);
        }
        this.#checkTime();
        this.#clock.advance();
        nextTurn(turn);
      } catch (error) {
        reject(error);
      }
    };
    const begin = async (): Promise<void> => {
      try {
        outcome = { value: await program(this.#network, { now: () => this.#clock.now() }) };
      } catch (error) {
        outcome = { error };
      }
    };
    nextTurn(() => {
      void begin();
      nextTurn(turn);
    });
    return promise;
  }

  /** Throws if nothing can happen any more, or if it would be too late. */
  #checkTime(): void {
    const { next } = this.#clock;
    if (next === undefined) {
      const deadlock = this.failure(this.#deadlock());
      simulations.rejectCalls(deadlock);
      throw deadlock;
    }
    if (next <= this.#timeLimit) return;
    throw this.failure(`the program has not ended after ${this.#timeLimit} ms of virtual time`);
  }

  #deadlock(): string {
    const waiting = this.#network.waiting();
    if (waiting.length === 0) waiting.push("a promise that nothing in the simulation settles");
    if (simulations.isAwaited) waiting.push("another simulate(), which begins after this one");
    const calls = waiting.map((call) => `\n- ${call}`).join("");
    return `deadlock: no timer and no packet is left, and the program waits for${calls}\n`;
  }

  /** Notes errors that nobody handles, which would end a program in real time. */
  #watchErrors(): () => void {
    return watchUnhandledErrors((error) => this.#unhandled ??= { error });
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : `threw ${describe(error)}`;
}

/** Makes the error of work that comes from outside. */
function refusedWork(what: string): SocketError {
  const reason = `${what} works outside of the program, which a simulation cannot repeat: ` +
    "do it before or after, or give the program something in its place";
  return new SocketError("Unsupported", OPERATION, reason);
}
