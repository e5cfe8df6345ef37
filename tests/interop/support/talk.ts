import { deadline } from "@std/async";

const PATIENCE_MS = 60_000;

/** Exit code and output of a program. */
export interface Talk {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

/** Runs a program with this input, and gives its exit code and output. */
export async function talk(
  program: string,
  args: readonly string[],
  input: string | Uint8Array = "",
): Promise<Talk> {
  const child = new Deno.Command(program, {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const feeding = feed(child.stdin, typeof input === "string" ? encoder.encode(input) : input);
  try {
    const { code, stdout, stderr } = await deadline(child.output(), PATIENCE_MS);
    const [output, errors] = [stdout, stderr].map((bytes) => decoder.decode(bytes));
    return { code, output, errors };
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  } finally {
    await feeding;
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

async function feed(stdin: WritableStream<Uint8Array>, input: Uint8Array): Promise<void> {
  const writer = stdin.getWriter();
  try {
    await writer.write(input);
    await writer.close();
  } catch {
    // The program has ended before it read all of its input; its output says why.
  }
}
