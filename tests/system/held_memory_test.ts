import { assert, assertEquals } from "@std/assert";
import { runProgram } from "./support/run_program.ts";

interface Report {
  readonly afterFrame: number;
  readonly inPieces: number;
  readonly perSend: number;
}

/** The size of the largest buffer that a connection reads into before 4 MiB have come in a row (bytes). */
const ONE_READ = 64 * 1024;

Deno.test("E5: a waiting connection holds one buffer after a large frame, and two while a frame arrives in pieces; a settled send leaves nothing behind", async () => {
  const { report } = await runProgram<Report>("held_memory.ts", {
    flags: ["--v8-flags=--expose-gc"],
    args: [],
  });
  assertEquals(report.afterFrame, ONE_READ);
  // The pieces are in copies of their own size. A buffer for each piece would be a hundred buffers.
  assert(report.inPieces <= 2 * ONE_READ, `${report.inPieces} bytes are held in buffers`);
  // A race with one promise for all writes left 312 bytes for each.
  assert(report.perSend < 20, `each send has left ${report.perSend} bytes`);
});

Deno.test("X2: a link that fails for long keeps nothing of the attempts that are over", async () => {
  const { report } = await runProgram<Record<string, number>>("link_memory.ts", {
    flags: ["--v8-flags=--expose-gc"],
  });
  // Each error held the one before by its stack: 4 KB for each attempt, for ever.
  for (const [what, bytes] of Object.entries(report)) {
    assert(bytes < 200, `each attempt has left ${bytes} bytes (${what})`);
  }
});
