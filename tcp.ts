/**
 * TCP and Unix sockets: connection-oriented and ordered.
 *
 * The error kinds that the functions reject with are explained in `docs/errors.md`.
 *
 * @module
 */

import { notAConnection, StreamConnection } from "./connection/stream_connection.ts";
import { notAListener, StreamListener } from "./connection/stream_listener.ts";
import { connectStream } from "./tcp/connect.ts";
import { openListener } from "./tcp/listen.ts";
import type {
  Address,
  CloseOptions,
  Connection,
  ConnectOptions,
  Listener,
  ListenOptions,
  OperationOptions,
  RecvOptions,
  SocketAddress,
  TcpOptions,
  UnixAddress,
  UnixListenOptions,
} from "./types.ts";

/**
 * Listens on a TCP port or a Unix socket. Clients wait in the kernel's backlog until they are accepted.
 *
 * The file of a Unix socket is removed when the listener closes. If it is not there any more, nothing is removed: a
 * listener spares a file that has replaced its own, if the program may read and write the directory.
 *
 * @param address A host of this machine and a port; port 0 lets the system choose. Or `{ path }`: a new file, or an
 * abstract name such as `"\0app"`, with which every program of the machine can connect.
 * @param options How to listen, and the options of accepted connections; `mode` and `replaceStale` for a path.
 * @returns The listener, once it listens.
 *
 * Rejects with a {@linkcode SocketError}: `InvalidInput`, `PermissionDenied` (a permission is missing, or the system
 * forbids it), `AddressInUse` (a port, or whatever is at the path), `AddressNotAvailable` (not an address of this
 * machine, or a path in a missing directory), `HostNotFound`, `ResourceExhausted` (out of descriptors), or `Unsupported`
 * (`reusePort` without `--unstable-net`, `replaceStale` on Bun). It cannot be cancelled.
 *
 * @example
 * ```ts
 * import { accept, close, connect, listen } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const client = await connect(listener.address);
 * const connection = await accept(listener);
 * assertEquals(connection.remoteAddress, client.localAddress);
 * await Promise.all([close(client), close(connection)]);
 * ```
 *
 * @example A Unix socket
 * ```ts
 * import { accept, close, connect, listen } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * // A file would be { path: "/run/app.sock" }, { mode: 0o660, replaceStale: true }.
 * await using listener = await listen({ path: `\0example-${Deno.pid}` });
 * const client = await connect(listener.address);
 * const connection = await accept(listener);
 * assertEquals(connection.localAddress, listener.address);
 * await Promise.all([close(client), close(connection)]);
 * ```
 */
export function listen(address: Address, options?: ListenOptions): Promise<Listener>;
/** Listens on a Unix socket, as the first form says. */
export function listen(
  address: UnixAddress,
  options?: UnixListenOptions,
): Promise<Listener<UnixAddress>>;
/** Listens on an address of either kind, such as one of `parseSocketAddress`. */
export function listen(
  address: SocketAddress,
  options?: TcpOptions,
): Promise<Listener<SocketAddress>>;
export function listen(
  address: SocketAddress,
  options?: ListenOptions & UnixListenOptions,
): Promise<Listener<SocketAddress>> {
  return openListener(address, options);
}

/**
 * Accepts the next client. Concurrent calls are served in the order they were made.
 *
 * It passes over clients that reset before they are accepted, and other errors that belong to one client. If the
 * system is out of descriptors, the call rejects, and the next one waits before it tries again (5 ms, doubling to 1 s):
 * a loop over it does not spin.
 *
 * @param listener A listener of {@linkcode listen} or `listenerOver`.
 * @param options `signal`, and `timeout` in milliseconds.
 * @returns The connection.
 *
 * Rejects with a {@linkcode SocketError}: `InvalidInput`, `Closed` (the listener is closed), `Aborted`, `TimedOut`, or
 * `ResourceExhausted` (`retryable`). A cancelled call loses no client: the one that comes then goes to the next call.
 *
 * @example A client that comes too late for one call goes to the next
 * ```ts
 * import { abort, accept, connect, listen, SocketError } from "jsr:@aivi/sockets";
 * import { assertRejects } from "jsr:@std/assert";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * await assertRejects(() => accept(listener, { timeout: 10 }), SocketError, "timed out");
 * const client = await connect(listener.address);
 * const connection = await accept(listener);
 * abort(client);
 * abort(connection);
 * ```
 */
export function accept<A extends SocketAddress = Address>(
  listener: Listener<A>,
  options?: OperationOptions,
): Promise<Connection<A>>;
export function accept(
  listener: Listener<SocketAddress>,
  options?: OperationOptions,
): Promise<Connection<SocketAddress>> {
  return StreamListener.is(listener)
    ? listener.accept(options)
    : Promise.reject(notAListener("accept"));
}

/**
 * Stops listening. Pending accepts reject `Closed`, an iteration ends without an error, and accepted connections go on.
 *
 * It resets the clients that still wait in the kernel's backlog: accept them first if that matters.
 *
 * @param listener The listener; closing it again does nothing.
 * @returns Resolves when the port is free again.
 *
 * Rejects only with a {@linkcode SocketError} of kind `InvalidInput`. It cannot be cancelled.
 *
 * @example
 * ```ts
 * import { closeListener, listen } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * const listener = await listen({ host: "127.0.0.1", port: 0 });
 * await closeListener(listener);
 * await using again = await listen(listener.address);
 * assertEquals(again.address, listener.address);
 * ```
 */
export function closeListener(listener: Listener<SocketAddress>): Promise<void> {
  return StreamListener.is(listener)
    ? listener.close()
    : Promise.reject(notAListener("closeListener"));
}

/**
 * Connects to a TCP port, of which it tries all addresses of a name, or to a Unix socket.
 *
 * @param address A host and a port from 1 to 65535, or the `{ path }` of a Unix socket.
 * @param options Options of the connection; `timeout` (milliseconds) and `signal` cover the resolution of the name and
 * every attempt. `noDelay` and `keepAlive` have no effect on a Unix socket, which neither delays nor loses its peer.
 * @returns The connection.
 *
 * Rejects with a {@linkcode SocketError}: `InvalidInput`, `PermissionDenied` (with `permission`), `HostNotFound`,
 * `ConnectionRefused` (also if the system connects the socket with itself, which can happen on a local port where
 * nobody listens; or if there is no socket at the path), `ConnectionReset`, `Unreachable`, `AddressNotAvailable` (out of
 * local ports), `ResourceExhausted` (also if too many clients wait at a Unix socket), `Aborted`, or `TimedOut`. A
 * cancelled call leaves no socket behind.
 *
 * @example
 * ```ts
 * import { closeListener, connect, listen, SocketError } from "jsr:@aivi/sockets";
 * import { assertEquals, assertRejects } from "jsr:@std/assert";
 *
 * const listener = await listen({ host: "127.0.0.1", port: 0 });
 * {
 *   await using connection = await connect(listener.address, { timeout: 1000 });
 *   assertEquals(connection.remoteAddress, listener.address);
 * }
 * await closeListener(listener);
 * await assertRejects(() => connect(listener.address), SocketError, "connection refused");
 * ```
 */
export function connect(address: Address, options?: ConnectOptions): Promise<Connection>;
/** Connects to a Unix socket, as the first form says. */
export function connect(
  address: UnixAddress,
  options?: ConnectOptions,
): Promise<Connection<UnixAddress>>;
/** Connects to an address of either kind, such as one of `parseSocketAddress`. */
export function connect(
  address: SocketAddress,
  options?: ConnectOptions,
): Promise<Connection<SocketAddress>>;
export function connect(
  address: SocketAddress,
  options?: ConnectOptions,
): Promise<Connection<SocketAddress>> {
  return connectStream(address, options);
}

/**
 * Sends bytes: all of them, in the order of the calls, never mixed with those of another call. Small sends that wait
 * for an earlier one go out together.
 *
 * @param connection The connection to send on.
 * @param bytes The bytes, or an array of pieces, which leave as one send: all of them in their order, or none. Small
 * pieces are joined, so that many of them cost little more than one. They must stay unchanged until the call settles.
 * An empty send, or an array without bytes in it, does nothing.
 * @param options `signal`, and `timeout` in milliseconds.
 * @returns Resolves when the operating system has taken all the bytes. Only the peer can say that it got them.
 *
 * Rejects with a {@linkcode SocketError}: `InvalidInput` (also if the buffer is transferred or resized; during the
 * send, that aborts the connection), `Closed`, `Aborted`, `TimedOut`, `QueueFull` (the waiting bytes would pass
 * `sendQueueLimit`; nothing of this call was sent), `BrokenPipe`, `ConnectionReset`, or the error that broke the
 * connection. If part of the bytes may have left, `bytesSent` says how many are known to have.
 *
 * A call that is cancelled while it waits has sent nothing and changes nothing. After the runtime has the bytes, they
 * cannot be taken back: a cancel then aborts the connection, since the stream would not be whole.
 *
 * @example
 * ```ts
 * import { accept, close, connect, listen, recv, send } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
 * await send(client, new TextEncoder().encode("hello"));
 * assertEquals(await recv(server), new TextEncoder().encode("hello"));
 * await send(client, [new Uint8Array([0, 2]), new Uint8Array([7, 8])]);
 * assertEquals(await recv(server), new Uint8Array([0, 2, 7, 8]));
 * await Promise.all([close(client), close(server)]);
 * ```
 */
export function send(
  connection: Connection<SocketAddress>,
  bytes: Uint8Array | readonly Uint8Array[],
  options?: OperationOptions,
): Promise<void> {
  // Not async: the promise that an async function adds costs a tenth of an awaited small send.
  return StreamConnection.is(connection)
    ? connection.send(bytes, options)
    : Promise.reject(notAConnection("send"));
}

/**
 * Waits until everything that was sent before it has left. A program that sends many messages need not await each: it
 * looks at `bytesQueued` now and then, and flushes if many bytes wait.
 *
 * @param connection The connection to flush.
 * @param options `signal`, and `timeout` in milliseconds.
 * @returns Resolves when the operating system has taken all the bytes of the sends before this call, except of those
 * that were cancelled. It does not wait for later sends.
 *
 * Rejects with a {@linkcode SocketError}: `InvalidInput`, `Closed` (this side closed or aborted before the call, or
 * aborted during it), `Aborted`, `TimedOut`, `BrokenPipe`, `ConnectionReset`, or the error that broke the connection.
 * A cancelled call only stops waiting: the sends go on.
 *
 * @example Many messages, without awaiting each
 * ```ts
 * import { accept, close, connect, flush, listen, send } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
 * const received = (async () => {
 *   let bytes = 0;
 *   for await (const chunk of server) bytes += chunk.length;
 *   return bytes;
 * })();
 *
 * const message = new TextEncoder().encode("tick\n");
 * for (let count = 0; count < 100_000; count++) {
 *   send(client, message).catch(() => {}); // flush reports it as well
 *   if (client.bytesQueued > 64 * 1024) await flush(client);
 * }
 * await flush(client);
 * assertEquals(client.bytesSent, 500_000);
 * await close(client);
 * assertEquals(await received, 500_000);
 * await close(server);
 * ```
 */
export function flush(
  connection: Connection<SocketAddress>,
  options?: OperationOptions,
): Promise<void> {
  return StreamConnection.is(connection)
    ? connection.flush(options)
    : Promise.reject(notAConnection("flush"));
}

/**
 * Receives bytes that have arrived, at least one.
 *
 * @param connection The connection to receive from.
 * @param options `signal`, `timeout` in milliseconds, and `maxBytes`.
 * @returns The bytes, which are the caller's own, or `null` at the peer's end of stream, again and again.
 *
 * Rejects with a {@linkcode SocketError}: `InvalidInput`, `Closed`, `Aborted`, `TimedOut`, `Busy` (another receiving
 * call is under way and goes on), `ConnectionReset`, `TimedOut` with the code `ETIMEDOUT` (the network gave up), or
 * another error that broke the connection. A broken connection stays broken. A cancelled call loses nothing: the bytes
 * that come then go to the next call.
 *
 * @example A timeout loses nothing
 * ```ts
 * import { accept, close, connect, listen, recv, send, SocketError } from "jsr:@aivi/sockets";
 * import { assertEquals, assertRejects } from "jsr:@std/assert";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
 * await assertRejects(() => recv(server, { timeout: 10 }), SocketError, "timed out");
 * await send(client, new TextEncoder().encode("late"));
 * assertEquals(await recv(server), new TextEncoder().encode("late"));
 * await Promise.all([close(client), close(server)]);
 * ```
 */
export function recv(
  connection: Connection<SocketAddress>,
  options?: RecvOptions,
): Promise<Uint8Array<ArrayBuffer> | null> {
  return StreamConnection.is(connection)
    ? connection.recv(options)
    : Promise.reject(notAConnection("recv"));
}

/**
 * Receives into a buffer of the caller's, at least one byte.
 *
 * Without `signal` and `timeout` the bytes are read straight into the buffer; with one of them, or into a buffer that
 * can be resized, they are copied once. Nothing writes to the buffer after the call has settled.
 *
 * @param connection The connection to receive from.
 * @param buffer The buffer, with room for at least one byte.
 * @param options `signal`, `timeout` in milliseconds, and `maxBytes`.
 * @returns The number of bytes that were put into the buffer, or `null` at the peer's end of stream.
 *
 * Rejects as {@linkcode recv} does, and a cancelled call loses nothing either. If the buffer is shortened during the
 * call, that is `InvalidInput`, and the bytes go to the next call. If this side closes during a read straight into the
 * buffer, the call rejects `Closed` when that read has ended.
 *
 * @example
 * ```ts
 * import { accept, close, connect, listen, recvInto, send } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
 * const buffer = new Uint8Array(64 * 1024);
 * await send(client, new TextEncoder().encode("hello"));
 * assertEquals(await recvInto(server, buffer), 5);
 * assertEquals(new TextDecoder().decode(buffer.subarray(0, 5)), "hello");
 * await Promise.all([close(client), close(server)]);
 * ```
 */
export function recvInto(
  connection: Connection<SocketAddress>,
  buffer: Uint8Array,
  options?: RecvOptions,
): Promise<number | null> {
  return StreamConnection.is(connection)
    ? connection.recvInto(buffer, options)
    : Promise.reject(notAConnection("recvInto"));
}

/**
 * Ends the sending side. Bytes that were sent before are flushed, then the peer sees the end of stream. Receiving goes
 * on. Ending it again does nothing.
 *
 * @param connection The connection whose sending side ends.
 * @param options `signal`, and `timeout` in milliseconds.
 * @returns Resolves when the end was handed to the operating system.
 *
 * Rejects with a {@linkcode SocketError}: `InvalidInput`, `Closed`, `Aborted`, `TimedOut`, `Unsupported` (the transport
 * cannot do it), `BrokenPipe`, `ConnectionReset`, or the error that broke the connection. A cancelled call only stops
 * waiting: the sending side still ends after the flush.
 *
 * @example
 * ```ts
 * import { accept, close, closeWrite, connect, listen, recv, send } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
 * await closeWrite(client);
 * assertEquals(await recv(server), null);
 * await send(server, new TextEncoder().encode("still open"));
 * assertEquals(await recv(client), new TextEncoder().encode("still open"));
 * await Promise.all([close(client), close(server)]);
 * ```
 */
export function closeWrite(
  connection: Connection<SocketAddress>,
  options?: OperationOptions,
): Promise<void> {
  return StreamConnection.is(connection)
    ? connection.closeWrite(options)
    : Promise.reject(notAConnection("closeWrite"));
}

/**
 * Closes a connection and delivers what was sent. It flushes, ends the sending side, and drops what the peer still sends
 * until the peer's end of stream, or until the peer has been silent for `linger` milliseconds. Pending receives reject
 * `Closed` at once, pending sends are flushed. Closing again does nothing.
 *
 * If the system closes while the peer still sends, it drops bytes that have not arrived. So a peer that goes on sending
 * gets at most 30 seconds after the flush.
 *
 * @param connection The connection to close, or a handle with one, such as `framed` gives.
 * @param options `linger` and `flushTimeout` in milliseconds; `signal`, and `timeout` in milliseconds, give the delivery
 * up.
 * @returns Resolves when the connection is closed, also if the peer has broken it.
 *
 * Rejects with a {@linkcode SocketError}: `InvalidInput`, `Aborted`, or `TimedOut`. It is `TimedOut`, too, if no byte
 * has left for `flushTimeout` ms (the sends of those bytes reject `Closed` with `bytesSent`), or if it had to close
 * while the peer still sent: then sent data may be lost, though the system has taken it. After any of them but
 * `InvalidInput` the connection is closed; a cancelled call closes it at once.
 *
 * @example
 * ```ts
 * import { accept, close, connect, listen, recv, send } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const client = await connect(listener.address);
 * await using server = await accept(listener);
 * const sent = send(client, new TextEncoder().encode("last words"));
 * await Promise.all([close(client, { linger: 100 }), sent]);
 * assertEquals(await recv(server), new TextEncoder().encode("last words"));
 * ```
 */
export function close(
  connection: Connection<SocketAddress> | { readonly connection: Connection<SocketAddress> },
  options?: CloseOptions,
): Promise<void> {
  return connectionOf(connection)?.close(options) ?? Promise.reject(notAConnection("close"));
}

/**
 * Drops a connection now, with all bytes that wait in either direction. Pending calls reject `Closed`, sends with
 * `bytesSent`. A send that nobody awaits does not become an unhandled rejection. It never throws, and does nothing to a
 * closed connection.
 *
 * The runtime ends such a connection with FIN, not RST, so the peer cannot tell it from an orderly end. Only the framing
 * knows if all bytes have come.
 *
 * @param connection The connection to drop, or a handle with one, such as `framed` gives.
 *
 * @example
 * ```ts
 * import { abort, accept, connect, listen, recv } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const client = await connect(listener.address);
 * await using server = await accept(listener);
 * abort(client);
 * assertEquals(await recv(server), null);
 * ```
 */
export function abort(
  connection: Connection<SocketAddress> | { readonly connection: Connection<SocketAddress> },
): void {
  connectionOf(connection)?.abort();
}

/** Returns the connection that a handle is or has. A `FramedConnection` has one. */
function connectionOf(handle: unknown): StreamConnection | undefined {
  if (StreamConnection.is(handle)) return handle;
  try {
    const { connection } = handle as { connection?: unknown };
    return StreamConnection.is(connection) ? connection : undefined;
  } catch {
    return undefined; // `null`, `undefined`, or a getter that throws.
  }
}
