/** Draws the charts of the comparison, without a browser, a canvas or the network. */
// deno-lint-ignore-file no-import-prefix -- needed to draw the report, and for nothing else
import { parse, View } from "npm:vega@6";
import { compile, type TopLevelSpec } from "npm:vega-lite@6";
import { type Curve, type Results, roundedDown, type Row } from "./results.ts";

export interface Chart {
  /** The file name. */
  file: string;
  title: string;
  spec: TopLevelSpec;
}

/** Returns the SVG of each chart by its file name. */
export async function charts(results: Results): Promise<Map<string, string>> {
  const drawn = new Map<string, string>();
  for (const { file, spec } of chartSpecs(results)) {
    const view = new View(parse(compile(spec).spec), { renderer: "none" });
    drawn.set(file, await view.toSVG());
    view.finalize();
  }
  return drawn;
}

/** Lists the charts in order: first the overview, then one chart for each curve. */
export function chartSpecs(results: Results): Chart[] {
  const { rows, curves } = results;
  const all: Chart[] = [];
  const add = (title: string, name: string, spec: TopLevelSpec) => {
    let file = `${name}.svg`;
    for (let next = 2; all.some((chart) => chart.file === file); next++) {
      file = `${name}_${next}.svg`;
    }
    all.push({ file, title, spec });
  };
  const shown = rows.filter((row) => overRaw(row).length > 0);
  if (shown.length > 0) add(OVERVIEW, "overview", overview(shown, lowestOfAll(results, LOWEST)));
  for (const curve of curves.filter(({ points }) => points.length > 0)) {
    const name = curve.title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "_").replaceAll(/^_|_$/g, "");
    add(curve.title, `curve_${name}`, panels(curve));
  }
  return all;
}

const OVERVIEW = "Ours over raw Deno, with Node and Bun beside it";
const RAW_DENO = "raw Deno";
const OVERVIEW_PEERS = ["Node", "Bun"];
/** Ratios beyond this are drawn at the edge, so that those near 1 can be told apart. */
const EDGE = 3;
/** The number of lowest ratios that the overview names. */
const LOWEST = 3;

/** GitHub shows about 830 pixels. The background is painted, because a dark page would show through. */
const PAGE = {
  background: "white",
  padding: 12,
  config: {
    aria: false,
    font: "Helvetica, Arial, sans-serif",
    title: { fontSize: 17, subtitleFontSize: 13, anchor: "start", subtitlePadding: 6, offset: 14 },
    axis: { labelFontSize: 13, titleFontSize: 13, titlePadding: 10, gridColor: "#e4e4e4" },
    legend: { labelFontSize: 13, labelLimit: 0, orient: "top", title: null, symbolSize: 90 },
    view: { stroke: "#c8c8c8" },
  },
} as const;

/** The colours of Okabe and Ito, which colour-blind people can tell apart. The shapes repeat the distinction. */
const COLOURS = ["#d55e00", "#009e73", "#0072b2", "#cc79a7", "#000000", "#e69f00", "#56b4e9"];
const SHAPES = ["circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "stroke"];
const [RAW, , OURS] = COLOURS;
const ONE = { type: "rule", color: "#333333", size: 1.5 } as const;

/**
 * Draws a bar for each row that is part of the overview: ours over raw Deno, from 1. Marks on it show the others over
 * raw Deno. The table has the rest and the spreads.
 */
function overview(rows: readonly Row[], lowest: readonly string[]): TopLevelSpec {
  const ratios = rows.flatMap(overRaw);
  const bars = ratios.filter(({ of }) => of === "ours").toSorted((a, b) => b.ratio - a.ratio);
  const names = bars.map(({ name }) => name);
  const { ticks, scale } = logarithmic(ratios.map(({ ratio }) => Math.min(ratio, EDGE)));
  const beyond = ratios.some(({ ratio }) => ratio > EDGE) ? `; beyond ${EDGE} at the edge` : "";
  const x = {
    field: "ratio",
    type: "quantitative",
    title: `over raw Deno, logarithmic: right of 1 is faster${beyond}`,
    scale: { ...scale, clamp: true },
    axis: { values: ticks, labelExpr: labels(ticks, String), grid: true },
  } as const;
  const y = {
    field: "name",
    type: "nominal",
    sort: names,
    title: null,
    axis: { ticks: false, domain: false, labelLimit: 0 },
  } as const;
  const all = ["ours", ...OVERVIEW_PEERS.filter((peer) => ratios.some(({ of }) => of === peer))];
  const of = { field: "of", type: "nominal", sort: all } as const;
  const color = { ...of, scale: { domain: all, range: [OURS, "#000000", RAW] } };
  const shape = { ...of, scale: { domain: all, range: ["square", "circle", "diamond"] } };
  return {
    ...PAGE,
    title: { text: OVERVIEW, subtitle: ["Lowest of all rows and curves:", ...lowest] },
    data: { values: ratios },
    width: 480,
    height: { step: 30 },
    layer: [
      {
        transform: [{ filter: "datum.of === 'ours'" }],
        mark: { type: "bar", height: { band: 0.6 }, opacity: 0.75 },
        encoding: { y, x, x2: { datum: 1 }, color },
      },
      { mark: { ...ONE, size: 2 }, encoding: { x: { datum: 1 } } },
      {
        transform: [{ filter: "datum.of !== 'ours'" }],
        mark: { type: "point", filled: true, size: 75, opacity: 1 },
        encoding: { y, x, color, shape },
      },
      {
        transform: [{ filter: "datum.of === 'ours'" }],
        mark: { type: "text", align: "left", fontSize: 13, fontWeight: "bold" },
        encoding: { y, x: { value: 488 }, text: { field: "label" } },
      },
    ],
  };
}

/** Returns the ratios to raw Deno of one row: ours, and those of the peers in the overview. */
function overRaw({ overview, peers }: Row) {
  const raw = peers.find(({ peer }) => peer === RAW_DENO);
  if (overview === undefined || raw === undefined) return [];
  const others = peers.filter(({ peer }) => OVERVIEW_PEERS.includes(peer));
  return [
    { of: "ours", ratio: raw.ratio },
    ...others.map(({ peer, ratio }) => ({ of: peer, ratio: raw.ratio / ratio })),
  ].map((one) => ({ ...one, name: overview, label: roundedDown(one.ratio) }));
}

/** Names the lowest ratios to raw Deno, of rows and of the points of curves. */
function lowestOfAll({ rows, curves }: Results, count: number): string[] {
  const ofRows = rows.flatMap(({ name, peers }) =>
    peers.filter(({ peer }) => peer === RAW_DENO).map(({ ratio }) => ({ name, ratio }))
  );
  const ofCurves = curves.flatMap(({ title, axis, points }) =>
    points.map(({ x, ratio }) => ({
      name: `${title}, ${x.toLocaleString("en-US")} ${axis === "connections" ? axis : "bytes"}`,
      ratio,
    }))
  );
  return [...ofRows, ...ofCurves].toSorted((a, b) => a.ratio - b.ratio).slice(0, count)
    .map(({ name, ratio }) => `${roundedDown(ratio)}  ${name}`);
}

/** Draws the ratio with its spread, and both rates below it. */
function panels({ title, axis, points, unit }: Curve): TopLevelSpec {
  const sizes = points.map((point) => point.x);
  const x = {
    field: "x",
    type: "quantitative",
    scale: { type: "log", nice: false, padding: 12 },
    axis: { values: sizes, labelExpr: labels(sizes, shortened(sizes)), labelOverlap: "greedy" },
  } as const;
  const { ticks, scale } = logarithmic(points.flatMap(({ lowest, highest }) => [lowest, highest]));
  const ratio = {
    type: "quantitative",
    title: null,
    scale,
    axis: { values: ticks, labelExpr: labels(ticks, String) },
  } as const;
  const rates = points.flatMap(({ x, ours, raw }) => [
    { x, of: "ours", rate: ours },
    { x, of: "raw Deno", rate: raw },
  ]);
  const of = ["ours", "raw Deno"];
  const whose = { field: "of", type: "nominal", sort: of } as const;
  const size = { width: 720, height: 200 };
  const heading = { fontSize: 13, offset: 8, frame: "group" } as const;
  const vertical = rateAxis(rates.map(({ rate }) => rate), unit);
  return {
    ...PAGE,
    title: {
      text: title,
      subtitle: "Point: median of the rounds. Band: lowest to highest. Above 1 ours is faster.",
    },
    spacing: 20,
    resolve: { legend: { color: "independent", shape: "independent" } },
    vconcat: [
      {
        ...size,
        title: { ...heading, text: "ours over raw Deno, logarithmic" },
        data: { values: points },
        layer: [
          {
            mark: { type: "area", color: OURS, opacity: 0.2 },
            encoding: {
              x: { ...x, title: null },
              y: { ...ratio, field: "lowest" },
              y2: { field: "highest" },
            },
          },
          { mark: ONE, encoding: { y: { datum: 1 } } },
          {
            mark: { type: "line", color: OURS, point: { color: OURS, size: 60 } },
            encoding: { x: { ...x, title: null }, y: { ...ratio, field: "ratio" } },
          },
        ],
      },
      {
        ...size,
        title: { ...heading, text: vertical.title },
        data: { values: rates },
        mark: { type: "line", point: { size: 60 } },
        encoding: {
          x: { ...x, title: `${axis}, logarithmic` },
          y: { field: "rate", type: "quantitative", title: null, ...vertical.y },
          color: { ...whose, scale: { domain: of, range: [OURS, RAW] } },
          shape: { ...whose, scale: { domain: of, range: SHAPES } },
        },
      },
    ],
  };
}

/** Makes a logarithmic scale around 1, with as few round ticks as are needed to read a point's value. */
function logarithmic(values: readonly number[]) {
  const lowest = Math.min(1, ...values) / 1.05;
  const highest = Math.max(1, ...values) * 1.05;
  const decades = (steps: readonly number[]) =>
    [-3, -2, -1, 0, 1, 2, 3].flatMap((power) =>
      steps.map((step) => Number((step * 10 ** power).toPrecision(3)))
    );
  const even = (step: number) =>
    Array.from({ length: 200 }, (_, count) => Number((step * (count + 1)).toFixed(2)));
  const choices = [
    decades([1]),
    decades([1, 2, 5]),
    decades([1, 1.5, 2, 3, 5, 7]),
    even(0.1),
    even(0.05),
    even(0.02),
    even(0.01),
  ].map((ticks) => ticks.filter((tick) => tick >= lowest && tick <= highest));
  const ticks = choices.find(({ length }) => length >= 5) ?? choices.at(-1)!;
  const domain = [lowest, highest];
  return { ticks, scale: { type: "log" as const, nice: false, domain } };
}

/**
 * Chooses a scale from 0, so that heights are in proportion. A wide range gets a logarithmic scale, because its small
 * values would vanish.
 */
function rateAxis(rates: readonly number[], unit: string) {
  const labelExpr = unit.includes("iB")
    ? "format(datum.value, ',')"
    : "replace(format(datum.value, '~s'), regexp('([kMG])$'), ' $1')";
  const [least, most] = [Math.min(...rates), Math.max(...rates)];
  if (most <= 30 * least) return { title: unit, y: { axis: { labelExpr, tickCount: 5 } } };
  const [first, last] = [Math.floor(Math.log10(least)), Math.ceil(Math.log10(most))];
  const values = Array.from({ length: last - first + 1 }, (_, count) => 10 ** (first + count));
  return {
    title: `${unit}, logarithmic`,
    y: {
      scale: { type: "log" as const, domain: [10 ** first, 10 ** last] },
      axis: { labelExpr, values },
    },
  };
}

/** Returns a Vega expression that looks up a tick's label. A list is a label of several lines. */
function labels<T extends string | number>(
  values: readonly T[],
  label: (value: T) => string | string[],
): string {
  const known = Object.fromEntries(values.map((value) => [String(value), label(value)]));
  return `(${JSON.stringify(known)})[datum.value]`;
}

/** Formats a size: 65536 as 64 Ki if all sizes are powers of two, else 10000 as 10 k. */
function shortened(sizes: readonly number[]): (size: number) => string {
  const binary = sizes.some((size) => size >= 1024) &&
    sizes.every((size) => size < 1024 || size % 1024 === 0);
  const base = binary ? 1024 : 1000;
  const prefixes = binary ? ["", " Ki", " Mi", " Gi"] : ["", " k", " M", " G"];
  return (size) => {
    let power = 0;
    for (; size >= base && power < prefixes.length - 1; power++) size /= base;
    return `${Number(size.toPrecision(3))}${prefixes[power]}`;
  };
}
