/**
 * A protocol of lines, for `nc` and `socat` to talk to: each line is answered in capitals, with its number.
 *
 *     deno run --allow-net line_server.ts --port 7001 [--host 127.0.0.1]
 *
 * A line that is too long, or is not UTF-8, is answered with an error, and the next line is answered as usual.
 * SIGTERM or Ctrl-C ends it after all lines that have come whole are answered. In your own program,
 * import from "jsr:@aivi/sockets" instead.
 */
import process from "node:process";
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
import { recvDraining } from "./draining.ts";
import { waitInterrupt } from "./signals.ts";

/** A server that ends closes a client that has sent no whole line for this time (ms). */
const DRAIN_MS = 100;

async function answer(connection: Connection, { signal }: ServeContext): Promise<void> {
  const questions = framed(connection, lines({ maxLength: 1000 }));
  // A larger limit, because capitals may take more bytes.
  const answers = framed(connection, lines());
  for (let number = 1;; number++) {
    try {
      const line = await recvDraining((until) => recvFrame(questions, until), signal, DRAIN_MS);
      if (line === null) return;
      await sendFrame(answers, `${number} ${line.trimEnd().toUpperCase()}`);
    } catch (error) {
      const kind = error instanceof SocketError ? error.kind : undefined;
      if (kind !== "TooLarge" && kind !== "InvalidData") throw error;
      await sendFrame(answers, `${number} error: ${kind}`);
    }
  }
}

const interrupted = waitInterrupt();
const server = serve(await listen(readListenAddress("7001")), answer, {
  maxConnections: 1000,
  idleTimeout: 60_000,
});
console.log(`lines on ${formatAddress(server.address)}, Ctrl-C ends it`);

await interrupted;
const { drained, aborted } = await server.shutdown({ timeout: 5000 });
console.log(`closed: ${drained} clients served to the end, ${aborted} not`);
process.exit(0);
