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
import type {
  Connection,
  ConnectionOptions,
  SocketAddress,
  Transport,
  UnixAddress,
} from "./types.ts";

/**
 * Makes a connection over any object shaped like `Deno.Conn`: a TLS or Unix socket, a tunnel, a pair in memory. All
 * functions work on it as they do over TCP. The connection owns the transport from then on.
 *
 * @param transport Moves the bytes. The address of a Unix socket is given as `{ path }`. If the transport has neither
 * that nor an address with a host and a port, the connection's address is `{ host: "", port: 0 }`. If it has no `closeWrite`, that function is `Unsupported`.
 * @param options The limit of waiting sends.
 * @returns The connection.
 * @throws {SocketError} `InvalidInput` if the argument is no transport or an option is out of range.
 *
 * @example A connection with itself, in memory
 * ```ts
 * import { close, connectionOver, recv, send } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
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
 * assertEquals(new TextDecoder().decode((await received)!), "hello");
 * await close(loop);
 * ```
 */
export function connectionOver(
  transport: Transport & { readonly remoteAddr: { readonly transport: "unix" | "unixpacket" } },
  options?: ConnectionOptions,
): Connection<UnixAddress>;
/** Makes a connection over a transport of another kind, or one whose kind the compiler does not know. */
export function connectionOver(transport: Transport, options?: ConnectionOptions): Connection;
export function connectionOver(
  transport: Transport,
  options?: ConnectionOptions,
): Connection<SocketAddress> {
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
 * Returns a signal that aborts when the peer has left, also while nobody receives. With it, a handler that computes,
 * waits for another server or only sends can stop for a client that is gone, and a pool can drop an idle connection that
 * its server has ended.
 *
 * The runtime reports an end to a read only. So from the first call on, one buffer is read ahead while no receiving
 * call is under way, and the next call gets it; after that has taken all of it, the reading ahead goes on. It does not
 * keep the process alive. Meanwhile `recvInto` copies once.
 *
 * The signal sees no further than that buffer (4 KiB for a peer that says little, at most 124 KiB). While bytes wait
 * that nobody has received, the peer may have left unnoticed until they are received or a send fails. A peer whose
 * cable was cut is there until the kernel gives it up. A peer that has ended its sending side only (`closeWrite`) looks
 * like one that has left, and may still receive.
 *
 * @param connection The connection with the peer.
 * @returns The connection's one signal, aborted already if the connection is over. Its `reason` is a
 * {@linkcode SocketError}: `UnexpectedEof` (the peer has ended its side), `ConnectionReset` or another kind that the
 * connection broke with, `BrokenPipe` (a send has found the peer gone), or `Closed` (this side has closed or aborted).
 * @throws {SocketError} `InvalidInput` if the argument is no connection.
 *
 * @example Work that ends with its client
 * ```ts
 * import { accept, close, connect, disconnectSignal, listen } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
 * const signal = disconnectSignal(server);
 * const closed = close(client);
 * await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
 * assertEquals(signal.reason.kind, "UnexpectedEof");
 * await Promise.all([closed, close(server)]);
 * ```
 */
export function disconnectSignal(connection: Connection<SocketAddress>): AbortSignal {
  if (!StreamConnection.is(connection)) throw notAConnection("disconnectSignal");
  return connection.disconnectSignal();
}
