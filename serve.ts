/**
 * A server that hands each client to a handler, bounds what clients may take, and ends without losing what is under
 * way.
 *
 * @module
 */

import { readArguments } from "./core/arguments.ts";
import { ConnectionServer } from "./serve/server.ts";
import { type Handler, readServeOptions } from "./serve/serve_options.ts";
import { SharedAbortListener } from "./core/cancellation.ts";
import { notAListener, StreamListener } from "./connection/stream_listener.ts";
import { SocketError } from "./errors.ts";
import type {
  Address,
  Connection,
  Listener,
  ServeContext,
  ServeOptions,
  Server,
  SocketAddress,
} from "./types.ts";

const OPERATION = "serve";

/**
 * Serves the clients of a listener, which belongs to the server from then on: the server closes it when it ends.
 *
 * A connection is closed gracefully after its handler returned or threw: what the handler sent is delivered, unless the
 * client takes nothing for too long (`idleTimeout`) or goes on sending (`linger`). A handler that throws ends its own
 * connection only. Clients that reset before they are accepted end nothing, nor does a system that is out of
 * descriptors.
 *
 * Await your sends in a handler: a send that the client's reset rejects and that nobody awaits ends the process, as any
 * such promise does.
 *
 * @param listener A listener that no other server has.
 * @param handler Called for each connection, which belongs to it until it returns. Its `signal` aborts when the server
 * ends: a call with that signal ends then, and `onError` does not hear of it. Such a call also refuses bytes that have
 * already come.
 * @param options Limits of clients, and callbacks.
 * @returns The server, which runs at once.
 * @throws {SocketError} `InvalidInput` if an argument is wrong, `Closed` if the listener is closed, `Busy` if another
 * server has it. Later failures go to `onError`.
 *
 * @example
 * ```ts
 * import { close, connect, listen, recvLine, send, serve } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * const listener = await listen({ host: "127.0.0.1", port: 0 });
 * const server = serve(listener, async (connection) => {
 *   const name = await recvLine(connection);
 *   await send(connection, new TextEncoder().encode(`hello ${name}\n`));
 * }, { maxConnectionsPerHost: 100, idleTimeout: 60_000 });
 *
 * const client = await connect(server.address);
 * await send(client, new TextEncoder().encode("world\n"));
 * assertEquals(await recvLine(client), "hello world");
 * await close(client);
 *
 * // For example after SIGTERM:
 * const { aborted } = await server.shutdown({ timeout: 10_000 });
 * assertEquals(aborted, 0);
 * ```
 */
export function serve<
  A extends SocketAddress = Address,
  C extends Connection<A> = Connection<A>,
>(
  listener: Listener<A, C>,
  handler: (
    connection: NoInfer<C>,
    context: ServeContext<NoInfer<A>>,
  ) => void | Promise<void>,
  options?: ServeOptions<NoInfer<A>>,
): Server<A>;
export function serve(
  listener: Listener<SocketAddress>,
  handler: Handler,
  options?: ServeOptions<SocketAddress>,
): Server<SocketAddress> {
  if (!StreamListener.is(listener)) throw notAListener(OPERATION);
  const settings = readArguments(OPERATION, () => readServeOptions(handler, options));
  checkUsable(listener);
  const server = new ConnectionServer(listener, settings);
  const { signal } = settings;
  if (signal !== undefined) {
    const end = () => void server.shutdown({ timeout: 0 });
    if (signal.aborted) end();
    else void server.finished.then(SharedAbortListener.add(signal, end));
  }
  return server;
}

function checkUsable(listener: StreamListener): void {
  const { address } = listener;
  if (listener.closed) {
    throw new SocketError("Closed", OPERATION, "the listener is closed", { address });
  }
  // The kernel would spread the clients over both, and the first server to end would close it for the other.
  if (listener.onClose !== undefined) {
    throw new SocketError("Busy", OPERATION, "another server has this listener", { address });
  }
}
