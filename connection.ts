/**
 * The extension point: a {@linkcode Connection} over anything that moves bytes.
 *
 * @module
 */

import { checkLimit, checkOptions, invalidInput, readArguments } from "./core/arguments.ts";
import { CheckedTransport } from "./connection/checked_transport.ts";
import {
  DEFAULT_SEND_QUEUE_LIMIT,
  notAConnection,
  StreamConnection,
} from "./connection/stream_connection.ts";
import type { Connection, ConnectionOptions, Transport } from "./types.ts";

/**
 * Makes a connection over any object shaped like `Deno.Conn`: a TLS or Unix socket, a tunnel, an
 * in-memory pair for tests. All of `send`, `recv`, `recvInto`, `closeWrite`, `close` and `abort` work on
 * it as they do over TCP. The connection owns the transport from then on.
 *
 * @param transport What moves the bytes. Where it has no addresses, or they have no host and port,
 * the connection's are `{ host: "", port: 0 }`; without `closeWrite`, that function is `Unsupported`.
 * @param options How much may wait to be sent.
 * @returns The connection.
 * @throws {SocketError} `InvalidInput`, where it is not a transport or an option is out of range.
 *
 * @example A pair of connections in memory
 * ```ts
 * import { close, connectionOver, recv, send } from "jsr:@aivi/sockets";
 *
 * const pipe = new TransformStream<Uint8Array, Uint8Array>();
 * const reader = pipe.readable.getReader();
 * const writer = pipe.writable.getWriter();
 * const loop = connectionOver({
 *   async read(buffer) {
 *     const { value, done } = await reader.read();
 *     if (done) return null;
 *     buffer.set(value);
 *     return value.length;
 *   },
 *   async write(bytes) {
 *     await writer.write(bytes.slice());
 *     return bytes.length;
 *   },
 *   close: () => void writer.close().catch(() => {}),
 * });
 * const received = recv(loop);
 * await send(loop, new TextEncoder().encode("hello"));
 * console.log(new TextDecoder().decode((await received)!)); // hello
 * await close(loop);
 * ```
 */
export function connectionOver(transport: Transport, options?: ConnectionOptions): Connection {
  const operation = "connectionOver";
  return readArguments(operation, () => {
    if (
      typeof transport?.read !== "function" || typeof transport.write !== "function" ||
      typeof transport.close !== "function"
    ) {
      throw invalidInput(operation, "the transport has no read, write and close functions");
    }
    const { sendQueueLimit } = checkOptions(operation, options);
    const limit = checkLimit(
      operation,
      "sendQueueLimit",
      sendQueueLimit,
      DEFAULT_SEND_QUEUE_LIMIT,
    );
    return new StreamConnection(new CheckedTransport(transport), limit);
  });
}

/**
 * Tells when the peer has left, also while nobody receives: a handler that computes, waits for another
 * server or only sends can stop for a client that is gone, and a pool can drop an idle connection that
 * its server has ended.
 *
 * Nothing is read away. The runtime tells of an end only to a read, so from the first call on one buffer
 * is read ahead while no receiving call is under way, and is given to the next one; once that has taken all of
 * it, the reading ahead goes on. Nothing is read that nobody asked for where this function is never called.
 *
 * It sees no further than that buffer (4 KiB for a peer that says little, 124 KiB at the most): what the peer has sent
 * and nobody has received stands before its end, so while such bytes wait, the peer may have left
 * unnoticed until they are received, or a send fails. It sees what the system tells, no more: a peer whose cable was cut
 * is there until the kernel gives it up. A peer that has ended its sending side only (`closeWrite`)
 * looks like one that has left, and may still receive.
 *
 * The reading ahead does not keep the process alive. While it is under way, `recvInto` copies once.
 *
 * @param connection Whose peer.
 * @returns One and the same signal for each connection, aborted already where it is over. Its `reason` is a
 * {@linkcode SocketError}: `UnexpectedEof` (the peer has ended its side), `ConnectionReset` or what else
 * the connection broke with, `BrokenPipe` (a send has found the peer gone), or `Closed` (this side has closed
 * or aborted). Given to a call as its `signal`, the reason is the `cause` of its `Aborted`.
 * @throws {SocketError} `InvalidInput`, where it is not a connection.
 *
 * @example Work that ends with its client
 * ```ts
 * import { accept, close, connect, disconnectSignal, listen, SocketError } from "jsr:@aivi/sockets";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
 * const signal = disconnectSignal(server);
 * const left = new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
 * await Promise.all([close(client, { linger: 0 }), left]);
 * const reason: SocketError = signal.reason;
 * if (reason.kind !== "UnexpectedEof") throw reason;
 * await close(server);
 * ```
 */
export function disconnectSignal(connection: Connection): AbortSignal {
  if (!StreamConnection.is(connection)) throw notAConnection("disconnectSignal");
  return connection.disconnectSignal();
}
