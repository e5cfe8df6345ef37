/**
 * Builds the package as JSR offers it to npm: scripts without types, declarations in `_dist`, and a scope of its own.
 * See https://jsr.io/docs/npm-compatibility.
 */
import ts from "npm:typescript@5";
import denoJson from "../deno.json" with { type: "json" };
import { filesUnder } from "./_files.ts";
import { publishedSources, standIns } from "./_manifest.ts";
import { runCommand } from "./_runtimes.ts";

/** A package as an npm registry has it. */
export interface NpmPackage {
  readonly name: string;
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly tarball: Uint8Array<ArrayBuffer>;
}

interface PackageSource {
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, string>>;
  /** Paths of the modules from the root of the package, with their text. */
  readonly modules: ReadonlyMap<string, string>;
  /** The declarations, by the paths of their modules. */
  readonly declarations: ReadonlyMap<string, string>;
  readonly dependencies: Readonly<Record<string, string>>;
}

const IMPORT = /((?:from|import)\s*\(?\s*)"([^"]+)"/g;

/** Writes the name that JSR gives to a package on npm: `@jsr/std__bytes`. */
function npmName(name: string): string {
  return `@jsr/${name.slice(1).replace("/", "__")}`;
}

/** Builds this package and those of JSR that it imports. */
export async function buildNpmPackages(): Promise<NpmPackage[]> {
  const own: PackageSource = {
    name: denoJson.name,
    version: denoJson.version,
    exports: denoJson.exports,
    modules: await readModules(await publishedSources(), ""),
    declarations: emitDeclarations(),
    dependencies: { "@jsr/std__assert": "^1", "@jsr/std__bytes": "^1" },
  };
  const others = (await standIns()).map(async ({ folder, ...one }): Promise<PackageSource> => ({
    ...one,
    modules: await readModules(await filesUnder(folder), `${folder}/`),
    declarations: new Map(),
    dependencies: { "deno-std": "1.4.0" },
  }));
  return await Promise.all([own, ...await Promise.all(others)].map(buildPackage));
}

async function readModules(paths: readonly string[], base: string): Promise<Map<string, string>> {
  const modules = new Map<string, string>();
  for (const path of paths.filter((path) => path.endsWith(".ts"))) {
    modules.set(path.slice(base.length), await Deno.readTextFile(path));
  }
  return modules;
}

/** Makes the declarations of this package. Errors are those of `deno check`, which knows the types of Deno. */
function emitDeclarations(): Map<string, string> {
  const root = new URL("../", import.meta.url).pathname;
  const declarations = new Map<string, string>();
  const program = ts.createProgram(Object.values(denoJson.exports).map((path) => root + path), {
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    target: ts.ScriptTarget.ESNext,
    lib: ["lib.esnext.d.ts", "lib.dom.d.ts"],
    types: [],
    rootDir: root,
    strict: true,
    declaration: true,
    emitDeclarationOnly: true,
    allowImportingTsExtensions: true,
  });
  program.emit(undefined, (path, text) => {
    if (path.startsWith(root)) declarations.set(path.slice(root.length), text);
  });
  return declarations;
}

async function buildPackage(source: PackageSource): Promise<NpmPackage> {
  const { version, exports, modules, declarations, dependencies } = source;
  const name = npmName(source.name);
  const root = await Deno.makeTempDir({ prefix: "sockets_npm_" });
  const write = async (path: string, text: string) => {
    await Deno.mkdir(`${root}/package/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.writeTextFile(`${root}/package/${path}`, text);
  };
  try {
    for (const [path, text] of modules) await writeModule(path, text, write);
    for (const [path, text] of declarations) await write(`_dist/${path}`, withNpmImports(text));
    const manifest = {
      name,
      version,
      type: "module",
      dependencies,
      exports: Object.fromEntries(
        Object.entries(exports).map(([entry, path]) => [entry, {
          types: path.replace(/^\.\/(.*)\.ts$/, "./_dist/$1.d.ts"),
          default: path.replace(/\.ts$/, ".js"),
        }]),
      ),
    };
    await write("package.json", JSON.stringify(manifest));
    await runCommand("tar", ["-czf", `${root}/package.tgz`, "-C", root, "package"]);
    const tarball = await Deno.readFile(`${root}/package.tgz`);
    return { name, version, dependencies, tarball };
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** Writes the script of a module. A module that stands in for one of JSR has its declarations in a file beside it. */
async function writeModule(
  path: string,
  text: string,
  write: (path: string, text: string) => Promise<void>,
): Promise<void> {
  if (path.endsWith(".d.ts")) return await write(`_dist/${path}`, withNpmImports(text));
  const compilerOptions: ts.CompilerOptions = {
    target: ts.ScriptTarget.ESNext,
    module: ts.ModuleKind.ESNext,
    verbatimModuleSyntax: true,
  };
  const script = ts.transpileModule(text, { compilerOptions, fileName: path }).outputText;
  await write(path.replace(/\.ts$/, ".js"), withNpmImports(script));
}

/** Rewrites the imports of a script or of declarations for npm. */
function withNpmImports(text: string): string {
  return text.replace(IMPORT, (_, before: string, specifier: string) => {
    const written = specifier.startsWith("@std/")
      ? specifier.replace(/^@std\/([^/]+)/, "@jsr/std__$1")
      : specifier.replace(/^npm:([^@]+)@[^/]+/, "$1")
        .replace(/(?<=^\.{1,2}\/.*)(?<!\.d)\.ts$/, ".js");
    return `${before}"${written}"`;
  });
}

/** A registry on loopback that npm and Bun install from. */
export interface NpmRegistry extends AsyncDisposable {
  /** The address of the registry, with a slash at the end. */
  readonly url: string;
}

/** Serves packages as the npm registry of JSR does, and what JSR says about their versions. */
export function serveNpmRegistry(packages: readonly NpmPackage[]): NpmRegistry {
  const answers = new Map<string, (base: string) => Response | Promise<Response>>();
  for (const one of packages) {
    const file = `/${one.name}/${one.version}.tgz`;
    answers.set(file, () => new Response(one.tarball));
    answers.set(`/${one.name}`, async (base) => Response.json(await packument(one, base + file)));
    const jsr = `/@${one.name.slice("@jsr/".length).replace("__", "/")}/meta.json`;
    answers.set(jsr, () => Response.json({ latest: one.version, versions: { [one.version]: {} } }));
  }
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { pathname, origin } = new URL(request.url);
    return answers.get(decodeURIComponent(pathname))?.(origin) ??
      new Response("not found", { status: 404 });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

async function packument(one: NpmPackage, tarball: string): Promise<unknown> {
  const { name, version, dependencies } = one;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-512", one.tarball));
  const dist = { tarball, integrity: `sha512-${digest.toBase64()}` };
  return {
    name,
    "dist-tags": { latest: version },
    versions: { [version]: { name, version, dependencies, dist } },
  };
}
