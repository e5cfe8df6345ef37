/** Whether a command runs at all. */
async function runs(command: string, ...args: string[]): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(command, {
      args,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  } catch {
    return false;
  }
}

/**
 * The command line of strace, which makes system calls fail, and shows them. Where it is missing it is
 * installed, as far as this user may; a test that was skipped instead would hide what it is for.
 */
export async function strace(...args: string[]): Promise<string[]> {
  if (!await runs("strace", "-V")) {
    if (Deno.uid() === 0) {
      await runs("apt-get", "update");
      await runs("apt-get", "install", "--yes", "strace");
    }
    if (!await runs("strace", "-V")) {
      throw new Error("this test needs strace: apt-get install strace");
    }
  }
  return ["strace", "-f", "-qq", ...args];
}
