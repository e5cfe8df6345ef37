import denoJson from "../deno.json" with { type: "json" };
import floorJson from "../tests/floor/import_map.json" with { type: "json" };
import stableJson from "../tests/stable/deno.json" with { type: "json" };
import { filesUnder } from "./_files.ts";

/** A package of the workspace, which stands in for one of JSR while this project is developed. */
export interface StandIn {
  /** Its name with the scope: `@std/bytes`. */
  readonly name: string;
  readonly version: string;
  /** Entry names to paths: `{ "./equals": "./equals.ts" }`. */
  readonly exports: Readonly<Record<string, string>>;
  /** Its folder, from the root of this project. */
  readonly folder: string;
}

/** Returns every file that `publish.include` selects, as sorted paths from the package's root. */
export async function publishedFiles(): Promise<string[]> {
  const files: string[] = [];
  for (const pattern of denoJson.publish.include) {
    if (pattern.endsWith("/**")) files.push(...await filesUnder(pattern.slice(0, -3)));
    else files.push(pattern);
  }
  return files.sort();
}

/** Returns the modules among the published files. */
export async function publishedSources(): Promise<string[]> {
  return (await publishedFiles()).filter((path) => path.endsWith(".ts"));
}

/** Reads the packages that stand in for those of JSR. */
export function standIns(): Promise<StandIn[]> {
  return Promise.all(denoJson.workspace.map(async (member) => {
    const folder = member.slice("./".length);
    return { ...JSON.parse(await Deno.readTextFile(`${folder}/deno.json`)), folder };
  }));
}

/**
 * Finds configurations of the tests that do not import what the workspace has. They name each file, since a
 * configuration in a subfolder cannot use the workspace of the folder above.
 */
export async function configurationProblems(): Promise<string[]> {
  const members = await standIns();
  const expected = new Map<string, string>(
    Object.entries(denoJson.imports).filter(([name]) => members.every((one) => one.name !== name)),
  );
  // Both are in folders of the same depth.
  for (const { name, exports, folder } of members) {
    for (const [entry, path] of Object.entries(exports)) {
      expected.set(name + entry.slice(1), `../../${folder}${path.slice(1)}`);
    }
  }
  const configurations = {
    "tests/stable/deno.json": stableJson.imports,
    "tests/floor/import_map.json": floorJson.imports,
  };
  return Object.entries(configurations).flatMap(([path, imports]) =>
    differences(new Map(Object.entries(imports)), expected)
      .map((difference) => `${path}: ${difference}`)
  );
}

function differences(
  imports: ReadonlyMap<string, string>,
  expected: ReadonlyMap<string, string>,
): string[] {
  const names = new Set([...imports.keys(), ...expected.keys()]);
  return [...names].filter((name) => imports.get(name) !== expected.get(name))
    .map((name) => `imports ${name} as ${imports.get(name)}, not as ${expected.get(name)}`);
}
