/**
 * Compares a server with the usual accept loop, in alternating rounds:
 *
 *     deno run --allow-net bench/serve_ratios.ts
 *
 * It prints the median time of a connection and of a round trip, and the median, lowest and highest of the rounds'
 * ratios to the loop. A ratio above 1 is faster.
 */
import { median } from "./comparison/rounds.ts";
import { SERVERS, startClients } from "./serve_bench.ts";

const ROUNDS = 15;
const WORKS = [["connections", 1_600], ["round trips", 16_000]] as const;

const names = Object.keys(SERVERS);
const ports = new Map<string, number>();
for (const name of names) ports.set(name, await SERVERS[name]());
const clients = startClients();

for (const [work, count] of WORKS) {
  const times: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]));
  // The first two rounds only let the code be optimised.
  for (let round = -2; round < ROUNDS; round++) {
    for (const name of names) {
      const started = performance.now();
      await clients({ port: ports.get(name)!, work, count });
      if (round >= 0) times[name].push(performance.now() - started);
    }
  }
  console.log(`${work} of 64 B`);
  for (const name of names) {
    const ratios = times[name].map((time, round) => times[names[0]][round] / time);
    const [lowest, highest] = [Math.min(...ratios), Math.max(...ratios)];
    console.log(
      `  ${name.padEnd(20)} ${(median(times[name]) / count * 1000).toFixed(1).padStart(6)} µs` +
        `  ${median(ratios).toFixed(2)} (${lowest.toFixed(2)} to ${highest.toFixed(2)})`,
    );
  }
}
Deno.exit(0);
