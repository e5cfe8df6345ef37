/** Provides the programs besides Deno: two runtimes from npm, and two programs that gcc builds. */
import { installRuntimes, runCommand, VERSIONS } from "../../tools/_runtimes.ts";

export interface Toolchain extends AsyncDisposable {
  readonly node: string;
  readonly bun: string;
  /** Path of the peer. */
  readonly peer: string;
  /** Path of the C worker, which shows the physical limit. */
  readonly client: string;
  /** A copy of this project in which Node and Bun find the packages that it imports. */
  readonly folder: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** Installs and builds into a folder that is removed at the end. The cache of npm makes this fast. */
export async function toolchain(): Promise<Toolchain> {
  const runtimes = await installRuntimes(["node26", "bun"]);
  try {
    const { folder } = runtimes;
    const built = (name: string) => `${folder}/${name}`;
    for (const name of ["peer", "client"]) {
      const source = new URL(`programs/${name}.c`, import.meta.url).pathname;
      await runCommand("gcc", ["-O2", "-Wall", "-Wextra", "-o", built(name), source, "-pthread"]);
    }
    return {
      node: runtimes.path("node26"),
      bun: runtimes.path("bun"),
      peer: built("peer"),
      client: built("client"),
      folder,
      versions: {
        Deno: Deno.version.deno,
        V8: Deno.version.v8,
        Node: VERSIONS.node26,
        Bun: VERSIONS.bun,
        gcc: (await runCommand("gcc", ["-dumpfullversion"])).trim(),
      },
      [Symbol.asyncDispose]: () => runtimes[Symbol.asyncDispose](),
    };
  } catch (error) {
    await runtimes[Symbol.asyncDispose]();
    throw error;
  }
}
