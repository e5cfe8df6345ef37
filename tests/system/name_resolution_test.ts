import { assert, assertEquals } from "@std/assert";
import { runProgram } from "./support/run_program.ts";
import { strace } from "./support/strace.ts";

const HOSTS = "/etc/hosts";

Deno.test("C1: timeout and signal cover the resolution of a name", async () => {
  // The system opens this file at least once to resolve a name. Here that takes 3 s.
  const slow = ["-P", HOSTS, "-e", "trace=openat", "-e", "inject=openat:delay_enter=3s"];
  const under = await strace(...slow);
  const { report, errors } = await runProgram<unknown>("slow_name.ts", { under });
  assertEquals(report, { timedOut: "TimedOut", aborted: "Aborted" });
  assert(errors.includes(HOSTS), `the name was not resolved: ${errors}`);
});
