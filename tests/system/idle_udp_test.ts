import { assertEquals } from "@std/assert";
import { runProgram } from "./support/run_program.ts";

const SETTINGS = [
  { title: "with --unstable-net", flags: ["--unstable-net"] },
  { title: "without unstable features", flags: [] },
];

const ENDS = [
  "nothing was received",
  "a datagram waits",
  "a group was joined",
  "a receive has timed out",
  "a receive was aborted",
  "a receive has ended",
  "a receive has ended after one that timed out",
  "an iteration was left",
  "a receive is pending, unreferenced before",
  "a receive is pending, unreferenced meanwhile",
  "an unreferenced receive has timed out, and one is pending",
];

const STAYS = [
  "a receive is pending",
  "an iteration is pending",
  "a receive is pending after one that timed out",
  "a receive is pending after one that has ended",
  "a receive is pending beside one that timed out",
  "a receive is pending, referenced again",
  "a receive was referenced again while none was pending",
];

for (const { title, flags } of SETTINGS) {
  for (
    const [verb, expected, states] of [
      ["ends", "ended", ENDS],
      ["stays", "received", STAYS],
    ] as const
  ) {
    for (const state of states) {
      Deno.test(`U9: the process ${verb} if ${state}, ${title}`, async () => {
        const { report } = await runProgram<string>("idle_udp.ts", {
          flags: ["--no-prompt", "--allow-net", ...flags],
          args: verb === "stays" ? [state, "wake"] : [state],
        });
        assertEquals(report, expected);
      });
    }
  }
}
