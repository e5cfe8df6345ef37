/**
 * The part of `Deno` that the tests use, for Node and Bun. It collects the tests of one file, and runs them one after
 * the other when the file is loaded. It has no sockets, so that the package does not take the runtime for Deno.
 */
import "./newer_functions.ts";
import process from "node:process";
import { clearTimeout, setImmediate, setInterval, setTimeout } from "node:timers";
import { inspect } from "node:util";
import { denoFiles } from "./deno_files.ts";

interface TestDefinition {
  readonly name: string;
  readonly fn: () => unknown;
  readonly ignore?: boolean;
  /** Permissions of this test alone, which only Deno can take away. */
  readonly permissions?: unknown;
}

/** Time that one test may take (ms). Those of the suite take at most 60 s. */
const LONGEST_TEST_MS = 120_000;
/** Time that what a test has left may take to end (ms): sockets close some turns later. */
const SETTLE_MS = 2000;

const tests: TestDefinition[] = [];

function test(first: string | TestDefinition, fn?: () => unknown): void {
  tests.push(typeof first === "string" ? { name: first, fn: fn! } : first);
}

/** The classes of errors that the tests name, with the codes that Node and Bun have instead of classes. */
const CODES: Readonly<Record<string, string>> = {
  AddrInUse: "EADDRINUSE",
  AddrNotAvailable: "EADDRNOTAVAIL",
  BadResource: "EBADF",
  BrokenPipe: "EPIPE",
  Busy: "EBUSY",
  ConnectionAborted: "ECONNABORTED",
  ConnectionRefused: "ECONNREFUSED",
  ConnectionReset: "ECONNRESET",
  Interrupted: "EINTR",
  InvalidData: "",
  NetworkUnreachable: "ENETUNREACH",
  NotCapable: "ERR_ACCESS_DENIED",
  NotConnected: "ENOTCONN",
  NotSupported: "ENOTSUP",
  PermissionDenied: "EACCES",
  TimedOut: "ETIMEDOUT",
  UnexpectedEof: "",
  NotFound: "ENOENT",
  AlreadyExists: "EEXIST",
  WriteZero: "",
  WouldBlock: "EAGAIN",
};

const errors = Object.fromEntries(
  Object.entries(CODES).map(([name, code]) => [
    name,
    class extends Error {
      override readonly name = name;

      static override [Symbol.hasInstance](error: unknown): boolean {
        const { name: given, code: its } = Object(error) as { name?: unknown; code?: unknown };
        return given === name || its === code;
      }
    },
  ]),
);

/** A test uses a part of Deno that no other runtime has: its sockets, which it replaces, or its permissions. */
class NeedsDeno extends Error {}

/** Says if a test failed for want of Deno, whatever its helpers made of the error. */
function isAboutDeno(error: unknown): boolean {
  return error instanceof NeedsDeno || error instanceof Error && isAboutDeno(error.cause);
}

/** The listeners of `unhandledrejection`, an event that only Deno gives to `globalThis`. */
const listeners = new Set<(event: unknown) => void>();
const changed =
  (change: "add" | "delete") => (name: string, listener: (event: unknown) => void) => {
    if (name !== "unhandledrejection") throw new Error(`the tests know no event ${name}`);
    listeners[change](listener);
  };
Object.assign(globalThis, {
  addEventListener: changed("add"),
  removeEventListener: changed("delete"),
});

const { platform } = process;
const parts: Readonly<Record<string, unknown>> = {
  test,
  errors,
  inspect,
  memoryUsage: () => process.memoryUsage(),
  build: { os: platform === "win32" ? "windows" : platform },
};
let running = false;

function missing(name: string | symbol): undefined {
  // While files are loaded, the package looks for Deno's sockets.
  if (running) throw new NeedsDeno(`Deno.${String(name)}`);
}

const deno = new Proxy(parts, {
  get: (_, name) => {
    if (typeof name !== "string") return missing(name);
    if (name in parts) return parts[name];
    return name in denoFiles ? denoFiles[name] : missing(name);
  },
  set: (_, name, value) =>
    typeof name === "string" && name in denoFiles
      ? Reflect.set(denoFiles, name, value)
      : missing(name) ?? false,
});
Object.assign(globalThis, { Deno: deno });

/** Lists what keeps the process alive. Standard streams and signals are no resources of a test. */
function openResources(): string[] {
  // Bun does not have it.
  const resources = process.getActiveResourcesInfo?.() ?? [];
  return resources.filter((kind) => /^(TCP|UDP|Timeout|Immediate|Pipe.*Connect)/.test(kind)).sort();
}

/** Waits until a test has left nothing, as the sanitizers of Deno demand, and says what is left. */
async function findLeaks(before: readonly string[]): Promise<string | undefined> {
  const started = performance.now();
  for (;;) {
    const after = openResources();
    // The timer of a test's own limit is not among them: it is cleared by now.
    if (after.length <= before.length) return undefined;
    if (performance.now() - started > SETTLE_MS) return `left open: ${after} (before: ${before})`;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function limited(fn: () => unknown): Promise<void> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`took over ${LONGEST_TEST_MS} ms`)), LONGEST_TEST_MS);
  });
  try {
    await Promise.race([Promise.resolve().then(fn), late]);
  } finally {
    clearTimeout(timer!);
  }
}

const unhandled: unknown[] = [];
process.on("unhandledRejection", (reason, promise) => {
  let prevented = isHandledElsewhere("unhandledRejection");
  const event = { reason, promise, preventDefault: () => prevented = true };
  for (const listener of listeners) listener(event);
  if (!prevented) unhandled.push(reason);
});
process.on("uncaughtException", (error) => {
  if (!isHandledElsewhere("uncaughtException")) unhandled.push(error);
});

/** Says if a simulation takes what nobody handles. */
function isHandledElsewhere(event: string): boolean {
  return process.listenerCount(event) > 1;
}

/** The counts of one file. */
export interface RunCounts {
  readonly passed: number;
  readonly failed: number;
  /** Tests that say themselves that they do not run on this system. */
  readonly ignored: number;
  /** Tests that need Deno itself. */
  readonly needDeno: number;
  /** Tests of statements that the runtime cannot keep. */
  readonly excepted: number;
}

/** Runs a test, and gives its problems. */
async function problemsOf({ fn, permissions }: TestDefinition): Promise<unknown[]> {
  const before = openResources();
  const problems: unknown[] = [];
  try {
    if (permissions !== undefined) throw new NeedsDeno("Deno.permissions");
    await limited(fn);
    const leaks = await findLeaks(before);
    if (leaks !== undefined) problems.push(leaks);
  } catch (error) {
    problems.push(error);
  }
  // A rejection is unhandled when the microtasks have run.
  await new Promise((resolve) => setImmediate(resolve));
  problems.push(...unhandled.splice(0));
  return problems;
}

/**
 * Runs the tests that were collected. It prints a line for each failure, and the counts as a last line of JSON.
 *
 * @param exceptions The beginnings of titles that do not run here. Each has to be that of a test.
 */
export async function runTests(filter: string, exceptions: readonly string[]): Promise<void> {
  let [passed, failed, ignored, needDeno, excepted] = [0, 0, 0, 0, 0];
  // A test whose sockets are all idle waits for what never comes, and must fail, not end the process.
  setInterval(() => {}, LONGEST_TEST_MS);
  running = true;
  for (const title of exceptions.filter((one) => !tests.some(({ name }) => name.startsWith(one)))) {
    failed += 1;
    console.log(`FAILED no test begins with "${title}"`);
  }
  for (const test of tests.filter(({ name }) => name.includes(filter))) {
    if (test.ignore) {
      ignored += 1;
      continue;
    }
    if (exceptions.some((title) => test.name.startsWith(title))) {
      excepted += 1;
      continue;
    }
    const problems = await problemsOf(test);
    if (problems.length === 0) passed += 1;
    else if (problems.some(isAboutDeno)) needDeno += 1;
    else {
      failed += 1;
      console.log(`FAILED ${test.name}\n${problems.map((one) => inspect(one)).join("\n")}`);
    }
  }
  const counts: RunCounts = { passed, failed, ignored, needDeno, excepted };
  console.log(JSON.stringify(counts));
  process.exit(failed === 0 ? 0 : 1);
}
