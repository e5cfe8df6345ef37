import { assertEquals, assertRejects } from "@std/assert";
import { runRegister } from "../../examples/register_search.ts";
import { SimulationError } from "../../testing.ts";

const RUNS = 1000;
const SEED = 1064;

Deno.test(`a seed gives the same trace in each of ${RUNS} runs`, async () => {
  let first: string | undefined;
  for (let run = 0; run < RUNS; run++) {
    const { trace } = await assertRejects(() => runRegister(SEED, false), SimulationError);
    assertEquals(trace, first ??= trace, `run ${run}`);
  }
});
