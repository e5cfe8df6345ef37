import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const TIMEOUT_MS = 60_000;

/**
 * Starts a program of this project on the runtime that runs the test.
 *
 * @param path The path from the root of the project.
 * @param denoFlags Flags of `deno run`.
 * @param descriptors Most descriptors that the program may have.
 */
export function startHere(
  path: string,
  args: readonly string[],
  denoFlags: readonly string[],
  descriptors?: number,
): ChildProcess {
  const flags = "deno" in process.versions ? ["run", "--quiet", ...denoFlags] : [];
  const command = [process.execPath, ...flags, path, ...args];
  const limited = descriptors === undefined
    ? command
    : ["sh", "-c", `ulimit -n ${descriptors}; exec "$0" "$@"`, ...command];
  return spawn(limited[0], limited.slice(1), {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1", NODE_NO_WARNINGS: "1" },
  });
}

/** Runs a program of this project on the runtime that runs the test, and reads its last line as JSON. */
export async function runHere<T>(
  path: string,
  args: readonly string[],
  denoFlags: readonly string[],
  descriptors?: number,
): Promise<T> {
  const program = startHere(path, args, denoFlags, descriptors);
  const timer = setTimeout(() => program.kill("SIGKILL"), TIMEOUT_MS);
  const [output, errors, [code]] = await Promise.all([
    text(program.stdout!),
    text(program.stderr!),
    once(program, "close"),
  ]);
  clearTimeout(timer);
  if (code !== 0) throw new Error(`${path} ended with ${code}:\n${output}\n${errors}`);
  return JSON.parse(output.trimEnd().split("\n").at(-1)!);
}
