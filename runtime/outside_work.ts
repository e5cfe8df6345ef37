import { onDeno } from "./permissions.ts";
import { platform } from "./platform.ts";

/** Functions of the global object that begin work outside of the program's own code. */
const GLOBAL_FUNCTIONS = ["fetch"];
const GLOBAL_CLASSES = [
  "BroadcastChannel",
  "EventSource",
  "MessageChannel",
  "WebSocket",
  "WebSocketStream",
  "WebTransport",
  "Worker",
];
const WEB_ASSEMBLY = ["compile", "compileStreaming", "instantiate", "instantiateStreaming"];
/** Functions of Deno that are not asynchronous themselves and give something that is. */
const DENO_FUNCTIONS = [
  "Command",
  "HttpClient",
  "createHttpClient",
  "listen",
  "listenDatagram",
  "listenTls",
  "readDir",
  "serve",
  "watchFs",
];

const BUN_ASYNC_FUNCTIONS = ["build", "connect", "openInEditor", "sleep", "udpSocket", "write"];
/** Functions and classes of Bun that give something asynchronous. */
const BUN_FUNCTIONS = [
  "$",
  "RedisClient",
  "S3Client",
  "SQL",
  "Terminal",
  "cron",
  "file",
  "listen",
  "serve",
  "spawn",
];
/** The functions of this package's platform, which on Node and Bun no replaced function of the runtime would stop. */
const PLATFORM_FUNCTIONS: readonly (keyof typeof platform)[] = [
  "listen",
  "connect",
  "listenUnix",
  "connectUnix",
  "bindDatagrams",
];

type Table = Record<string, unknown>;

/** A function that can be replaced. */
export interface OutsideFunction {
  readonly owner: object;
  readonly name: string;
  /** Its full name, for messages. */
  readonly what: string;
  /** True if its promise rejects, and false if the call itself throws. */
  readonly isAsync: boolean;
}

/**
 * Lists the functions whose results come from outside of the program: files, sockets, processes, other threads. A
 * simulation refuses them, since nobody can say when they end. Functions that block (`readTextFileSync`) are not here,
 * because to the program they take no time.
 */
export function outsideFunctions(): OutsideFunction[] {
  const all = globalThis as unknown as Table;
  const found = [
    ...named(all, GLOBAL_FUNCTIONS, "", true),
    ...named(all, GLOBAL_CLASSES, "", false),
    ...named(all.WebAssembly, WEB_ASSEMBLY, "WebAssembly.", true),
    ...methodsOf((globalThis.crypto as Crypto | undefined)?.subtle, "crypto.subtle."),
    ...named(globalThis.Blob?.prototype, ["arrayBuffer", "bytes", "text"], "Blob.", true),
    ...methodsOf((all.Temporal as Table | undefined)?.Now, "Temporal.Now.", false),
    ...runtimeFunctions(),
  ];
  return found.filter(({ owner, name }) => isReplaceable(owner, name));
}

function named(
  owner: unknown,
  names: readonly string[],
  prefix: string,
  isAsync: boolean,
): OutsideFunction[] {
  if (!isObject(owner)) return [];
  return names.filter((name) => typeof (owner as Table)[name] === "function")
    .map((name) => ({ owner, name, what: prefix + name, isAsync }));
}

/** Lists all methods of an object, which may be its prototype's. */
function methodsOf(owner: unknown, prefix: string, isAsync = true): OutsideFunction[] {
  if (!isObject(owner)) return [];
  const names = [owner, Object.getPrototypeOf(owner) as object]
    .filter((one) => one !== Object.prototype)
    .flatMap((one) => Object.getOwnPropertyNames(one))
    .filter((name) => name !== "constructor");
  return named(owner, [...new Set(names)], prefix, isAsync);
}

function runtimeFunctions(): OutsideFunction[] {
  const { Bun: bun } = globalThis as unknown as { Bun?: unknown };
  return onDeno ? denoFunctions() : [
    ...named(bun, BUN_ASYNC_FUNCTIONS, "Bun.", true),
    ...named(bun, BUN_FUNCTIONS, "Bun.", false),
    ...named(platform, PLATFORM_FUNCTIONS, "the platform's ", true),
  ];
}

function denoFunctions(): OutsideFunction[] {
  // Some properties are getters that ask for a permission (Deno.mainModule), so only values are looked at.
  const asynchronous = Object.entries(Object.getOwnPropertyDescriptors(Deno))
    .filter(([, { value }]) => isAsyncFunction(value)).map(([name]) => name);
  return [
    ...named(Deno, asynchronous, "Deno.", true),
    ...named(Deno, DENO_FUNCTIONS, "Deno.", false),
  ];
}

function isAsyncFunction(value: unknown): boolean {
  return typeof value === "function" && value.constructor?.name === "AsyncFunction";
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null || typeof value === "function";
}

/** Tells if another value can be put in place of a function. */
function isReplaceable(owner: object, name: string): boolean {
  const own = Object.getOwnPropertyDescriptor(owner, name);
  if (own === undefined) return Object.isExtensible(owner);
  return own.configurable === true || own.writable === true;
}

/** Line of a stack that has the caller of the caller of this function. Before it are the message and both of them. */
const CALLER_LINE = 3;

/**
 * Says if the caller of this function was called by Node itself, which compiles the parser of its HTTP client when a
 * program first looks at `WebSocket`.
 */
export function isCalledByNode(): boolean {
  return new Error().stack?.split("\n")[CALLER_LINE]?.includes("(node:internal/") ?? false;
}
