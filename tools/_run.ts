/** The result of a command that a tool ran. */
export interface CommandResult {
  readonly success: boolean;
  /** The output of both streams, in arrival order. */
  readonly output: string;
  /** The standard output alone, for programs that read it: it has no notices about downloads. */
  readonly stdout: string;
}

export interface RunOptions {
  /** Also shows the output as it arrives. */
  readonly stream?: boolean;
  /** Time after which the command is killed, so that nothing runs for ever (ms, 300,000 by default). */
  readonly timeout?: number;
  readonly cwd?: string | URL;
  /** Replaces the environment if the command must not see this one. */
  readonly env?: Record<string, string>;
  /** Ends the command if it aborts. */
  readonly signal?: AbortSignal;
}

/**
 * Runs the same Deno that runs this tool, so that `deno` need not be on the path.
 */
export async function runDeno(
  args: readonly string[],
  options: RunOptions = {},
): Promise<CommandResult> {
  const { stream = false, timeout = 300_000, cwd, env, signal } = options;
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd,
    env: env ?? { NO_COLOR: "1" },
    clearEnv: env !== undefined,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal,
  }).spawn();
  let output = "";
  const collect = async (from: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> => {
    let own = "";
    for await (const text of from.pipeThrough(new TextDecoderStream())) {
      own += text;
      output += text;
      if (stream) await writeAll(text);
    }
    return own;
  };
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill("SIGKILL");
  }, timeout);
  try {
    const [status, stdout] = await Promise.all([
      child.status,
      collect(child.stdout),
      collect(child.stderr),
    ]);
    if (timedOut) output += `\nkilled after ${timeout} ms\n`;
    return { success: status.success && !timedOut, output, stdout };
  } finally {
    clearTimeout(timer);
  }
}

async function writeAll(text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
}
