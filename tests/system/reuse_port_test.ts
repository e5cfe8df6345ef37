import { assert, assertEquals } from "@std/assert";
import { runProgram } from "./support/run_program.ts";

interface Report {
  readonly outcome: unknown;
  readonly plain: string;
}

Deno.test("listen() with reusePort is Unsupported without --unstable-net, and does not end the process", async () => {
  const { report } = await runProgram<Report>("reuse_port.ts");
  const { message, ...rest } = report.outcome as { message: string };
  assertEquals(rest, { kind: "Unsupported", operation: "listen", retryable: false } as object);
  assert(message.endsWith("reusePort needs --unstable-net"), message);
  assertEquals(report.plain, "accepted");
});

Deno.test("listen() with reusePort and --unstable-net shares a port among listeners", async () => {
  const flags = ["--no-prompt", "--allow-net", "--unstable-net"];
  const { report } = await runProgram<Report>("reuse_port.ts", { flags });
  const { counts: [first, second] } = report.outcome as { counts: number[] };
  assertEquals(first + second, 40);
  assert(first > 0 && second > 0, `the kernel spread 40 clients ${first} to ${second}`);
  assertEquals(report.plain, "accepted");
});
