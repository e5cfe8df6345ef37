/**
 * Runs a server once per core, or a given number of times, all on one port. The kernel spreads the clients over them:
 *
 *     deno run --allow-run cluster.ts 0 production_server.ts --port 7777
 *
 * SIGTERM and SIGINT end all of them in order. SIGHUP replaces each process by a new one; if a new one does not come to
 * serve, the old ones stay. Under `sysctl net.ipv4.tcp_migrate_req=1` the clients in the backlog of an old process go
 * to the others.
 */
import { exitWithProblem } from "./arguments.ts";
import { waitInterrupt } from "./signals.ts";

interface Worker {
  readonly process: Deno.ChildProcess;
  /** True once the process has printed something, which means that it serves; false if it ended before. */
  readonly ready: Promise<boolean>;
  /** Resolves after the process has ended and its output was passed on. */
  readonly ended: Promise<void>;
}

/** One of the processes that were asked for, and the worker that runs as it now. */
interface Place {
  worker: Worker;
}

const [processes, program, ...args] = Deno.args;
if (program === undefined || !/^\d+$/.test(processes)) {
  exitWithProblem("usage: cluster.ts PROCESSES PROGRAM [ARGUMENT...], where 0 is one per core");
}

/** All workers that run, also those that start and those that end. */
const running = new Set<Worker>();
const output = Deno.stdout.writable.getWriter();
let ending = false;

function start(): Worker {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-net", "--unstable-net", program, ...args, "--share"],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const { promise: ready, resolve } = Promise.withResolvers<boolean>();
  const follow = async () => {
    for await (const bytes of process.stdout) {
      resolve(true);
      // The reader of the output may be gone: the workers go on.
      await output.write(bytes).catch(() => {});
    }
    await process.status;
    resolve(false);
    running.delete(worker);
  };
  const worker = { process, ready, ended: follow() };
  running.add(worker);
  return worker;
}

async function end(worker: Worker): Promise<void> {
  try {
    worker.process.kill("SIGTERM");
  } catch {
    // It has ended by itself.
  }
  await worker.ended;
}

/** Replaces a worker that ends by itself, a second later: one that cannot start must not make a busy loop. */
async function keep(place: Place): Promise<void> {
  while (!ending) {
    const { worker } = place;
    await worker.ended;
    if (place.worker !== worker) continue;
    await new Promise((resolve) => setTimeout(resolve, 1000));
    if (place.worker === worker && !ending) place.worker = start();
  }
}

async function replaceAll(): Promise<void> {
  for (const place of places) {
    if (ending) return;
    const next = start();
    if (!await next.ready) {
      if (!ending) console.error("a new process ended before it served: the old ones stay");
      return;
    }
    const old = place.worker;
    place.worker = next;
    await end(old);
  }
}

// Listens before anything is started, so that no signal leaves a process behind.
const interrupted = waitInterrupt();
let replaced = Promise.resolve();
Deno.addSignalListener("SIGHUP", () => void (replaced = replaced.then(replaceAll)));
const length = Number(processes) || navigator.hardwareConcurrency;
const places: readonly Place[] = Array.from({ length }, () => ({ worker: start() }));
for (const place of places) void keep(place);
await interrupted;
ending = true;
await Promise.all([...running].map(end));
Deno.exit(0);
