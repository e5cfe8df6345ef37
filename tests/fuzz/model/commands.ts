import fc from "fast-check";
import type { Limits } from "./call.ts";
import { type Kind, pause, runSequence, type Sequence, turn } from "./sequence.ts";
import type { Side } from "./side.ts";

/** The effect of a command on a pair. `which` selects the side. */
type Action = (side: Side, sequence: Sequence) => void | Promise<void>;

/** A step of a sequence. fast-check prints it if the sequence fails. */
class Step implements fc.AsyncCommand<object, Sequence> {
  readonly #what: string;
  readonly #which: 0 | 1;
  readonly #action: Action;

  constructor(what: string, which: 0 | 1, action: Action) {
    this.#what = what;
    this.#which = which;
    this.#action = action;
  }

  /** Allows the command at any time, because only the outcome is judged. */
  check(): boolean {
    return true;
  }

  async run(_: object, sequence: Sequence): Promise<void> {
    await turn();
    await this.#action(sequence.sides[this.#which], sequence);
    await turn();
    for (const side of sequence.sides) side.checkNobodyWaits();
  }

  toString(): string {
    return `${"AB"[this.#which]}.${this.#what}`;
  }
}

const side = fc.constantFrom<0 | 1>(0, 1);

const limits: fc.Arbitrary<Limits> = fc.oneof(
  { weight: 5, arbitrary: fc.constant({ timeout: undefined, signal: "none" } as const) },
  {
    weight: 4,
    arbitrary: fc.record({
      // The signal aborts at once, soon, during the call, or never.
      timeout: fc.constantFrom(undefined, undefined, 0, 1, 3, 60_000),
      signal: fc.constantFrom("none" as const, "own" as const, "own" as const, "aborted" as const),
    }),
  },
);

/** Sizes that are mostly small, and sometimes larger than a queue, a batch or a pipe. */
const size = fc.oneof(
  { weight: 20, arbitrary: fc.nat(300) },
  { weight: 3, arbitrary: fc.integer({ min: 1000, max: 20_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(65_536, 99_999, 100_001, 300_000) },
);

/** Makes bytes that are unique in the sequence. */
function bytesOf(id: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (id * 31 + index * 7 + (index >> 8)) & 255);
}

function step<T>(
  name: string,
  value: fc.Arbitrary<T>,
  action: (value: T, side: Side, sequence: Sequence) => void | Promise<void>,
): fc.Arbitrary<Step> {
  return fc.tuple(side, value).map(([which, value]) =>
    new Step(
      `${name}(${JSON.stringify(value)})`,
      which,
      (side, sequence) => action(value, side, sequence),
    )
  );
}

const id = fc.nat(255);

const steps: Record<string, fc.Arbitrary<Step>> = {
  send: step(
    "send",
    fc.record({ id, size, limits }),
    ({ id, size, limits }, side) => side.send(bytesOf(id, size), limits, "send"),
  ),
  sendFrame: step(
    "sendFrame",
    fc.record({ id, size: fc.nat(100), limits }),
    ({ id, size, limits }, side) => side.send(bytesOf(id, size), limits, "sendFrame"),
  ),
  sendParts: step(
    "sendParts",
    fc.record({
      id,
      size,
      limits,
      how: fc.constantFrom("sendPieces" as const, "sendFrames" as const),
    }),
    ({ id, size, limits, how }, side) => side.send(bytesOf(id, size), limits, how),
  ),
  recv: step(
    "recv",
    fc.record({ most: fc.constantFrom(undefined, undefined, 1, 7, 500), limits }),
    ({ most, limits }, side) => side.recv(most, limits),
  ),
  recvInto: step(
    "recvInto",
    fc.record({ room: fc.constantFrom(1, 10, 1000, 70_000), limits }),
    ({ room, limits }, side) => side.recvInto(room, limits),
  ),
  recvExactly: step(
    "recvExactly",
    fc.record({ length: fc.constantFrom(0, 1, 4, 50, 400, 5000), limits }),
    ({ length, limits }, side) => side.recvExactly(length, limits),
  ),
  recvFrame: step("recvFrame", limits, (limits, side) => side.recvFrame(limits)),
  recvFrames: step(
    "recvFrames",
    fc.record({ maxFrames: fc.constantFrom(1, 2, 7, 4096), limits }),
    ({ maxFrames, limits }, side) => side.recvFrames(maxFrames, limits),
  ),
  closeWrite: step("closeWrite", limits, (limits, side) => side.closeWrite(limits)),
  close: step(
    "close",
    fc.record({ linger: fc.constantFrom(undefined, 0, 2, 20), limits }),
    ({ linger, limits }, side) => side.close(linger, limits),
  ),
  abort: step("abort", fc.constant(null), (_, side) => side.abort()),
  reset: step("reset", fc.constant(null), (_, side, sequence) => sequence.reset(side)),
  cancel: step("cancel", fc.nat(5), (which, _, sequence) => sequence.cancels.cancel(-1 - which)),
  pause: step("pause", fc.constantFrom(0, 1, 4), (ms) => pause(ms)),
};

/** The weights of the commands. Endings are rare, because most sequences would end too early otherwise. */
const WEIGHTS: readonly (readonly [string, number])[] = [
  ...[["send", 6], ["sendFrame", 3], ["sendParts", 3], ["recv", 5], ["recvInto", 4], [
    "recvExactly",
    3,
  ]] as const,
  ...[["recvFrame", 3], ["recvFrames", 3], ["closeWrite", 1], ["close", 1], ["abort", 1], [
    "reset",
    1,
  ]] as const,
  ...[["cancel", 4], ["pause", 2]] as const,
];

const commands = fc.commands(
  WEIGHTS.flatMap(([name, weight]) => Array.from({ length: weight }, () => steps[name])),
  { maxCommands: 40, size: "max" },
);

/** Runs `count` sequences. The first failure is made small and reported with its seed and path. */
export async function checkSequences(kind: Kind, runs: number, seed?: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(
      commands,
      fc.nat(),
      (commands, random) =>
        runSequence(kind, random, async (sequence) => {
          await fc.asyncModelRun(() => ({ model: {}, real: sequence }), commands);
        }),
    ),
    { numRuns: runs, ...seed === undefined ? {} : { seed }, endOnFailure: false },
  );
}
