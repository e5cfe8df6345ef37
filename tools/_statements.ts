import { filesUnder } from "./_files.ts";

const SEMANTICS = "SEMANTICS.md";
const TEST_FOLDERS = ["tests/unit", "tests/system", "tests/faults"];

/** A statement of SEMANTICS.md: `- **E1** Each function …`. */
const STATEMENT = /^- \*\*([A-Z]\d+)\*\* /gm;
/** A string that begins with the numbers of statements: `"E1, E2: …"`. A title may also stand in a table. */
const NUMBERED_TITLE = /["'`]([A-Z]\d+(?:, [A-Z]\d+)*): /g;

/**
 * Compares the numbers of SEMANTICS.md with those of the test titles. It reports a statement that is there twice, a
 * statement without a test, and a test of a statement that does not exist.
 */
export async function statementProblems(): Promise<string[]> {
  const problems: string[] = [];
  const untested = new Set<string>();
  for (const [, number] of (await Deno.readTextFile(SEMANTICS)).matchAll(STATEMENT)) {
    if (untested.has(number)) problems.push(`${SEMANTICS}: ${number} is there twice`);
    untested.add(number);
  }
  const known = new Set(untested);
  for (const path of await testFiles()) {
    const code = await Deno.readTextFile(path);
    for (const { index, 1: numbers } of code.matchAll(NUMBERED_TITLE)) {
      for (const number of numbers.split(", ")) {
        untested.delete(number);
        if (known.has(number)) continue;
        const line = code.slice(0, index).split("\n").length;
        problems.push(`${path}:${line}: ${SEMANTICS} has no statement ${number}`);
      }
    }
  }
  problems.push(...[...untested].map((number) => `${SEMANTICS}: no test bears ${number}`));
  return problems;
}

async function testFiles(): Promise<string[]> {
  const files = await Promise.all(TEST_FOLDERS.map((folder) => filesUnder(folder)));
  return files.flat().filter((path) => path.endsWith("_test.ts"));
}
