const TIMEOUT_MS = 150_000;

export interface CommandOutput {
  readonly success: boolean;
  readonly output: string;
}

/** Runs a command to its end, for at most `TIMEOUT_MS`. */
export async function command(name: string, ...args: string[]): Promise<CommandOutput> {
  const { success, stdout, stderr } = await new Deno.Command(name, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).output();
  const decoder = new TextDecoder();
  return { success, output: decoder.decode(stdout) + decoder.decode(stderr) };
}

/** Runs a command that must succeed, and returns its output. */
export async function must(name: string, ...args: string[]): Promise<string> {
  const { success, output } = await command(name, ...args);
  if (!success) throw new Error(`${name} ${args.join(" ")} failed:\n${output}`);
  return output.trimEnd();
}
