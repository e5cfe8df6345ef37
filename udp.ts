/**
 * UDP: datagram-oriented, with neither delivery nor order guaranteed.
 *
 * @module
 */

import { checkBoolean, checkLimit, checkOptions, readArguments } from "./core/arguments.ts";
import { BoundUdpSocket, notAUdpSocket } from "./udp/udp_socket.ts";
import { DenoDatagrams } from "./runtime/deno_datagrams.ts";
import { toSocketError } from "./core/error_mapping.ts";
import { NodeDatagrams } from "./runtime/node_datagrams.ts";
import { hasUnstableNet } from "./runtime/unstable_net.ts";
import { checkAddress } from "./core/address_check.ts";
import type { Address, BindUdpOptions, Datagram, OperationOptions, UdpSocket } from "./types.ts";

/** Datagrams that wait may take this much (bytes). */
const DEFAULT_DATAGRAM_QUEUE_LIMIT = 16 * 1024 * 1024;

/**
 * Binds a UDP port. Runs on `Deno.listenDatagram` where the runtime offers it (`--unstable-net`), on
 * `node:dgram` elsewhere, with the same behaviour but for the speed, and for sends that the operating system
 * refuses: `node:dgram` does not say why, and the kind is `Other` where it cannot be told without.
 *
 * @param address Where to bind: a host of this machine, named always; port 0 lets the system choose. A
 * socket on `::` sends and receives over IPv4 as well.
 * @param options How to bind, and how many bytes of datagrams may wait.
 * @returns The socket. It keeps the process alive only while a receive is pending.
 *
 * Rejects with a {@linkcode SocketError} of kind `InvalidInput`, `PermissionDenied` (with `permission`),
 * `AddressInUse`, `AddressNotAvailable` (not an address of this machine), `HostNotFound`, or
 * `ResourceExhausted`. It cannot be cancelled.
 *
 * @example
 * ```ts
 * import { bindUdp, recvFrom, sendTo } from "jsr:@aivi/sockets";
 *
 * await using receiver = await bindUdp({ host: "127.0.0.1", port: 0 });
 * await using sender = await bindUdp({ host: "127.0.0.1", port: 0 });
 * await sendTo(sender, receiver.address, new TextEncoder().encode("hello"));
 * const { from, bytes } = await recvFrom(receiver);
 * console.log(from, new TextDecoder().decode(bytes));
 * ```
 */
export async function bindUdp(address: Address, options?: BindUdpOptions): Promise<UdpSocket> {
  const operation = "bindUdp";
  const where = checkAddress(operation, address, 0);
  const { reuseAddress, limit } = readArguments(operation, () => {
    const { reuseAddress, sendQueueLimit } = checkOptions(operation, options);
    return {
      reuseAddress: checkBoolean(operation, "reuseAddress", reuseAddress, false),
      limit: checkLimit(operation, "sendQueueLimit", sendQueueLimit, DEFAULT_DATAGRAM_QUEUE_LIMIT),
    };
  });
  try {
    return new BoundUdpSocket(
      hasUnstableNet()
        ? new DenoDatagrams(where, { reuseAddress })
        : await NodeDatagrams.bind(where, { reuseAddress }),
      limit,
    );
  } catch (error) {
    throw toSocketError(error, operation, { address: where });
  }
}

/**
 * Sends one datagram. Whether it arrives, nobody says: a port where nobody listens is no error. Datagrams
 * to addresses leave in the order of their calls, and so do those to one name.
 *
 * @param socket From where.
 * @param address Where to: a host and a port from 1 to 65535. A name is resolved on every call, to
 * an address that the socket can send to; calls that come during a lookup of their name share its answer. A name
 * that resolves slowly delays its own datagrams only.
 * @param bytes The payload: up to 65,507 bytes over IPv4, 65,527 over IPv6; none is a datagram, too.
 * Without `signal` and `timeout` it must stay unchanged until the call settles.
 * @param options When to give up: `signal`, and `timeout` in milliseconds.
 * @returns When the operating system has taken it.
 *
 * Rejects with a {@linkcode SocketError} of kind `InvalidInput` (also for an IPv6 address from an IPv4 socket
 * and the other way round, and for bytes whose buffer is transferred or resized before they are sent),
 * `Closed`, `TooLarge`, `PermissionDenied` (with `permission`), `HostNotFound`, `Unreachable`,
 * `ResourceExhausted`, `QueueFull` (what waits would pass `sendQueueLimit`; nothing of this call was sent),
 * `Aborted`, or `TimedOut`. None of them ends the socket. A call that is cancelled while it waits, for those before
 * it or for its name, has sent nothing. Once the runtime has the datagram, it may leave all the same.
 *
 * @example
 * ```ts
 * import { bindUdp, sendTo } from "jsr:@aivi/sockets";
 *
 * await using socket = await bindUdp({ host: "127.0.0.1", port: 0 });
 * await sendTo(socket, socket.address, new Uint8Array([1, 2, 3]));
 * ```
 */
export function sendTo(
  socket: UdpSocket,
  address: Address,
  bytes: Uint8Array,
  options?: OperationOptions,
): Promise<void> {
  return BoundUdpSocket.is(socket)
    ? socket.sendTo(address, bytes, options)
    : Promise.reject(notAUdpSocket("sendTo"));
}

/**
 * Receives the next datagram, whole, in the order they arrived. Concurrent calls are served in the order
 * they were made.
 *
 * @param socket Where to receive.
 * @param options When to give up: `signal`, and `timeout` in milliseconds.
 * @returns The datagram, and who sent it. Its bytes are the caller's own.
 *
 * Rejects with a {@linkcode SocketError} of kind `InvalidInput`, `Closed`, `Aborted`, or `TimedOut`. Errors that
 * belong to one datagram are passed over. A cancelled call loses nothing: the datagram that comes then
 * goes to the next one.
 *
 * @example
 * ```ts
 * import { bindUdp, recvFrom } from "jsr:@aivi/sockets";
 *
 * await using socket = await bindUdp({ host: "127.0.0.1", port: 0 });
 * await recvFrom(socket, { timeout: 10 }).catch((error) => console.log(error.kind)); // TimedOut
 * ```
 */
export function recvFrom(
  socket: UdpSocket,
  options?: OperationOptions,
): Promise<Datagram> {
  return BoundUdpSocket.is(socket)
    ? socket.recvFrom(options)
    : Promise.reject(notAUdpSocket("recvFrom"));
}

/**
 * Closes a UDP socket. Pending receives reject `Closed`, an iteration ends without an error. Datagrams that were
 * accepted before leave first, for which it waits at most a second; those that are left then reject `Closed`, which
 * nobody needs to handle. Closing again is fine.
 *
 * @param socket What to close.
 * @returns When the port is free again.
 *
 * Rejects with a {@linkcode SocketError} of kind `InvalidInput` only. It cannot be cancelled.
 *
 * @example
 * ```ts
 * import { bindUdp, closeUdp, recvFrom, sendTo } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * await using receiver = await bindUdp({ host: "127.0.0.1", port: 0 });
 * const sender = await bindUdp({ host: "127.0.0.1", port: 0 });
 * void sendTo(sender, receiver.address, new Uint8Array([1]));
 * void sendTo(sender, receiver.address, new Uint8Array([2]));
 * await closeUdp(sender);
 * assertEquals((await recvFrom(receiver)).bytes, new Uint8Array([1]));
 * assertEquals((await recvFrom(receiver)).bytes, new Uint8Array([2]));
 * ```
 */
export function closeUdp(socket: UdpSocket): Promise<void> {
  return BoundUdpSocket.is(socket) ? socket.close() : Promise.reject(notAUdpSocket("closeUdp"));
}
