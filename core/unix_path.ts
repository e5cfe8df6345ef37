import { describe, invalidInput, quote } from "./arguments.ts";

/** The room of `sun_path` for a name: 108 bytes, of which one is the NUL at the end, or that before an abstract name. */
const LONGEST_PATH_BYTES = 107;

/** Returns a path that can be tried, or throws `InvalidInput`. */
export function checkPath(operation: string, path: unknown): string {
  if (typeof path !== "string") {
    throw invalidInput(operation, `path is ${describe(path)}, not a string`);
  }
  const problem = pathProblem(path);
  if (problem !== undefined) throw invalidInput(operation, problem);
  return path;
}

function pathProblem(path: string): string | undefined {
  const name = isAbstract(path) ? path.slice(1) : path;
  // The system would take an empty path for a request to choose an abstract name.
  if (name === "") return 'path is empty, name a file, or an abstract name such as "\\0name"';
  if (name.includes("\0")) {
    return `path ${quote(path)} has a NUL, which is for the beginning of an abstract name only`;
  }
  if (!name.isWellFormed()) return `path ${quote(path)} has half a surrogate pair`;
  // 107 characters never take more than 321 bytes: no need to encode a text of any length.
  const bytes = name.length > LONGEST_PATH_BYTES
    ? name.length
    : new TextEncoder().encode(name).length;
  return bytes > LONGEST_PATH_BYTES
    ? `path has ${bytes} bytes or more, the system takes at most ${LONGEST_PATH_BYTES}`
    : undefined;
}

/** Returns true for an abstract name of Linux, which is no file. */
export function isAbstract(path: string): boolean {
  return path.startsWith("\0");
}

/** Writes a path as `parseUnixPath` reads it, which gives the same path or another one of the same file. */
export function formatUnixPath(path: string): string {
  if (isAbstract(path)) return `unix:@${path.slice(1)}`;
  const isTaken = path.startsWith("@") || isPort(path);
  return `unix:${isTaken ? `./${path}` : path.replace(/^\/\/+/, "/")}`;
}

/**
 * Reads the path of `unix:/path` or `unix:@name`; gives nothing for another text. `unix:80` is a host and a port. `ss`,
 * `lsof` and `/proc/net/unix` write the `@` as well.
 */
export function parseUnixPath(operation: string, text: string): string | undefined {
  if (!text.startsWith("unix:")) return undefined;
  const path = text.slice("unix:".length);
  if (isPort(path)) return undefined;
  if (path === "") return path;
  if (isAbstract(path)) {
    throw invalidInput(
      operation,
      `${quote(text)} has a NUL: write unix:@name for an abstract name`,
    );
  }
  if (path === "@") throw invalidInput(operation, `${quote(text)} has no name behind the @`);
  if (path.startsWith("@")) return checkPath(operation, `\0${path.slice(1)}`);
  if (/^\/\/[^/]/.test(path)) {
    throw invalidInput(operation, `${quote(text)} has a host: write unix:/path or unix:///path`);
  }
  return checkPath(operation, path.replace(/^\/\/+/, "/"));
}

function isPort(text: string): boolean {
  return /^[0-9]+$/.test(text);
}
