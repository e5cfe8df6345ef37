import { assert, assertEquals, assertFalse, assertStringIncludes } from "@std/assert";
import { charts } from "../../bench/comparison/charts.ts";
import { report, writeReport } from "../../bench/comparison/report.ts";
import type { Results } from "../../bench/comparison/results.ts";

/** Invented: each of the names says what the report must make of it. */
const RESULTS: Results = {
  machine: { cpu: "Invented CPU", cores: 2, memoryGiB: 23.5, kernel: "6.1.0", date: "2031-02-03" },
  versions: { Deno: "2.9.6", Node: "26.10.0" },
  rows: [
    {
      name: "small messages",
      unit: "messages/s",
      rounds: 9,
      rate: 4_200_000,
      overview: "small, in short",
      peers: [
        { peer: "raw Deno", rate: 8_400_000, ratio: 0.5, lowest: 0.4, highest: 0.6 },
        { peer: "Node", rate: 42_000_000, ratio: 0.1, lowest: 0.1, highest: 0.2 },
        { peer: "equal", rate: 4_200_000, ratio: 1, lowest: 0.97, highest: 1.1, target: 1 },
        {
          peer: "hardly faster, by a long name",
          rate: 4_210_000,
          ratio: 0.996,
          lowest: 0.9,
          highest: 1.2,
        },
        { peer: "slower", rate: 980_400, ratio: 4.28, lowest: 4, highest: 4.5, target: 1.5 },
      ],
    },
    {
      name: "bulk | one way",
      unit: "MiB/s",
      rounds: 7,
      rate: 2_345,
      peers: [
        { peer: "much faster", rate: 4_690, ratio: 0.5, lowest: 0.45, highest: 0.55, target: 0.4 },
        { peer: "too fast", rate: 2_471, ratio: 0.949, lowest: 0.94, highest: 0.96, target: 0.95 },
      ],
    },
    {
      name: "new connections",
      unit: "connections/s",
      rounds: 7,
      rate: 12_120,
      peers: [{ peer: "slower", rate: 9_870, ratio: 1.228, lowest: 1.2, highest: 1.3 }],
    },
  ],
  limits: [
    limit("memory kept", "KiB", 26, 20, "1.3 times", true),
    limit("memory wasted", "KiB", 26.1, 20, "1.3 times", false),
    limit("latency kept", "ms", 1, 3, "+15 ms", true),
    limit("latency wasted", "ms", 20, 3, "+15 ms", false),
  ],
  curves: [
    {
      title: "Echo / many connections",
      axis: "connections",
      unit: "round trips/s",
      points: [1, 10, 100, 1_000, 10_000].map((x, index) => ({
        x,
        ours: 10_000 * (index + 1),
        raw: 11_000 * (index + 1),
        ratio: index === 2 ? 1.01 : 0.91,
        lowest: 0.85,
        highest: 1.05,
      })),
    },
    {
      title: "Echo, many connections",
      axis: "message size in bytes",
      unit: "MiB/s",
      points: [{ x: 65_536, ours: 1, raw: 0.5, ratio: 2, lowest: 2, highest: 2 }],
    },
  ],
};

function limit(
  name: string,
  unit: string,
  ours: number,
  baseline: number,
  atMost: string,
  met: boolean,
) {
  return { name, unit, ours, baseline, baselineName: "raw Deno", atMost, met };
}

/** The lines from a heading to the next. */
function section(markdown: string, heading: string): string {
  const [, after] = markdown.split(`\n## ${heading}\n`);
  assert(after !== undefined, `no heading ${heading}`);
  return after.split("\n## ")[0].trim();
}

Deno.test("bench report: the table gives rates, ratios and whether the target is met", () => {
  const lines = section(report(RESULTS), "Ratios").replaceAll(/ +/g, " ").split("\n");
  const table = lines.filter((line) => line.startsWith("|")).slice(2);
  assertEquals(table, [
    "| small messages | 4.2 M messages/s | 9 | raw Deno | 8.4 M messages/s | 0.50 (0.40–0.60) | |",
    "| | | | Node | 42 M messages/s | 0.10 (0.10–0.20) | |",
    "| | | | equal | 4.2 M messages/s | 1.00 (0.97–1.10) | at least 1.00: met |",
    "| | | | hardly faster, by a long name | 4.21 M messages/s | 0.99 (0.90–1.20) | |",
    "| | | | slower | 980 k messages/s | 4.28 (4.00–4.50) | at least 1.50: met |",
    "| bulk \\| one way | 2,350 MiB/s | 7 | much faster | 4,690 MiB/s | 0.50 (0.45–0.55) | at least 0.40: met |",
    "| | | | too fast | 2,470 MiB/s | 0.94 (0.94–0.96) | at least 0.95: **missed** |",
    "| new connections | 12.1 k connections/s | 7 | slower | 9,870 connections/s | 1.22 (1.20–1.30) | |",
  ]);
});

Deno.test("bench report: every ratio below 1 is listed, the lowest first, and no other", () => {
  assertEquals(section(report(RESULTS), "Where others are faster").split("\n"), [
    "- **Node**, small messages: 0.10 (0.10–0.20)",
    "- **raw Deno**, small messages: 0.50 (0.40–0.60)",
    "- **much faster**, bulk \\| one way: 0.50 (0.45–0.55)",
    "- **too fast**, bulk \\| one way: 0.94 (0.94–0.96)",
    "- **hardly faster, by a long name**, small messages: 0.99 (0.90–1.20)",
    "",
    "Echo / many connections, over raw Deno sockets, by connections:",
    "",
    "- 1: 0.91 (0.85–1.05)",
    "- 10: 0.91 (0.85–1.05)",
    "- 1,000: 0.91 (0.85–1.05)",
    "- 10,000: 0.91 (0.85–1.05)",
  ]);
});

Deno.test("bench report: every target missed is listed, and none that is met", () => {
  assertEquals(section(report(RESULTS), "Targets missed").split("\n"), [
    "- **too fast**, bulk \\| one way: 0.94 (0.94–0.96), target at least 0.95",
    "- **raw Deno**, memory wasted: 1.31 times, at most 1.3 times",
    "- **raw Deno**, latency wasted: +17 ms, at most +15 ms",
  ]);
});

Deno.test("bench report: says so if no peer is faster and nothing is missed", () => {
  const good = report({ ...RESULTS, rows: RESULTS.rows.slice(2), limits: [], curves: [] });
  assertEquals(section(good, "Where others are faster"), "No peer's ratio is below 1.00.");
  assertEquals(section(good, "Targets missed"), "No target and no limit is missed.");
});

Deno.test("bench report: machine, versions, limits and how to run it again", () => {
  const markdown = report(RESULTS).replaceAll(/ +/g, " ");
  for (
    const said of [
      "deno task bench:peers <row name>",
      "| Date | 2031-02-03 |",
      "| Processor | Invented CPU, 2 cores |",
      "| Versions | Deno 2.9.6, Node 26.10.0 |",
      "| memory kept | 26 KiB | 20 KiB (raw Deno) | 1.30 times | 1.3 times | met |",
      "| latency kept | 1 ms | 3 ms (raw Deno) | −2 ms | +15 ms | met |",
      "| latency wasted | 20 ms | 3 ms (raw Deno) | +17 ms | +15 ms | **missed** |",
    ]
  ) assertStringIncludes(markdown, said);
});

Deno.test("bench report: every chart is linked, drawn whole, and stays off the network", async () => {
  const drawn = await charts(RESULTS);
  const linked = [...report(RESULTS).matchAll(/\]\(charts\/([^)]+)\)/g)].map(([, file]) => file);
  assertEquals(linked, [...drawn.keys()]);
  assertEquals(linked, [
    "overview.svg",
    "curve_echo_many_connections.svg",
    "curve_echo_many_connections_2.svg",
  ]);
  for (const [file, svg] of drawn) {
    assert(svg.startsWith("<svg ") && svg.endsWith("</svg>"), file);
    assertEquals(svg.split(/<[a-z]/).length, svg.split(/<\/[a-z]|\/>/).length, file);
    for (const wrong of [/NaN/, /undefined/, /null/, /Infinity/, /…/, /href=|url\(["']?http/]) {
      assertFalse(wrong.test(svg), `${file} has ${wrong}`);
    }
  }
});

Deno.test("bench report: the overview has the chosen rows, and names the lowest ratios to raw Deno", async () => {
  const drawn = (await charts(RESULTS)).get("overview.svg")!;
  for (
    const words of [
      "small, in short",
      "beyond 3 at the edge",
      "0.50  small messages",
      "0.91  Echo / many connections, 1 connections",
    ]
  ) assertStringIncludes(drawn, words);
  assertFalse(drawn.includes("bulk"));
  assertStringIncludes(section(report(RESULTS), "At a glance"), "(charts/overview.svg)");
  const others = (await charts({ ...RESULTS, rows: RESULTS.rows.slice(1) })).keys();
  assertFalse([...others].includes("overview.svg"));
});

Deno.test("bench report: the same results give the same bytes", async () => {
  assertEquals(report(RESULTS), report(structuredClone(RESULTS)));
  assertEquals(await charts(RESULTS), await charts(structuredClone(RESULTS)));
});

Deno.test("bench report: what it writes is what it returns, and deno fmt leaves it alone", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await writeReport(RESULTS, new URL(`file://${folder}`));
    assertEquals(await Deno.readTextFile(`${folder}/RESULTS.md`), report(RESULTS));
    const written = [`${folder}/RESULTS.md`];
    for (const [file, svg] of await charts(RESULTS)) {
      assertStringIncludes(await Deno.readTextFile(`${folder}/charts/${file}`), svg);
      written.push(`${folder}/charts/${file}`);
    }
    const args = ["fmt", "--no-config", "--check", ...written];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    assert(success, new TextDecoder().decode(stderr));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
