import type { RemoteInfo, Socket } from "node:dgram";
import { formatAddress, ipFamily, toAddress } from "../address.ts";
import { SocketError } from "../errors.ts";
import type { Address, BindUdpOptions, Datagram } from "../types.ts";
import type { DatagramBackend } from "./datagram_backend.ts";
import { missingPermission, netPermission } from "./error_mapping.ts";
import { resolveName } from "./name_lookup.ts";

/** `node:dgram` hands over what comes, asked for or not: so much of it is kept. */
const QUEUE_LIMIT = 2 * 1024 * 1024;
/** What a queued datagram costs beside its payload, so that empty ones are bounded as well. */
const OVERHEAD = 128;

/** UDP on `node:dgram`, which needs no unstable flag. */
export class NodeDatagrams implements DatagramBackend<Datagram> {
  readonly address: Address;
  dropped = 0;
  readonly #socket: Socket;
  readonly #queue: Datagram[] = [];
  #taken = 0;
  #queued = 0;
  #waiting: PromiseWithResolvers<Datagram> | undefined;

  static async bind(address: Address, options: BindUdpOptions): Promise<NodeDatagrams> {
    const host = await resolveName("bindUdp", address, undefined);
    // The runtime's bind throws past every handler where the permission is missing.
    requirePermission("bindUdp", { host, port: address.port });
    const { createSocket } = await import("node:dgram");
    const socket = createSocket({
      type: ipFamily(host) === 6 ? "udp6" : "udp4",
      reuseAddr: options.reuseAddress ?? false,
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once("error", reject);
    socket.bind({ address: host, port: address.port, exclusive: true }, resolve);
    try {
      await promise;
      // As Deno.listenDatagram does; without it the system refuses to send to a broadcast address.
      socket.setBroadcast(true);
    } catch (error) {
      socket.close();
      throw error;
    }
    socket.removeListener("error", reject);
    return new NodeDatagrams(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    const { address, port } = socket.address();
    this.address = toAddress(address, port);
    socket.on("message", this.#onMessage);
    // Errors of single datagrams; they must not end the socket.
    socket.on("error", () => {});
  }

  receive(): Promise<Datagram> {
    if (this.#taken < this.#queue.length) return Promise.resolve(this.#dequeue());
    this.#waiting = Promise.withResolvers<Datagram>();
    return this.#waiting.promise;
  }

  toDatagram(received: Datagram): Datagram {
    return received;
  }

  async send(bytes: Uint8Array, to: Address): Promise<void> {
    // The runtime reads them a tick later, even for an address, and where the buffer was transferred
    // meanwhile it throws past every handler.
    const own = new Uint8Array(bytes);
    const host = await resolveName("sendTo", to, this.address.host);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#socket.send(own, to.port, host, (error) => error === null ? resolve() : reject(error));
    try {
      await promise;
    } catch (error) {
      // For a missing permission the runtime says "UNKNOWN".
      requirePermission("sendTo", { host, port: to.port }, error);
      throw (error as { code?: string }).code === "UNKNOWN"
        ? this.#refused(host, to, error)
        : error;
    }
  }

  /** The runtime has dropped the system's code: what can be told without it. */
  #refused(host: string, address: Address, cause: unknown): SocketError {
    const own = this.address.host;
    // Linux says EINVAL, or ENETUNREACH where the machine has no route.
    if (isLoopbackIPv4(own) && !isLoopbackIPv4(host)) {
      const reason = `the socket is bound to ${own}, which cannot send to other machines`;
      return new SocketError("InvalidInput", "sendTo", reason, { address, cause });
    }
    const reason = "the operating system refused it, and node:dgram does not say why";
    return new SocketError("Other", "sendTo", reason, { address, cause });
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
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

function requirePermission(operation: string, address: Address, cause?: unknown): void {
  const host = formatAddress(address);
  if (netPermission(host) === "granted") return;
  throw missingPermission(host, operation, cause === undefined ? { address } : { address, cause });
}
