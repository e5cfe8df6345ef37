/** Ends a process with a signal, unless it has ended already, and waits until it is gone. */
export async function endProcess(
  child: Deno.ChildProcess,
  signal: Deno.Signal = "SIGKILL",
): Promise<void> {
  try {
    child.kill(signal);
  } catch {
    // It has ended already.
  }
  await child.status;
}
