/**
 * A server to be left running: it answers each line with what it was told, by whom, and its own process number.
 *
 *     deno run --allow-net production_server.ts --port 7777 [--host 127.0.0.1] [--trust 10.0.0.0/8] [--share]
 *
 * `--trust` takes PROXY headers from load balancers at these addresses; `--share` shares the port with other
 * processes (needs `--unstable-net`). SIGTERM ends it when each request that has come whole is answered, or else
 * after ten seconds.
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
import { portOf, readOptions, refused } from "./arguments.ts";
import { untilLastCall } from "./last_call.ts";
import { onInterrupt } from "./signals.ts";

/** A server that ends waits so many milliseconds for the first request of a client, and for the next ones. */
const FIRST_CALL = 1000;
const LAST_CALL = 100;

async function answer(connection: Connection, { signal }: ServeContext): Promise<void> {
  const { host } = connection.remoteAddress;
  // Who has just come may be about to speak, even to a server that ends.
  let patience = FIRST_CALL;
  const nextLine = () => untilLastCall((until) => recvLine(connection, until), signal, patience);
  for (let line; (line = await nextLine()) !== null; patience = LAST_CALL) {
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
const address = { host, port: portOf(port) };
const server = await listen(address, { reusePort: share }).then((listener) =>
  serve(listener, answer, {
    maxConnections: 10_000,
    maxConnectionsPerHost: 1_000,
    firstByteTimeout: 10_000,
    idleTimeout: 60_000,
    onError: tell,
    proxyProtocol: trust === undefined ? undefined : { trust: trust.split(",") },
  })
).catch(refused);
onInterrupt(() => void server.shutdown({ timeout: 10_000 }));
console.log(`serving on ${formatAddress(server.address)} as ${Deno.pid}`);
await server.finished;
const { drained, aborted } = await server.shutdown();
console.log(`ended after ${server.accepted} clients, ${drained} drained, ${aborted} aborted`);
Deno.exit(0);
