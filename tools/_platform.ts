import { withoutComments } from "./_files.ts";

const PLATFORM_ROOM = "runtime/";
/** Matches `Deno.connect`, `Bun.connect` and `"node:net"`, but no text that begins with `Deno.`. */
const PLATFORM_NAME = /(?<!["'`\w.])(?:Deno|Bun)\.\w+|(?<=["'`])node:\w+/g;

/** Finds published modules outside `runtime/` that name `Deno.*`, `Bun.*` or `node:*`, as values or as types. */
export async function platformProblems(sources: readonly string[]): Promise<string[]> {
  const problems: string[] = [];
  for (const path of sources) {
    if (path.startsWith(PLATFORM_ROOM)) continue;
    const lines = withoutComments(await Deno.readTextFile(path)).split("\n");
    for (const [index, line] of lines.entries()) {
      for (const [name] of line.matchAll(PLATFORM_NAME)) {
        problems.push(`${path}:${index + 1}: names ${name}, which only ${PLATFORM_ROOM} may`);
      }
    }
  }
  return problems;
}
