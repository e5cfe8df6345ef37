import { assert, assertEquals } from "@std/assert";
import { ByteQueue, lengthPrefixed, SocketError } from "../../../mod.ts";
import { campaign, type CampaignResult, errorOf, missingOutcomes } from "../../fuzz/campaign.ts";
import { cases } from "../../fuzz/cases.ts";
import { ENDLESS, readEndless } from "../../fuzz/endless.ts";
import { readWorstCases } from "../../fuzz/growth.ts";
import { mutated } from "../../fuzz/mutation.ts";
import type { Target } from "../../fuzz/target.ts";
import { targets } from "../../fuzz/targets.ts";
import { Random } from "../../support/random.ts";
import { randomRuns } from "../../support/runs.ts";

/** Fewer inputs would miss outcomes that are rare. */
const INPUTS = Math.max(randomRuns(10_000), 3000);

function failIfFound({ finding }: CampaignResult, seed: number): void {
  if (finding === undefined) return;
  const { input, error } = finding;
  throw new Error(`seed ${seed}, input ${input.toHex() || "(empty)"}`, { cause: error });
}

for (const target of targets) {
  Deno.test(`${target.name} keeps its promises on ten thousand mutations of valid inputs`, async () => {
    const { seed } = new Random();
    const result = await campaign(target, INPUTS, seed);
    failIfFound(result, seed);
    assertEquals(missingOutcomes(target, result), [], `seed ${seed}`);
  });

  Deno.test(`${target.name} keeps its promises on inputs that once broke them`, async () => {
    for (const { hex, why } of cases[target.name] ?? []) {
      const cause = await errorOf(target, Uint8Array.fromHex(hex));
      if (cause !== undefined) throw new Error(`${hex}: ${why}`, { cause });
    }
  });

  Deno.test(`F5: ${target.name} reads its worst cases in linear time`, async () => {
    // A quadratic reader would take minutes at their sizes.
    await readWorstCases(target);
  });
}

Deno.test("every kept case has a target", () => {
  const names = targets.map(({ name }) => name);
  // Those of TLS are made in tests/unit/tls/fuzz_test.ts.
  const others = Object.keys(cases).filter((name) => !/TLS/.test(name));
  for (const name of others) assert(names.includes(name), name);
});

for (const endless of ENDLESS) {
  Deno.test(`F4: ${endless.name} holds at most the limit and one read`, async () => {
    const { most, sent } = await readEndless(endless, 8 * 1024 * 1024);
    assert(sent > 0 && most > 0);
  });
}

/** A target whose codec has a mistake, to see that fuzzing finds mistakes. */
function mistaken(check: Target["check"]): Target {
  return {
    name: "mistaken",
    seeds: [new Uint8Array([0, 0, 0, 2, 7, 8]), new Uint8Array([0, 0, 0, 0])],
    words: [new Uint8Array([0, 0, 0, 1])],
    longest: 100,
    check,
    outcomes: [],
    worst: [],
  };
}

Deno.test("campaign() finds a parser's mistake and makes the input small", async () => {
  const target = mistaken((input) => {
    const queue = new ByteQueue();
    queue.push(input);
    try {
      lengthPrefixed({ maxLength: 10 }).decoder().decode(queue);
    } catch (error) {
      assert(error instanceof SocketError);
      return error.kind;
    }
    // The mistake: it throws if the bytes behind a frame begin with 200.
    if (queue.length > 0 && queue.at(0) === 200) throw new RangeError("Maximum call stack");
    return "fine";
  });
  const { finding } = await campaign(target, 100_000, 1);
  assertEquals(finding?.input, new Uint8Array([200]));
  assert(finding?.error instanceof RangeError);
});

Deno.test("campaign() finds a promise that rejects as it finds a throw", async () => {
  const rejecting = mistaken(() => Promise.reject(new TypeError("raw")));
  assert((await campaign(rejecting, 10, 1)).finding?.error instanceof TypeError);
});

Deno.test("the same seed makes the same inputs, and another seed makes others", () => {
  for (const target of targets) {
    const make = (seed: number) => {
      const random = new Random(seed);
      return Array.from({ length: 50 }, () => mutated(target, target.seeds, random).toHex());
    };
    assertEquals(make(7), make(7));
    assert(make(7).join() !== make(8).join());
    assert(new Set(make(7)).size > 25);
  }
});

Deno.test("missingOutcomes() lists the outcomes that the fuzzing never reached", async () => {
  const target = { ...mistaken(() => "InvalidData: x"), outcomes: ["InvalidData", "frames"] };
  assertEquals(missingOutcomes(target, await campaign(target, 10, 1)), ["frames"]);
});
