import { needProgram } from "../../interop/support/packages.ts";

/** Returns the command line of strace, which shows system calls and makes them fail. */
export async function strace(...args: string[]): Promise<string[]> {
  await needProgram("strace", "-V");
  return ["strace", "-f", "-qq", ...args];
}
