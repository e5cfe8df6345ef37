/**
 * Handles and the life of the process: whether it may end beside them.
 *
 * @module
 */

import { invalidInput } from "./core/arguments.ts";
import { BoundUdpSocket } from "./udp/udp_socket.ts";
import { ConnectionServer } from "./serve/server.ts";
import { StreamConnection } from "./connection/stream_connection.ts";
import { StreamListener } from "./connection/stream_listener.ts";
import type { Connection, Listener, Server, UdpSocket } from "./types.ts";

/** Has a say in whether the process may end. */
interface Referenced {
  setReferenced(on: boolean): void;
}

/**
 * Lets the process end although a call waits on this handle: an `accept`, a receiving call, an iteration, or a
 * server. It holds for what waits now and for what comes later, until {@linkcode ref}. It is meant for what
 * accompanies a program and must not outlive it: a port for metrics, an idle connection of a pool, a socket
 * that listens for announcements.
 *
 * A server takes its connections along, those that come later as well; each can be taken out with `ref`. A
 * listener does not: those that it accepts keep the process alive.
 *
 * It does nothing for a connection of `connectionOver` whose transport has no `ref` and `unref`: that keeps the
 * process alive, or does not, as it always did.
 *
 * What has to come to an end does so first: bytes that are being sent, a `close`, `closeListener`, and the timer of a call
 * with a `timeout` keep the process alive all the same. A module that awaits at its top level what only
 * this handle could bring is ended by the runtime with an error.
 *
 * @param handle What the process need not wait for. One that is closed stays as it is.
 * @throws {SocketError} `InvalidInput`, where it is no handle.
 *
 * @example A port that does not keep a batch job alive
 * ```ts
 * import { listen, send, serve, unref } from "jsr:@aivi/sockets";
 *
 * const started = Date.now();
 * const listener = await listen({ host: "127.0.0.1", port: 0 });
 * const server = serve(listener, (connection) =>
 *   send(connection, new TextEncoder().encode(`up for ${Date.now() - started} ms\n`)));
 * unref(server);
 * console.log(`metrics at ${server.address.port}`);
 * // The job goes here; when it is done, the process ends.
 * await server.shutdown({ timeout: 0 }); // Only a test has to.
 * ```
 */
export function unref(handle: Listener | Connection | UdpSocket | Server): void {
  referenced("unref", handle).setReferenced(false);
}

/**
 * Undoes {@linkcode unref}: what waits on this handle keeps the process alive, as it does from the start.
 *
 * @param handle What the process waits for. One that is closed stays as it is.
 * @throws {SocketError} `InvalidInput`, where it is no handle.
 *
 * @example An idle connection of a pool
 * ```ts
 * import { accept, close, connect, listen, recv, ref, send, unref } from "jsr:@aivi/sockets";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
 * unref(client); // nobody uses it
 * ref(client); // somebody does
 * await send(server, new TextEncoder().encode("answer"));
 * console.log(new TextDecoder().decode((await recv(client))!)); // answer
 * await Promise.all([close(client), close(server)]);
 * ```
 */
export function ref(handle: Listener | Connection | UdpSocket | Server): void {
  referenced("ref", handle).setReferenced(true);
}

function referenced(operation: string, handle: unknown): Referenced {
  if (isReferenced(handle)) return handle;
  const reason = "the first argument is not a Listener, Connection, UdpSocket or Server";
  throw invalidInput(operation, reason);
}

function isReferenced(handle: unknown): handle is Referenced {
  return StreamConnection.is(handle) || StreamListener.is(handle) || BoundUdpSocket.is(handle) ||
    ConnectionServer.is(handle);
}
