/**
 * Compares the RESP example with redis-server. redis-benchmark measures both in alternating rounds:
 *
 *     deno run -A bench/resp_redis.ts [rounds [pipeline [requests]]]
 *
 * It prints the medians, and the median, lowest and highest of the rounds' ratios.
 */
import { parseAddress } from "../mod.ts";
import { needRedisTools, startRedis } from "../tests/interop/support/redis.ts";
import { Example } from "../tests/system/support/example.ts";
import { median } from "./comparison/rounds.ts";

const TESTS = ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR"];

/** Returns the requests per second of each test. */
async function measure(port: number, pipeline: number, count: number): Promise<number[]> {
  const { success, stdout } = await new Deno.Command("redis-benchmark", {
    args: [
      ...["-h", "127.0.0.1", "-p", `${port}`, "-P", `${pipeline}`, "-n", `${count}`],
      ...["-t", TESTS.join(",").toLowerCase(), "--csv"],
    ],
    stderr: "null",
  }).output();
  if (!success) throw new Error("redis-benchmark failed");
  const rows = new TextDecoder().decode(stdout).split("\n").map((row) => row.split('","'));
  return TESTS.map((test) => Number(rows.find(([name]) => name === `"${test}`)![1]));
}

const [rounds = 7, pipeline = 64, count = pipeline > 1 ? 1_000_000 : 50_000] = Deno.args.map(
  Number,
);
await needRedisTools();
await using redis = await startRedis();
await using example = Example.start("resp_server", "--port", "0");
const ours = parseAddress((await example.until(/127\.0\.0\.1:\d+/))[0]);
const rates = new Map<number, number[][]>([[ours.port, []], [redis.port, []]]);
// The first round only lets the code of both be optimised.
for (let round = -1; round < rounds; round++) {
  const order = [...rates.keys()];
  for (const port of round % 2 === 0 ? order : order.reverse()) {
    const measured = await measure(port, pipeline, count);
    if (round >= 0) rates.get(port)!.push(measured);
  }
}
console.log(`-P ${pipeline}, ${count} requests, ${rounds} rounds`);
for (const [index, test] of TESTS.entries()) {
  const [one, other] = [...rates.values()].map((rounds) => rounds.map((rates) => rates[index]));
  const ratios = one.map((rate, round) => rate / other[round]);
  const [low, high] = [Math.min(...ratios), Math.max(...ratios)].map((ratio) => ratio.toFixed(2));
  const thousands = [one, other].map((rates) => `${Math.round(median(rates) / 1000)} k/s`);
  console.log(
    `${test.padEnd(12)} ours ${thousands[0].padStart(9)}  redis ${thousands[1].padStart(9)}` +
      `  ratio ${median(ratios).toFixed(2)} (${low} to ${high})`,
  );
}
