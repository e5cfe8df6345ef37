/**
 * The part of Deno's file system that the tests of Unix sockets use, for Node and Bun. A test that replaces one of the
 * functions with a live name replaces that of `node:fs`.
 */
import fs from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";

/** Functions of `node:fs` that are the same on Deno. */
const LIVE = ["chmodSync", "linkSync", "renameSync"] as const;

interface DirEntry {
  readonly name: string;
}

const { promises } = fs;

function lstatSync(path: string) {
  const facts = fs.lstatSync(path);
  return {
    mode: facts.mode,
    isFile: facts.isFile(),
    isDirectory: facts.isDirectory(),
    isSymlink: facts.isSymbolicLink(),
    isSocket: facts.isSocket(),
  };
}

async function* readDir(path: string): AsyncGenerator<DirEntry> {
  for (const name of await promises.readdir(path)) yield { name };
}

/** The functions, as properties of the global object of Deno. */
export const denoFiles: Record<string, unknown> = {
  lstatSync,
  readDir,
  makeTempDir: ({ prefix = "" } = {}) => promises.mkdtemp(`${tmpdir()}/${prefix}`),
  mkdir: (path: string) => promises.mkdir(path),
  readTextFile: (path: string) => promises.readFile(path, "utf8"),
  remove: (path: string, { recursive = false } = {}) => promises.rm(path, { recursive }),
  removeSync: (path: string) => fs.unlinkSync(path),
  rename: (from: string, to: string) => promises.rename(from, to),
  symlink: (target: string, path: string) => promises.symlink(target, path),
  writeTextFile: (path: string, text: string) => promises.writeFile(path, text),
  cwd: () => process.cwd(),
  chdir: (path: string) => process.chdir(path),
  umask: (mask: number) => process.umask(mask),
};

for (const name of LIVE) {
  Object.defineProperty(denoFiles, name, {
    enumerable: true,
    get: () => fs[name],
    set: (replacement) => Object.assign(fs, { [name]: replacement }),
  });
}
