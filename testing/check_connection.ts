import { AssertionError } from "@std/assert/assertion-error";
import {
  checkBoolean,
  checkOptions,
  checkWhole,
  describe,
  invalidInput,
  readArguments,
} from "../core/arguments.ts";
import { startTimer } from "../core/timer.ts";
import { CALL_ROWS } from "./connection_call_rows.ts";
import type { StreamConnection } from "../connection/stream_connection.ts";
import { streamOf } from "./connection_calls.ts";
import { ENDING_ROWS } from "./connection_ending_rows.ts";
import type {
  ConnectionKind,
  ConnectionPair,
  ConnectionRow,
  ResettableConnection,
} from "./connection_row.ts";
import { TRANSFER_ROWS } from "./connection_transfer_rows.ts";
import { SeededRandom } from "./seeded_random.ts";

const OPERATION = "checkConnection";
/** A row that takes longer hangs (ms). */
const ROW_TIMEOUT_MS = 60_000;
const RANDOM_SEEDS = 2 ** 32;

/** All promises about streams. */
export const CONNECTION_ROWS: readonly ConnectionRow[] = [
  ...TRANSFER_ROWS,
  ...CALL_ROWS,
  ...ENDING_ROWS,
];

/** Options of `checkConnection`. */
export interface CheckConnectionOptions {
  /** Makes a connection whose peer can reset it. Without it, the rows about resets are left out. */
  makeReset?: () => ResettableConnection | Promise<ResettableConnection>;
  /**
   * Sets if the streams tell a peer that dropped the connection from one that ended it, as TLS does.
   *
   * @default {false}
   */
  endsWithTruncation?: boolean;
  /**
   * The seed of the random choices, a whole number from 0 to 2⁵³ - 1. A failure names it.
   *
   * @default {a random one for each run}
   */
  seed?: number;
}

/**
 * One test of `checkConnection`: a function with a name that says what must hold. Its promise rejects with an
 * `AssertionError` if the connections fail it, after a minute at the latest.
 */
export interface ConnectionCheck {
  /** Runs the test. */
  (): Promise<void>;
  /** Says what must hold. */
  readonly name: string;
}

/**
 * Makes the tests that every {@linkcode Connection} must pass, for authors of transports.
 *
 * They are about 1 MiB each way at once, sends that overlap, deadlines that lose nothing, and every way to end. The connections of this package pass them over TCP
 * and in memory. Each test runs in both directions.
 *
 * It needs buffers of less than 16 MiB between the ends, and a transport with `closeWrite`.
 *
 * @param makePair Makes two connected ends, for each test anew. They are aborted after the test, and disposed if the
 * pair has `Symbol.asyncDispose`.
 * @param options A way to reset, and the seed.
 * @returns The tests, for any test runner.
 * @throws {SocketError} `InvalidInput` for a wrong argument.
 *
 * @example
 * ```ts
 * import { accept, connect, listen } from "jsr:@aivi/sockets";
 * import { checkConnection } from "jsr:@aivi/sockets/testing";
 * import { assert } from "jsr:@std/assert";
 *
 * async function makePair() {
 *   await using listener = await listen({ host: "127.0.0.1", port: 0 });
 *   const [near, far] = await Promise.all([connect(listener.address), accept(listener)]);
 *   return { near, far };
 * }
 * const checks = checkConnection(makePair);
 * // With a test runner: for (const check of checks) Deno.test(check.name, check);
 * const check = checks.find(({ name }) => name.includes("ping-pongs"));
 * assert(check !== undefined);
 * await check();
 * ```
 */
export function checkConnection(
  makePair: () => ConnectionPair | Promise<ConnectionPair>,
  options?: CheckConnectionOptions,
): ConnectionCheck[] {
  const checked = readOptions(makePair, options);
  const { makeReset, seed } = checked;
  const rows = CONNECTION_ROWS.filter(({ resets }) => !resets || makeReset !== undefined);
  const check = (row: ConnectionRow, isSwapped: boolean): ConnectionCheck => {
    const run = () => runRow(row, new MadeConnections(makePair, checked, isSwapped), seed);
    const name = isSwapped ? `other direction, ${row.what}` : row.what;
    return Object.defineProperty(run, "name", { value: name });
  };
  return rows.flatMap((row) => [check(row, false), check(row, true)]);
}

function readOptions(makePair: unknown, options: unknown): CheckConnectionOptions {
  return readArguments(OPERATION, () => {
    const given = checkOptions(OPERATION, options as CheckConnectionOptions | undefined);
    for (const [name, value] of Object.entries({ makePair, makeReset: given.makeReset })) {
      if (typeof value === "function" || name === "makeReset" && value === undefined) continue;
      throw invalidInput(OPERATION, `${name} is ${describe(value)}, not a function`);
    }
    const { makeReset, seed } = given;
    const name = "endsWithTruncation";
    const endsWithTruncation = checkBoolean(OPERATION, name, given.endsWithTruncation, false);
    if (seed !== undefined) checkWhole(OPERATION, "seed", seed, 0, Number.MAX_SAFE_INTEGER);
    return { makeReset, endsWithTruncation, seed };
  });
}

/** The connections of one run. */
class MadeConnections implements ConnectionKind {
  readonly #makePair: () => ConnectionPair | Promise<ConnectionPair>;
  readonly #makeReset: CheckConnectionOptions["makeReset"];
  readonly endsWithTruncation: boolean;
  readonly #isSwapped: boolean;
  readonly #ends: StreamConnection[] = [];

  constructor(
    makePair: () => ConnectionPair | Promise<ConnectionPair>,
    { makeReset, endsWithTruncation }: CheckConnectionOptions,
    isSwapped: boolean,
  ) {
    this.#makePair = makePair;
    this.#makeReset = makeReset;
    this.endsWithTruncation = endsWithTruncation ?? false;
    this.#isSwapped = isSwapped;
  }

  async makePair(): Promise<ConnectionPair & AsyncDisposable> {
    const made = await this.#makePair();
    const ends = [streamOf(made.near), streamOf(made.far)];
    this.#ends.push(...ends);
    const [near, far] = this.#isSwapped ? ends.reverse() : ends;
    return { near, far, ...disposalOf(made, ends) };
  }

  async makeReset(): Promise<ResettableConnection & AsyncDisposable> {
    const made = await this.#makeReset!();
    const near = streamOf(made.near);
    this.#ends.push(near);
    return { near, reset: (bytes) => made.reset(bytes), ...disposalOf(made, [near]) };
  }

  /** Drops all that is left, so that a run that hangs comes to its end. */
  abort(): void {
    for (const end of this.#ends) end.abort();
  }
}

function disposalOf(
  made: Partial<AsyncDisposable>,
  ends: readonly StreamConnection[],
): AsyncDisposable {
  return {
    async [Symbol.asyncDispose](): Promise<void> {
      for (const end of ends) end.abort();
      await made[Symbol.asyncDispose]?.();
    },
  };
}

async function runRow(
  row: ConnectionRow,
  connections: MadeConnections,
  seed = Math.floor(Math.random() * RANDOM_SEEDS),
): Promise<void> {
  try {
    await inTime(row.run(connections, new SeededRandom(seed)));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : describe(cause);
    throw new AssertionError(`${row.what}: ${reason} (seed ${seed})`, { cause });
  } finally {
    connections.abort();
  }
}

/** Waits for a row, at most a minute. */
async function inTime(row: Promise<void>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = startTimer(ROW_TIMEOUT_MS, () => {
    reject(new AssertionError(`it has not ended after ${ROW_TIMEOUT_MS} ms`));
  });
  try {
    await Promise.race([row, promise]);
  } finally {
    stop();
  }
}
