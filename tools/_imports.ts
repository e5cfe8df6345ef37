import { runDeno } from "./_run.ts";

interface ModuleGraph {
  readonly modules: readonly {
    readonly specifier: string;
    readonly error?: string;
    readonly dependencies?: readonly {
      readonly specifier: string;
      readonly code?: { readonly specifier?: string };
      readonly type?: { readonly specifier?: string };
    }[];
  }[];
}

type Imports = ReadonlyMap<string, readonly string[]>;

const ROOT = new URL("../", import.meta.url).href;
const ENTRY = "mod.ts";
const VOCABULARY = ["errors.ts", "address.ts", "types.ts"];

/**
 * What is wrong with the imports of the published modules: each module may import from its own
 * layer or one below, nothing imports the entry, there is no cycle (of types neither), every module
 * is reached, and the package depends on nothing but itself and the runtime.
 */
export async function importProblems(sources: readonly string[]): Promise<string[]> {
  const imports = await readImports();
  return [
    ...layerProblems(imports),
    ...cycleProblems(imports),
    ...sources.filter((path) => !imports.has(path)).map((path) => `${path}: nothing imports it`),
    ...[...imports.keys()].filter((path) => !sources.includes(path))
      .map((path) => `${path}: imported, but not published`),
  ];
}

async function readImports(): Promise<Imports> {
  const { success, output, stdout } = await runDeno(["info", "--json", ENTRY]);
  if (!success) throw new Error(output);
  const graph: ModuleGraph = JSON.parse(stdout);
  const imports = new Map<string, string[]>();
  for (const { specifier, error, dependencies = [] } of graph.modules) {
    if (error !== undefined) throw new Error(`${specifier}: ${error}`);
    if (!specifier.startsWith(ROOT)) continue;
    const targets = dependencies.flatMap(({ specifier, code, type }) =>
      [code?.specifier ?? type?.specifier ?? specifier, type?.specifier ?? []].flat()
    );
    imports.set(relative(specifier), [...new Set(targets.map(relative))]);
  }
  return imports;
}

function relative(specifier: string): string {
  return specifier.startsWith(ROOT) ? specifier.slice(ROOT.length) : specifier;
}

function layer(path: string): number {
  if (path === ENTRY) return 3;
  if (VOCABULARY.includes(path)) return 0;
  return path.startsWith("_internal/") ? 1 : 2;
}

function layerProblems(imports: Imports): string[] {
  const problems: string[] = [];
  for (const [from, targets] of imports) {
    for (const to of targets) {
      if (to.startsWith("node:")) continue;
      if (to.includes(":") || to.startsWith("tools/")) {
        problems.push(`${from}: imports ${to}, which is not published with the package`);
      } else if (to === ENTRY) problems.push(`${from}: imports the entry`);
      else if (layer(to) > layer(from)) problems.push(`${from}: imports ${to}, a layer above`);
    }
  }
  return problems;
}

function cycleProblems(imports: Imports): string[] {
  const problems: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) {
      problems.push(`cycle: ${[...trail.slice(start), path].join(" -> ")}`);
      return;
    }
    if (done.has(path)) return;
    for (const target of imports.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of imports.keys()) visit(path, []);
  return problems;
}
