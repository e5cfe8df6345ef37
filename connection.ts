/**
 * The extension points: a {@linkcode Connection} over anything that moves bytes, and a {@linkcode Listener} over anything
 * that accepts.
 *
 * @module
 */

import { checkLimit, checkOptions, invalidInput, readArguments } from "./core/arguments.ts";
import { checkSocketAddress, toSocketAddress } from "./core/address_check.ts";
import { CheckedListener, CheckedTransport, isTransport } from "./connection/checked_transport.ts";
import {
  DEFAULT_SEND_QUEUE_LIMIT_BYTES,
  notAConnection,
  StreamConnection,
} from "./connection/stream_connection.ts";
import { StreamListener } from "./connection/stream_listener.ts";
import type {
  Address,
  Connection,
  ConnectionOptions,
  Listener,
  SocketAddress,
  Transport,
  TransportListener,
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
    if (!isTransport(transport)) {
      throw invalidInput(operation, "the transport has no read, write and close functions");
    }
    const limit = readSendQueueLimit(operation, options);
    return new StreamConnection(new CheckedTransport(transport), limit);
  });
}

function readSendQueueLimit(operation: string, options: ConnectionOptions | undefined): number {
  const { sendQueueLimit } = checkOptions(operation, options);
  return checkLimit(operation, "sendQueueLimit", sendQueueLimit, DEFAULT_SEND_QUEUE_LIMIT_BYTES);
}

/**
 * Makes a listener over any object that accepts transports: TLS of the runtime, a multiplexer, pairs in memory. `accept`,
 * iterations and `serve` work on it as they do over TCP. The listener owns the object from then on.
 *
 * An error of its `accept` that belongs to one client, by the codes of accept(2) such as `ECONNABORTED`, is passed over.
 * Every other one rejects the call that waits, and the next call waits before it tries again (5 ms, doubling to 1 s). So
 * let your `accept` skip clients that fail, and reject only what ends an iteration. {@linkcode serve} reports it to
 * `onError` and goes on.
 *
 * @param source Accepts the clients. The listener's address is its `address`, else what its `addr` says, which listeners
 * of Deno have, else `{ host: "", port: 0 }`.
 * @param options The limit of waiting sends of each connection.
 * @returns The listener.
 * @throws {SocketError} `InvalidInput` if the argument does not accept, or an option or the address is wrong.
 *
 * @example A server for connections that are already there
 * ```ts
 * import { close, connect, listen, listenerOver, recv, send, serve } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * const port = Deno.listen({ hostname: "127.0.0.1", port: 0 });
 * const listener = listenerOver({
 *   accept: () => port.accept(), // Here a connection may be decrypted, counted or turned away.
 *   close: () => port.close(),
 *   address: { host: port.addr.hostname, port: port.addr.port },
 * });
 * await using server = serve(listener, async (connection) => {
 *   for await (const bytes of connection) await send(connection, bytes);
 * });
 * const client = await connect(server.address);
 * await send(client, new TextEncoder().encode("hello"));
 * assertEquals(await recv(client), new TextEncoder().encode("hello"));
 * await close(client);
 * ```
 */
export function listenerOver(
  source: TransportListener<never> & {
    readonly addr: { readonly transport: "unix" | "unixpacket" };
  },
  options?: ConnectionOptions,
): Listener<UnixAddress>;
/** Makes a listener over a source of another kind, or one whose kind the compiler does not know. */
export function listenerOver<A extends SocketAddress = Address>(
  source: TransportListener<A>,
  options?: ConnectionOptions,
): Listener<A>;
export function listenerOver(
  source: TransportListener,
  options?: ConnectionOptions,
): Listener<SocketAddress> {
  const operation = "listenerOver";
  return readArguments(operation, () => {
    if (typeof source?.accept !== "function" || typeof source.close !== "function") {
      throw invalidInput(operation, "the listener has no accept and close functions");
    }
    const limit = readSendQueueLimit(operation, options);
    return new StreamListener(new CheckedListener(source, addressOf(operation, source)), limit);
  });
}

function addressOf(operation: string, { address, addr }: TransportListener): SocketAddress {
  return address === undefined
    ? toSocketAddress(typeof addr === "object" && addr !== null ? addr : undefined)
    : checkSocketAddress(operation, address, 0);
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
