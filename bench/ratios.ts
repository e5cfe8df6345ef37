/**
 * Ours over raw as a table of ratios: rounds of the same work in turn, so that both meet the same noise.
 *
 *     deno run --allow-net --allow-read=bench bench/ratios.ts [words of a name]
 */
import { startPeer } from "./start_peer.ts";
import { TCP_WORKLOADS } from "./tcp_workloads.ts";
import { UDP_WORKLOADS } from "./udp_workloads.ts";

const ROUNDS = 9;

async function timed(work: () => Promise<unknown>, repeats: number): Promise<number> {
  const started = performance.now();
  for (let count = 0; count < repeats; count++) await work();
  return performance.now() - started;
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1];
}

const wanted = Deno.args.join(" ");
using peer = await startPeer();
console.log("| work | ours over raw | lowest to highest |\n| --- | --- | --- |");
for (const make of [...TCP_WORKLOADS, ...UDP_WORKLOADS]) {
  const { name, repeats, raw, ours, end } = await make(peer);
  if (name.includes(wanted)) {
    await timed(raw, repeats / 2);
    await timed(ours, repeats / 2);
    const ratios: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const rawTime = await timed(raw, repeats);
      ratios.push(rawTime / await timed(ours, repeats));
    }
    const [lowest, highest] = [Math.min(...ratios), Math.max(...ratios)];
    const spread = `${lowest.toFixed(2)} to ${highest.toFixed(2)}`;
    console.log(`| ${name} | ${median(ratios).toFixed(2)} | ${spread} |`);
  }
  end();
}
