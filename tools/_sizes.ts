const MOST_LINES = 400;
const LEAST_LINES = 40;
const DOCUMENTATION = /^ *\/\*\*.*?\*\/\n/gms;
/** A line of code that a contract does not have: anything but imports, interfaces and types. */
const NO_CONTRACT =
  /^(?:export )?(?:default |abstract |async )*(?:function|class|const|let|enum)\b/m;

/**
 * Finds published modules that are too long for one idea, or too short to be a file. Documentation is not
 * counted. A contract, which has only interfaces and types, may be short, and so may a file at the root.
 */
export async function sizeProblems(sources: readonly string[]): Promise<string[]> {
  const problems: string[] = [];
  for (const path of sources) {
    const code = (await Deno.readTextFile(path)).replaceAll(DOCUMENTATION, "");
    const lines = code.split("\n").length - 1;
    if (lines > MOST_LINES) {
      problems.push(`${path}: ${lines} lines of code, at most ${MOST_LINES} are allowed`);
    }
    const mayBeShort = !path.includes("/") || !NO_CONTRACT.test(code);
    if (lines < LEAST_LINES && !mayBeShort) {
      problems.push(`${path}: ${lines} lines of code, at least ${LEAST_LINES} are wanted`);
    }
  }
  return problems;
}
