const TIMEOUT = 60_000;
/** Turns no unstable features on, unlike the configuration of this project. */
const CONFIG = new URL("../../stable/deno.json", import.meta.url).pathname;

export interface ProgramRun {
  /** Flags of `deno run`; `--allow-net` and a silent prompt where nothing is said. */
  readonly flags?: readonly string[];
  /** Arguments of the program itself. */
  readonly args?: readonly string[];
  /** A command that runs the command after it: `strace …`. */
  readonly under?: readonly string[];
  /** Variables beside those of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

/** What a program said: the last line of its output as JSON, and everything it complained about. */
export interface ProgramResult<T> {
  readonly told: T;
  readonly errors: string;
}

/**
 * Runs a program of `programs/` in a process of its own; it must end well, and in time.
 */
export async function runProgram<T>(name: string, run: ProgramRun = {}): Promise<ProgramResult<T>> {
  const { flags = ["--no-prompt", "--allow-net"], args = [], under = [], env = {} } = run;
  const program = new URL(`../programs/${name}`, import.meta.url).pathname;
  // Without `--quiet`, Deno warns that the configuration is no member of the workspace.
  const deno = [Deno.execPath(), "run", "--quiet", "--config", CONFIG, ...flags, program, ...args];
  const [command, ...rest] = [...under, ...deno];
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), TIMEOUT);
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
      const how = abort.signal.aborted ? `was killed after ${TIMEOUT} ms` : `ended ${output.code}`;
      throw new Error(`${name} ${how}:\n${stdout}\n${errors}`);
    }
    return { told: JSON.parse(stdout.trimEnd().split("\n").at(-1)!) as T, errors };
  } finally {
    clearTimeout(timer);
  }
}
