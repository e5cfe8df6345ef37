import { assertEquals } from "@std/assert";
import { runProgram } from "./support/run_program.ts";
import { strace } from "./support/strace.ts";

Deno.test("L5: both sides of a connection get TCP_NODELAY and SO_KEEPALIVE from the system", async () => {
  const under = await strace("-e", "trace=setsockopt");
  const run = { under, args: ["iterate", "1"] };
  const { errors } = await runProgram<{ accepted: number }>("accept_loop.ts", run);
  for (const option of ["SOL_TCP, TCP_NODELAY, [1]", "SOL_SOCKET, SO_KEEPALIVE, [1]"]) {
    const descriptors = errors.split("\n")
      .filter((line) => line.includes(option))
      .map((line) => /setsockopt\((\d+)/.exec(line)?.[1]);
    assertEquals(new Set(descriptors).size, 2, `${option}\n${errors}`);
  }
});
