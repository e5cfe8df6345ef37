import denoJson from "../deno.json" with { type: "json" };
import stableJson from "../tests/stable/deno.json" with { type: "json" };

/** Every file that `publish.include` selects, as sorted paths from the package's root. */
export async function publishedFiles(): Promise<string[]> {
  const files: string[] = [];
  for (const pattern of denoJson.publish.include) {
    if (pattern.endsWith("/**")) files.push(...await filesUnder(pattern.slice(0, -3)));
    else files.push(pattern);
  }
  return files.sort();
}

/** The modules among the published files. */
export async function publishedSources(): Promise<string[]> {
  return (await publishedFiles()).filter((path) => path.endsWith(".ts"));
}

/** Where the configuration without unstable features resolves another module than the main one. */
export function configurationProblems(): string[] {
  const pairs = [
    [denoJson.imports, stableJson.imports],
    [denoJson.links, stableJson.links.map((link) => link.replace(/^(\.\.\/)+/, ""))],
  ].map((pair) => pair.map((value) => JSON.stringify(value)));
  return pairs.filter(([main, stable]) => main !== stable)
    .map(([main, stable]) => `deno.json has ${main}, tests/stable/deno.json has ${stable}`);
}

async function filesUnder(folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) files.push(...await filesUnder(path));
    else files.push(path);
  }
  return files;
}
