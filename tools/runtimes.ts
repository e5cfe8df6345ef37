/**
 * Runs the tests of `tests/unit` on Node and Bun, lets the examples of all runtimes talk to each other, installs the
 * package from npm, and prints a last line like `123 passed, 0 failed`. Arguments are names of runtimes (`node22`, `node26`, `bun`) and parts of paths:
 *
 *     deno task test:runtimes bun udp/
 *
 * `tests/runtimes/exceptions.ts` says which tests do not run there, and why.
 */
import type { RunCounts } from "../tests/runtimes/deno_test.ts";
import { NEED_DENO } from "../tests/runtimes/exceptions.ts";
import { filesUnder } from "./_files.ts";
import { installProblems } from "./_npm_install.ts";
import {
  installRuntimes,
  type RuntimeName,
  RUNTIMES,
  type Runtimes,
  VERSIONS,
} from "./_runtimes.ts";
import { talkProblems } from "./_talk.ts";

/** Quiet machines need 40 s for the longest file, busy ones several times that. */
const LONGEST_FILE_MS = 400_000;
/** Files that run at the same time. */
const AT_ONCE = 2;
/** Tests that need directories or processes, but nothing else of Deno. */
const MORE_FILES = [
  "../runtimes/node_permissions_test.ts",
  "../system/process_end_test.ts",
  "../system/unix_conformance_test.ts",
  "../system/unix_connecting_test.ts",
  "../system/unix_faults_test.ts",
  "../system/unix_listening_test.ts",
  "../system/unix_serving_test.ts",
  "../system/unix_tls_conformance_test.ts",
];

interface FileRun {
  readonly counts: RunCounts | undefined;
  readonly output: string;
}

async function testFiles(parts: readonly string[]): Promise<string[]> {
  const unit = (await filesUnder("tests/unit")).filter((path) => path.endsWith("_test.ts"))
    .map((path) => path.slice("tests/unit/".length));
  const files = [...unit, ...MORE_FILES];
  return parts.length === 0
    ? files
    : files.filter((file) => parts.some((one) => file.includes(one)));
}

async function runFile(runtimes: Runtimes, name: RuntimeName, file: string): Promise<FileRun> {
  const flags = name === "bun" ? [] : ["--expose-gc", "--disable-warning=ExperimentalWarning"];
  const { stdout, stderr } = await new Deno.Command(runtimes.path(name), {
    args: [...flags, "tests/runtimes/main.ts", file],
    cwd: runtimes.project(name),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
    signal: AbortSignal.timeout(LONGEST_FILE_MS),
  }).output();
  const text = new TextDecoder().decode(stdout);
  const output = `${text}${new TextDecoder().decode(stderr)}`;
  try {
    return { counts: JSON.parse(text.trimEnd().split("\n").at(-1)!), output };
  } catch {
    // The process ended in the middle of its tests.
    return { counts: undefined, output };
  }
}

/** Finds the problems of a file's run: failures, and a number of tests that need Deno which nobody knows of. */
function problemsOf(file: string, { counts, output }: FileRun): string[] {
  if (counts === undefined) return [`${file} ended without a result:\n${output}`];
  const known = NEED_DENO[file] ?? 0;
  return [
    ...counts.failed > 0 ? [`${file}:\n${output}`] : [],
    ...counts.needDeno === known
      ? []
      : [`${file}: ${counts.needDeno} tests need Deno, tests/runtimes/exceptions.ts says ${known}`],
  ];
}

/** Runs files, a few at a time, and returns the number of tests that passed and the problems. */
async function runFiles(
  runtimes: Runtimes,
  name: RuntimeName,
  files: readonly string[],
): Promise<{ passed: number; elsewhere: number; problems: string[] }> {
  const left = [...files];
  const result = { passed: 0, elsewhere: 0, problems: [] as string[] };
  const worker = async () => {
    for (let file = left.shift(); file !== undefined; file = left.shift()) {
      const run = await runFile(runtimes, name, file);
      const { passed = 0, needDeno = 0, excepted = 0, ignored = 0 } = run.counts ?? {};
      result.passed += passed;
      result.elsewhere += needDeno + excepted + ignored;
      const problems = problemsOf(file, run);
      for (const problem of problems) console.log(`FAILED on ${name}: ${problem}`);
      result.problems.push(...problems);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return result;
}

async function main(args: readonly string[]): Promise<boolean> {
  const named = RUNTIMES.filter((name) => args.includes(name));
  const names = named.length === 0 ? RUNTIMES : named;
  const parts = args.filter((arg) => !(RUNTIMES as readonly string[]).includes(arg));
  const files = await testFiles(parts);
  await using runtimes = await installRuntimes(names);
  let [passed, failed] = [0, 0];
  for (const name of names) {
    console.log(`\n== ${name} (${VERSIONS[name]}): ${files.length} files`);
    const started = performance.now();
    const result = await runFiles(runtimes, name, files);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    const { problems, elsewhere } = result;
    const counts = `${result.passed} ok, ${problems.length} not ok, ${elsewhere} do not run here`;
    console.log(`== ${name}: ${counts}, ${seconds} s`);
    passed += result.passed;
    failed += problems.length;
  }
  if (parts.length === 0) {
    const { talks, problems } = await talkProblems(runtimes, names);
    for (const problem of problems) console.log(`FAILED ${problem}`);
    console.log(`\n== examples that talk to each other: ${talks} ok, ${problems.length} not ok`);
    passed += talks;
    failed += problems.length;
    const installed = await installProblems(runtimes, names);
    for (const problem of installed.problems) console.log(`FAILED ${problem}`);
    console.log(`== npm package: ${installed.steps} steps, ${installed.problems.length} not ok`);
    passed += Math.max(0, installed.steps - installed.problems.length);
    failed += installed.problems.length;
  }
  if (passed + failed === 0) failed = 1;
  console.log(`\n${passed} passed, ${failed} failed`);
  return failed === 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args) ? 0 : 1);
