import { must } from "./commands.ts";
import { PREFIX } from "./run.ts";

const built = new Map<string, Promise<string>>();

/** Compiles a program of `tests/faults/programs`, once for each test file, and returns its path. */
export function compiled(name: string): Promise<string> {
  const known = built.get(name) ?? compile(name);
  built.set(name, known);
  return known;
}

async function compile(name: string): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: PREFIX });
  globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  const source = new URL(`../programs/${name}.c`, import.meta.url).pathname;
  const target = `${folder}/${name}`;
  await must("gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", target, source);
  return target;
}
