/**
 * Replaces all processes of a cluster while clients send requests without a pause, and prints the numbers of answers,
 * failures and processes. It runs in a network namespace of its own, with its own kernel settings.
 */
import { close, connect, recvLine, send } from "../../../mod.ts";

const PORT = 7777;
const CLIENTS = 32;
const EXAMPLES = new URL("../../../examples/", import.meta.url).pathname;

async function run(command: string, ...args: string[]): Promise<void> {
  const { success } = await new Deno.Command(command, { args }).output();
  if (!success) throw new Error(`${command} ${args.join(" ")} failed`);
}

await run("ip", "link", "set", "lo", "up");
await Deno.writeTextFile("/proc/sys/net/ipv4/tcp_migrate_req", Deno.args[0]);

const cluster = new Deno.Command(Deno.execPath(), {
  args: [
    ...["run", "--no-prompt", "--allow-run", `${EXAMPLES}cluster.ts`],
    ...["2", `${EXAMPLES}production_server.ts`, "--port", `${PORT}`],
  ],
  stdin: "null",
  stdout: "piped",
}).spawn();
let output = "";
let changed = Promise.withResolvers<void>();
const collected = (async () => {
  for await (const text of cluster.stdout.pipeThrough(new TextDecoderStream())) {
    output += text;
    changed.resolve();
    changed = Promise.withResolvers();
  }
})();

async function until(pattern: RegExp, count: number): Promise<void> {
  while ((output.match(pattern)?.length ?? 0) < count) await changed.promise;
}

const processes = new Set<string>();
const failures: string[] = [];
let answers = 0;
let stopped = false;

async function ask(): Promise<void> {
  while (!stopped) {
    try {
      const connection = await connect({ host: "127.0.0.1", port: PORT });
      await send(connection, new TextEncoder().encode("hello\n"));
      const answer = await recvLine(connection, { timeout: 10_000 });
      const process = /^hello \(127\.0\.0\.1 to (\d+)\)$/.exec(answer ?? "")?.[1];
      if (process === undefined) throw new Error(`the answer is ${answer}`);
      processes.add(process);
      answers++;
      await close(connection, { linger: 0 });
    } catch (error) {
      failures.push(`${error}`);
    }
  }
}

await until(/^serving/gm, 2);
const clients = Array.from({ length: CLIENTS }, ask);
const rounds = Number(Deno.args[1]);
for (let round = 1; round <= rounds; round++) {
  cluster.kill("SIGHUP");
  await until(/^ended/gm, 2 * round);
}
stopped = true;
await Promise.all(clients);
cluster.kill("SIGTERM");
const { code } = await cluster.status;
await collected;
const aborted = [...output.matchAll(/(\d+) aborted$/gm)].map(([, count]) => Number(count));
console.log(JSON.stringify({ code, answers, failures, processes: processes.size, aborted }));
Deno.exit(0);
