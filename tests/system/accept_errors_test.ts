import { assert, assertEquals } from "@std/assert";
import { runProgram } from "./support/run_program.ts";
import { strace } from "./support/strace.ts";

interface Report {
  readonly accepted: number;
  readonly failures: readonly string[];
}

/** Makes accept4(2) fail. `when` is in the syntax of strace, such as `1..3`. */
function failing(error: string, when: string): Promise<string[]> {
  return strace("-e", "trace=accept4", "-e", `inject=accept4:error=${error}:when=${when}`);
}

/** Errors that belong to one connection, or that pass. */
const PASSING = [
  "ECONNABORTED",
  "ENOTCONN",
  "EPROTO",
  "EPERM",
  "ENETDOWN",
  "EINTR",
  "EHOSTUNREACH",
  // accept(2) does not have this error, so its meaning is unknown.
  "EIO",
];

for (const error of PASSING) {
  Deno.test(`L1: an accept that fails with ${error} surfaces in no accept and no iteration`, async () => {
    for (const how of ["iterate", "accept"]) {
      const under = await failing(error, "1..3");
      const { report, errors } = await runProgram<Report>("accept_loop.ts", {
        under,
        args: [how, "3"],
      });
      assertEquals(report, { accepted: 3, failures: [] }, `${how}\n${errors}`);
      assertEquals(injected(errors), 3, errors);
    }
  });
}

for (const error of ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"]) {
  Deno.test(`L2: an accept that fails with ${error} rejects accept(), and the iteration goes on`, async () => {
    const under = await failing(error, "1..3");
    const iterated = await runProgram<Report>("accept_loop.ts", { under, args: ["iterate", "3"] });
    assertEquals(iterated.report, { accepted: 3, failures: [] }, iterated.errors);
    assertEquals(injected(iterated.errors), 3);

    const bare = await runProgram<Report>("accept_loop.ts", { under, args: ["accept", "3"] });
    const failures = Array(3).fill(`ResourceExhausted ${error}`);
    assertEquals(bare.report, { accepted: 3, failures }, bare.errors);
  });
}

Deno.test("L1: an unknown accept error that repeats does not spin", async () => {
  const under = await failing("EIO", "1+");
  const { report, errors } = await runProgram<{ kind: string }>("failing_accept.ts", { under });
  assertEquals(report, { kind: "TimedOut" });
  const attempts = injected(errors);
  assert(attempts > 2 && attempts < 50, `${attempts} attempts in two seconds`);
});

function injected(errors: string): number {
  return errors.match(/\(INJECTED\)/g)?.length ?? 0;
}
