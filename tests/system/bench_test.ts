import { assert, assertEquals } from "@std/assert";
import { runDeno } from "../../tools/_run.ts";

const ROOT = new URL("../../", import.meta.url);

/** A filter for each file, which leaves its shortest benchmark or two. */
const FILTERS: Record<string, string> = {
  "tcp_bench.ts": "/^nothing of that name$/",
  "udp_bench.ts": "/^raw Deno$/",
  "framing_bench.ts": "/^(?:recv alone|netstrings)$/",
  "serve_bench.ts": "/^raw Deno in a loop$/",
};

Deno.test("deno bench --allow-net needs no other permission: each file starts its peer and measures", async () => {
  const files: string[] = [];
  for await (const { name } of Deno.readDir(new URL("bench/", ROOT))) {
    if (name.endsWith("_bench.ts")) files.push(name);
  }
  assertEquals(files.sort(), Object.keys(FILTERS).sort(), "each file is run here");
  for (const file of files) {
    const args = [
      "bench",
      // `deno task check` checks the types.
      "--no-check",
      "--no-prompt",
      "--allow-net",
      "--filter",
      FILTERS[file],
      `bench/${file}`,
    ];
    const { success, output } = await runDeno(args, { cwd: ROOT, timeout: 120_000 });
    assert(success, output);
    if (file !== "tcp_bench.ts") assert(/\b\d+(?:\.\d+)? [mµ]?s\b/.test(output), output);
  }
});
