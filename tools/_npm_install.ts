import ts from "npm:typescript@5";
import { buildNpmPackages, serveNpmRegistry } from "./_npm_package.ts";
import { runCommand, type RuntimeName, type Runtimes } from "./_runtimes.ts";

const CONSUMER = "tests/runtimes/consumer/consumer.ts";

/** The versions of what npm installs beside the package, so that each run has the same. */
const JSR_VERSION = "0.14.3";
const TYPES_VERSION = "22.20.5";

const EXPECTED = {
  tcp: "hello",
  udp: 3,
  served: "served",
  failure: "ConnectionRefused",
  frames: ["a", "b"],
};

/**
 * Installs the package as a user of npm does, from a registry on loopback in the layout of JSR's, checks the types of a
 * program that uses it, and runs that program on each runtime.
 */
export async function installProblems(
  runtimes: Runtimes,
  names: readonly RuntimeName[],
): Promise<{ tests: number; problems: string[] }> {
  const folder = await Deno.makeTempDir({ prefix: "sockets_consumer_" });
  const problems: string[] = [];
  try {
    await installInto(folder);
    problems.push(...typeProblems(folder).map((problem) => `types of the npm package: ${problem}`));
    for (const name of names) {
      const options = { cwd: folder, env: { NO_COLOR: "1" } };
      const output = await runCommand(runtimes.path(name), ["consumer.ts"], options)
        .catch((error) => String(error));
      if (output.trim() !== JSON.stringify(EXPECTED)) {
        problems.push(`npm package on ${name}: ${output}`);
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return { tests: names.length + 1, problems };
}

async function installInto(folder: string): Promise<void> {
  await using registry = serveNpmRegistry(await buildNpmPackages());
  const env = { JSR_URL: registry.url.replace(/\/$/, ""), NO_COLOR: "1" };
  await Deno.writeTextFile(`${folder}/package.json`, `{"private":true,"type":"module"}`);
  // `npx jsr add` writes this file with JSR's own registry if it is missing.
  await Deno.writeTextFile(`${folder}/.npmrc`, `@jsr:registry=${registry.url}\n`);
  await Deno.copyFile(CONSUMER, `${folder}/consumer.ts`);
  await runCommand("npx", ["--yes", `jsr@${JSR_VERSION}`, "add", "@aivi/sockets"], {
    cwd: folder,
    env,
  });
  const types = [
    "install",
    "--no-audit",
    "--no-fund",
    "--ignore-scripts",
    `@types/node@${TYPES_VERSION}`,
  ];
  await runCommand("npm", types, { cwd: folder });
}

/** Checks the program as `tsc` does with `module: "nodenext"`, and the declarations of the package with it. */
function typeProblems(folder: string): string[] {
  const program = ts.createProgram([`${folder}/consumer.ts`], {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ESNext,
    lib: ["lib.esnext.d.ts"],
    types: ["node"],
    typeRoots: [`${folder}/node_modules/@types`],
    strict: true,
    noEmit: true,
    skipLibCheck: false,
  });
  return ts.getPreEmitDiagnostics(program)
    .map(({ messageText, file }) =>
      `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`
    );
}
