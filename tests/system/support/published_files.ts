import { assert } from "@std/assert";
import { runDeno } from "../../../tools/_run.ts";

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

export async function readPublished(
  paths: readonly string[],
): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const path of paths) files.set(path, await Deno.readFile(new URL(path, ROOT)));
  return files;
}
