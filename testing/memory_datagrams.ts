import { toAddress } from "../core/address_check.ts";
import { ipFamily } from "../core/ip_address.ts";
import { SocketError } from "../errors.ts";
import type {
  DatagramSettings,
  DatagramSocket,
  JoinedGroup,
  MulticastGroup,
} from "../runtime/backend.ts";
import type { Address, Datagram } from "../types.ts";
import { isLoopback, isUnspecified } from "./host_addresses.ts";
import { explainEinval, failed, never, SystemError } from "./system_errors.ts";
import type { Host } from "./world.ts";

/** Bytes that wait in a socket of Linux by default (net.core.rmem_default), each datagram with its record. */
const RECEIVE_QUEUE_LIMIT_BYTES = 212_992;
const QUEUED_OVERHEAD_BYTES = 768;
const HEADER_BYTES = 28;

/** A bound UDP port of a host in memory. */
export class MemoryDatagrams implements DatagramSocket<Datagram> {
  readonly address: Address;
  readonly settings: DatagramSettings;
  /** Always 0: the kernel does not say what it drops. The trace does. */
  readonly dropped = 0;
  readonly #host: Host;
  readonly #queue: Datagram[] = [];
  #queuedBytes = 0;
  #pending: PromiseWithResolvers<Datagram> | undefined;
  /** Times at which the last datagram to each host arrives: those that are not reordered keep their order. */
  readonly #lastArrivals = new Map<Host, number>();
  readonly #onRelease: (socket: MemoryDatagrams) => void;
  #closed = false;
  #stopped = false;

  /** @param onRelease Called when the port is free. */
  constructor(
    host: Host,
    address: Address,
    settings: DatagramSettings,
    onRelease: (socket: MemoryDatagrams) => void,
  ) {
    this.#host = host;
    this.address = address;
    this.settings = settings;
    this.#onRelease = onRelease;
  }

  get waiting(): string[] {
    const { host, port } = this.address;
    return this.#pending === undefined
      ? []
      : [`a receive of ${this.#host.name}:${port} (UDP on ${host})`];
  }

  receive(): Promise<Datagram> {
    if (this.#closed) return failed("EBADF");
    const first = this.#stopped ? undefined : this.#queue.shift();
    if (first !== undefined) {
      this.#queuedBytes -= first.bytes.length + QUEUED_OVERHEAD_BYTES;
      return Promise.resolve(first);
    }
    this.#pending = Promise.withResolvers<Datagram>();
    return this.#pending.promise;
  }

  toDatagram(received: Datagram): Datagram {
    return received;
  }

  send(bytes: Uint8Array, to: Address): Promise<void> {
    if (this.#stopped) return never();
    const { world } = this.#host;
    const target = world.findHost(to.host, this.#host);
    const isOwn = target === this.#host;
    if (isLoopback(this.address.host) && !isOwn) return failed("EINVAL");
    if (target === undefined) return failed("ENETUNREACH");
    const from = toAddress(this.#sourceOf(to.host), this.address.port);
    const copy = new Uint8Array(bytes);
    const labels = [`${this.#host.name}:${from.port}`, `${target.name}:${to.port}`] as const;
    const last = this.#lastArrivals.get(target) ?? 0;
    const size = copy.length + HEADER_BYTES;
    const arrival = world.wire(this.#host, target).sendDatagram(size, last, () => {
      world.trace.addBytes(...labels, "datagram", copy);
      target.deliver(to, { from, bytes: new Uint8Array(copy) });
    });
    this.#lastArrivals.set(target, arrival);
    return this.#nextTurn();
  }

  /** Says why a datagram could not be sent, in the words of the other backends. */
  explainSendFailure(error: unknown, to: Address): unknown {
    return explainEinval(error, this.address.host, to);
  }

  async resolve(to: Address): Promise<Address> {
    const own = ipFamily(this.address.host);
    const addresses = await this.#host.world.resolve(to.host);
    const usable = addresses.find((host) => ipFamily(host) === own || this.address.host === "::");
    if (usable === undefined) throw new SystemError("ENOTFOUND");
    return toAddress(usable, to.port);
  }

  join(group: MulticastGroup): Promise<JoinedGroup> {
    const reason = "a network in memory has no multicast groups";
    const address = { host: group.host, port: this.address.port };
    return Promise.reject(new SocketError("Unsupported", "joinMulticast", reason, { address }));
  }

  setReferenced(): void {
    // Nothing in memory keeps a process alive.
  }

  /** Takes a datagram that has arrived. One that does not fit is dropped, as the kernel does it. */
  add(datagram: Datagram): void {
    const pending = this.#pending;
    if (pending !== undefined && !this.#stopped) {
      this.#pending = undefined;
      return pending.resolve(datagram);
    }
    const cost = datagram.bytes.length + QUEUED_OVERHEAD_BYTES;
    if (this.#queuedBytes + cost > RECEIVE_QUEUE_LIMIT_BYTES) {
      this.#host.world.trace.note(`${this.#host.name}:${this.address.port} queue full, dropped`);
      return;
    }
    this.#queue.push(datagram);
    this.#queuedBytes += cost;
  }

  close(): Promise<void> {
    this.#closed = true;
    if (!this.#stopped) this.#onRelease(this);
    this.#pending?.reject(new SystemError("EINTR"));
    this.#pending = undefined;
    return this.#nextTurn();
  }

  /** Resolves as the runtime's own functions do: never before everything else that can run has run. */
  #nextTurn(): Promise<void> {
    const { clock } = this.#host.world;
    return new Promise((resolve) => clock.schedule(clock.now(), resolve));
  }

  /** Ends it as the kernel does for a program that was killed. A receive that waits stays so until `close`. */
  stop(): void {
    if (this.#stopped || this.#closed) return;
    this.#stopped = true;
    this.#onRelease(this);
  }

  /** Returns the sender's address for a target, if the socket is bound to all addresses. */
  #sourceOf(target: string): string {
    const { host } = this.address;
    return isUnspecified(host) ? this.#host.sourceFor(target) : host;
  }
}
