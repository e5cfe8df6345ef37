/**
 * A server to be left running. It answers each line with the line, the client's host, and its own process id.
 *
 *     deno run --allow-net production_server.ts --port 7777 [--host 127.0.0.1] [--trust 10.0.0.0/8] [--share]
 *
 * `--trust` takes PROXY headers from load balancers at these addresses; `--share` shares the port with other
 * processes (needs `--unstable-net`). SIGTERM ends it after each request that has come whole is answered, or after
 * ten seconds.
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
import { exitWithError, parsePort, readOptions } from "./arguments.ts";
import { recvDraining } from "./draining.ts";
import { onInterrupt } from "./signals.ts";

/** Time that a server that ends waits for the first request of a client (ms). */
const DRAIN_FIRST_MS = 1000;
/** Time that it waits for each further request (ms). */
const DRAIN_NEXT_MS = 100;

async function answer(connection: Connection, { signal }: ServeContext): Promise<void> {
  const { host } = connection.remoteAddress;
  // A client that has just connected may be about to send its first request.
  let drainMs = DRAIN_FIRST_MS;
  const nextLine = () => recvDraining((until) => recvLine(connection, until), signal, drainMs);
  for (let line; (line = await nextLine()) !== null; drainMs = DRAIN_NEXT_MS) {
    await send(connection, new TextEncoder().encode(`${line} (${host} to ${Deno.pid})\n`));
  }
}

/** Reports an error, except those of clients and health checks that just leave. */
function report(error: unknown, connection?: Connection): void {
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
const address = { host, port: parsePort(port) };
const server = await listen(address, { reusePort: share }).then((listener) =>
  serve(listener, answer, {
    maxConnections: 10_000,
    maxConnectionsPerHost: 1_000,
    firstByteTimeout: 10_000,
    idleTimeout: 60_000,
    onError: report,
    proxyProtocol: trust === undefined ? undefined : { trust: trust.split(",") },
  })
).catch(exitWithError);
onInterrupt(() => void server.shutdown({ timeout: 10_000 }));
console.log(`serving on ${formatAddress(server.address)} as ${Deno.pid}`);
await server.finished;
const { drained, aborted } = await server.shutdown();
console.log(`ended after ${server.accepted} clients, ${drained} drained, ${aborted} aborted`);
Deno.exit(0);
