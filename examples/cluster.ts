/**
 * Runs a server once per core, or so many times, all on one port, which the kernel spreads the clients over:
 *
 *     deno run --allow-run cluster.ts 0 production_server.ts --port 7777
 *
 * SIGTERM and SIGINT end all in order. SIGHUP puts new ones in place of the old, which stay where a new one does
 * not come to serve; under `sysctl net.ipv4.tcp_migrate_req=1` even the clients that wait in the backlog of an old
 * one go to a new one then.
 */
import { refuse } from "./arguments.ts";
import { whenInterrupted } from "./signals.ts";

interface Worker {
  readonly process: Deno.ChildProcess;
  /** Whether it came to serve, which is when it first said something, or ended before. */
  readonly ready: Promise<boolean>;
  /** Resolves when it has ended, and all that it said is told. */
  readonly over: Promise<void>;
}

/** One of as many as were asked for, with whoever serves there now. */
interface Place {
  worker: Worker;
}

const [processes, program, ...args] = Deno.args;
if (program === undefined || !/^\d+$/.test(processes)) {
  refuse("usage: cluster.ts PROCESSES PROGRAM [ARGUMENT...], where 0 is one per core");
}

/** All that run: those in their places, those that may come to serve, and those that are on their way out. */
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
      // Whoever reads what is told may be gone: that is no reason to leave the workers alone.
      await output.write(bytes).catch(() => {});
    }
    await process.status;
    resolve(false);
    running.delete(worker);
  };
  const worker = { process, ready, over: follow() };
  running.add(worker);
  return worker;
}

async function end(worker: Worker): Promise<void> {
  try {
    worker.process.kill("SIGTERM");
  } catch {
    // It has ended by itself in this moment.
  }
  await worker.over;
}

/** One that was not told to end is replaced, but not in a loop where it cannot start. */
async function keep(place: Place): Promise<void> {
  while (!ending) {
    const { worker } = place;
    await worker.over;
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

// Before anything is started, so that no signal can leave a process behind.
const told = whenInterrupted();
let replaced = Promise.resolve();
Deno.addSignalListener("SIGHUP", () => void (replaced = replaced.then(replaceAll)));
const length = Number(processes) || navigator.hardwareConcurrency;
const places: readonly Place[] = Array.from({ length }, () => ({ worker: start() }));
for (const place of places) void keep(place);
await told;
ending = true;
await Promise.all([...running].map(end));
Deno.exit(0);
