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
/** Beginnings of titles, or parts after `…`, of tests that cannot run in memory, by the reason. */
const LEFT_OUT: Readonly<Record<string, readonly string[]>> = {
  "its peer is a socket of node:net": [
    "TCP on IPv",
    "V3: each host has its own maxConnectionsPerHost",
    "V7: serve\\(\\) goes on after clients that reset",
  ],
  "it replaces the runtime's listener": [
    "R7: nothing is read ahead for a handler",
    "V2: at maxConnections the runtime is not asked",
    "V7: a system that is out of descriptors",
    "V7: serve\\(\\) goes on when there are descriptors",
    "V7: shutdown\\(\\) waits for descriptors",
  ],
  "memory has no interfaces, so no zones": [
    "bindUdp\\(\\) and sendTo\\(\\) take an IPv6 zone",
    "listen\\(\\) and connect\\(\\) take an IPv6 zone",
    "an unknown zone",
  ],
};
/** Fewer tests than this mean that the filter has lost some. */
const FEWEST_TESTS = 600;

Deno.test("M5: the tests of connections, UDP and serve pass on a network in memory", async () => {
  const titles = Object.values(LEFT_OUT).flat();
  const { success, output } = await runDeno([
    "test",
    "--no-config",
    "--no-check",
    "--import-map",
    "tests/memory/import_map.json",
    "--unstable-net",
    "--allow-net",
    "--parallel",
    "--filter",
    `/^(?!${titles.join("|")})/`,
    ...FILES,
  ], { cwd: ROOT, timeout: 600_000 });
  assert(success, output.slice(-20_000));
  const [, passed, failed] = /(\d+) passed.*?\| (\d+) failed/.exec(output) ?? [];
  assertEquals(failed, "0");
  assert(Number(passed) >= FEWEST_TESTS, `${passed} tests have run`);
});
