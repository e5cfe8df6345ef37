/** How a command that a tool ran has ended. */
export interface CommandResult {
  readonly success: boolean;
  /** What it wrote, both streams in arrival order. */
  readonly output: string;
  /** The part of it that a program reads: notices about downloads go elsewhere. */
  readonly stdout: string;
}

export interface RunOptions {
  /** Also shows the output while it comes. */
  readonly stream?: boolean;
  /** Milliseconds after which the command is killed, so that nothing runs for ever. */
  readonly timeout?: number;
  readonly cwd?: string | URL;
  /** Replaces the environment, where the command must not see this one's. */
  readonly env?: Record<string, string>;
  /** Ends the command where it aborts. */
  readonly signal?: AbortSignal;
}

/**
 * Runs the Deno that runs this tool: `deno` need not be on the path.
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
