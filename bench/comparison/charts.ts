/** Draws the charts of the comparison, without a browser, a canvas or the network. */
// deno-lint-ignore-file no-import-prefix -- needed to draw the report, and for nothing else
import { parse, View } from "npm:vega@6";
import { compile, type TopLevelSpec } from "npm:vega-lite@6";
import type { Curve, Results, Row } from "./results.ts";

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
export function chartSpecs({ rows, curves }: Results): Chart[] {
  const all: Chart[] = [];
  const add = (title: string, name: string, spec: TopLevelSpec) => {
    let file = `${name}.svg`;
    for (let next = 2; all.some((chart) => chart.file === file); next++) {
      file = `${name}_${next}.svg`;
    }
    all.push({ file, title, spec });
  };
  const compared = rows.filter(({ peers }) => peers.length > 0);
  if (compared.length > 0) add(OVERVIEW, "overview", overview(compared));
  for (const curve of curves.filter(({ points }) => points.length > 0)) {
    const name = curve.title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "_").replaceAll(/^_|_$/g, "");
    add(curve.title, `curve_${name}`, panels(curve));
  }
  return all;
}

const OVERVIEW = "Ours over each peer";

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

/** Draws every ratio with its spread. Each row has a band, and each peer has a lane in it. */
function overview(rows: readonly Row[]): TopLevelSpec {
  const ratios = rows.flatMap(({ name, peers }) => peers.map((peer) => ({ name, ...peer })));
  const targets = ratios.flatMap(({ target }) => target === undefined ? [] : [target]);
  const { ticks, scale } = logarithmic([
    ...ratios.flatMap(({ lowest, highest }) => [lowest, highest]),
    ...targets,
  ]);
  const x = {
    type: "quantitative",
    title: "ours over the peer's, logarithmic: right of 1 ours is faster",
    scale,
    axis: { values: ticks, labelExpr: labels(ticks, String), grid: true },
  } as const;
  const y = {
    field: "name",
    type: "nominal",
    sort: null,
    title: null,
    scale: { paddingInner: 0.15, paddingOuter: 0.1 },
    axis: {
      grid: true,
      tickBand: "extent",
      ticks: false,
      domain: false,
      labelLimit: 0,
      labelAlign: "left",
      labelPadding: widest(rows.flatMap(({ name }) => wrapped(name))),
      labelExpr: labels(rows.map(({ name }) => name), wrapped),
    },
  } as const;
  const peers = [...new Set(ratios.map(({ peer }) => peer))];
  const peer = { field: "peer", type: "nominal", sort: peers } as const;
  const color = { ...peer, scale: { domain: peers, range: COLOURS } };
  const shape = { ...peer, scale: { domain: peers, range: SHAPES } };
  const place = { y, yOffset: peer };
  return {
    ...PAGE,
    title: {
      text: OVERVIEW,
      subtitle: "Mark: median of the rounds. Line: lowest to highest." +
        (targets.length > 0 ? " Grey tick: target." : ""),
    },
    data: { values: ratios },
    width: 580,
    height: { step: 15, for: "offset" },
    layer: [
      { mark: ONE, encoding: { x: { datum: 1 } } },
      {
        transform: [{ filter: "isValid(datum.target)" }],
        mark: { type: "tick", color: "#999999", opacity: 1, thickness: 3, size: 13 },
        encoding: { x: { ...x, field: "target" }, ...place },
      },
      {
        mark: { type: "rule", size: 2 },
        encoding: { x: { ...x, field: "lowest" }, x2: { field: "highest" }, ...place, color },
      },
      {
        mark: { type: "point", filled: true, size: 70, opacity: 1 },
        encoding: { x: { ...x, field: "ratio" }, ...place, color, shape },
      },
    ],
  };
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

function wrapped(words: string): string[] {
  const lines = [""];
  for (const word of words.split(" ")) {
    const last = lines.at(-1)!;
    if (last !== "" && last.length + 1 + word.length > 24) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines;
}

/**
 * Estimates the width of a text (pixels). Vega has no canvas here to measure it, and would leave half as much again.
 */
function widest(lines: readonly string[]): number {
  return 7.5 * Math.max(...lines.map(({ length }) => length)) + 12;
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
