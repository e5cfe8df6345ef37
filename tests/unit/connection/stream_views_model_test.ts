import { checkViewSequences } from "../../fuzz/model/view_commands.ts";

const SEQUENCES = 150;

// fast-check names the seed and the path of a failure by itself.
for (const kind of ["memory", "TCP"] as const) {
  Deno.test(`R6: any sequence of calls on the stream views and the functions over ${kind} keeps every byte in order`, async () => {
    await checkViewSequences(kind, SEQUENCES);
  });
}
