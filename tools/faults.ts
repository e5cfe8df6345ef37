/**
 * Runs the tests of `tests/faults` and prints a last line like `123 passed, 0 failed`.
 *
 * The tests make network namespaces, firewalls and slow links, let system calls fail, and stop processes. This needs
 * root on Linux. Missing programs are installed from Debian; if one cannot be installed, the tool says so and fails.
 * The names of its namespaces contain the id of this process. They are removed however the run ends, and so are the
 * namespaces of earlier runs that were killed.
 *
 * Arguments go to `deno test`, for example `--filter silent`. `FAULTS_SEED=7` repeats the random choices of a run.
 */
import { runDeno } from "./_run.ts";
import { type Count, countTests } from "./test.ts";

const PREFIX = "sockets-faults";
/** Test files that run at once: more than most machines have cores, because most of the time is spent waiting. */
const JOBS = 4;
const TIMEOUT_MS = 600_000;

/** The programs that the tests need, each with the Debian package that it is in. */
const PROGRAMS: Readonly<Record<string, string>> = {
  ip: "iproute2",
  tc: "iproute2",
  ss: "iproute2",
  nft: "nftables",
  strace: "strace",
  socat: "socat",
  gcc: "gcc",
};
/** The package with the headers that the compiler includes. */
const HEADERS = "libc6-dev";

async function run(command: string, ...args: string[]): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(command, {
      args,
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).output();
    return success ? new TextDecoder().decode(stdout) : undefined;
  } catch {
    return undefined;
  }
}

async function missingPackages(): Promise<string[]> {
  const missing = new Set<string>();
  for (const [program, name] of Object.entries(PROGRAMS)) {
    if (await run("sh", "-c", `command -v ${program}`) === undefined) missing.add(name);
  }
  if (missing.has("gcc")) missing.add(HEADERS);
  return [...missing];
}

/** Returns the reason why the tests cannot run here, if there is one. */
async function problem(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return `they need Linux, and this is ${Deno.build.os}`;
  if (Deno.uid() !== 0) return "they need root: sudo deno task test:faults";
  const wanted = await missingPackages();
  if (wanted.length > 0) {
    console.log(`installing ${wanted.join(", ")}`);
    await run("apt-get", "update");
    await run("apt-get", "install", "--yes", "--no-install-recommends", ...wanted);
  }
  const missing = await missingPackages();
  if (missing.length > 0) return `they need ${missing.join(", ")}: apt-get install them`;
  const space = `${PREFIX}-${Deno.pid}-probe`;
  const able = await run("ip", "netns", "add", space) !== undefined &&
    await run("ip", "netns", "exec", space, "nft", "add table inet probe") !== undefined;
  await run("ip", "netns", "del", space);
  return able ? undefined : "this kernel or container does not allow network namespaces";
}

/** Removes the namespaces of this run and of runs that have ended, and kills the processes that are left in them. */
async function removeSpaces(): Promise<void> {
  const spaces = (await run("ip", "netns", "list") ?? "").matchAll(
    new RegExp(`^${PREFIX}-(\\d+)-\\S+`, "gm"),
  );
  for (const [space, pid] of spaces) {
    if (Number(pid) !== Deno.pid && await isAlive(pid)) continue;
    const pids = (await run("ip", "netns", "pids", space) ?? "").split("\n").filter(Boolean);
    for (const pid of pids) await run("kill", "-KILL", pid);
    await run("ip", "netns", "del", space);
    await Deno.remove(`/etc/netns/${space}`, { recursive: true }).catch(() => {});
  }
}

async function isAlive(pid: string): Promise<boolean> {
  return await Deno.stat(`/proc/${pid}`).then(() => true, () => false);
}

async function runTests(args: readonly string[], signal: AbortSignal): Promise<Count> {
  const seed = Deno.env.get("FAULTS_SEED") ??
    String(crypto.getRandomValues(new Uint32Array(1))[0]);
  console.log(`\n== faults, seed ${seed}: deno test -A --parallel tests/faults`);
  const started = performance.now();
  const { success, output } = await runDeno([
    "test",
    "-A",
    "--no-check",
    "--parallel",
    "tests/faults",
    ...args,
  ], {
    stream: true,
    timeout: TIMEOUT_MS,
    signal,
    env: {
      ...Deno.env.toObject(),
      NO_COLOR: "1",
      DENO_JOBS: String(JOBS),
      FAULTS_RUN: `${PREFIX}-${Deno.pid}`,
      FAULTS_SEED: seed,
    },
  });
  const count = countTests(output, success, args.length > 0);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`== faults: ${count.passed} ok, ${count.failed} not ok, ${seconds} s`);
  return count;
}

async function main(args: readonly string[]): Promise<boolean> {
  const why = await problem();
  if (why !== undefined) {
    console.error(`THE FAULTS DID NOT RUN: ${why}`);
    console.log("\n0 passed, 1 failed");
    return false;
  }
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => interrupted.abort());
  }
  await removeSpaces();
  let count: Count;
  try {
    count = await runTests(args, interrupted.signal);
  } finally {
    await removeSpaces();
  }
  console.log(`\n${count.passed} passed, ${count.failed} failed`);
  return count.failed === 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args) ? 0 : 1);
