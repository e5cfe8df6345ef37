import { assert, assertEquals } from "@std/assert";
import { runProgram } from "./support/run_program.ts";

interface Report {
  readonly clients: number;
  readonly connecting: unknown;
  readonly bare: unknown;
  readonly acceptsInASecond: number;
  readonly acceptedMeanwhile: number;
  readonly accepted: number;
}

// Both limits are set, because the runtime raises its soft limit to the hard one.
const LIMITED = ["sh", "-c", 'ulimit -S -n 64 && ulimit -H -n 64 && exec "$@"', "sh"];

Deno.test("L2: out of descriptors the loop waits without spinning, then goes on", async () => {
  const { report } = await runProgram<Report>("descriptors.ts", { under: LIMITED });
  const failure = { kind: "ResourceExhausted", code: "EMFILE", retryable: true };
  assertEquals(report.connecting, { ...failure, operation: "connect" });
  assertEquals(report.bare, { ...failure, operation: "accept" });
  assert(report.clients > 0 && report.clients < 64, `${report.clients} clients`);
  assertEquals(report.acceptedMeanwhile, 0);
  assert(report.acceptsInASecond < 50, `${report.acceptsInASecond} accepts in a second`);
  assertEquals(report.accepted, report.clients);
});
