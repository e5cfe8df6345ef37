const TIMEOUT_MS = 60_000;
/** The configuration without unstable features, which the one of this project turns on. */
const CONFIG = new URL("../../stable/deno.json", import.meta.url).pathname;

export interface ProgramRun {
  /** Flags of `deno run`, `--allow-net` and `--no-prompt` by default. */
  readonly flags?: readonly string[];
  /** Arguments of the program. */
  readonly args?: readonly string[];
  /** The words of a command that runs the program, such as `strace …`. */
  readonly under?: readonly string[];
  /** Environment variables in addition to those of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

/** The result of a program: the last line of its output, read as JSON, and its standard error. */
export interface ProgramResult<T> {
  readonly report: T;
  readonly errors: string;
}

/**
 * Runs a program of `programs/` in a process of its own. It must succeed within `TIMEOUT_MS`.
 */
export async function runProgram<T>(name: string, run: ProgramRun = {}): Promise<ProgramResult<T>> {
  const { flags = ["--no-prompt", "--allow-net"], args = [], under = [], env = {} } = run;
  const program = new URL(`../programs/${name}`, import.meta.url).pathname;
  // Without `--quiet`, Deno warns that the configuration is no member of the workspace.
  const deno = [Deno.execPath(), "run", "--quiet", "--config", CONFIG, ...flags, program, ...args];
  const [command, ...rest] = [...under, ...deno];
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), TIMEOUT_MS);
  try {
    const output = await new Deno.Command(command, {
      args: rest,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      env: { NO_COLOR: "1", ...env },
      signal: abort.signal,
    }).output();
    const stdout = new TextDecoder().decode(output.stdout);
    const errors = new TextDecoder().decode(output.stderr);
    if (!output.success) {
      const how = abort.signal.aborted
        ? `was killed after ${TIMEOUT_MS} ms`
        : `ended ${output.code}`;
      throw new Error(`${name} ${how}:\n${stdout}\n${errors}`);
    }
    return { report: JSON.parse(stdout.trimEnd().split("\n").at(-1)!) as T, errors };
  } finally {
    clearTimeout(timer);
  }
}
