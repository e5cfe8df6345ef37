/** Measures ratios in rounds. All contenders work in turn within a round, so that all meet the same noise. */
import type { CurveSpec, PeerName, RowSpec } from "../rows.ts";
import { curveCounts, curveOptions } from "../rows.ts";
import type { ContenderName, OursName, Runner } from "./runner.ts";
import type { Curve, CurvePoint, PeerRatio, Row } from "./results.ts";

const ROUNDS = 7;
const CURVE_ROUNDS = 7;
/** Time for which each contender works in a round (ms). */
const MILLISECONDS = 150;

export function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1];
}

interface Rated {
  readonly rate: number;
  readonly ratio: number;
  readonly lowest: number;
  readonly highest: number;
}

/** Measures all contenders one after the other, and reverses the order after each round. */
async function rounds(
  count: number,
  [own, ...peers]: readonly [OursName, ...PeerName[]],
  rate: (contender: ContenderName) => Promise<number>,
): Promise<Map<ContenderName, Rated>> {
  const contenders: ContenderName[] = [own, ...peers];
  const rates = new Map<ContenderName, number[]>(contenders.map((name) => [name, []]));
  // The first round only lets the compilers optimise the code of all contenders.
  for (let round = -1; round < count; round++) {
    const order = round % 2 === 0 ? contenders : contenders.toReversed();
    for (const contender of order) {
      const measured = await rate(contender);
      if (round >= 0) rates.get(contender)!.push(measured);
    }
  }
  const ours = rates.get(own)!;
  return new Map([...rates].map(([contender, theirs]) => {
    const ratios = ours.map((rate, round) => rate / theirs[round]);
    return [contender, {
      rate: median(theirs),
      ratio: median(ratios),
      lowest: Math.min(...ratios),
      highest: Math.max(...ratios),
    }];
  }));
}

export async function measureRow(runner: Runner, row: RowSpec): Promise<Row> {
  const { name, unit, work, options, counts, freshProcesses } = row;
  const peers = Object.keys(row.peers) as PeerName[];
  const own: OursName = row.on === undefined ? "ours" : `ours on ${row.on}`;
  const rated = await rounds(
    ROUNDS,
    [own, ...peers],
    async (contender) => {
      if (freshProcesses) {
        await runner.endPrograms();
        // The compilers optimise the code.
        await runner.rate(contender, work, options, MILLISECONDS);
      }
      return await runner.rate(contender, work, options, MILLISECONDS) / counts;
    },
  );
  return {
    name,
    unit,
    rounds: ROUNDS,
    rate: rated.get(own)!.rate,
    ...row.overview === undefined ? {} : { overview: row.overview },
    peers: peers.map((peer): PeerRatio => {
      const target = row.peers[peer];
      return { peer, ...rated.get(peer)!, ...typeof target === "number" ? { target } : {} };
    }),
  };
}

export async function measureCurve(runner: Runner, spec: CurveSpec): Promise<Curve> {
  const { title, axis, unit, work, sizes } = spec;
  const points: CurvePoint[] = [];
  for (const x of sizes) {
    const options = curveOptions(spec, x);
    const rated = await rounds(
      CURVE_ROUNDS,
      ["ours", "raw Deno"],
      async (contender) =>
        await runner.rate(contender, work, options, MILLISECONDS) / curveCounts(spec, x),
    );
    const raw = rated.get("raw Deno")!;
    const { ratio, lowest, highest } = raw;
    points.push({ x, ours: rated.get("ours")!.rate, raw: raw.rate, ratio, lowest, highest });
  }
  return { title, axis, unit, points };
}
