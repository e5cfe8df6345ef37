import type { RemoteInfo, Socket } from "node:dgram";
import { ipFamily, isMapped, withoutZone } from "../core/ip_address.ts";
import { SocketError } from "../errors.ts";
import { toAddress, withZoneOf } from "../core/address_check.ts";
import { afterTurn, turnDue } from "../core/event_loop_turn.ts";
import { refTimer, unrefTimer } from "../core/timer.ts";
import type { Address, Datagram } from "../types.ts";
import type { DatagramSettings, DatagramSocket, JoinedGroup, MulticastGroup } from "./backend.ts";
import { checkIPv6Only, multicastTtlFor, ttlFor } from "./datagram_settings.ts";
import { noInterface } from "./multicast_errors.ts";
import { interfaceOption, joinWithNode } from "./node_groups.ts";
import { checkZone, explainNodeFailure } from "./node_errors.ts";
import { checkPermission } from "./node_permissions.ts";
import { grantFor, isGranted, missingPermission, onDeno } from "./permissions.ts";
import { explainSendFailure, resolveName } from "./datagram_support.ts";

/** Bytes of datagrams that are kept: `node:dgram` delivers every datagram, asked for or not. */
const RECEIVE_QUEUE_LIMIT_BYTES = 2 * 1024 * 1024;
/** Bytes that a queued datagram counts beside its payload, so that empty ones are bounded as well. */
const QUEUED_OVERHEAD_BYTES = 128;

/** Attempts to send one datagram while the system reports what became of earlier ones. */
const MOST_SEND_ATTEMPTS = 8;

/** The longest interval that a timer of the runtime takes. */
const LONGEST_INTERVAL_MS = 2 ** 31 - 1;

/** A UDP socket on `node:dgram`, which needs no unstable flag. */
export class NodeDatagrams implements DatagramSocket<Datagram> {
  readonly address: Address;
  dropped = 0;
  readonly #socket: Socket;
  readonly #queue: Datagram[] = [];
  /** Leading slots of the queue that are used up. */
  #taken = 0;
  #queuedBytes = 0;
  #waiting: PromiseWithResolvers<Datagram> | undefined;
  #referenced = true;
  /** True for a socket of IPv6 that also reaches IPv4, whose targets have to be written as IPv6 on Node and Bun. */
  readonly #mapsIPv4: boolean;
  /**
   * Keeps the process alive while a receive is pending, since `ref()` of a bound socket has no effect. One timer lasts
   * as long as the socket: the sanitizers of tests then see it begin and end with the socket. To hold and release it
   * takes 45 ns; to start and stop a timer takes 1,400 ns.
   */
  readonly #hold = setInterval(() => {}, LONGEST_INTERVAL_MS);

  static async bind(address: Address, settings: DatagramSettings): Promise<NodeDatagrams> {
    if (!onDeno) checkPermission("bindUdp", address);
    const host = await resolveName("bindUdp", address);
    checkIPv6Only({ host, port: address.port }, settings);
    const grant = grantFor({ host, port: address.port });
    // The runtime's bind throws past every handler if the permission is missing.
    if (!isGranted(grant)) {
      throw missingPermission(grant, "bindUdp", { host, port: address.port });
    }
    const { createSocket } = await import("node:dgram");
    const socket = createSocket({
      type: ipFamily(host) === 6 ? "udp6" : "udp4",
      reuseAddr: settings.reuseAddress,
      ipv6Only: settings.ipv6Only,
    });
    // The socket reads all the time and would keep the process alive. After the bind, `unref` has no effect.
    socket.unref();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once("error", reject);
    socket.bind({ address: host, port: address.port, exclusive: true }, resolve);
    try {
      await promise;
      // Deno.listenDatagram does so too. Without it the system refuses to send to a broadcast address.
      socket.setBroadcast(true);
      applySettings(socket, { host, port: address.port }, settings);
    } catch (error) {
      // The port is free when this call rejects.
      await new Promise<void>((resolve) => socket.close(() => resolve()));
      if (isUnknownZone(error, host)) throw noSuchZone(address, error);
      throw explainNodeFailure(error, "bindUdp", address);
    }
    socket.removeListener("error", reject);
    return new NodeDatagrams(socket, host);
  }

  private constructor(socket: Socket, host: string) {
    this.#socket = socket;
    unrefTimer(this.#hold);
    const { address, port } = socket.address();
    this.address = withZoneOf(host, toAddress(address, port));
    this.#mapsIPv4 = address === "::" || isMapped(address);
    socket.on("message", this.#onMessage);
    // These are errors of single datagrams, which must not end the socket.
    socket.on("error", () => {});
  }

  receive(): Promise<Datagram> {
    if (this.#taken < this.#queue.length) return Promise.resolve(this.#dequeue());
    this.#waiting = Promise.withResolvers<Datagram>();
    if (this.#referenced) refTimer(this.#hold);
    return this.#waiting.promise;
  }

  toDatagram(received: Datagram): Datagram {
    return received;
  }

  async resolve(to: Address): Promise<Address> {
    return toAddress(await resolveName("sendTo", to, this.address.host), to.port);
  }

  // deno-lint-ignore require-await -- async so that what node:dgram throws rejects
  async join(group: MulticastGroup, others: Iterable<MulticastGroup>): Promise<JoinedGroup> {
    return joinWithNode(this.#socket, this.address, group, others);
  }

  setReferenced(on: boolean): void {
    this.#referenced = on;
    if (on && this.#waiting !== undefined) refTimer(this.#hold);
    else unrefTimer(this.#hold);
  }

  send(bytes: Uint8Array, to: Address): Promise<void> {
    // The runtime reads the bytes a tick later. If their buffer was transferred meanwhile, it throws past every handler.
    const own = new Uint8Array(bytes);
    return new Promise((resolve, reject) => {
      // Deno's own refuses it, and its list of interfaces needs a permission.
      if (!onDeno && to.host.includes("%")) checkZone("sendTo", to);
      // On Node a send that the system takes at once calls back before the event loop turns: a program that awaits one
      // after the other would keep timers and other sockets waiting for ever.
      if (!turnDue()) return this.#attempt(own, to, MOST_SEND_ATTEMPTS, resolve, reject);
      afterTurn({ onTurn: () => this.#attempt(own, to, MOST_SEND_ATTEMPTS, resolve, reject) });
    });
  }

  /** Hands a datagram to the runtime, at most `attempts` times. */
  #attempt(
    bytes: Uint8Array,
    to: Address,
    attempts: number,
    resolve: () => void,
    reject: (error: unknown) => void,
  ): void {
    const { host, port } = to;
    const target = this.#mapsIPv4 && ipFamily(host) === 4 ? `::ffff:${host}` : host;
    try {
      this.#socket.send(bytes, port, target, (error) => {
        if (!error) return resolve();
        // On Bun a send reports that nobody listens at the target of an earlier one, and sends nothing.
        const { code } = error as { code?: string };
        if (code !== "ECONNREFUSED" || attempts === 1) return reject(error);
        this.#attempt(bytes, to, attempts - 1, resolve, reject);
      });
    } catch (error) {
      reject(error);
    }
  }

  explainSendFailure(error: unknown, to: Address): unknown {
    return explainNodeFailure(explainSendFailure(error, this.address, to), "sendTo", to);
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
    clearInterval(this.#hold);
    this.#waiting?.reject(new Error("closed"));
  }

  readonly #onMessage = (message: Uint8Array, { address, port }: RemoteInfo): void => {
    const cost = message.length + QUEUED_OVERHEAD_BYTES;
    if (this.#waiting === undefined && this.#queuedBytes + cost > RECEIVE_QUEUE_LIMIT_BYTES) {
      this.dropped += 1;
      return;
    }
    // A copy, since the runtime's buffer takes 64 KiB for each datagram, however small.
    const datagram: Datagram = { from: toAddress(address, port), bytes: new Uint8Array(message) };
    if (this.#waiting !== undefined) {
      this.#waiting.resolve(datagram);
      this.#waiting = undefined;
      if (this.#referenced) unrefTimer(this.#hold);
    } else {
      this.#queue.push(datagram);
      this.#queuedBytes += cost;
    }
  };

  #dequeue(): Datagram {
    const datagram = this.#queue[this.#taken];
    this.#taken += 1;
    this.#queuedBytes -= datagram.bytes.length + QUEUED_OVERHEAD_BYTES;
    // Compact the array once half of its slots are empty: a shift for each datagram would move the whole array.
    if (this.#taken * 2 >= this.#queue.length) {
      this.#queue.splice(0, this.#taken);
      this.#taken = 0;
    }
    return datagram;
  }
}

/** Applies the settings that a bound socket takes. */
function applySettings(socket: Socket, bound: Address, settings: DatagramSettings): void {
  const { multicastInterface, multicastLoopback } = settings;
  const multicastTtl = multicastTtlFor(bound, settings);
  const ttl = ttlFor(bound, settings);
  if (multicastTtl !== undefined) socket.setMulticastTTL(multicastTtl);
  if (ttl !== undefined) socket.setTTL(ttl);
  if (!multicastLoopback) socket.setMulticastLoopback(false);
  if (multicastInterface === undefined) return;
  const user = { operation: "bindUdp", address: bound };
  const at = interfaceOption(multicastInterface, ipFamily(bound.host) === 6 ? 6 : 4, user)!;
  try {
    socket.setMulticastInterface(at);
  } catch (cause) {
    throw noInterface(multicastInterface, user, cause);
  }
}

/** `node:dgram` gives no code if it cannot read the address; a bind that the system refuses has one. */
function isUnknownZone(error: unknown, host: string): boolean {
  return (error as { code?: string }).code === "UNKNOWN" && withoutZone(host) !== host;
}

/** Makes the error that `Deno.listenDatagram` leads to for a zone that does not exist. */
function noSuchZone(address: Address, cause: unknown): SocketError {
  return new SocketError("HostNotFound", "bindUdp", "host not found", { address, cause });
}
