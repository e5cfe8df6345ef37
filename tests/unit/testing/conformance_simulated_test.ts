import { CONNECTION_ROWS } from "../../../testing/check_connection.ts";
import { simulate } from "../../../testing.ts";
import { withSeed } from "../../support/random.ts";
import { memoryKind, swapped } from "../../support/stream_kinds.ts";

for (const { what, run } of CONNECTION_ROWS) {
  Deno.test(`M5: in a simulation with latency and loss: ${what}`, () =>
    withSeed(async (random) => {
      const settings = { seed: random.seed, latency: 1, jitter: 5, loss: 0.001 };
      await simulate(settings, (network) => run(memoryKind(network), random));
      await simulate(settings, (network) => run(swapped(memoryKind(network)), random));
    }));
}
