const AIM = 250;
const LIMIT = 300;

/**
 * Published modules that are too long to hold one concept. Documentation is not counted: each
 * exported function has a page of it. A file over the aim is only told of.
 */
export async function sizeProblems(sources: readonly string[]): Promise<string[]> {
  const problems: string[] = [];
  for (const path of sources) {
    const code = (await Deno.readTextFile(path)).replaceAll(/^ *\/\*\*.*?\*\/\n/gms, "");
    const lines = code.split("\n").length - 1;
    if (lines > LIMIT) problems.push(`${path}: ${lines} lines, the limit is ${LIMIT}`);
    else if (lines > AIM) console.log(`note   ${path}: ${lines} lines, the aim is ${AIM}`);
  }
  return problems;
}
