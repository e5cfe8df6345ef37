/**
 * Measures a simulation: hosts with connections, each of which asks its peer something once a minute for an hour. It
 * prints the time for a quarter of the connections, for half of them and for all, since the cost should be linear:
 *
 *     deno run bench/simulation.ts
 */
import process from "node:process";
import { accept, type Connection, recv, send } from "../mod.ts";
import { type MemoryNetwork, simulate } from "../testing.ts";

const MINUTE_MS = 60_000;
const PORT = 7000;

/** The size of a run. */
interface Load {
  readonly hosts: number;
  readonly connections: number;
  readonly minutes: number;
}

/** Answers each byte with a byte. */
async function answer(connection: Connection): Promise<void> {
  for (let bytes = await recv(connection); bytes !== null; bytes = await recv(connection)) {
    await send(connection, bytes);
  }
}

async function serveAll(network: MemoryNetwork, host: string): Promise<void> {
  const listener = await network.host(host).listen({ host, port: PORT });
  void (async () => {
    for (;;) void answer(await accept(listener));
  })();
}

/** Asks once a minute, and returns the number of answers. */
async function ask(network: MemoryNetwork, from: string, to: string, minutes: number) {
  // They must not all ask in the same millisecond.
  await new Promise((resolve) => setTimeout(resolve, Math.random() * MINUTE_MS));
  const connection = await network.host(from).connect({ host: to, port: PORT });
  const question = new Uint8Array(1);
  for (let minute = 0; minute < minutes; minute++) {
    await send(connection, question);
    if (await recv(connection) === null) throw new Error("the peer has ended");
    await new Promise((resolve) => setTimeout(resolve, MINUTE_MS));
  }
  return minutes;
}

/** Runs a load, and returns the number of round trips. */
export function simulateLoad({ hosts, connections, minutes }: Load): Promise<number> {
  return simulate({ seed: 1, trace: false, latency: 5, jitter: 20 }, async (network) => {
    const names = Array.from({ length: hosts }, (_, index) => `host-${index}`);
    for (const name of names) await serveAll(network, name);
    const asking = Array.from({ length: connections }, (_, index) => {
      const from = names[index % hosts];
      const to = names[(index * 7 + 1 + Math.floor(index / hosts)) % hosts];
      return ask(network, from, to, minutes);
    });
    return (await Promise.all(asking)).reduce((sum, count) => sum + count, 0);
  });
}

/** Time of the processor that this process has used (s). Other programs do not count in it. */
function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

if (import.meta.main) {
  const load: Load = { hosts: 1000, connections: 10_000, minutes: 60 };
  for (const part of [4, 2, 1]) {
    const connections = load.connections / part;
    const [start, before] = [performance.now(), processorTime()];
    const roundTrips = await simulateLoad({ ...load, connections });
    const seconds = (performance.now() - start) / 1000;
    const used = processorTime() - before;
    console.log(
      `${connections} connections: ${roundTrips} round trips in ${seconds.toFixed(1)} s, ` +
        `${used.toFixed(1)} s of a processor, ${(used / roundTrips * 1e6).toFixed(1)} µs each`,
    );
  }
}
