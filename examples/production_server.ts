/**
 * A server to be left running: it answers each line with what it was told, by whom, and its own process number.
 *
 *     deno run --allow-net production_server.ts --port 7777 [--host 127.0.0.1] [--trust 10.0.0.0/8] [--share]
 *
 * `--trust` takes PROXY headers from load balancers at these addresses; `--share` shares the port with other
 * processes (needs `--unstable-net`). SIGTERM ends it when those who are being answered have their answer.
 * In your own program, import from "jsr:@aivi/sockets" instead.
 */
import {
  type Connection,
  formatAddress,
  listen,
  recvLine,
  send,
  serve,
  type ServeContext,
  SocketError,
} from "../mod.ts";
import { portOf, readOptions } from "./arguments.ts";

async function answer(connection: Connection, { signal }: ServeContext): Promise<void> {
  const { host } = connection.remoteAddress;
  // Who has just come is heard out; only between requests may a server that ends let go of a client.
  let waiting = {};
  for (let line; (line = await recvLine(connection, waiting)) !== null; waiting = { signal }) {
    await send(connection, new TextEncoder().encode(`${line} (${host} to ${Deno.pid})\n`));
  }
}

/** A client that leaves as it likes, or a health check, is nothing to tell of. */
function tell(error: unknown, connection?: Connection): void {
  const left = error instanceof SocketError &&
    (error.kind === "ConnectionReset" || error.kind === "BrokenPipe");
  if (!left) console.error(connection && formatAddress(connection.remoteAddress), error);
}

const { host, port, trust, share } = readOptions({
  host: { type: "string", default: "127.0.0.1" },
  port: { type: "string", default: "7777" },
  trust: { type: "string" },
  share: { type: "boolean" },
});
const listener = await listen({ host, port: portOf(port) }, { reusePort: share });
const server = serve(listener, answer, {
  maxConnections: 10_000,
  maxConnectionsPerHost: 1_000,
  firstByteTimeout: 10_000,
  idleTimeout: 60_000,
  onError: tell,
  proxyProtocol: trust === undefined ? undefined : { trust: trust.split(",") },
});
// Before it says that it serves: whoever waits for that may end it at once.
const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
for (const signal of signals) {
  Deno.addSignalListener(signal, () => void server.shutdown({ timeout: 10_000 }));
}
console.log(`serving on ${formatAddress(server.address)} as ${Deno.pid}`);
await server.finished;
const { drained, aborted } = await server.shutdown();
console.log(`ended after ${server.accepted} clients, ${drained} drained, ${aborted} aborted`);
Deno.exit(0);
