/**
 * UDP: datagram-oriented, with neither delivery nor order guaranteed.
 *
 * The error kinds that the functions reject with are explained in `docs/errors.md`.
 *
 * @module
 */

import { platform } from "./runtime/platform.ts";
import { openUdpSocket } from "./udp/open.ts";
import { BoundUdpSocket, notAUdpSocket } from "./udp/udp_socket.ts";
import type {
  Address,
  BindUdpOptions,
  Datagram,
  JoinMulticastOptions,
  Membership,
  OperationOptions,
  UdpSocket,
} from "./types.ts";

/**
 * Binds a UDP port. It uses `Deno.listenDatagram` if the runtime offers it (`--unstable-net`), else `node:dgram`. Both
 * behave the same, but `node:dgram` is slower and does not say why the system refused a send: the kind is then `Other`
 * if nothing else gives the reason.
 *
 * @param address A host of this machine and a port; port 0 lets the system choose. A socket on `::` sends and receives
 * over IPv4 as well.
 * @param options How to bind, and the limit of the datagrams that wait.
 * @returns The socket. It keeps the process alive only while a receive is pending.
 *
 * Rejects with a {@linkcode SocketError}: `InvalidInput`, `PermissionDenied` (with `permission`), `AddressInUse`,
 * `AddressNotAvailable` (not an address or interface of this machine), `HostNotFound`, `ResourceExhausted`, or
 * `Unsupported` (an option that the runtime cannot honour; the message names the setting that would do it). It cannot
 * be cancelled.
 *
 * @example
 * ```ts
 * import { bindUdp, recvFrom, sendTo } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * await using receiver = await bindUdp({ host: "127.0.0.1", port: 0 });
 * await using sender = await bindUdp({ host: "127.0.0.1", port: 0 });
 * await sendTo(sender, receiver.address, new TextEncoder().encode("hello"));
 * const { from, bytes } = await recvFrom(receiver);
 * assertEquals(from, sender.address);
 * assertEquals(new TextDecoder().decode(bytes), "hello");
 * ```
 */
export function bindUdp(address: Address, options?: BindUdpOptions): Promise<UdpSocket> {
  return openUdpSocket(platform, address, options);
}

/**
 * Sends one datagram. Nothing says if it arrives: a port where nobody listens is no error. Datagrams to addresses leave
 * in the order of their calls, and so do those to one name.
 *
 * @param socket The socket to send from.
 * @param address A host and a port from 1 to 65535. A name is resolved on every call, to an address that the socket can
 * send to; calls that come during a lookup of their name share its answer. A name that resolves slowly delays only its
 * own datagrams.
 * @param bytes The payload: at most 65,507 bytes over IPv4, 65,527 over IPv6. An empty one is a datagram, too. Without
 * `signal` and `timeout` it must stay unchanged until the call settles.
 * @param options `signal`, and `timeout` in milliseconds.
 * @returns Resolves when the operating system has taken it.
 *
 * Rejects with a {@linkcode SocketError}: `InvalidInput` (also for an address that the socket cannot send to, and for a
 * buffer that is transferred or resized before it is sent), `Closed`, `TooLarge`, `PermissionDenied` (with
 * `permission`), `HostNotFound`, `Unreachable`, `ResourceExhausted`, `QueueFull` (the waiting datagrams would pass
 * `sendQueueLimit`; nothing of this call was sent), `Aborted`, or `TimedOut`. None of them ends the socket. A call that
 * is cancelled while it waits has sent nothing; after the runtime has the datagram, it may leave all the same.
 *
 * @example
 * ```ts
 * import { bindUdp, recvFrom, sendTo } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * await using socket = await bindUdp({ host: "127.0.0.1", port: 0 });
 * await sendTo(socket, socket.address, new Uint8Array([1, 2, 3]));
 * assertEquals((await recvFrom(socket)).bytes, new Uint8Array([1, 2, 3]));
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
 * Receives the next datagram, whole. Datagrams come in the order they arrived, and concurrent calls are served in the
 * order they were made.
 *
 * @param socket The socket to receive on.
 * @param options `signal`, and `timeout` in milliseconds.
 * @returns The datagram with its sender's address. Its bytes are the caller's own.
 *
 * Rejects with a {@linkcode SocketError}: `InvalidInput`, `Closed`, `Aborted`, or `TimedOut`. It passes over errors that
 * belong to one datagram. A cancelled call loses nothing: the datagram that comes then goes to the next call.
 *
 * @example A timeout loses nothing
 * ```ts
 * import { bindUdp, recvFrom, sendTo, SocketError } from "jsr:@aivi/sockets";
 * import { assertEquals, assertRejects } from "jsr:@std/assert";
 *
 * await using socket = await bindUdp({ host: "127.0.0.1", port: 0 });
 * await assertRejects(() => recvFrom(socket, { timeout: 10 }), SocketError, "timed out");
 * await sendTo(socket, socket.address, new Uint8Array([1]));
 * assertEquals((await recvFrom(socket)).bytes, new Uint8Array([1]));
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
 * Joins a multicast group: the socket then receives the datagrams that anybody sends to the group and the socket's port.
 *
 * Bind the socket to `0.0.0.0` (or to `::` for an IPv6 group), since Linux gives datagrams to a group only to such a
 * socket, or to one that is bound to the group's own address. Set `reuseAddress` if other programs use the same port.
 * Linux also gives such a socket the datagrams to groups that other sockets of the machine have joined on this port.
 * To send to a group, a socket needs no membership.
 *
 * @param socket The socket that receives.
 * @param group The group's address: one of 224.0.0.0 to 239.255.255.255, or of `ff00::/8`.
 * @param options The interface to receive on, and the only sender to receive from.
 * @returns The membership, which leaves the group. It ends with the socket, too.
 *
 * Rejects with a {@linkcode SocketError}: `InvalidInput` (also for a group that the socket's family cannot receive
 * from), `Closed`, `AddressInUse` (the socket has joined it already), `AddressNotAvailable` (no such interface, or no
 * route to the group), `PermissionDenied` (a named interface needs `--allow-sys=networkInterfaces`),
 * `ResourceExhausted` (Linux allows a socket 20 IPv4 groups: `net.ipv4.igmp_max_memberships`), or `Unsupported`, which
 * names the setting that would do it. It cannot be cancelled.
 *
 * @example
 * ```ts
 * import { bindUdp, joinMulticast, recvFrom, sendTo } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * await using socket = await bindUdp({ host: "0.0.0.0", port: 0 });
 * await using membership = await joinMulticast(socket, "239.255.7.7", { interface: "127.0.0.1" });
 * // A socket that is bound to an address sends by its interface.
 * await using sender = await bindUdp({ host: "127.0.0.1", port: 0 });
 * const to = { host: membership.group, port: socket.address.port };
 * await sendTo(sender, to, new TextEncoder().encode("hello, all"));
 * const { bytes } = await recvFrom(socket, { timeout: 5000 });
 * assertEquals(new TextDecoder().decode(bytes), "hello, all");
 * ```
 */
export function joinMulticast(
  socket: UdpSocket,
  group: string,
  options?: JoinMulticastOptions,
): Promise<Membership> {
  return BoundUdpSocket.is(socket)
    ? socket.joinMulticast(group, options)
    : Promise.reject(notAUdpSocket("joinMulticast"));
}

/**
 * Closes a UDP socket. Pending receives reject `Closed`, and an iteration ends without an error. Datagrams that were
 * accepted before have a second to leave; those that are left then reject `Closed`, which needs no handler.
 *
 * @param socket The socket to close; closing it again does nothing.
 * @returns Resolves when the port is free again.
 *
 * Rejects only with a {@linkcode SocketError} of kind `InvalidInput`. It cannot be cancelled.
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
