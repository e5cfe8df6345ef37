import { assert, assertEquals } from "@std/assert";

interface ModuleGraph {
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly specifier: string;
      readonly code?: { readonly specifier?: string };
      readonly isDynamic?: boolean;
    }[];
  }[];
}

const ROOT = new URL("../../", import.meta.url);

async function readGraph(): Promise<ModuleGraph> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "mod.ts"],
    cwd: ROOT.pathname,
    stderr: "null",
  }).output();
  assert(success);
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Finds the modules that an import of `mod.ts` loads before anything is called. */
function loadedAtOnce({ modules }: ModuleGraph): Set<string> {
  const byName = new Map(modules.map((module) => [module.specifier, module]));
  const loaded = new Set<string>();
  const load = (specifier: string): void => {
    if (loaded.has(specifier)) return;
    loaded.add(specifier);
    for (const { code, isDynamic } of byName.get(specifier)?.dependencies ?? []) {
      if (code?.specifier !== undefined && isDynamic !== true) load(code.specifier);
    }
  };
  load(new URL("mod.ts", ROOT).href);
  return loaded;
}

Deno.test("importing the package loads no TLS, no certificates and nothing of node:", async () => {
  const loaded = [...loadedAtOnce(await readGraph())];
  assert(loaded.some((specifier) => specifier.endsWith("/tls.ts")));
  assertEquals(loaded.filter((specifier) => specifier.startsWith("node:")), []);
  const late = ["node_tls.ts", "node_certificates.ts", "gated_duplex.ts"];
  assertEquals(loaded.filter((specifier) => late.some((name) => specifier.endsWith(name))), []);
});
