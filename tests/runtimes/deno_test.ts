/**
 * The part of `Deno` that the tests use, for Node and Bun. It collects the tests of one file, and runs them one after
 * the other when the file is loaded. It has no sockets, so that the package does not take the runtime for Deno.
 */
import process from "node:process";
import { inspect } from "node:util";

interface TestDefinition {
  readonly name: string;
  readonly fn: () => unknown;
  readonly ignore?: boolean;
}

/** Time that one test may take (ms). Those of the suite take at most 60 s. */
const LONGEST_TEST_MS = 120_000;
/** Time that what a test has left may take to end (ms): sockets close some turns later. */
const SETTLE_MS = 2000;

const tests: TestDefinition[] = [];

function test(first: string | TestDefinition, fn?: () => unknown): void {
  tests.push(typeof first === "string" ? { name: first, fn: fn! } : first);
}

/** The classes of errors that the tests throw instead of the runtime. */
const ERRORS = [
  "AddrInUse",
  "AddrNotAvailable",
  "BadResource",
  "BrokenPipe",
  "Busy",
  "ConnectionAborted",
  "ConnectionRefused",
  "ConnectionReset",
  "Interrupted",
  "InvalidData",
  "NetworkUnreachable",
  "NotCapable",
  "NotConnected",
  "NotSupported",
  "PermissionDenied",
  "TimedOut",
  "UnexpectedEof",
];

const errors = Object.fromEntries(ERRORS.map((name) => [
  name,
  class extends Error {
    override readonly name = name;
  },
]));

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
Object.assign(globalThis, {
  Deno: {
    test,
    errors,
    inspect,
    memoryUsage: () => process.memoryUsage(),
    build: { os: platform === "win32" ? "windows" : platform },
  },
});

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
  let prevented = false;
  const event = { reason, promise, preventDefault: () => prevented = true };
  for (const listener of listeners) listener(event);
  if (!prevented) unhandled.push(reason);
});
process.on("uncaughtException", (error) => unhandled.push(error));

/** Runs the tests that were collected. It prints a line for each failure, and the counts as a last line of JSON. */
export async function runTests(filter: string): Promise<void> {
  let [passed, failed, ignored] = [0, 0, 0];
  // A test whose sockets are all idle waits for what never comes, and must fail, not end the process.
  setInterval(() => {}, LONGEST_TEST_MS);
  for (const { name, fn, ignore } of tests) {
    if (!name.includes(filter)) continue;
    if (ignore) {
      ignored += 1;
      continue;
    }
    const before = openResources();
    const problems: unknown[] = [];
    try {
      await limited(fn);
      const leaks = await findLeaks(before);
      if (leaks !== undefined) problems.push(leaks);
    } catch (error) {
      problems.push(error);
    }
    // A rejection is unhandled when the microtasks have run.
    await new Promise((resolve) => setImmediate(resolve));
    problems.push(...unhandled.splice(0));
    if (problems.length === 0) passed += 1;
    else {
      failed += 1;
      console.log(`FAILED ${name}\n${problems.map((problem) => inspect(problem)).join("\n")}`);
    }
  }
  console.log(JSON.stringify({ passed, failed, ignored }));
  process.exit(failed === 0 ? 0 : 1);
}
