/** A process that is out of descriptors, on every runtime. */
import { assertEquals } from "@std/assert";
import { runHere } from "../support/own_runtime.ts";

const FEW = 64;

Deno.test("E1: a call that needs a descriptor and finds none is ResourceExhausted", async () => {
  const kinds = await runHere<Record<string, string>>(
    "tests/system/programs/no_descriptors.ts",
    [],
    ["-A", "--unstable-net"],
    FEW,
  );
  for (const [name, kind] of Object.entries(kinds)) {
    assertEquals([name, kind], [name, "ResourceExhausted EMFILE"]);
  }
  assertEquals(Object.keys(kinds).length, 5);
});
