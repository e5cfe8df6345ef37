/**
 * A protocol of lines, for `nc` and `socat` to talk to: each line is answered in capitals, with its number.
 *
 *     deno run --allow-net line_server.ts --port 7001 [--host 127.0.0.1]
 *
 * A line that is too long, or is not UTF-8, is answered with an error, and the next one as if nothing had
 * happened. SIGTERM or Ctrl-C ends it when the lines that have come whole are answered. In your own program,
 * import from "jsr:@aivi/sockets" instead.
 */
import {
  type Connection,
  formatAddress,
  framed,
  lines,
  listen,
  recvFrame,
  sendFrame,
  serve,
  type ServeContext,
  SocketError,
} from "../mod.ts";
import { readListenAddress } from "./arguments.ts";
import { untilLastCall } from "./last_call.ts";
import { whenInterrupted } from "./signals.ts";

/** A server that ends lets go of a client that has sent no whole line for so many milliseconds. */
const LAST_CALL = 100;

async function answer(connection: Connection, { signal }: ServeContext): Promise<void> {
  const questions = framed(connection, lines({ maxLength: 1000 }));
  // Longer ones: capitals may take more bytes.
  const answers = framed(connection, lines());
  for (let number = 1;; number++) {
    try {
      const line = await untilLastCall((until) => recvFrame(questions, until), signal, LAST_CALL);
      if (line === null) return;
      await sendFrame(answers, `${number} ${line.trimEnd().toUpperCase()}`);
    } catch (error) {
      const kind = error instanceof SocketError ? error.kind : undefined;
      if (kind !== "TooLarge" && kind !== "InvalidData") throw error;
      await sendFrame(answers, `${number} error: ${kind}`);
    }
  }
}

const interrupted = whenInterrupted();
const server = serve(await listen(readListenAddress("7001")), answer, {
  maxConnections: 1000,
  idleTimeout: 60_000,
});
console.log(`lines on ${formatAddress(server.address)}, Ctrl-C ends it`);

await interrupted;
const { drained, aborted } = await server.shutdown({ timeout: 5000 });
console.log(`closed: ${drained} clients served to the end, ${aborted} not`);
Deno.exit(0);
