/**
 * A server that survives the world: it accepts, hands each connection to a handler, bounds what clients may
 * take, and ends without losing what is under way.
 *
 * ```ts
 * import { close, connect, listen, recvLine, send, serve } from "jsr:@aivi/sockets";
 *
 * const listener = await listen({ host: "127.0.0.1", port: 0 });
 * await using server = serve(listener, async (connection) => {
 *   const name = await recvLine(connection);
 *   await send(connection, new TextEncoder().encode(`hello ${name}\n`));
 * }, { maxConnectionsPerHost: 100, idleTimeout: 60_000 });
 *
 * const client = await connect(server.address);
 * await send(client, new TextEncoder().encode("world\n"));
 * console.log(await recvLine(client)); // hello world
 * await close(client);
 * ```
 *
 * @module
 */

import {
  checkLimit,
  checkOptions,
  describe,
  invalidInput,
  readArguments,
} from "./core/arguments.ts";
import { checkSignal } from "./core/cancellation.ts";
import { ConnectionServer, type ServerPlan } from "./serve/server.ts";
import { DEFAULT_LINGER } from "./connection/graceful_close.ts";
import { SharedAbortListener } from "./core/shared_abort_listener.ts";
import { notAListener, StreamListener } from "./connection/stream_listener.ts";
import { TrustList } from "./proxy_protocol/trust_list.ts";
import { SocketError } from "./errors.ts";
import type {
  Connection,
  Listener,
  ProxyProtocolOptions,
  ServeContext,
  ServeOptions,
  Server,
} from "./types.ts";

const OPERATION = "serve";
const MAX_CONNECTIONS = 10_000;
const HEADER_TIMEOUT = 10_000;

/**
 * Serves the clients of a listener, which is the server's own from then on: it closes it when it ends.
 *
 * A connection is closed gracefully when its handler returns, or throws: what the handler has sent is delivered,
 * unless the client takes nothing for too long (`idleTimeout`) or goes on sending (`linger`). A handler that throws
 * loses its own connection and nothing else. Clients that reset before they are accepted, and a system that is out
 * of descriptors, end nothing.
 *
 * Await your sends in a handler: one that the client's reset rejects, and that nobody awaits, ends the process as
 * any such promise does.
 *
 * @param listener Whose clients.
 * @param handler What is done with each; it owns the connection until it returns. Its `signal` aborts when the
 * server ends: handed to the calls that wait for the client, it ends them, and what they reject with then is
 * nothing that `onError` hears of. Such a call also refuses what has already come then.
 * @param options What clients may take, and who hears of failures.
 * @returns The server, which runs at once.
 * @throws {SocketError} `InvalidInput`, where an argument is wrong; `Closed`, where the listener is; `Busy`, where
 * another server has it. What fails later goes to `onError`.
 *
 * @example A clean end
 * ```ts
 * import { listen, send, serve } from "jsr:@aivi/sockets";
 *
 * const listener = await listen({ host: "127.0.0.1", port: 0 });
 * const server = serve(listener, async (connection) => {
 *   for await (const bytes of connection) await send(connection, bytes);
 * });
 * // On SIGTERM, for example:
 * const { drained, aborted } = await server.shutdown({ timeout: 10_000 });
 * console.log(`${drained} connections came to their end, ${aborted} did not`);
 * ```
 */
export function serve(
  listener: Listener,
  handler: (connection: Connection, context: ServeContext) => void | Promise<void>,
  options?: ServeOptions,
): Server {
  if (!StreamListener.is(listener)) throw notAListener(OPERATION);
  if (typeof handler !== "function") {
    throw invalidInput(OPERATION, `the handler is ${describe(handler)}, not a function`);
  }
  const { plan, signal } = readArguments(OPERATION, () => readOptions(handler, options));
  checkUsable(listener);
  const end = () => void server.shutdown({ timeout: 0 });
  // First, since it may be the signal's own method that throws: then the listener is nobody's still.
  const stop = signal && readArguments(OPERATION, () => SharedAbortListener.add(signal, end));
  const server = new ConnectionServer(listener, plan);
  if (signal?.aborted) end();
  if (stop !== undefined) void server.finished.then(stop);
  return server;
}

function checkUsable(listener: StreamListener): void {
  const { address } = listener;
  if (listener.closed) {
    throw new SocketError("Closed", OPERATION, "the listener is closed", { address });
  }
  // The kernel would spread the clients over both, and the first to end would close it for the other.
  if (listener.onClose !== undefined) {
    throw new SocketError("Busy", OPERATION, "another server has this listener", { address });
  }
}

type Limit = "maxConnections" | "maxConnectionsPerHost" | "firstByteTimeout" | "idleTimeout";

function readOptions(
  handle: ServerPlan["handle"],
  options: ServeOptions | undefined,
): { plan: ServerPlan; signal: AbortSignal | undefined } {
  const checked = checkOptions<ServeOptions>(OPERATION, options);
  const { signal, onError, onRefused, proxyProtocol } = checked;
  if (signal !== undefined) checkSignal(OPERATION, signal);
  checkCallback("onError", onError);
  checkCallback("onRefused", onRefused);
  const count = { lowest: 1, whole: true };
  const time = { lowest: 1 };
  const read = (name: Limit, fallback: number, range: typeof time) =>
    checkLimit(OPERATION, name, checked[name], fallback, range);
  return {
    signal,
    plan: {
      handle,
      onError,
      onRefused,
      whenFull: readWhenFull(checked.whenFull),
      maxConnections: read("maxConnections", MAX_CONNECTIONS, count),
      maxConnectionsPerHost: read("maxConnectionsPerHost", Infinity, count),
      firstByteTimeout: read("firstByteTimeout", Infinity, time),
      idleTimeout: read("idleTimeout", Infinity, time),
      linger: checkLimit(OPERATION, "linger", checked.linger, DEFAULT_LINGER),
      proxies: proxyProtocol === undefined ? undefined : readProxies(proxyProtocol),
    },
  };
}

function checkCallback(name: string, callback: unknown): void {
  if (callback === undefined || typeof callback === "function") return;
  throw invalidInput(OPERATION, `${name} is ${describe(callback)}, not a function`);
}

function readWhenFull(whenFull: unknown): ServerPlan["whenFull"] {
  if (whenFull === undefined) return "wait";
  if (whenFull === "wait" || whenFull === "refuse") return whenFull;
  throw invalidInput(OPERATION, `whenFull is ${describe(whenFull)}, not "wait" or "refuse"`);
}

function readProxies(options: ProxyProtocolOptions): ServerPlan["proxies"] {
  const { trust, timeout } = checkOptions<ProxyProtocolOptions>(OPERATION, options);
  const name = "proxyProtocol.timeout";
  return {
    trusted: new TrustList(OPERATION, trust),
    timeout: checkLimit(OPERATION, name, timeout, HEADER_TIMEOUT, { lowest: 1 }),
  };
}
