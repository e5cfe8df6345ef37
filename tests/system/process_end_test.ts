import { assertEquals } from "@std/assert";
import { SocketFolder } from "../support/unix_sockets.ts";
import { PROCESS_ENDS } from "./support/process_ends.ts";
import { runProgram } from "./support/run_program.ts";

Deno.test("E13: a handle of a Unix socket holds a process as one of TCP does", async () => {
  await using folder = await SocketFolder.make();
  const flags = ["--no-prompt", "--allow-net", `--allow-read=${folder.path}`];
  for (const [what, expected] of Object.entries(PROCESS_ENDS)) {
    if (what.startsWith("recvFrom()")) continue;
    const { report } = await runProgram<string>("ends.ts", {
      flags: [...flags, `--allow-write=${folder.path}`],
      args: [what, folder.next().path],
    });
    assertEquals(report, expected, what);
  }
});

for (const [what, expected] of Object.entries(PROCESS_ENDS)) {
  Deno.test(`E13: a process with ${what}: ${expected}`, async () => {
    const { report } = await runProgram<string>("ends.ts", { args: [what] });
    assertEquals(report, expected);
  });
}
