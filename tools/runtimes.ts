/**
 * Runs the tests of `tests/unit` and some others on Node and Bun, and examples of all runtimes that talk to each other;
 * then it installs the package from npm. The last line is like `123 passed, 0 failed`.
 *
 * With `--short`, plain code runs on Bun alone, since Deno has the engine of Node. Other arguments are names of runtimes
 * (`node22`, `node26`, `bun`) and parts of paths, whose files run wherever they are:
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

/** Quiet machines need 15 s for the longest file, busy ones many times that. */
const LONGEST_FILE_MS = 400_000;
/** Files that run at the same time: some of them mostly wait. */
const AT_ONCE = navigator.hardwareConcurrency + 1;

/** Tests that need directories or processes, but nothing else of Deno. */
const MORE_FILES = [
  "../runtimes/node_net_permissions_test.ts",
  "../runtimes/node_permissions_test.ts",
  "../system/fair_sends_test.ts",
  "../system/no_descriptors_test.ts",
  "../system/process_end_test.ts",
  "../system/unix_conformance_test.ts",
  "../system/unix_connecting_test.ts",
  "../system/unix_faults_test.ts",
  "../system/unix_listening_test.ts",
  "../system/unix_serving_test.ts",
  "../system/unix_tls_conformance_test.ts",
];

/** The tests of code without sockets, streams and timers. */
const PLAIN_CODE = [
  "bytes/",
  "core/fuzz_test.ts",
  "core/property_test.ts",
  "framing/",
  "proxy_protocol/",
];

/** Files that take long. They begin first, so that no core waits for one at the end. */
const LONG_FILES = [
  "../system/process_end_test.ts",
  "../system/unix_conformance_test.ts",
  "core/late_deadlines_test.ts",
  "core/fuzz_test.ts",
  "framing/framing_check_codec_test.ts",
  "tls/conformance_tls_memory_test.ts",
  "session/conformance_heartbeat_test.ts",
  "session/heartbeat_test.ts",
  "connection/model_test.ts",
  "framing/framing_fast_ways_test.ts",
  "framing/mqtt_client_test.ts",
  "tls/damaged_handshake_test.ts",
];

interface Job {
  readonly runtime: RuntimeName;
  readonly file: string;
}

interface FileRun {
  readonly counts: RunCounts | undefined;
  readonly output: string;
}

/** The results of one runtime. */
interface Tally {
  files: number;
  passed: number;
  /** Tests that need Deno, or whose statement the runtime cannot keep. */
  elsewhere: number;
  readonly problems: string[];
}

async function listJobs(
  names: readonly RuntimeName[],
  parts: readonly string[],
  short: boolean,
): Promise<Job[]> {
  const unit = (await filesUnder("tests/unit")).filter((path) => path.endsWith("_test.ts"))
    .map((path) => path.slice("tests/unit/".length));
  const files = [...unit, ...MORE_FILES]
    .filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)))
    .sort((one, other) => rank(one) - rank(other));
  const isLeftOut = (runtime: RuntimeName, file: string) =>
    short && parts.length === 0 && runtime !== "bun" &&
    PLAIN_CODE.some((part) => file.startsWith(part));
  return files.flatMap((file) =>
    names.filter((runtime) => !isLeftOut(runtime, file)).map((runtime) => ({ runtime, file }))
  );
}

function rank(file: string): number {
  const at = LONG_FILES.indexOf(file);
  return at < 0 ? LONG_FILES.length : at;
}

async function runFile(runtimes: Runtimes, { runtime, file }: Job): Promise<FileRun> {
  const flags = runtime === "bun" ? [] : ["--expose-gc", "--disable-warning=ExperimentalWarning"];
  const { stdout, stderr } = await new Deno.Command(runtimes.path(runtime), {
    args: [...flags, "tests/runtimes/main.ts", file],
    cwd: runtimes.project(runtime),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    // Half of the time of most files is that of loading them.
    env: { NO_COLOR: "1", NODE_COMPILE_CACHE: runtimes.cache },
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

/** Runs files on all runtimes, a few at a time. */
async function runFiles(
  runtimes: Runtimes,
  jobs: readonly Job[],
): Promise<ReadonlyMap<RuntimeName, Tally>> {
  const left = [...jobs];
  const tallies = new Map<RuntimeName, Tally>();
  const worker = async () => {
    for (let job = left.shift(); job !== undefined; job = left.shift()) {
      const tally = tallies.get(job.runtime) ??
        { files: 0, passed: 0, elsewhere: 0, problems: [] as string[] };
      tallies.set(job.runtime, tally);
      const run = await runFile(runtimes, job);
      const { passed = 0, needDeno = 0, excepted = 0, ignored = 0 } = run.counts ?? {};
      tally.files += 1;
      tally.passed += passed;
      tally.elsewhere += needDeno + excepted + ignored;
      const problems = problemsOf(job.file, run);
      for (const problem of problems) console.log(`FAILED on ${job.runtime}: ${problem}`);
      tally.problems.push(...problems);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return tallies;
}

/** A part of the run beside the unit tests. */
interface Part {
  readonly title: string;
  run(): Promise<{ tests: number; problems: readonly string[] }>;
}

function otherParts(runtimes: Runtimes, names: readonly RuntimeName[]): Part[] {
  return [
    { title: "examples that talk to each other", run: () => talkProblems(runtimes, names) },
    { title: "npm package", run: () => installProblems(runtimes, names) },
  ];
}

async function main(args: readonly string[]): Promise<boolean> {
  const named = RUNTIMES.filter((name) => args.includes(name));
  const names = named.length === 0 ? RUNTIMES : named;
  const short = args.includes("--short");
  const parts = args.filter((arg) =>
    arg !== "--short" && !(RUNTIMES as readonly string[]).includes(arg)
  );
  let began = performance.now();
  const took = () => {
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    began = performance.now();
    return `${seconds} s`;
  };
  await using runtimes = await installRuntimes(names);
  console.log(`== ${names.map((name) => `${name} ${VERSIONS[name]}`).join(", ")}: ${took()}`);
  const tallies = await runFiles(runtimes, await listJobs(names, parts, short));
  console.log(`\n== unit tests: ${took()}`);
  let [passed, failed] = [0, 0];
  for (const [name, tally] of tallies) {
    const { problems, elsewhere, files } = tally;
    const counts = `${tally.passed} ok, ${problems.length} not ok, ${elsewhere} do not run here`;
    console.log(`== ${name}, ${files} files: ${counts}`);
    passed += tally.passed;
    failed += problems.length;
  }
  for (const { title, run } of parts.length === 0 ? otherParts(runtimes, names) : []) {
    const { tests, problems } = await run();
    for (const problem of problems) console.log(`FAILED ${problem}`);
    const ok = Math.max(0, tests - problems.length);
    console.log(`== ${title}: ${ok} ok, ${problems.length} not ok, ${took()}`);
    passed += ok;
    failed += problems.length;
  }
  if (passed + failed === 0) failed = 1;
  console.log(`\n${passed} passed, ${failed} failed`);
  return failed === 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args) ? 0 : 1);
