/**
 * Runs every test, each kind with the settings that it needs, and prints a last line like `123 passed, 0 failed`.
 *
 * `--portable` runs only the tests that need nothing but a network, which pass on every system. `--interop` runs only
 * the tests against programs of others; as root it installs the missing ones. `--load` runs only the load tests, which
 * take some minutes and thousands of connections. Other arguments go to `deno test`, for example `--filter recv`.
 */
import { runDeno } from "./_run.ts";

interface TestRun {
  readonly title: string;
  readonly args: readonly string[];
}

/** The number of tests of a run that passed and that failed. */
export interface Count {
  passed: number;
  failed: number;
}

/** Quiet machines need 3 minutes for the longest run, busy ones three times that. */
const TEST_RUN_TIMEOUT_MS = 1_200_000;
const STABLE_CONFIG = "tests/stable/deno.json";
/**
 * Tests that run one after the other. The first needs a peer that loses no datagram. The others change or count what
 * belongs to the whole process: its umask, its folder, its descriptors.
 */
const ALONE = [
  "tests/system/bench_contenders_test.ts",
  "tests/system/socket_leaks_test.ts",
  "tests/system/unix_listening_test.ts",
];
const SUMMARY = /^(?:ok|FAILED) \| (\d+) passed\b.*?\| (\d+) failed\b/gm;

async function testFiles(folder: string, name: RegExp): Promise<string[]> {
  const files: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    if (entry.isFile && name.test(entry.name)) files.push(`${folder}/${entry.name}`);
  }
  return files.sort();
}

async function testRuns(kind: string | undefined): Promise<TestRun[]> {
  // `deno task check` checks the types, once for all files.
  const alone = ["--no-check", "-A"];
  const quick = ["--no-check", "--parallel"];
  if (kind === "--interop") {
    return [{ title: "tests against programs of others", args: [...alone, "tests/interop"] }];
  }
  if (kind === "--load") return [{ title: "load", args: [...alone, "tests/load"] }];
  const udp = await testFiles("tests/unit/udp", /_test\.ts$/);
  const runs: TestRun[] = [
    { title: "hermetic tests", args: [...quick, "--allow-net"] },
    {
      title: "UDP tests without unstable features",
      args: [...quick, "--config", STABLE_CONFIG, "--allow-net", ...udp],
    },
  ];
  if (kind === "--portable") return runs;
  const system = await testFiles("tests/system", /_test\.ts$/);
  return [
    ...runs,
    {
      title: "tests of whole processes",
      args: [...quick, "-A", ...system.filter((file) => !ALONE.includes(file))],
    },
    { title: "tests that run alone", args: [...alone, ...ALONE] },
  ];
}

/**
 * Counts the tests of a run from its output. A run that failed without naming a test counts as one failure. So does a
 * run without any test, unless `mayBeEmpty` says that a filter may have excluded all of them.
 */
export function countTests(output: string, success: boolean, mayBeEmpty: boolean): Count {
  const count: Count = { passed: 0, failed: 0 };
  for (const [, passed, failed] of output.matchAll(SUMMARY)) {
    count.passed += Number(passed);
    count.failed += Number(failed);
  }
  const empty = count.passed + count.failed === 0;
  if (count.failed === 0 && (!success || (empty && !mayBeEmpty))) count.failed = 1;
  return count;
}

async function main(args: readonly string[]): Promise<boolean> {
  const kinds = ["--portable", "--interop", "--load"];
  const kind = args.find((arg) => kinds.includes(arg));
  const extra = args.filter((arg) => !kinds.includes(arg));
  const total: Count = { passed: 0, failed: 0 };
  for (const { title, args } of await testRuns(kind)) {
    console.log(`\n== ${title}: deno test ${args.join(" ")}`);
    const started = performance.now();
    const { success, output } = await runDeno(["test", ...args, ...extra], {
      stream: true,
      timeout: TEST_RUN_TIMEOUT_MS,
    });
    const count = countTests(output, success, extra.length > 0);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`== ${title}: ${count.passed} ok, ${count.failed} not ok, ${seconds} s`);
    total.passed += count.passed;
    total.failed += count.failed;
  }
  if (total.passed + total.failed === 0) total.failed = 1;
  console.log(`\n${total.passed} passed, ${total.failed} failed`);
  return total.failed === 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args) ? 0 : 1);
