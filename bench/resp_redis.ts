/**
 * Compares the RESP example with redis-server. redis-benchmark measures both in turn, with 50 clients:
 *
 *     deno run -A bench/resp_redis.ts [rounds [pipeline]]
 *
 * It prints the medians of the rounds, the ratios within a round, and the CPU time that each server takes for a request.
 */
import { parseAddress } from "../mod.ts";
import { needProgram } from "../tests/interop/support/packages.ts";
import { needRedisTools, startRedis } from "../tests/interop/support/redis.ts";
import { Example } from "../tests/system/support/example.ts";
import { limits, ratios } from "./comparison/report.ts";
import type { Limit, Row, Versions } from "./comparison/results.ts";
import { median } from "./comparison/rounds.ts";

/** The name of all of this in `deno task bench:peers`, which measures it as well. */
export const RESP = "RESP example under redis-benchmark";

const ROUNDS = 7;
const TESTS = ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR"];

/** Requests that each client sends before it waits for their replies. */
interface Pipeline {
  readonly depth: number;
  /** Requests of one measurement, about half a second. */
  readonly requests: number;
  /** The lowest ratio to redis-server that is good enough. */
  readonly target: number;
  /** CPU time is compared if it is more than system calls. */
  readonly comparesCpu: boolean;
}

const PIPELINES: readonly Pipeline[] = [
  { depth: 64, requests: 2_000_000, target: 1, comparesCpu: true },
  { depth: 1, requests: 100_000, target: 0.95, comparesCpu: false },
];

interface Server {
  readonly port: number;
  readonly pid: number;
}

interface Measured {
  /** Requests per second. */
  readonly rate: number;
  /** CPU time of the server for a request, of user and system together (ns). */
  readonly cpu: number;
}

/** The results as rows of RESULTS.md, and the CPU times as limits. */
export interface RespResults {
  readonly rows: Row[];
  readonly limits: Limit[];
  readonly versions: Versions;
}

export async function measureResp(
  rounds: number = ROUNDS,
  pipelines: readonly Pipeline[] = PIPELINES,
): Promise<RespResults> {
  const version = await needProgram("redis-server", "--version");
  await needRedisTools();
  await using redis = await startRedis();
  await using example = Example.start("resp_server", "--port", "0");
  const { port } = parseAddress((await example.until(/127\.0\.0\.1:\d+/))[0]);
  const servers = [{ port, pid: example.pid }, redis];
  const versions = { Redis: /v=(\S+)/.exec(version)![1] };
  const results: RespResults = { rows: [], limits: [], versions };
  for (const pipeline of pipelines) {
    for (const test of TESTS) {
      const [ours, theirs] = await measureInTurn(rounds, servers, test, pipeline);
      results.rows.push(rowOf(test, pipeline, ours, theirs));
      if (pipeline.comparesCpu) results.limits.push(limitOf(test, pipeline, ours, theirs));
    }
  }
  return results;
}

/** Measures the servers one after the other, and reverses the order after each round. */
async function measureInTurn(
  rounds: number,
  servers: readonly Server[],
  test: string,
  pipeline: Pipeline,
): Promise<Measured[][]> {
  const measured: Measured[][] = servers.map(() => []);
  // The first round only lets the code be optimised.
  for (let round = -1; round < rounds; round++) {
    const order = [...servers.keys()];
    for (const server of round % 2 === 0 ? order : order.reverse()) {
      const result = await measure(servers[server], test, pipeline);
      if (round >= 0) measured[server].push(result);
    }
  }
  return measured;
}

async function measure({ port, pid }: Server, test: string, pipeline: Pipeline): Promise<Measured> {
  const { depth, requests } = pipeline;
  const before = await cpuTime(pid);
  const { success, stdout } = await new Deno.Command("redis-benchmark", {
    args: [
      ...["-h", "127.0.0.1", "-p", `${port}`, "-c", "50", "-P", `${depth}`, "-n", `${requests}`],
      ...["-t", test.toLowerCase(), "--csv"],
    ],
    stderr: "null",
  }).output();
  const cpu = await cpuTime(pid) - before;
  const rate = new RegExp(`^"${test}","([\\d.]+)"`, "m").exec(new TextDecoder().decode(stdout));
  if (!success || rate === null) throw new Error(`redis-benchmark failed at ${test}`);
  return { rate: Number(rate[1]), cpu: cpu / requests };
}

/** Returns the CPU time of all threads of a process so far (ns). */
async function cpuTime(pid: number): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  // proc(5): fields 14 and 15 are utime and stime, in ticks of 10 ms. Field 2, the name, may have spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 1e7;
}

function rowOf(
  test: string,
  { depth, target }: Pipeline,
  ours: readonly Measured[],
  theirs: readonly Measured[],
): Row {
  const ratios = ours.map(({ rate }, round) => rate / theirs[round].rate);
  const rate = (server: readonly Measured[]) => median(server.map(({ rate }) => rate));
  return {
    name: `RESP example, redis-benchmark -P ${depth}, ${test}`,
    unit: "requests/s",
    rounds: ours.length,
    rate: rate(ours),
    peers: [{
      peer: "redis-server",
      rate: rate(theirs),
      ratio: median(ratios),
      lowest: Math.min(...ratios),
      highest: Math.max(...ratios),
      target,
    }],
  };
}

function limitOf(
  test: string,
  { depth }: Pipeline,
  ours: readonly Measured[],
  theirs: readonly Measured[],
): Limit {
  const ratio = median(ours.map(({ cpu }, round) => cpu / theirs[round].cpu));
  const baseline = median(theirs.map(({ cpu }) => cpu));
  return {
    name: `CPU time of the RESP example for a request, redis-benchmark -P ${depth}, ${test}`,
    unit: "ns",
    ours: ratio * baseline,
    baseline,
    baselineName: "redis-server",
    atMost: "1.0 times",
    met: ratio <= 1,
  };
}

if (import.meta.main) {
  const [rounds, only] = Deno.args.map(Number);
  const pipelines = PIPELINES.filter(({ depth }) => only === undefined || depth === only);
  const results = await measureResp(rounds, pipelines);
  console.log([...ratios(results.rows), ...limits(results.limits)].join("\n\n"));
}
