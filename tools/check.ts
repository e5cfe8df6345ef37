/**
 * Checks everything about the package except its tests. Each step prints one line, followed by the output of the step
 * if it failed. All steps run even if one fails, so that one run shows everything that is wrong. One failed step makes
 * the command fail.
 */
import { entries, importProblems } from "./_imports.ts";
import { configurationProblems, publishedSources } from "./_manifest.ts";
import { oldestNodeProblems } from "./_oldest_node.ts";
import { platformProblems } from "./_platform.ts";
import { proseProblems } from "./_prose.ts";
import { runDeno } from "./_run.ts";
import { sizeProblems } from "./_sizes.ts";
import { statementProblems } from "./_statements.ts";

/** The compiler uses one core. */
const STEPS_AT_ONCE = 2;

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

/** Makes a step of this project's own. It fails if it finds a problem. */
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
 * Makes a step that runs the examples of some files. `deno test --doc` succeeds without running anything if it finds no
 * example, so its output must count at least one. An endless example, such as a server loop, is marked `ts ignore` in
 * its code fence.
 */
function examples(title: string, files: readonly string[]): Step {
  return {
    title,
    async run(): Promise<StepResult> {
      const { success, output } = await runDeno(["test", "--doc", "--allow-net", ...files], {
        timeout: 300_000,
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
      ...entries,
    ),
    deno("documentation of every export", "doc", "--lint", ...entries),
    examples("documentation examples", sources),
    examples("README examples", ["README.md"]),
    own("imports follow the table of arrows, without cycles", () => importProblems(sources)),
    own("only runtime/ names the platform", () => platformProblems(sources)),
    own("published modules run on the oldest Node", () => oldestNodeProblems(sources)),
    own("both configurations resolve alike", configurationProblems),
    own("file sizes", () => sizeProblems(sources)),
    own("statements and test titles match", statementProblems),
    own("plain English", proseProblems),
    deno("publish (dry run)", "publish", "--dry-run", "--allow-dirty"),
  ];
}

/** Runs steps, some of them at once, and gives their results in order. */
function runSteps(all: readonly Step[]): Promise<StepResult & { seconds: string }>[] {
  const results = all.map(() => Promise.withResolvers<StepResult & { seconds: string }>());
  const waiting = all.entries();
  const work = async () => {
    for (const [index, step] of waiting) {
      const started = performance.now();
      try {
        const result = await step.run();
        const seconds = ((performance.now() - started) / 1000).toFixed(1);
        results[index].resolve({ ...result, seconds });
      } catch (error) {
        results[index].reject(error);
      }
    }
  };
  for (let worker = 0; worker < STEPS_AT_ONCE; worker++) void work();
  return results.map(({ promise }) => promise);
}

async function main(): Promise<boolean> {
  const all = await steps();
  let failed = 0;
  for (const [index, result] of runSteps(all).entries()) {
    const { success, output, seconds } = await result;
    console.log(`${success ? "ok    " : "FAILED"} ${all[index].title} (${seconds} s)`);
    if (success) continue;
    failed++;
    console.log(output.trimEnd().replaceAll(/^/gm, "       "));
  }
  console.log(failed === 0 ? `all ${all.length} checks ok` : `${failed} of ${all.length} not ok`);
  return failed === 0;
}

if (import.meta.main) Deno.exit(await main() ? 0 : 1);
