import type { SocketErrorKind } from "../errors.ts";

/** The kind and the reason of an error of the system. */
export type Meaning = readonly [kind: SocketErrorKind, reason: string];

const NOBODY: Meaning = ["ConnectionRefused", "no socket is there"];
const NO_DIRECTORY: Meaning = ["AddressNotAvailable", "the directory does not exist"];

/** Meanings of the errnos of connect(2) on a Unix socket that differ from those of TCP: see unix(7). */
const OF_CONNECT: ReadonlyMap<string, Meaning> = new Map<string, Meaning>([
  ["ENOENT", NOBODY],
  ["ENOTDIR", NOBODY],
  ["ECONNREFUSED", ["ConnectionRefused", "nobody listens on the socket"]],
  ["EPROTOTYPE", ["ConnectionRefused", "the socket there takes datagrams, not connections"]],
  ["EAGAIN", ["ResourceExhausted", "too many clients wait for the listener"]],
  ["EACCES", ["PermissionDenied", "the rights of the socket file or of a directory forbid it"]],
]);

/** The same for bind(2). */
const OF_LISTEN: ReadonlyMap<string, Meaning> = new Map<string, Meaning>([
  ["ENOENT", NO_DIRECTORY],
  ["ENOTDIR", NO_DIRECTORY],
  ["EADDRINUSE", ["AddressInUse", "a file or another listener has the path"]],
  ["EACCES", ["PermissionDenied", "the rights of a directory forbid it"]],
  ["EROFS", ["PermissionDenied", "the file system is read-only"]],
  ["ENOSPC", ["ResourceExhausted", "the file system is full"]],
  ["EDQUOT", ["ResourceExhausted", "the quota of the file system is used up"]],
]);

/** Gives the meaning of an errno of `listen` or `connect` on a path, if it has one of its own. */
export function unixMeaning(operation: string, code: string | undefined): Meaning | undefined {
  if (code === undefined) return undefined;
  if (operation === "connect") return OF_CONNECT.get(code);
  return operation === "listen" ? OF_LISTEN.get(code) : undefined;
}
