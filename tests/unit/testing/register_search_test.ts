import { assert, assertEquals, assertRejects } from "@std/assert";
import { runRegister, searchSeeds } from "../../../examples/register_search.ts";
import { SimulationError } from "../../../testing.ts";

/** The first seed with which the planted mistake shows. */
const SEED = 1064;

Deno.test("M1: a search over seeds finds the planted mistake, and the seed shows it again", async () => {
  const found = await searchSeeds(40, false, SEED - 30);
  assert(found !== undefined, "no seed shows it");
  assertEquals(found.seed, SEED);
  assert(found.message.includes('read "value 2" after write 3 (seed 1064, '), found.message);
  const again = await assertRejects(() => runRegister(found.seed, false), SimulationError);
  assertEquals(again.trace, found.trace);
});

Deno.test("the register without the mistake fails with none of the same seeds", async () => {
  assertEquals(await searchSeeds(40, true, SEED - 30), undefined);
});
