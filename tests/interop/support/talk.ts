import { deadline } from "@std/async";

const PATIENCE = 60_000;

/** How a program that was talked to has ended. */
export interface Talk {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

/** Runs a program, gives it its whole input and then the end of it, and takes down what it says. */
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
    const { code, stdout, stderr } = await deadline(child.output(), PATIENCE);
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
    // It has ended without wanting all of it; what it said tells why.
  }
}
