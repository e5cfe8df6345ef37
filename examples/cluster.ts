/**
 * Runs a server once per core, or so many times, all on one port, which the kernel spreads the clients over:
 *
 *     deno run --allow-run cluster.ts 0 production_server.ts --port 7777
 *
 * SIGTERM ends all in order. SIGHUP puts new ones in place of the old; under `sysctl net.ipv4.tcp_migrate_req=1`
 * even the clients that wait in the backlog of an old one go to a new one then.
 */
interface Worker {
  readonly process: Deno.ChildProcess;
  /** Resolves when it serves, which is when it first says something. */
  readonly ready: Promise<void>;
  /** Resolves when it has ended, and all that it said is told. */
  readonly over: Promise<void>;
}

const [processes, program, ...args] = Deno.args;
const workers = new Set<Worker>();
let ending = false;

function start(): Worker {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-net", "--unstable-net", program, ...args, "--share"],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  const tell = async () => {
    for await (const bytes of process.stdout) {
      await Deno.stdout.write(bytes);
      resolve();
    }
    // One that was not told to end is replaced, but not in a loop where it cannot start.
    if (workers.delete(worker) && !ending) setTimeout(start, 1000);
  };
  const worker = { process, ready, over: tell() };
  workers.add(worker);
  return worker;
}

async function end(worker: Worker): Promise<void> {
  if (workers.delete(worker)) worker.process.kill("SIGTERM");
  await worker.over;
}

async function replaceAll(): Promise<void> {
  for (const old of [...workers]) {
    if (ending) return;
    await start().ready;
    await end(old);
  }
}

for (let left = Number(processes) || navigator.hardwareConcurrency; left > 0; left--) start();
await Promise.all([...workers].map(({ ready }) => ready));
let replaced = Promise.resolve();
Deno.addSignalListener("SIGHUP", () => void (replaced = replaced.then(replaceAll)));
await new Promise<void>((resolve) => Deno.addSignalListener("SIGTERM", resolve));
ending = true;
await Promise.all([...workers].map(end));
Deno.exit(0);
