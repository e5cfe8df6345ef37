import { assert, assertEquals } from "@std/assert";
import { runDeno } from "../../tools/_run.ts";

const ROOT = new URL("../../", import.meta.url);
/** Test files of real sockets that also run on a network in memory. */
const FILES = [
  "tests/unit/connection",
  "tests/unit/udp",
  "tests/unit/serve/serve_busy_test.ts",
  "tests/unit/serve/serve_disconnected_test.ts",
  "tests/unit/serve/serve_errors_test.ts",
  "tests/unit/serve/serve_limits_test.ts",
  "tests/unit/serve/serve_test.ts",
  "tests/unit/serve/serve_timeouts_test.ts",
];
/** Fewer tests than this mean that some were lost: `tests/memory/left_out.ts` leaves out about 70. */
const FEWEST_TESTS = 600;

Deno.test("M5: the tests of connections, UDP and serve pass on a network in memory", async () => {
  const { success, output } = await runDeno([
    "test",
    "--no-config",
    "--no-check",
    "--import-map",
    "tests/memory/import_map.json",
    "--unstable-net",
    "--allow-net",
    "--parallel",
    ...FILES,
  ], { cwd: ROOT, timeout: 600_000 });
  assert(success, output.slice(-20_000));
  const [, passed, failed] = /(\d+) passed.*?\| (\d+) failed/.exec(output) ?? [];
  assertEquals(failed, "0");
  assert(Number(passed) >= FEWEST_TESTS, `${passed} tests have run`);
});
