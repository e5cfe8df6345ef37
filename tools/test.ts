/**
 * Runs every test, each kind with the settings that it is for, and sums them up in a last line
 * like `123 passed, 0 failed`.
 *
 * `--portable` leaves out what needs more than a network: the rest runs on every system. `--interop` runs
 * the tests against programs of others alone, which root has installed where they are missing, and `--load`
 * those that take some minutes and thousands of connections.
 * Other arguments go to `deno test`, for example `--filter recv`.
 */
import { runDeno } from "./_run.ts";

interface TestRun {
  readonly title: string;
  readonly args: readonly string[];
}

/** How many tests a run passed and failed. */
export interface Count {
  passed: number;
  failed: number;
}

const STABLE_CONFIG = "tests/stable/deno.json";
const SUMMARY = /^(?:ok|FAILED) \| (\d+) passed\b.*?\| (\d+) failed\b/gm;

async function testFiles(folder: string, name: RegExp): Promise<string[]> {
  const files: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    if (entry.isFile && name.test(entry.name)) files.push(`${folder}/${entry.name}`);
  }
  return files.sort();
}

async function testRuns(kind: string | undefined): Promise<TestRun[]> {
  if (kind === "--interop") {
    return [{ title: "tests against programs of others", args: ["-A", "tests/interop"] }];
  }
  if (kind === "--load") return [{ title: "load", args: ["-A", "tests/load"] }];
  const udp = await testFiles("tests/unit/udp", /_test\.ts$/);
  const runs: TestRun[] = [
    // Each file is a runtime of its own: 75 s on two cores, one after the other 164.
    { title: "hermetic tests", args: ["--parallel", "--allow-net"] },
    {
      title: "UDP tests without unstable features",
      args: ["--config", STABLE_CONFIG, "--allow-net", ...udp],
    },
  ];
  if (kind !== "--portable") {
    runs.push({ title: "tests of whole processes", args: ["-A", "tests/system"] });
  }
  return runs;
}

/**
 * A run that failed without naming a test counts as one failure, and so does one that ran nothing,
 * unless a filter may have left nothing of it.
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
    const { success, output } = await runDeno(["test", ...args, ...extra], { stream: true });
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
