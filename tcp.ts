/**
 * TCP: connection-oriented and ordered.
 *
 * @module
 */

import {
  checkBoolean,
  checkLimit,
  checkOptions,
  checkWhole,
  readArguments,
} from "./core/arguments.ts";
import { Cancellation, cancelledError } from "./core/cancellation.ts";
import { toSocketError } from "./core/error_mapping.ts";
import { isSelfConnection, refuseSelfConnection } from "./tcp/self_connection.ts";
import {
  DEFAULT_SEND_QUEUE_LIMIT,
  notAConnection,
  StreamConnection,
} from "./connection/stream_connection.ts";
import { connectTcp } from "./tcp/connect.ts";
import { notAListener, StreamListener } from "./connection/stream_listener.ts";
import { type TcpTuning, tuneTcp } from "./tcp/options.ts";
import { hasUnstableNet } from "./runtime/unstable_net.ts";
import { checkAddress } from "./address.ts";
import { SocketError } from "./errors.ts";
import type {
  Address,
  CloseOptions,
  Connection,
  ConnectOptions,
  Listener,
  ListenOptions,
  OperationOptions,
  RecvOptions,
} from "./types.ts";

/**
 * Listens on a TCP port.
 *
 * @param address Where to listen: a host of this machine, named always; port 0 lets the system choose.
 * @param options How to listen, and what accepted connections get.
 * @returns The listener, once it listens. It does not keep the clients waiting in a queue of its
 * own: they wait in the kernel's backlog until they are accepted.
 *
 * Rejects with a {@linkcode SocketError} of kind `InvalidInput` (an argument is wrong), `PermissionDenied`
 * (`--allow-net` is missing, or the system reserves the port), `AddressInUse`, `AddressNotAvailable` (not
 * an address of this machine), `HostNotFound`, `ResourceExhausted` (out of descriptors), or
 * `Unsupported` (`reusePort` without `--unstable-net`). It cannot be cancelled.
 *
 * @example
 * ```ts
 * import { accept, close, connect, listen } from "jsr:@aivi/sockets";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const client = await connect(listener.address);
 * const connection = await accept(listener);
 * console.log(`${connection.remoteAddress.host} has connected`);
 * await Promise.all([close(client), close(connection)]);
 * ```
 */
// deno-lint-ignore require-await -- async so that bad arguments reject instead of throwing
export async function listen(address: Address, options?: ListenOptions): Promise<Listener> {
  const operation = "listen";
  const where = checkAddress(operation, address, 0);
  const { backlog, reusePort, tuning, sendQueueLimit } = readArguments(operation, () => {
    const { backlog, reusePort, noDelay, keepAlive, sendQueueLimit } = checkOptions(
      operation,
      options,
    );
    return {
      backlog: backlog === undefined
        ? undefined
        : checkWhole(operation, "backlog", backlog, 1, 2 ** 31 - 1),
      reusePort: checkBoolean(operation, "reusePort", reusePort, false),
      ...readTuning(operation, noDelay, keepAlive, sendQueueLimit),
    };
  });
  // Without the flag the runtime ends the process for it, with code 70.
  if (reusePort && !hasUnstableNet()) {
    throw new SocketError("Unsupported", operation, "reusePort needs --unstable-net", {
      address: where,
    });
  }
  try {
    const listener = Deno.listen({
      hostname: where.host,
      port: where.port,
      ...backlog === undefined ? {} : { tcpBacklog: backlog },
      ...reusePort ? { reusePort } : {},
    });
    return new StreamListener(listener, where.host, tuning, sendQueueLimit);
  } catch (error) {
    throw toSocketError(error, operation, { address: where });
  }
}

/**
 * Accepts the next client. Concurrent calls are served in the order they were made.
 *
 * Clients that have reset before they are accepted, and other errors that belong to one connection,
 * are passed over. Where the system is out of descriptors, the call rejects, and the next one waits
 * before it tries again (5 ms, doubling to 1 s): a loop over it does not spin.
 *
 * @param listener Where to accept.
 * @param options When to give up: `signal`, and `timeout` in milliseconds.
 * @returns The connection.
 *
 * Rejects with a {@linkcode SocketError} of kind `InvalidInput`, `Closed` (the listener is, or is closed
 * meanwhile), `Aborted`, `TimedOut`, or `ResourceExhausted` (`retryable`). A cancelled call loses
 * nobody: the client that comes then goes to the next call.
 *
 * @example A client that comes too late for one call goes to the next
 * ```ts
 * import { abort, accept, connect, listen } from "jsr:@aivi/sockets";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * await accept(listener, { timeout: 10 }).catch((error) => console.log(error.message));
 * const client = await connect(listener.address);
 * const connection = await accept(listener);
 * abort(client);
 * abort(connection);
 * ```
 */
export function accept(
  listener: Listener,
  options?: OperationOptions,
): Promise<Connection> {
  return StreamListener.is(listener)
    ? listener.accept(options)
    : Promise.reject(notAListener("accept"));
}

/**
 * Stops listening. Pending accepts reject `Closed`, an iteration ends without an error, connections that
 * were accepted go on.
 *
 * Clients that still wait in the kernel's backlog are reset by it: where that matters, accept them
 * first.
 *
 * @param listener What to close; closing it again is fine.
 * @returns When the port is free again.
 *
 * Rejects with a {@linkcode SocketError} of kind `InvalidInput` only. It cannot be cancelled.
 *
 * @example
 * ```ts
 * import { closeListener, listen } from "jsr:@aivi/sockets";
 *
 * const listener = await listen({ host: "127.0.0.1", port: 0 });
 * await closeListener(listener);
 * await using again = await listen(listener.address); // the port is free at once
 * ```
 */
export function closeListener(listener: Listener): Promise<void> {
  return StreamListener.is(listener)
    ? listener.close()
    : Promise.reject(notAListener("closeListener"));
}

/**
 * Connects to a TCP port. All addresses of a name are tried.
 *
 * @param address Where to: a host and a port from 1 to 65535.
 * @param options How to connect and when to give up; `timeout` (milliseconds) and `signal` cover the
 * resolution of the name and every attempt.
 * @returns The connection.
 *
 * Rejects with a {@linkcode SocketError} of kind `InvalidInput`, `PermissionDenied` (with `permission`),
 * `HostNotFound`, `ConnectionRefused` (also where the system connects the socket with itself, as may happen to a
 * local port where nobody listens), `ConnectionReset`, `Unreachable`, `AddressNotAvailable` (out
 * of local ports), `ResourceExhausted`, `Aborted`, or `TimedOut`. A cancelled call leaves no socket
 * behind.
 *
 * @example
 * ```ts
 * import { connect } from "jsr:@aivi/sockets";
 *
 * try {
 *   await using connection = await connect({ host: "127.0.0.1", port: 9 }, { timeout: 1000 });
 *   console.log(connection.remoteAddress);
 * } catch (error) {
 *   console.log(error); // connect 127.0.0.1:9: connection refused (ECONNREFUSED)
 * }
 * ```
 */
export async function connect(address: Address, options?: ConnectOptions): Promise<Connection> {
  const operation = "connect";
  const target = checkAddress(operation, address, 1);
  const cancellation = Cancellation.read(operation, options);
  const { tuning, sendQueueLimit } = readArguments(operation, () => {
    const { noDelay, keepAlive, sendQueueLimit } = checkOptions(operation, options);
    return readTuning(operation, noDelay, keepAlive, sendQueueLimit);
  });
  const already = cancellation?.already;
  if (already !== undefined) throw cancelledError(already, operation, target);
  try {
    const conn = await connectTcp(target, cancellation);
    if (isSelfConnection(conn)) throw await refuseSelfConnection(conn, target);
    tuneTcp(conn, tuning);
    return new StreamConnection(conn, sendQueueLimit);
  } catch (error) {
    throw toSocketError(error, operation, { address: target });
  }
}

/**
 * Sends bytes: all of them, in the order of the calls, never mixed with those of another call. Small
 * sends that wait for an earlier one go out together.
 *
 * @param connection Where to send.
 * @param bytes What to send; it must stay unchanged until the call settles. None is a no-op.
 * @param options When to give up: `signal`, and `timeout` in milliseconds.
 * @returns When the operating system has taken all the bytes; whether the peer got them only the peer
 * can say.
 *
 * Rejects with a {@linkcode SocketError} of kind `InvalidInput` (also where the buffer has been transferred or shortened,
 * and where it is transferred or resized while it is sent, which aborts the connection), `Closed` (this side has closed, aborted
 * or ended the sending side), `Aborted`, `TimedOut`, `QueueFull` (what waits would pass
 * `sendQueueLimit`; nothing of this call was sent), `BrokenPipe` or `ConnectionReset` (the peer or the
 * network broke it), or what else the system broke it with: `TimedOut` with the code `ETIMEDOUT`, `Unreachable`,
 * `ResourceExhausted`, `PermissionDenied`, `Other`. Where some of it may have left, `bytesSent` says how much is
 * known to.
 *
 * A call that is cancelled while it waits has sent nothing, and the connection is as good as before. Once
 * the runtime has its bytes they cannot be taken back: the connection is then aborted, since the stream
 * would not be whole.
 *
 * @example
 * ```ts
 * import { accept, close, connect, listen, recv, send } from "jsr:@aivi/sockets";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
 * await send(client, new TextEncoder().encode("hello"));
 * console.log(new TextDecoder().decode((await recv(server))!)); // hello
 * await Promise.all([close(client), close(server)]);
 * ```
 */
export function send(
  connection: Connection,
  bytes: Uint8Array,
  options?: OperationOptions,
): Promise<void> {
  // Not async: the promise that an async function adds costs a tenth of an awaited small send.
  return StreamConnection.is(connection)
    ? connection.send(bytes, options)
    : Promise.reject(notAConnection("send"));
}

/**
 * Waits until everything that was sent before it has left. A program that sends many messages need not
 * await each: it looks at `bytesQueued` now and then, and flushes where much waits.
 *
 * @param connection What to flush.
 * @param options When to stop waiting: `signal`, and `timeout` in milliseconds.
 * @returns When the operating system has taken all the bytes of the sends before this call; sends that come later are
 * not waited for, nor are those that were cancelled. At once where none waits.
 *
 * Rejects with a {@linkcode SocketError} of kind `InvalidInput`, `Closed` (this side has closed or aborted; a
 * `close` that comes meanwhile is fine, since it sends what waits), `Aborted`, `TimedOut`, `BrokenPipe`,
 * `ConnectionReset`, or what else the system broke the connection with, as of {@linkcode send}. A call that is
 * cancelled only stops waiting: the sends go on, and the connection is as good as before.
 *
 * @example Many messages, without awaiting each
 * ```ts
 * import { accept, close, connect, flush, listen, send } from "jsr:@aivi/sockets";
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
 *   send(client, message).catch(() => {}); // flush says it as well
 *   if (client.bytesQueued > 64 * 1024) await flush(client);
 * }
 * await flush(client);
 * if (client.bytesSent !== 500_000) throw new Error("not all of them have left");
 * await close(client);
 * if (await received !== 500_000) throw new Error("not all of them came");
 * await close(server);
 * ```
 */
export function flush(connection: Connection, options?: OperationOptions): Promise<void> {
  return StreamConnection.is(connection)
    ? connection.flush(options)
    : Promise.reject(notAConnection("flush"));
}

/**
 * Receives what has arrived, at least one byte.
 *
 * @param connection Where to receive.
 * @param options When to give up (`signal`, `timeout` in milliseconds), and how many bytes to take at
 * most.
 * @returns The bytes, which are the caller's own, or `null` at the peer's end of stream, again and again.
 *
 * Rejects with a {@linkcode SocketError} of kind `InvalidInput`, `Closed` (this side has closed or aborted),
 * `Aborted`, `TimedOut`, `Busy` (another receiving call is under way and goes on), `ConnectionReset`, `TimedOut`
 * with the code `ETIMEDOUT` (the network gave up), or what else the system broke the connection with:
 * `Unreachable`, `ResourceExhausted`, `PermissionDenied`, `Other`. A broken connection stays broken. A cancelled
 * call loses nothing: the bytes that come then go to the next one.
 *
 * @example A timeout loses nothing
 * ```ts
 * import { accept, close, connect, listen, recv, send } from "jsr:@aivi/sockets";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
 * await recv(server, { timeout: 10 }).catch((error) => console.log(error.kind)); // TimedOut
 * await send(client, new TextEncoder().encode("late"));
 * console.log(new TextDecoder().decode((await recv(server))!)); // late
 * await Promise.all([close(client), close(server)]);
 * ```
 */
export function recv(
  connection: Connection,
  options?: RecvOptions,
): Promise<Uint8Array<ArrayBuffer> | null> {
  return StreamConnection.is(connection)
    ? connection.recv(options)
    : Promise.reject(notAConnection("recv"));
}

/**
 * Receives into a buffer of the caller's, at least one byte.
 *
 * @param connection Where to receive.
 * @param buffer Where to put the bytes; with room for at least one.
 * @param options When to give up (`signal`, `timeout` in milliseconds), and how many bytes to take at
 * most. With neither `signal` nor `timeout` the bytes are read straight into the buffer, otherwise copied
 * once, as they are into a buffer that can be resized; in no case is the buffer written to after the call has settled.
 * @returns How many bytes came, or `null` at the peer's end of stream.
 *
 * Rejects as {@linkcode recv} does, and a cancelled call loses as little. A buffer that is shortened during the call
 * is `InvalidInput`, and the bytes go to the next call. Where this side closes during a
 * read straight into the buffer, the call rejects `Closed` when that read has ended.
 *
 * @example
 * ```ts
 * import { accept, close, connect, listen, recvInto, send } from "jsr:@aivi/sockets";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
 * const buffer = new Uint8Array(64 * 1024);
 * await send(client, new TextEncoder().encode("hello"));
 * const count = await recvInto(server, buffer);
 * console.log(new TextDecoder().decode(buffer.subarray(0, count ?? 0))); // hello
 * await Promise.all([close(client), close(server)]);
 * ```
 */
export function recvInto(
  connection: Connection,
  buffer: Uint8Array,
  options?: RecvOptions,
): Promise<number | null> {
  return StreamConnection.is(connection)
    ? connection.recvInto(buffer, options)
    : Promise.reject(notAConnection("recvInto"));
}

/**
 * Ends the sending side: what was sent before is flushed, then the peer sees the end of stream.
 * Receiving goes on. Doing it again is fine.
 *
 * @param connection Whose sending side to end.
 * @param options When to stop waiting: `signal`, and `timeout` in milliseconds.
 * @returns When the end was handed to the operating system.
 *
 * Rejects with a {@linkcode SocketError} of kind `InvalidInput`, `Closed` (this side has closed or aborted),
 * `Aborted`, `TimedOut`, `Unsupported` (the transport cannot), `BrokenPipe`, `ConnectionReset`, or what else the
 * system broke the connection with, as of {@linkcode send}. A cancelled call only stops waiting: the sending side
 * still ends after the flush.
 *
 * @example
 * ```ts
 * import { accept, close, closeWrite, connect, listen, recv, send } from "jsr:@aivi/sockets";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
 * await closeWrite(client);
 * console.log(await recv(server)); // null
 * await send(server, new TextEncoder().encode("still heard"));
 * console.log(new TextDecoder().decode((await recv(client))!)); // still heard
 * await Promise.all([close(client), close(server)]);
 * ```
 */
export function closeWrite(
  connection: Connection,
  options?: OperationOptions,
): Promise<void> {
  return StreamConnection.is(connection)
    ? connection.closeWrite(options)
    : Promise.reject(notAConnection("closeWrite"));
}

/**
 * Closes a connection and delivers what was sent: flushes, ends the sending side, drops what the
 * peer still sends until its end of stream or until it has been silent for `linger` milliseconds, then closes. Pending
 * receives reject `Closed` at once, pending sends are flushed. Closing again is fine.
 *
 * To close while the peer still sends makes the system drop what has not arrived. So a peer that goes on sending while
 * it receives is listened to for at most 30 seconds after the flush.
 *
 * @param connection The connection to close, or a handle with one, such as `framed` gives.
 * @param options `linger` and `flushTimeout` in milliseconds, and when to give the delivery up: `signal`, and `timeout`
 * in milliseconds.
 * @returns When it is closed. What the peer did to the connection is no failure of this call.
 *
 * Rejects with a {@linkcode SocketError} of kind `InvalidInput`, `Aborted`, `TimedOut`. It is `TimedOut`, too, if no
 * byte has left for `flushTimeout` ms: then the sends of those bytes reject `Closed` with `bytesSent`. And it is
 * `TimedOut` if it had to close while the peer still sent: then sent data may be lost, though the system has taken it.
 * But for `InvalidInput` the connection is closed in any case; a cancelled call closes it at once.
 *
 * @example
 * ```ts
 * import { accept, close, connect, listen, recv, send } from "jsr:@aivi/sockets";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const client = await connect(listener.address);
 * await using server = await accept(listener);
 * const sent = send(client, new TextEncoder().encode("last words"));
 * await Promise.all([close(client, { linger: 100 }), sent]);
 * console.log(new TextDecoder().decode((await recv(server))!)); // last words
 * ```
 */
export function close(
  connection: Connection | { readonly connection: Connection },
  options?: CloseOptions,
): Promise<void> {
  return connectionOf(connection)?.close(options) ?? Promise.reject(notAConnection("close"));
}

/**
 * Drops a connection now, with all that waits in either direction. Pending calls reject `Closed`, sends
 * with `bytesSent`; a send that nobody awaits does not become an unhandled rejection. Does nothing where
 * the connection is closed already. It never throws.
 *
 * The runtime ends such a connection with FIN, not RST: the peer cannot tell it from a clean end. Whether
 * all has come is for the framing to say.
 *
 * @param connection The connection to drop, or a handle with one, such as `framed` gives.
 *
 * @example
 * ```ts
 * import { abort, accept, connect, listen } from "jsr:@aivi/sockets";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const client = await connect(listener.address);
 * await using server = await accept(listener);
 * abort(client);
 * console.log(server.remoteAddress);
 * ```
 */
export function abort(connection: Connection | { readonly connection: Connection }): void {
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

function readTuning(
  operation: string,
  noDelay: unknown,
  keepAlive: unknown,
  sendQueueLimit: unknown,
): { tuning: TcpTuning; sendQueueLimit: number } {
  return {
    tuning: {
      noDelay: checkBoolean(operation, "noDelay", noDelay, true),
      keepAlive: checkBoolean(operation, "keepAlive", keepAlive, true),
    },
    sendQueueLimit: checkLimit(
      operation,
      "sendQueueLimit",
      sendQueueLimit,
      DEFAULT_SEND_QUEUE_LIMIT,
    ),
  };
}
