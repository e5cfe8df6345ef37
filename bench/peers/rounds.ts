/** How ratios come about: rounds in which everybody works in turn, so that all meet the same noise. */
import type { CurveSpec, PeerName, RowSpec } from "../rows.ts";
import { curveCounts, curveOptions } from "../rows.ts";
import type { Contest, Contestant } from "./contest.ts";
import type { Curve, CurvePoint, PeerRatio, Row } from "./results.ts";

const ROUNDS = 15;
const CURVE_ROUNDS = 7;
/** How long each works in a round. */
const MILLISECONDS = 200;

export function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1];
}

interface Rated {
  readonly rate: number;
  readonly ratio: number;
  readonly lowest: number;
  readonly highest: number;
}

/** Ours and each peer, one after the other, forwards and backwards in turn. */
async function rounds(
  count: number,
  contestants: readonly Contestant[],
  rate: (contestant: Contestant) => Promise<number>,
): Promise<Map<Contestant, Rated>> {
  const rates = new Map<Contestant, number[]>(contestants.map((name) => [name, []]));
  // The first round makes everybody's code hot.
  for (let round = -1; round < count; round++) {
    const order = round % 2 === 0 ? contestants : contestants.toReversed();
    for (const contestant of order) {
      const measured = await rate(contestant);
      if (round >= 0) rates.get(contestant)!.push(measured);
    }
  }
  const ours = rates.get("ours")!;
  return new Map([...rates].map(([contestant, theirs]) => {
    const ratios = ours.map((rate, round) => rate / theirs[round]);
    return [contestant, {
      rate: median(theirs),
      ratio: median(ratios),
      lowest: Math.min(...ratios),
      highest: Math.max(...ratios),
    }];
  }));
}

export async function measureRow(contest: Contest, row: RowSpec): Promise<Row> {
  const { name, unit, work, options, counts } = row;
  const peers = Object.keys(row.peers) as PeerName[];
  const rated = await rounds(
    ROUNDS,
    ["ours", ...peers],
    async (contestant) => await contest.rate(contestant, work, options, MILLISECONDS) / counts,
  );
  return {
    name,
    unit,
    rounds: ROUNDS,
    rate: rated.get("ours")!.rate,
    peers: peers.map((peer): PeerRatio => {
      const target = row.peers[peer];
      return { peer, ...rated.get(peer)!, ...typeof target === "number" ? { target } : {} };
    }),
  };
}

export async function measureCurve(contest: Contest, spec: CurveSpec): Promise<Curve> {
  const { title, axis, unit, work, sizes } = spec;
  const points: CurvePoint[] = [];
  for (const x of sizes) {
    const options = curveOptions(spec, x);
    const rated = await rounds(
      CURVE_ROUNDS,
      ["ours", "raw Deno"],
      async (contestant) =>
        await contest.rate(contestant, work, options, MILLISECONDS) / curveCounts(spec, x),
    );
    const raw = rated.get("raw Deno")!;
    const { ratio, lowest, highest } = raw;
    points.push({ x, ours: rated.get("ours")!.rate, raw: raw.rate, ratio, lowest, highest });
  }
  return { title, axis, unit, points };
}
