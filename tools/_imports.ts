import denoJson from "../deno.json" with { type: "json" };
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
/** The modules that users import. */
export const entries: readonly string[] = exportedModules(denoJson.exports);
/** Every room may import these modules. They import only one another; `address.ts` also imports `core`. */
const VOCABULARY = ["types.ts", "errors.ts", "address.ts"];

/**
 * The rooms that a room may import, besides the vocabulary. A face is a file at the root and has the row of its name.
 * It also imports its own room, and never another face.
 */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  handles: ["serve", "connection", "udp", "core"],
  serve: ["proxy_protocol", "connection", "core", "observe"],
  // It connects over TCP unless an option says otherwise: the face hands tcp's function to its room.
  session: ["tcp", "connection", "core"],
  tcp: ["connection", "runtime", "core", "observe"],
  permissions: ["runtime", "core"],
  tls: ["tcp", "connection", "runtime", "core", "observe"],
  udp: ["runtime", "bytes", "core"],
  framing: ["connection", "bytes", "core"],
  proxy_protocol: ["connection", "bytes", "core"],
  // `tcp` too: a network in memory opens its sockets with the code that `listen` and `connect` run.
  testing: ["framing", "connection", "tcp", "udp", "runtime", "bytes", "core"],
  connection: ["bytes", "core", "observe"],
  observe: ["core"],
  runtime: ["bytes", "core"],
  bytes: ["core"],
  core: [],
};

/** The files of a room that another may import, if not all of them. A network in memory is a platform of its own. */
const ONLY: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  testing: {
    runtime: ["runtime/backend.ts", "runtime/outside_work.ts", "runtime/unhandled_errors.ts"],
  },
};

/** The packages that a room may import, by the beginning of their specifiers. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  runtime: ["node:"],
  testing: ["@std/assert", "@std/bytes"],
  bytes: ["@std/bytes"],
  connection: ["@std/bytes"],
  framing: ["@std/bytes"],
  tls: ["@std/bytes"],
};

/**
 * Finds imports of published modules that break the rules: an arrow between rooms that is not in the table, a cycle
 * (also of types only), a module that no entry reaches, and a package that is not allowed.
 */
export async function importProblems(sources: readonly string[]): Promise<string[]> {
  const imports = await readImports();
  return [
    ...arrowProblems(imports),
    ...cycleProblems(imports),
    ...sources.filter((path) => !imports.has(path)).map((path) => `${path}: nothing imports it`),
    ...[...imports.keys()].filter((path) => !sources.includes(path))
      .map((path) => `${path}: imported, but not published`),
  ];
}

function exportedModules(exports: string | Readonly<Record<string, string>>): string[] {
  const paths = typeof exports === "string" ? [exports] : Object.values(exports);
  return paths.map((path) => path.replace(/^\.\//, ""));
}

async function readImports(): Promise<Imports> {
  const imports = new Map<string, string[]>();
  for (const entry of entries) {
    const { success, output, stdout } = await runDeno(["info", "--json", entry]);
    if (!success) throw new Error(output);
    const graph: ModuleGraph = JSON.parse(stdout);
    for (const { specifier, error, dependencies = [] } of graph.modules) {
      if (error !== undefined) throw new Error(`${specifier}: ${error}`);
      if (!specifier.startsWith(ROOT) || isTool(specifier)) continue;
      const targets = dependencies.flatMap(({ specifier: written, code, type }) => {
        const resolved = [code?.specifier, type?.specifier].filter((one) => one !== undefined);
        const own = resolved.filter((one) => one.startsWith(ROOT) && !isTool(one));
        return own.length > 0 ? own : [written];
      });
      imports.set(relative(specifier), [...new Set(targets.map(relative))]);
    }
  }
  return imports;
}

/** Tells if a module is one of the local copies of `@std`, which users get from the registry. */
function isTool(specifier: string): boolean {
  return specifier.startsWith(`${ROOT}tools/`);
}

function relative(specifier: string): string {
  return specifier.startsWith(ROOT) ? specifier.slice(ROOT.length) : specifier;
}

function isFace(path: string): boolean {
  return !path.includes("/") && !VOCABULARY.includes(path) && path !== "mod.ts";
}

function roomOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.indexOf("/")) : path.replace(/\.ts$/, "");
}

function arrowProblems(imports: Imports): string[] {
  const problems: string[] = [];
  for (const [from, targets] of imports) {
    for (const to of targets) {
      const reason = whyForbidden(from, to);
      if (reason !== undefined) problems.push(`${from}: imports ${to}, ${reason}`);
    }
  }
  return problems;
}

/** Returns the rule that an import breaks, if any. */
function whyForbidden(from: string, to: string): string | undefined {
  const room = roomOf(from);
  if (!to.endsWith(".ts") || to.includes(":")) {
    const allowed = PACKAGES[room]?.some((start) => to.startsWith(start)) ?? false;
    return allowed ? undefined : `a package that ${room} may not use`;
  }
  if (entries.includes(to)) return "an entry";
  if (from === "mod.ts") {
    return isFace(to) || VOCABULARY.includes(to) ? undefined : "which is no face";
  }
  if (VOCABULARY.includes(to)) return undefined;
  if (isFace(to)) return "a face";
  const target = roomOf(to);
  if (target === room) return undefined;
  if (VOCABULARY.includes(from)) {
    return target === "core" && from === "address.ts" ? undefined : "a room";
  }
  if (!ARROWS[room]?.includes(target)) {
    return `and ${room} → ${target} is no arrow of the table`;
  }
  const only = ONLY[room]?.[target];
  if (only === undefined || only.includes(to)) return undefined;
  return `and ${room} may import of ${target} only ${only.join(", ")}`;
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
