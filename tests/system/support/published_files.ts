import { assert } from "@std/assert";
import denoJson from "../../../deno.json" with { type: "json" };
import { filesUnder } from "../../../tools/_files.ts";
import { standIns } from "../../../tools/_manifest.ts";
import { runDeno } from "../../../tools/_run.ts";
import type { PublishedPackage } from "./jsr_registry.ts";

const ROOT = new URL("../../../", import.meta.url);

/** Lists the files that publishing would upload, from the output of a dry run. */
export async function publishDryRun(): Promise<string[]> {
  const { success, output } = await runDeno(
    ["publish", "--dry-run", "--allow-dirty", "--no-check"],
    { cwd: ROOT },
  );
  assert(success, output);
  return [...output.matchAll(/^\s+(file:\S+) \([\d.]+\w+\)$/gm)]
    .map(([, url]) => decodeURI(url.slice(ROOT.href.length)))
    .sort();
}

/** Reads the package as publishing would upload it. */
export async function readPublished(): Promise<PublishedPackage> {
  const { name, version, exports } = denoJson;
  const files = await readFiles(await publishDryRun());
  for (const [path, bytes] of files) {
    if (path.endsWith(".ts")) files.set(path, withFullSpecifiers(bytes));
  }
  return { name, version, exports, files };
}

/** Writes imports in full, as publishing does, since no import map reaches a published file. */
function withFullSpecifiers(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  let text = new TextDecoder().decode(bytes);
  for (const [name, specifier] of Object.entries(denoJson.imports)) {
    text = text.replaceAll(`from "${name}/`, `from "${specifier}/`);
  }
  return new TextEncoder().encode(text);
}

/** Reads the packages of the workspace that stand in for those of JSR. */
export async function readStandIns(): Promise<PublishedPackage[]> {
  return await Promise.all((await standIns()).map(async ({ folder, ...standIn }) => {
    return { ...standIn, files: await readFiles(await filesUnder(folder), `${folder}/`) };
  }));
}

async function readFiles(
  paths: readonly string[],
  base: string = "",
): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const path of paths) {
    files.set(path.slice(base.length), await Deno.readFile(new URL(path, ROOT)));
  }
  return files;
}
