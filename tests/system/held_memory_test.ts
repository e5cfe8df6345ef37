import { assert, assertEquals } from "@std/assert";
import { runProgram } from "./support/run_program.ts";

interface Told {
  readonly afterFrame: number;
  readonly inPieces: number;
}

/** The largest buffer that a connection reads into. */
const ONE_READ = 124 * 1024;

Deno.test("a connection that waits holds one buffer after a large frame, and two while a frame comes in pieces", async () => {
  const { told } = await runProgram<Told>("held_memory.ts", {
    flags: ["--v8-flags=--expose-gc"],
    args: [],
  });
  assertEquals(told.afterFrame, ONE_READ);
  // What has come is in copies of its own size: a buffer for each piece would be a hundred of these.
  assert(told.inPieces <= 2 * ONE_READ, `${told.inPieces} bytes are held in buffers`);
});
