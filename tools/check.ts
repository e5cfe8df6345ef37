/**
 * Checks everything about the package that is no test: each step prints one line, what a failed
 * step wrote follows it, and one failed step fails the whole. Every step runs, so that one run
 * shows all that is wrong.
 */
import { importProblems } from "./_imports.ts";
import { configurationProblems, publishedSources } from "./_manifest.ts";
import { runDeno } from "./_run.ts";
import { sizeProblems } from "./_sizes.ts";

interface StepResult {
  readonly success: boolean;
  readonly output: string;
}

interface Step {
  readonly title: string;
  run(): Promise<StepResult>;
}

function deno(title: string, ...args: string[]): Step {
  return { title, run: () => runDeno(args) };
}

/** A step of this project's own: it fails where it finds a problem. */
function own(title: string, find: () => string[] | Promise<string[]>): Step {
  return {
    title,
    async run(): Promise<StepResult> {
      try {
        const problems = await find();
        return { success: problems.length === 0, output: problems.join("\n") };
      } catch (error) {
        return { success: false, output: String(error) };
      }
    },
  };
}

/**
 * Documentation examples count as checked only where there are some. One that never ends, a server
 * loop for example, is marked `ts ignore` where it stands.
 */
function examples(title: string, files: readonly string[]): Step {
  return {
    title,
    async run(): Promise<StepResult> {
      const { success, output } = await runDeno(["test", "--doc", "--allow-net", ...files], {
        timeout: 90_000,
      });
      if (!success || /^ok \| [1-9]\d* passed/m.test(output)) return { success, output };
      return { success: false, output: `${output}\nno example ran` };
    },
  };
}

async function steps(): Promise<Step[]> {
  const sources = await publishedSources();
  return [
    deno("format", "fmt", "--check"),
    deno("lint", "lint"),
    deno("types", "check"),
    deno(
      "types without unstable features",
      "check",
      "--config",
      "tests/stable/deno.json",
      "mod.ts",
    ),
    deno("documentation of every export", "doc", "--lint", "mod.ts"),
    examples("documentation examples", sources),
    examples("README examples", ["README.md"]),
    own("imports point down, without cycles", () => importProblems(sources)),
    own("both configurations resolve alike", configurationProblems),
    own("file sizes", () => sizeProblems(sources)),
    deno("publish (dry run)", "publish", "--dry-run", "--allow-dirty"),
  ];
}

async function main(): Promise<boolean> {
  const all = await steps();
  let failed = 0;
  for (const { title, run } of all) {
    const started = performance.now();
    const { success, output } = await run();
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`${success ? "ok    " : "FAILED"} ${title} (${seconds} s)`);
    if (success) continue;
    failed++;
    console.log(output.trimEnd().replaceAll(/^/gm, "       "));
  }
  console.log(failed === 0 ? `all ${all.length} checks ok` : `${failed} of ${all.length} not ok`);
  return failed === 0;
}

if (import.meta.main) Deno.exit(await main() ? 0 : 1);
