import { checkLinkSequences } from "../../fuzz/model/links.ts";

const SEQUENCES = 500;

// fast-check names the seed and the path of a failure by itself.
Deno.test("X1, X2: any sequence of events and calls keeps the pace, and leaves nothing pending", async () => {
  await checkLinkSequences(SEQUENCES);
});
