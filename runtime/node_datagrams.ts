import type { RemoteInfo, Socket } from "node:dgram";
import { ipFamily, withoutZone } from "../core/ip_address.ts";
import { SocketError } from "../errors.ts";
import type { Address, BindUdpOptions, Datagram } from "../types.ts";
import type { DatagramBackend } from "./datagram_backend.ts";
import { grantFor, missingPermission, netPermission } from "../core/error_mapping.ts";
import { toAddress, withZoneOf } from "../core/address_check.ts";
import { resolveName } from "./name_lookup.ts";

/** `node:dgram` hands over what comes, asked for or not: so much of it is kept. */
const QUEUE_LIMIT = 2 * 1024 * 1024;
/** What a queued datagram costs beside its payload, so that empty ones are bounded as well. */
const OVERHEAD = 128;

/** The longest interval that a timer of the runtime takes (ms). */
const LONGEST_INTERVAL = 2 ** 31 - 1;

/** UDP on `node:dgram`, which needs no unstable flag. */
export class NodeDatagrams implements DatagramBackend<Datagram> {
  readonly address: Address;
  dropped = 0;
  readonly #socket: Socket;
  readonly #queue: Datagram[] = [];
  #taken = 0;
  #queued = 0;
  #waiting: PromiseWithResolvers<Datagram> | undefined;
  #referenced = true;
  /**
   * Keeps the process alive while a receive is pending, since `ref()` of a bound socket has no effect. It is one timer
   * for the life of the socket: the sanitizers of tests then see it begin and end with the socket, and to hold
   * and release it takes 45 ns, to start and stop one 1,400.
   */
  readonly #hold = setInterval(() => {}, LONGEST_INTERVAL);

  static async bind(address: Address, options: BindUdpOptions): Promise<NodeDatagrams> {
    const host = await resolveName("bindUdp", address, undefined);
    // The runtime's bind throws past every handler where the permission is missing.
    requirePermission("bindUdp", { host, port: address.port });
    const { createSocket } = await import("node:dgram");
    const socket = createSocket({
      type: ipFamily(host) === 6 ? "udp6" : "udp4",
      reuseAddr: options.reuseAddress ?? false,
    });
    // It reads all the time and would keep the process alive. After the bind this has no effect.
    socket.unref();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once("error", reject);
    socket.bind({ address: host, port: address.port, exclusive: true }, resolve);
    try {
      await promise;
      // As Deno.listenDatagram does; without it the system refuses to send to a broadcast address.
      socket.setBroadcast(true);
    } catch (error) {
      socket.close();
      throw isUnknownZone(error, host) ? noSuchZone(address, error) : error;
    }
    socket.removeListener("error", reject);
    return new NodeDatagrams(socket, host);
  }

  private constructor(socket: Socket, host: string) {
    this.#socket = socket;
    Deno.unrefTimer(this.#hold);
    const { address, port } = socket.address();
    this.address = withZoneOf(host, toAddress(address, port));
    socket.on("message", this.#onMessage);
    // Errors of single datagrams; they must not end the socket.
    socket.on("error", () => {});
  }

  receive(): Promise<Datagram> {
    if (this.#taken < this.#queue.length) return Promise.resolve(this.#dequeue());
    this.#waiting = Promise.withResolvers<Datagram>();
    if (this.#referenced) Deno.refTimer(this.#hold);
    return this.#waiting.promise;
  }

  toDatagram(received: Datagram): Datagram {
    return received;
  }

  async resolve(to: Address): Promise<Address> {
    return toAddress(await resolveName("sendTo", to, this.address.host), to.port);
  }

  setReferenced(on: boolean): void {
    this.#referenced = on;
    if (on && this.#waiting !== undefined) Deno.refTimer(this.#hold);
    else Deno.unrefTimer(this.#hold);
  }

  async send(bytes: Uint8Array, to: Address): Promise<void> {
    // The runtime reads them a tick later, and where the buffer was transferred meanwhile it throws past every
    // handler.
    const own = new Uint8Array(bytes);
    const { host, port } = to;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#socket.send(own, port, host, (error) => error === null ? resolve() : reject(error));
    try {
      await promise;
    } catch (error) {
      // For a missing permission the runtime says "UNKNOWN".
      requirePermission("sendTo", to, error);
      throw (error as { code?: string }).code === "UNKNOWN" ? this.#refused(to, error) : error;
    }
  }

  /** The runtime has dropped the system's code: what can be told without it. */
  #refused(address: Address, cause: unknown): SocketError {
    const { host } = address;
    const own = this.address.host;
    // Linux says EINVAL, or ENETUNREACH where the machine has no route.
    if (isLoopbackIPv4(own) && !isLoopbackIPv4(host)) {
      const reason = `the socket is bound to ${own}, which cannot send to other machines`;
      return new SocketError("InvalidInput", "sendTo", reason, { address, cause });
    }
    const zone = withoutZone(host) === host ? "" : ", or there is no such zone";
    const reason = `the operating system refused it${zone}, and node:dgram does not say why`;
    return new SocketError("Other", "sendTo", reason, { address, cause });
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
    clearInterval(this.#hold);
    this.#waiting?.reject(new Error("closed"));
  }

  readonly #onMessage = (message: Uint8Array, { address, port }: RemoteInfo): void => {
    const cost = message.length + OVERHEAD;
    if (this.#waiting === undefined && this.#queued + cost > QUEUE_LIMIT) {
      this.dropped += 1;
      return;
    }
    // The runtime's buffer has 64 KiB for each datagram, however small.
    const datagram: Datagram = { from: toAddress(address, port), bytes: new Uint8Array(message) };
    if (this.#waiting !== undefined) {
      this.#waiting.resolve(datagram);
      this.#waiting = undefined;
      if (this.#referenced) Deno.unrefTimer(this.#hold);
    } else {
      this.#queue.push(datagram);
      this.#queued += cost;
    }
  };

  #dequeue(): Datagram {
    const datagram = this.#queue[this.#taken];
    this.#taken += 1;
    this.#queued -= datagram.bytes.length + OVERHEAD;
    // Taking from the front one by one would move the whole array each time.
    if (this.#taken * 2 >= this.#queue.length) {
      this.#queue.splice(0, this.#taken);
      this.#taken = 0;
    }
    return datagram;
  }
}

function isLoopbackIPv4(host: string): boolean {
  return ipFamily(host) === 4 && host.startsWith("127.");
}

/** Only what it cannot read as an address gets no code; a bind that the system refuses has one. */
function isUnknownZone(error: unknown, host: string): boolean {
  return (error as { code?: string }).code === "UNKNOWN" && withoutZone(host) !== host;
}

/** As `Deno.listenDatagram` says it. */
function noSuchZone(address: Address, cause: unknown): SocketError {
  return new SocketError("HostNotFound", "bindUdp", "host not found", { address, cause });
}

function requirePermission(operation: string, address: Address, cause?: unknown): void {
  const host = grantFor(address);
  if (netPermission(host) === "granted") return;
  throw missingPermission(host, operation, cause === undefined ? { address } : { address, cause });
}
