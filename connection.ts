/**
 * The extension point: a {@linkcode Connection} over anything that moves bytes.
 *
 * @module
 */

import { checkLimit, checkOptions, invalidInput, readArguments } from "./_internal/arguments.ts";
import { ForeignTransport } from "./_internal/foreign_transport.ts";
import { DEFAULT_SEND_QUEUE_LIMIT, StreamConnection } from "./_internal/stream_connection.ts";
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
    return new StreamConnection(new ForeignTransport(transport), limit);
  });
}
