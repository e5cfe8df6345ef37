/**
 * Makes a connection over the standard input and output of a program that it starts. In your own program, import from
 * "jsr:@aivi/sockets" instead.
 */
import { type Connection, connectionOver, SocketError } from "../mod.ts";

export interface ProcessConnection {
  /** Sends to the program's input, and receives its output. To abort it kills the program. */
  readonly connection: Connection;
  /** The program, whose `status` resolves after its end. */
  readonly process: Deno.ChildProcess;
}

/** Starts a program. Its messages on standard error appear among this program's own. */
export function connectProcess(command: string, args: readonly string[]): ProcessConnection {
  const process = new Deno.Command(command, {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = process.stdin.getWriter();
  const reader = process.stdout.getReader();
  let chunk = new Uint8Array();
  const connection = connectionOver({
    async read(buffer) {
      if (chunk.length === 0) {
        const { value, done } = await reader.read();
        if (done) return await atEnd(command, process.status);
        chunk = value;
      }
      // A chunk may have more bytes than the buffer: the rest is for the next read.
      const count = Math.min(chunk.length, buffer.length);
      buffer.set(chunk.subarray(0, count));
      chunk = chunk.subarray(count);
      return count;
    },
    async write(bytes) {
      await writer.write(bytes);
      return bytes.length;
    },
    closeWrite: () => writer.close(),
    close() {
      try {
        process.kill("SIGKILL");
      } catch {
        // It has ended already.
      }
      // A child of the program may still hold the pipes, so that no end would come.
      reader.cancel().catch(() => {});
      writer.abort().catch(() => {});
    },
  });
  return { connection, process };
}

/** Returns the end of stream of a program that ends well. Throws if it failed or was killed. */
async function atEnd(command: string, status: Promise<Deno.CommandStatus>): Promise<null> {
  const { success, code, signal } = await status;
  if (success) return null;
  const why = signal === null ? `ended with code ${code}` : `was ended by ${signal}`;
  throw new SocketError("UnexpectedEof", "recv", `${command} ${why}`);
}
