import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { recv, recvExactly, recvInto } from "../../../mod.ts";
import { watchUnhandled } from "../../support/unhandled.ts";
import { ends, type Kind, natureOf, pause, turn } from "./sequence.ts";
import { ViewSide } from "./view_side.ts";

type Sides = readonly [ViewSide, ViewSide];

/** A step of a sequence. fast-check prints it if the sequence fails. */
class Step implements fc.AsyncCommand<object, Sides> {
  readonly #what: string;
  readonly #which: 0 | 1;
  readonly #action: (side: ViewSide) => void | Promise<void>;

  constructor(what: string, which: 0 | 1, action: (side: ViewSide) => void | Promise<void>) {
    this.#what = what;
    this.#which = which;
    this.#action = action;
  }

  check(): boolean {
    return true;
  }

  async run(_: object, sides: Sides): Promise<void> {
    await this.#action(sides[this.#which]);
    for (const { failure } of sides) if (failure !== undefined) throw failure;
  }

  toString(): string {
    return `${"AB"[this.#which]}.${this.#what}`;
  }
}

function step<T>(
  name: string,
  weight: number,
  value: fc.Arbitrary<T>,
  action: (side: ViewSide, value: T) => void | Promise<void>,
): fc.Arbitrary<Step>[] {
  const made = fc.tuple(fc.constantFrom<0 | 1>(0, 1), value).map(([which, value]) =>
    new Step(`${name}(${JSON.stringify(value) ?? ""})`, which, (side) => action(side, value))
  );
  return Array.from({ length: weight }, () => made);
}

interface ViewClass {
  new (buffer: ArrayBuffer, offset: number, length: number): ArrayBufferView<ArrayBuffer>;
  readonly BYTES_PER_ELEMENT?: number;
}

const VIEWS: Record<string, ViewClass> = {
  DataView,
  Int8Array,
  Uint8Array,
  Uint16Array,
  Float32Array,
  BigUint64Array,
};

const nothing = fc.constant(undefined);
const throughView = fc.boolean();
const bytes = fc.record({
  id: fc.nat(255),
  size: fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: 1, max: 40 }) },
    { weight: 1, arbitrary: fc.constantFrom(5000, 70_000) },
  ),
});

const steps = [
  ...step("send", 6, fc.tuple(bytes, throughView), (side, [{ id, size }, view]) => {
    side.send(
      Uint8Array.from({ length: size }, (_, at) => (id * 31 + at * 7 + (at >> 8)) & 255),
      view,
    );
  }),
  ...step("read", 5, nothing, (side) => side.read(undefined, 1)),
  ...step(
    "byobRead",
    7,
    fc.record({
      view: fc.constantFrom(...Object.keys(VIEWS)),
      elements: fc.constantFrom(1, 3, 50),
      min: fc.constantFrom(1, 1, 1, 2, 3),
    }),
    (side, { view, elements, min }) => {
      const make = () => {
        const { BYTES_PER_ELEMENT: size = 1 } = VIEWS[view];
        return new VIEWS[view](new ArrayBuffer(8 + size * elements), 8, elements);
      };
      side.read(make, Math.min(min, elements));
    },
  ),
  ...step("releaseLock", 6, nothing, (side) => side.releaseLock()),
  ...step("recv", 4, nothing, (side) => side.call("recv", 1, () => recv(side.connection))),
  ...step("recvExactly", 3, fc.constantFrom(1, 7, 200), (side, length) => {
    side.call("recvExactly", 2, () => recvExactly(side.connection, length));
  }),
  ...step("recvInto", 3, fc.constantFrom(1, 50), (side, room) => {
    const buffer = new Uint8Array(room);
    side.call("recvInto", 1, async () => {
      const count = await recvInto(side.connection, buffer);
      return count === null ? null : buffer.subarray(0, count);
    });
  }),
  ...step("iterate", 3, nothing, (side) => side.iterate()),
  ...step("pipe", 2, nothing, (side) => side.pipe()),
  ...step("stopPipe", 3, nothing, (side) => side.stopPipe()),
  ...step("tee", 1, nothing, (side) => side.tee()),
  ...step("cancel", 1, nothing, (side) => side.cancel()),
  ...step("finish", 1, throughView, (side, view) => side.finish(view)),
  ...step("abort", 1, throughView, (side, view) => side.abort(view)),
  ...step("turn", 8, nothing, () => turn()),
  ...step("pause", 2, nothing, () => pause(1)),
];

const commands = fc.commands(steps, { maxCommands: 40, size: "max" });

/** Runs `count` sequences on the stream views. The first failure is made small and reported with its seed and path. */
export async function checkViewSequences(kind: Kind, runs: number, seed?: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(commands, fc.nat(), async (commands, random) => {
      using unhandled = watchUnhandled();
      const { near, far, end } = await ends(kind, random);
      try {
        const sides: Sides = [
          new ViewSide("A", near, natureOf(kind, 0)),
          new ViewSide("B", far, natureOf(kind, 1)),
        ];
        [sides[0].peer, sides[1].peer] = [sides[1], sides[0]];
        await fc.asyncModelRun(() => ({ model: {}, real: sides }), commands);
        for (const side of sides) side.finish(false);
        await Promise.all(sides.map((side) => side.drain()));
        for (const side of sides) await side.settle();
        assertEquals(await unhandled.seen(), []);
      } finally {
        await end();
      }
    }),
    { numRuns: runs, ...seed === undefined ? {} : { seed }, endOnFailure: false },
  );
}
