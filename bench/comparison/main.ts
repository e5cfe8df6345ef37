/**
 * Compares with other programs and writes RESULTS.md. With the name of a row, it measures that row and prints it:
 *
 *     deno task bench:peers
 *     deno task bench:peers ping-pong
 */
import { measureResp, RESP } from "../resp_redis.ts";
import { measureTls, TLS } from "../tls_ratios.ts";
import { CURVES, ROWS } from "../rows.ts";
import { Runner } from "./runner.ts";
import { LIMITS } from "./limits.ts";
import { report, writeReport } from "./report.ts";
import type { Machine, Results } from "./results.ts";
import { measureCurve, measureRow } from "./rounds.ts";
import { toolchain } from "./toolchain.ts";

async function machine(): Promise<Machine> {
  const read = (path: string) => Deno.readTextFile(path);
  const cpu = /^model name\s*:\s*(.*)$/m.exec(await read("/proc/cpuinfo"))?.[1] ?? Deno.build.arch;
  return {
    cpu,
    cores: navigator.hardwareConcurrency,
    memoryGiB: Deno.systemMemoryInfo().total / 2 ** 30,
    kernel: Deno.osRelease(),
    date: new Date().toISOString().slice(0, 10),
  };
}

async function measure(wanted: (name: string) => boolean): Promise<Results> {
  await using tools = await toolchain();
  await using runner = await Runner.open(tools);
  const results: Results = {
    machine: await machine(),
    versions: { ...tools.versions },
    rows: [],
    limits: [],
    curves: [],
  };
  const started = performance.now();
  const progress = (name: string) => {
    const seconds = Math.round((performance.now() - started) / 1000);
    console.error(`${`${seconds}`.padStart(5)} s  ${name}`);
  };
  for (const row of ROWS.filter(({ name }) => wanted(name))) {
    progress(row.name);
    results.rows.push(await measureRow(runner, row));
  }
  for (const limit of LIMITS.filter(({ name }) => wanted(name))) {
    progress(limit.name);
    results.limits.push(await limit.measure(runner.peer));
  }
  if (wanted(RESP)) {
    progress(RESP);
    const { rows, limits, versions } = await measureResp();
    results.rows.push(...rows);
    results.limits.push(...limits);
    Object.assign(results.versions, versions);
  }
  if (wanted(TLS)) {
    progress(TLS);
    results.rows.push(...await measureTls(tools.node));
  }
  for (const curve of CURVES.filter(({ title }) => wanted(title))) {
    progress(curve.title);
    results.curves.push(await measureCurve(runner, curve));
  }
  return results;
}

const words = Deno.args.join(" ").toLowerCase();
const results = await measure((name) => name.toLowerCase().includes(words));
if (results.rows.length + results.limits.length + results.curves.length === 0) {
  const names = [...[...ROWS, ...LIMITS].map(({ name }) => name), RESP, TLS];
  console.error(
    ["no row has that name; the names are:", ...names, ...CURVES.map(({ title }) => title)]
      .join("\n  "),
  );
  Deno.exit(1);
}
if (words === "") await writeReport(results, new URL("../", import.meta.url));
else console.log(report(results));
