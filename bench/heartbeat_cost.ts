/**
 * Measures the cost of a heartbeat on each of many idle connections. It prints CPU time and memory of this side, with
 * and without.
 *
 *     deno run --v8-flags=--expose-gc -A bench/heartbeat_cost.ts [--connections 10000] [--seconds 30]
 *
 * The peers are in a process of their own, and answer each ping. Each connection has a pending `recv`, as in a server.
 */
import { parseArgs } from "node:util";
import { accept, connect, type Connection, heartbeat, listen, recv, send } from "../mod.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };
const PING = new Uint8Array([0]);

declare const gc: () => void;

const { values } = parseArgs({
  options: {
    connections: { type: "string", default: "10000" },
    seconds: { type: "string", default: "30" },
    peer: { type: "boolean" },
  },
});

/** Answers each byte of each client. */
async function answer(): Promise<void> {
  const listener = await listen(LOOPBACK, { backlog: 4096 });
  console.log(listener.address.port);
  for (;;) {
    const connection = await accept(listener);
    void (async () => {
      for await (const bytes of connection) await send(connection, bytes);
    })().catch(() => {});
  }
}

async function receiveAll(connection: Connection): Promise<void> {
  while (await recv(connection) !== null);
}

function usedMemory(): number {
  gc();
  gc();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

/** Returns the CPU time of this process over a time (ms a second). */
async function measureCpu(seconds: number): Promise<number> {
  const { cpuUsage } = (await import("node:process")).default;
  const before = cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  const { user, system } = cpuUsage(before);
  return (user + system) / 1000 / seconds;
}

async function measure(count: number, seconds: number): Promise<void> {
  const peer = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", import.meta.filename!, "--peer"],
    stdout: "piped",
  }).spawn();
  const { value } = await peer.stdout.getReader().read();
  const address = { ...LOOPBACK, port: Number(new TextDecoder().decode(value)) };
  const connections: Connection[] = [];
  while (connections.length < count) connections.push(await connect(address));
  for (const connection of connections) receiveAll(connection).catch(() => {});

  const idle = await measureCpu(seconds);
  const plain = usedMemory();
  for (const interval of [600_000, 30_000, 5_000, 1_000]) {
    let pings = 0;
    const before = usedMemory();
    const hearts = connections.map((connection) =>
      heartbeat(connection, {
        interval,
        timeout: Math.min(interval, 10_000),
        ping() {
          pings++;
          return send(connection, PING);
        },
      })
    );
    const bytes = (usedMemory() - before) / count;
    const cpu = await measureCpu(seconds);
    console.log(
      `interval ${interval} ms: ${(cpu - idle).toFixed(1)} ms of CPU a second, ` +
        `${(pings / seconds).toFixed(0)} pings a second, ${bytes.toFixed(0)} B a connection`,
    );
    for (const heart of hearts) heart[Symbol.dispose]();
  }
  console.log(`without: ${idle.toFixed(1)} ms of CPU a second, ${(plain / 1e6).toFixed(1)} MB`);
  peer.kill("SIGKILL");
  Deno.exit(0);
}

if (values.peer) await answer();
else await measure(Number(values.connections), Number(values.seconds));
