/**
 * Runs servers, clients, datagrams, cancels and faults at once for a long time. It checks that memory, descriptors,
 * timers and listeners stay flat from the first quarter to the last, and that no byte is lost.
 *
 *     deno task soak --minutes 30
 *     deno task soak --minutes 2 --seed 7
 *
 * It prints a line a minute, and a summary in JSON as the last line. It fails if something is lost, wrong or not flat.
 */
import { numberOf, optionsOf } from "../fuzz/options.ts";
import { Random } from "../support/random.ts";
import { acceptor, faults } from "./fault_loads.ts";
import { Gate } from "./gate.ts";
import { Ledger } from "./ledger.ts";
import { keptClient } from "./link_loads.ts";
import { bulkClient, framedClient, lastingClient, proxiedClient, udpClient } from "./loads.ts";
import { countTimers, type Sample, sample, trends } from "./resources.ts";
import { type Load, startWorld, type World } from "./world.ts";

const LOADS: readonly (readonly [name: string, load: Load, count: number])[] = [
  ["framed client", framedClient, 6],
  ["lasting client", lastingClient, 4],
  ["proxied client", proxiedClient, 4],
  ["bulk client", bulkClient, 2],
  ["UDP client", udpClient, 2],
  ["acceptor", acceptor, 1],
  ["kept client", keptClient, 3],
  ["faults", faults, 4],
];

/** Time between two pauses in which everything is counted (ms). */
const PERIOD_MS = 5000;
/** A round of a load that takes longer hangs (ms). */
const ROUND_TIMEOUT_MS = 45_000;
const SETTLE_TIMEOUT_MS = 10_000;

const { setTimeout: startTimer } = globalThis;

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => startTimer(resolve, ms));
}

/** Waits until only the lasting connections are open, as it must be if no load is in a round. */
async function settled({ echo, proxied, slow }: World, lasting: number): Promise<boolean> {
  for (const end = performance.now() + SETTLE_TIMEOUT_MS; performance.now() < end; await wait(20)) {
    if (echo.active === lasting && proxied.active === 0 && slow.active === 0) return true;
  }
  return false;
}

function startLoads(world: World, random: Random): { lasting: number; all: Promise<unknown> } {
  const all: Promise<void>[] = [];
  let lasting = 0;
  for (const [what, load, count] of LOADS) {
    if (load === lastingClient) lasting += count;
    for (let index = 0; index < count; index++) {
      const name = `${what} ${index}`;
      all.push(
        load(name, world, new Random(random.below(2 ** 32)))
          .catch((error) => world.ledger.fail(`${name} ended: ${error?.stack ?? error}`))
          .finally(() => world.gate.leave(name)),
      );
    }
  }
  return { lasting, all: Promise.all(all) };
}

/** Measures the longest delay of the event loop, which shows if timeouts are the machine's fault. */
function watchLag(): { takeWorst(): number } {
  let [due, worst] = [performance.now() + 20, 0];
  setInterval(() => {
    worst = Math.max(worst, performance.now() - due);
    due = performance.now() + 20;
  }, 20);
  return {
    takeWorst(): number {
      const taken = Math.round(worst);
      worst = 0;
      return taken;
    },
  };
}

const COLUMNS = ["min", "conns", "frames", "lines", "dgrams", "MB", "cancels", "faults", "RSS MB"]
  .concat(["heap MB", "ext MB", "fds", "timers", "listeners", "lag ms", "wrong"]);

function row(cells: readonly (string | number)[]): string {
  return cells.map((cell, index) =>
    `${cell}`.padStart(Math.max(COLUMNS[index].length, index === 0 ? 5 : 8))
  ).join(" ");
}

function mb(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

function report({ counts, wrong }: Ledger, sample: Sample, lag: number): string {
  const { connections, frames, lines, datagrams, bytes, cancels, faults } = counts;
  const { rss, heap, external, descriptors, timers, listeners, seconds } = sample;
  return row([
    (seconds / 60).toFixed(1),
    ...[connections, frames, lines, datagrams, mb(bytes), cancels, faults],
    ...[mb(rss), mb(heap), mb(external), descriptors, timers, listeners, lag, wrong],
  ]);
}

async function soak(minutes: number, seed: number): Promise<boolean> {
  countTimers();
  const ledger = new Ledger();
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    ledger.fail(`unhandled: ${event.reason?.stack ?? event.reason}`);
  });
  const gate = new Gate();
  const started = performance.now();
  const lag = watchLag();
  const world = await startWorld(gate, ledger);
  const { lasting, all } = startLoads(world, new Random(seed));
  console.log(`seed ${seed}`);
  console.log(row(COLUMNS));
  const samples: Sample[] = [];
  const end = started + minutes * 60_000;
  for (let minute = 1; performance.now() < end;) {
    await wait(Math.min(PERIOD_MS, Math.max(0, end - performance.now())));
    const stuck = await gate.close(ROUND_TIMEOUT_MS);
    if (stuck.length > 0) ledger.fail(`stuck: ${stuck.join(", ")}`);
    if (!await settled(world, lasting)) {
      ledger.fail("a server still has connections whose clients are gone");
    }
    samples.push(await sample(started));
    if (stuck.length > 0) break;
    gate.open();
    if (performance.now() - started < minute * 60_000 && performance.now() < end) continue;
    console.log(report(ledger, samples.at(-1)!, lag.takeWorst()));
    minute = 1 + Math.floor((performance.now() - started) / 60_000);
  }
  gate.end();
  await Promise.race([all, wait(ROUND_TIMEOUT_MS)]);
  const { echo, proxied, slow } = world;
  const servers = [echo, proxied, slow];
  const ends = await Promise.all(
    servers.map((server) => server.shutdown({ timeout: SETTLE_TIMEOUT_MS })),
  );
  const aborted = ends.reduce((sum, { aborted }) => sum + aborted, 0);
  if (aborted > 0) ledger.fail(`${aborted} connections had to be aborted at the end`);
  return summarise(ledger, samples, { minutes, seed, servers });
}

function summarise(
  ledger: Ledger,
  samples: readonly Sample[],
  { minutes, seed, servers }: { minutes: number; seed: number; servers: readonly World["echo"][] },
): boolean {
  const trend = trends(samples);
  for (const what of ledger.wrongs) console.log(`WRONG: ${what}`);
  for (const { measure, first, last, flat } of trend) {
    console.log(`${measure.padEnd(12)} ${first} -> ${last}${flat ? "" : "  NOT FLAT"}`);
  }
  const { times, median, most } = ledger.linksDown;
  console.log(`links were down ${times} times, for ${median} ms in the median, ${most} ms at most`);
  console.log(`heartbeats gave a server up ${ledger.counts.heartbeats} times`);
  const ok = ledger.wrong === 0 && trend.every(({ flat }) => flat);
  console.log(JSON.stringify({
    ok,
    minutes,
    seed,
    samples: samples.length,
    ...ledger.counts,
    faultsByName: Object.fromEntries(ledger.faults),
    serverErrors: Object.fromEntries(ledger.serverErrors),
    linksDownMs: ledger.linksDown,
    accepted: servers.reduce((sum, { accepted }) => sum + accepted, 0),
    refused: servers.reduce((sum, { refused }) => sum + refused, 0),
    trend,
    wrong: ledger.wrong,
  }));
  return ok;
}

if (import.meta.main) {
  const options = optionsOf(Deno.args, ["minutes", "seed"]);
  const ok = await soak(
    numberOf(options, "minutes", 30),
    numberOf(options, "seed", new Random().seed),
  );
  Deno.exit(ok ? 0 : 1);
}
