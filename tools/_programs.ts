/** Runs programs on Node and Bun whose end, or whose permissions, are the matter of a test. */
import { PROCESS_ENDS } from "../tests/system/support/process_ends.ts";
import { runCommand, type RuntimeName, type Runtimes } from "./_runtimes.ts";

/** Programs that run at the same time: they wait most of their time. */
const AT_ONCE = 4;
const LONGEST_PROGRAM_MS = 60_000;

const ENDS = "tests/system/programs/ends.ts";
const PERMISSIONS = "tests/runtimes/permissions.ts";
/** What a program needs under Node's permissions to be read at all. */
const READ_ALL = ["--permission", "--allow-fs-read=*"];
const MISSING = "net access is missing, run again with --allow-net";

interface ProgramTest {
  readonly title: string;
  readonly runtime: RuntimeName;
  readonly args: readonly string[];
  /** Gets the last line of the output, read as JSON, and returns what is wrong with it. */
  check(report: unknown): string | undefined;
}

/** Runs all programs, and returns the number of tests and the problems. */
export async function programProblems(
  runtimes: Runtimes,
  names: readonly RuntimeName[],
): Promise<{ tests: number; problems: string[] }> {
  const left = names.flatMap((name) => [...endTests(name), ...permissionTests(name)]);
  const tests = left.length;
  const problems: string[] = [];
  const worker = async () => {
    for (let test = left.shift(); test !== undefined; test = left.shift()) {
      const problem = await problemOf(runtimes, test);
      if (problem !== undefined) problems.push(`${test.title} on ${test.runtime}: ${problem}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return { tests, problems };
}

async function problemOf(runtimes: Runtimes, test: ProgramTest): Promise<string | undefined> {
  try {
    const output = await runCommand(runtimes.path(test.runtime), test.args, {
      cwd: runtimes.project(test.runtime),
      stdin: "null",
      env: { NO_COLOR: "1" },
      signal: AbortSignal.timeout(LONGEST_PROGRAM_MS),
    });
    return test.check(JSON.parse(output.trimEnd().split("\n").at(-1)!));
  } catch (error) {
    return String(error);
  }
}

/** Tests which calls keep a process alive (E13). */
function endTests(runtime: RuntimeName): ProgramTest[] {
  return Object.entries(PROCESS_ENDS).map(([what, expected]) => ({
    title: `E13: a process with ${what}`,
    runtime,
    args: [ENDS, what],
    check: (report) => report === expected ? undefined : `${report}, not ${expected}`,
  }));
}

/** Tests what errors say about Node's permissions (E3). Those of Node 22 have no net, and Bun has none. */
function permissionTests(runtime: RuntimeName): ProgramTest[] {
  const test = (title: string, flags: readonly string[], check: ProgramTest["check"]) => ({
    title: `E3: ${title}`,
    runtime,
    args: [...flags, PERMISSIONS],
    check,
  });
  if (runtime === "bun") return [];
  if (runtime === "node22") {
    return [test("the net needs no permission on Node 22", READ_ALL, checkGranted)];
  }
  return [
    test("errors name the flag for the net", READ_ALL, checkDenied),
    test("with that flag everything works", [...READ_ALL, "--allow-net"], checkGranted),
  ];
}

function checkDenied(report: unknown): string | undefined {
  const calls = Object.entries(report as Record<string, unknown>);
  const expected = (name: string) => {
    const port = name.startsWith("connect") ? 1 : 0;
    const place = `127.0.0.1:${port}`;
    const [kind, where] = ["PermissionDenied", name === "requirePermissions" ? "" : ` ${place}`];
    return {
      kind,
      message: `${name}${where}: ${MISSING}`,
      permission: { name: "net", host: place },
    };
  };
  const wrong = calls.filter(([name, found]) =>
    JSON.stringify(found) !== JSON.stringify(expected(name))
  );
  return wrong.length === 0 && calls.length > 0 ? undefined : JSON.stringify(wrong);
}

function checkGranted(report: unknown): string | undefined {
  const wrong = Object.entries(report as Record<string, { kind?: string } | true>).filter(
    ([name, found]) =>
      name.startsWith("connect")
        ? found === true || found.kind !== "ConnectionRefused"
        : found !== true,
  );
  return wrong.length === 0 ? undefined : JSON.stringify(wrong);
}
