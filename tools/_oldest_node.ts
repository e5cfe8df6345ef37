import { withoutComments } from "./_files.ts";

/** Syntax and functions that Node 22 does not have, which runs the published modules as they are. */
const NEWER = [
  /^\s*(?:await )?using /,
  /\b(?:from|to|setFrom)(?:Hex|Base64)\b/,
  /\bFloat16Array\b/,
  /\b(?:Promise\.try|Error\.isError|RegExp\.escape|Math\.f16round|Temporal\.\w+\()/,
];

/** Finds what the oldest supported Node cannot run in published modules. */
export async function oldestNodeProblems(sources: readonly string[]): Promise<string[]> {
  const problems: string[] = [];
  for (const path of sources.filter((path) => path.endsWith(".ts"))) {
    const lines = withoutComments(await Deno.readTextFile(path)).split("\n");
    for (const [index, line] of lines.entries()) {
      const found = NEWER.map((pattern) => pattern.exec(line)?.[0].trim()).find(Boolean);
      if (found !== undefined) problems.push(`${path}:${index + 1}: Node 22 has no "${found}"`);
    }
  }
  return problems;
}
