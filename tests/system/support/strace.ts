import { needProgram } from "../../interop/support/packages.ts";

/** The command line of strace, which makes system calls fail, and shows them. */
export async function strace(...args: string[]): Promise<string[]> {
  await needProgram("strace", "-V");
  return ["strace", "-f", "-qq", ...args];
}
