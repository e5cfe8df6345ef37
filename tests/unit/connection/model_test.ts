import { checkSequences } from "../../fuzz/model/commands.ts";

const SEQUENCES = 300;

// fast-check names the seed and the path of a failure by itself.
for (const kind of ["memory", "TCP", "network"] as const) {
  Deno.test(`any sequence of calls on a pair over ${kind} keeps to the semantics`, async () => {
    await checkSequences(kind, SEQUENCES);
  });
}
