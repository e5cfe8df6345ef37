import { filesUnder } from "./_files.ts";

/** A comment that begins with a noun clause says nothing: `Whether it is open` instead of `Tells if it is open`. */
const NOUN_CLAUSE = /^\s*(?:\/\*\*|\/\/|\*)\s*(?:What|Whether|How|Where|That)\b/;
/** Turns of phrase that CONTRIBUTING.md replaces. */
const TURN = /[Ss]o many|(?:is|are) told|\bbe it\b|, where (?:it|that|there|nobody|none|nothing)/;

/**
 * Finds prose that is not plain English, in the modules and the documents of the whole repository. Tables of documents
 * are left out, because one of them shows what not to write.
 */
export async function proseProblems(): Promise<string[]> {
  const problems: string[] = [];
  for (const path of await filesUnder(".")) {
    const isModule = path.endsWith(".ts");
    if (!isModule && !path.endsWith(".md")) continue;
    for (const [index, line] of (await Deno.readTextFile(path)).split("\n").entries()) {
      if (!isModule && line.startsWith("|")) continue;
      const found = TURN.exec(line) ?? (isModule ? NOUN_CLAUSE.exec(line) : null);
      if (found !== null) problems.push(`${path}:${index + 1}: ${line.trim()}`);
    }
  }
  return problems;
}
