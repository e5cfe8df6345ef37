/**
 * The effect of handles on the life of the process: whether it may end while they are open.
 *
 * @module
 */

import { invalidInput } from "./core/arguments.ts";
import { BoundUdpSocket } from "./udp/udp_socket.ts";
import { ConnectionServer } from "./serve/server.ts";
import { StreamConnection } from "./connection/stream_connection.ts";
import { StreamListener } from "./connection/stream_listener.ts";
import type { Connection, Listener, Server, SocketAddress, UdpSocket } from "./types.ts";

/** A handle that can keep the process alive. */
interface Referenced {
  setReferenced(on: boolean): void;
}

/**
 * Lets the process end although a call waits on this handle: an `accept`, a receiving call, an iteration, or a server.
 * It holds for present and later calls, until {@linkcode ref}. It is meant for what accompanies a program and must not
 * outlive it: a port for metrics, an idle connection of a pool, a socket that listens for announcements.
 *
 * It holds for the present and later connections of a server too; `ref` takes a single one out. It does not hold for
 * the connections that a listener accepts. It does nothing for a connection of `connectionOver` whose transport has no
 * `ref` and `unref`.
 *
 * Some work keeps the process alive all the same: bytes that are being sent, a `close`, a `closeListener`, and the timer
 * of a call with a `timeout`. If a module awaits at its top level what only this handle could bring, the runtime ends it
 * with an error.
 *
 * @param handle A listener, connection, UDP socket or server. It does nothing to one that is closed.
 * @throws {SocketError} `InvalidInput` if it is none of these.
 *
 * @example A port that does not keep a batch job alive
 * ```ts
 * import { connect, listen, recvLine, send, serve, unref } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * const listener = await listen({ host: "127.0.0.1", port: 0 });
 * const server = serve(listener, (connection) =>
 *   send(connection, new TextEncoder().encode("jobs 7\n")));
 * unref(server); // The process ends after the job, although the server runs.
 *
 * await using client = await connect(server.address);
 * assertEquals(await recvLine(client), "jobs 7");
 * await server.shutdown({ timeout: 0 }); // Only a test needs this.
 * ```
 */
export function unref(
  handle: Listener<SocketAddress> | Connection<SocketAddress> | UdpSocket | Server<SocketAddress>,
): void {
  referenced("unref", handle).setReferenced(false);
}

/**
 * Undoes {@linkcode unref}: calls that wait on this handle keep the process alive, as they do from the start.
 *
 * @param handle A listener, connection, UDP socket or server. It does nothing to one that is closed.
 * @throws {SocketError} `InvalidInput` if it is none of these.
 *
 * @example An idle connection of a pool
 * ```ts
 * import { accept, close, connect, listen, recvLine, ref, send, unref } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
 * unref(client); // It is idle.
 * ref(client); // It is in use again.
 * await send(server, new TextEncoder().encode("answer\n"));
 * assertEquals(await recvLine(client), "answer");
 * await Promise.all([close(client), close(server)]);
 * ```
 */
export function ref(
  handle: Listener<SocketAddress> | Connection<SocketAddress> | UdpSocket | Server<SocketAddress>,
): void {
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
