/** Turns the results of the comparison into RESULTS.md and its charts. */
import { type Chart, charts, chartSpecs } from "./charts.ts";
import {
  type Curve,
  exact,
  type Limit,
  type PeerRatio,
  type Results,
  roundedDown,
  type Row,
} from "./results.ts";

/** A comment that keeps `deno fmt` from formatting the Markdown and the SVG. */
const UNFORMATTED = "<!-- deno-fmt-ignore-file -->\n";

/** Writes RESULTS.md and charts/*.svg to a folder. */
export async function writeReport(results: Results, folder: URL): Promise<void> {
  const inside = (path: string) => new URL(path, folder.href.replace(/\/?$/, "/"));
  await Deno.mkdir(inside("charts/"), { recursive: true });
  for (const [file, svg] of await charts(results)) {
    await Deno.writeTextFile(inside(`charts/${file}`), `${UNFORMATTED}${svg}\n`);
  }
  await Deno.writeTextFile(inside("RESULTS.md"), report(results));
}

/** Returns the Markdown. It links each chart of `charts(results)` as charts/<file name>. */
export function report(results: Results): string {
  const sections = [
    "# Measured against other programs",
    ...overview(results),
    ...reproduction(results),
    ...ratios(results.rows),
    ...limits(results.limits),
    ...whereOthersAreFaster(results),
    ...targetsMissed(results),
    ...embeddedCharts(results),
  ];
  return `${UNFORMATTED}\n${sections.join("\n\n")}\n`;
}

function overview(results: Results): string[] {
  const chart = chartSpecs(results).find(({ file }) => file === "overview.svg");
  if (chart === undefined) return [];
  return [
    "## At a glance",
    "A bar is our rate over that of the runtime's own sockets: 1 is the same, right of it ours is " +
    "faster. Marks show Node and Bun over the same. The tables below have every row and its spread.",
    image(chart),
  ];
}

function reproduction({ machine, versions }: Results): string[] {
  const { cpu, cores, memoryGiB, kernel, date } = machine;
  const programs = Object.entries(versions).map(([program, version]) => `${program} ${version}`);
  return [
    "## How to reproduce",
    "```sh\ndeno task bench:peers             # everything\n" +
    "deno task bench:peers <row name>  # one row of the table\n```",
    table(["What", "Measured on"], [
      ["Date", date],
      ["Processor", `${cpu}, ${cores} ${cores === 1 ? "core" : "cores"}`],
      ["Memory", `${significant(memoryGiB)} GiB`],
      ["Kernel", kernel],
      ["Versions", programs.join(", ")],
    ]),
  ];
}

/** Returns the section of the ratios, in paragraphs. */
export function ratios(rows: readonly Row[]): string[] {
  if (rows.length === 0) return [];
  const lines = rows.flatMap(({ name, unit, rounds, rate, peers }) => {
    const work = [name, quantity(rate, unit), `${rounds}`];
    if (peers.length === 0) return [[...work, "", "", "", ""]];
    return peers.map((peer, index) => [
      ...(index === 0 ? work : ["", "", ""]),
      peer.peer,
      quantity(peer.rate, unit),
      spread(peer),
      verdict(peer),
    ]);
  });
  return [
    "## Ratios",
    "More is better. The ratio is ours over the peer's within one round: the median of the rounds, " +
    "then the lowest and the highest. Above 1.00 ours is faster. Ratios are rounded down. For `recv` of " +
    "large messages each measurement has a process of its own, since the allocator's state decides.",
    table(["Work", "Ours", "Rounds", "Peer", "Peer's rate", "Ratio", "Target"], lines, "lrrlrrl"),
  ];
}

/** Returns the section of the limits, in paragraphs. */
export function limits(all: readonly Limit[]): string[] {
  if (all.length === 0) return [];
  const lines = all.map((limit) => [
    limit.name,
    quantity(limit.ours, limit.unit),
    `${quantity(limit.baseline, limit.unit)} (${limit.baselineName})`,
    excess(limit),
    limit.atMost,
    limit.met ? "met" : "**missed**",
  ]);
  const headings = ["What", "Ours", "Baseline", "Ours to baseline", "At most", "Limit"];
  return [
    "## Limits",
    "Less is better. The comparison with the baseline is rounded up.",
    table(headings, lines, "lrrrrl"),
  ];
}

function whereOthersAreFaster({ rows, curves }: Results): string[] {
  const peers = rows.flatMap((row) => row.peers.map((peer) => ({ row, peer })))
    .filter(({ peer }) => peer.ratio < 1)
    .toSorted((one, other) => one.peer.ratio - other.peer.ratio)
    .map(({ row, peer }) => `**${peer.peer}**, ${row.name}: ${spread(peer)}`);
  return [
    "## Where others are faster",
    listed(peers, "No peer's ratio is below 1.00."),
    ...curves.flatMap(slowerPoints),
  ];
}

function slowerPoints({ title, axis, points }: Curve): string[] {
  const slower = points.filter(({ ratio }) => ratio < 1);
  if (slower.length === 0) return [];
  return [
    `${text(title)}, over raw Deno sockets, by ${text(axis)}:`,
    listed(slower.map((point) => `${point.x.toLocaleString("en-US")}: ${spread(point)}`), ""),
  ];
}

function targetsMissed({ rows, limits }: Results): string[] {
  const ratios = rows.flatMap((row) => row.peers.map((peer) => ({ row, peer })))
    .filter(({ peer }) => peer.target !== undefined && peer.ratio < peer.target)
    .map(({ row, peer }) =>
      `**${peer.peer}**, ${row.name}: ${spread(peer)}, target ${bound(peer.target!)}`
    );
  const exceeded = limits.filter(({ met }) => !met).map((limit) =>
    `**${limit.baselineName}**, ${limit.name}: ${excess(limit)}, at most ${limit.atMost}`
  );
  return [
    "## Targets missed",
    listed([...ratios, ...exceeded], "No target and no limit is missed."),
  ];
}

function embeddedCharts(results: Results): string[] {
  const images = chartSpecs(results).filter(({ file }) => file !== "overview.svg").map(image);
  return images.length === 0 ? [] : ["## Curves", ...images];
}

function image({ file, title }: Chart): string {
  return `![${text(title)}](charts/${file})`;
}

function verdict({ ratio, target }: PeerRatio): string {
  if (target === undefined) return "";
  return `${bound(target)}: ${ratio < target ? "**missed**" : "met"}`;
}

function bound(target: number): string {
  return `at least ${target.toFixed(2)}`;
}

function spread({ ratio, lowest, highest }: Pick<PeerRatio, "ratio" | "lowest" | "highest">) {
  return `${roundedDown(ratio)} (${roundedDown(lowest)}–${roundedDown(highest)})`;
}

/** Returns the excess of ours over the baseline, in the unit of the limit. It is rounded up, never in our favour. */
function excess({ ours, baseline, unit, atMost }: Limit): string {
  const up = (value: number) => Math.ceil(exact(value * 100)) / 100;
  if (!atMost.startsWith("+")) return `${up(ours / baseline).toFixed(2)} times`;
  const more = up(ours - baseline);
  return `${more < 0 ? "−" : "+"}${Math.abs(more).toLocaleString("en-US")} ${unit}`;
}

/** Formats three significant digits and the unit: 4.2 M messages/s. Bytes have prefixes of their own, such as MiB. */
function quantity(value: number, unit: string): string {
  const rounded = Number(value.toPrecision(3));
  if (unit.endsWith("/s") && !unit.includes("iB")) {
    if (rounded >= 1e6) return `${significant(rounded / 1e6)} M ${unit}`;
    if (rounded >= 1e4) return `${significant(rounded / 1e3)} k ${unit}`;
  }
  return `${significant(rounded)} ${unit}`;
}

function significant(value: number): string {
  return value.toLocaleString("en-US", { maximumSignificantDigits: 3 });
}

function listed(items: readonly string[], none: string): string {
  return items.length === 0 ? none : items.map((item) => `- ${escaped(item)}`).join("\n");
}

/** Escapes Markdown, except for bold, which is the only markup that a cell may have. */
function escaped(words: string): string {
  return words.split("**").map(text).join("**");
}

function text(words: string): string {
  return words.replaceAll(/[\\|*_`<[\]]/g, "\\$&");
}

/** Draws a table. `alignments` has one letter for each column, "l" or "r". */
function table(
  headings: string[],
  lines: string[][],
  alignments = "l".repeat(headings.length),
): string {
  const all = [headings, ...lines].map((line) => line.map(escaped));
  const widths = headings.map((_, column) =>
    Math.max(4, ...all.map((line) => line[column].length))
  );
  const rule = widths.map((width, column) =>
    alignments[column] === "r" ? `${"-".repeat(width - 1)}:` : "-".repeat(width)
  );
  const padded = all.map((line) =>
    line.map((cell, column) =>
      alignments[column] === "r" ? cell.padStart(widths[column]) : cell.padEnd(widths[column])
    )
  );
  return padded.toSpliced(1, 0, rule).map((line) => `| ${line.join(" | ")} |`).join("\n");
}
