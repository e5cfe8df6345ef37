import fs from "node:fs";
import type { UnixListenSettings } from "./backend.ts";
import type { NodeScope } from "./node_permissions.ts";
import type { SocketFiles } from "./socket_files.ts";

const { process } = globalThis as unknown as { process: { umask(mask: number): number } };

/** The file system, on Node and Bun. */
export const nodeFiles: SocketFiles = {
  look(path) {
    const facts = fs.lstatSync(path, { bigint: true });
    return {
      isSocket: facts.isSocket(),
      inode: `${facts.dev}:${facts.ino}`,
      times: `${facts.birthtimeNs}:${facts.mtimeNs}`,
    };
  },
  rename: (from, to) => fs.renameSync(from, to),
  remove: (path) => fs.unlinkSync(path),
  chmod: (path, mode) => fs.chmodSync(path, mode),
  setUmask(mask) {
    try {
      return process.umask(mask);
    } catch {
      return undefined; // A worker of Node may not.
    }
  },
};

/** Throws the system's error if the program can have no further descriptor. */
export function checkDescriptor(): void {
  fs.closeSync(fs.openSync("/dev/null", "r"));
}

/** Returns the permissions of Node for the file of a listener. To bind and to connect takes only that for the net. */
export function fileScopes({ mode, replaceStale }: UnixListenSettings): readonly NodeScope[] {
  if (replaceStale) return ["fs.read", "fs.write"];
  return mode === undefined ? [] : ["fs.write"];
}

/**
 * Gives an error of bind(2) the code of the system. libuv says EACCES instead of ENOENT if the directory of a path is
 * missing, as Windows does.
 */
export function restoreCode(error: unknown, path: string): unknown {
  if ((error as { code?: unknown } | undefined)?.code !== "EACCES") return error;
  try {
    fs.statSync(path.replace(/[^/]*$/, "."));
  } catch (why) {
    if ((why as { code?: unknown }).code === "ENOENT") return why;
  }
  return error;
}
