import { assert, assertEquals } from "@std/assert";
import { runProgram } from "./support/run_program.ts";

interface Told {
  readonly clients: number;
  readonly connecting: unknown;
  readonly bare: unknown;
  readonly acceptsInASecond: number;
  readonly acceptedMeanwhile: number;
  readonly accepted: number;
}

// The runtime raises its soft limit to the hard one: both are set.
const LIMITED = ["sh", "-c", 'ulimit -S -n 64 && ulimit -H -n 64 && exec "$@"', "sh"];

Deno.test("L2: out of descriptors the loop waits without spinning, then goes on", async () => {
  const { told } = await runProgram<Told>("descriptors.ts", { under: LIMITED });
  const failure = { kind: "ResourceExhausted", code: "EMFILE", retryable: true };
  assertEquals(told.connecting, { ...failure, operation: "connect" });
  assertEquals(told.bare, { ...failure, operation: "accept" });
  assert(told.clients > 0 && told.clients < 64, `${told.clients} clients`);
  assertEquals(told.acceptedMeanwhile, 0);
  assert(told.acceptsInASecond < 50, `${told.acceptsInASecond} accepts in a second`);
  assertEquals(told.accepted, told.clients);
});
