import { ipFamily } from "../core/ip_address.ts";
import { toAddress } from "../core/address_check.ts";
import type {
  Backend,
  DatagramSettings,
  DatagramSocket,
  ListenSettings,
  TcpSettings,
} from "../runtime/backend.ts";
import { SocketError } from "../errors.ts";
import { openConnection } from "../tcp/connect.ts";
import { openListener } from "../tcp/listen.ts";
import type {
  Address,
  Datagram,
  Network,
  SocketAddress,
  Transport,
  TransportListener,
  UnixAddress,
} from "../types.ts";
import { openUdpSocket } from "../udp/open.ts";
import { type AcceptingHost, ConnectAttempt } from "./connect_attempt.ts";
import {
  addressesOf,
  isLoopback,
  isNeighbour,
  isUnspecified,
  loopbackLike,
  targetOf,
} from "./host_addresses.ts";
import { MemoryDatagrams } from "./memory_datagrams.ts";
import { MemoryListener } from "./memory_listener.ts";
import { MemoryStream } from "./memory_stream.ts";
import { PortTable } from "./port_table.ts";
import { SystemError } from "./system_errors.ts";
import type { World } from "./world.ts";

/** Time after which `connect` tries the next address of a name beside the others (RFC 8305, section 5) (ms). */
const NEXT_ADDRESS_MS = 250;
/** Time after which Linux gives up an address of its own network at which nobody answers (arp(7)) (ms). */
const NO_NEIGHBOUR_MS = 3000;

/** The network of a host, which knows the other hosts. */
export interface HostWorld extends World {
  findHost(address: string, from: MemoryHost): MemoryHost | undefined;
}

/** A machine in memory: a platform that opens sockets on its own addresses. */
export class MemoryHost implements Backend, AcceptingHost {
  readonly name: string;
  readonly world: HostWorld;
  readonly ipv4: string;
  readonly ipv6: string;
  /** Number of `freeze` calls that hold. */
  freezes = 0;
  /** The functions of a program on this host. */
  readonly network: Network;
  readonly #streams = new Set<MemoryStream>();
  readonly #attempts = new Set<ConnectAttempt>();
  readonly #listeners: PortTable<MemoryListener>;
  readonly #datagrams: PortTable<MemoryDatagrams>;
  /** Local ports of connections, each with the address that it is connected to. */
  readonly #tuples = new Set<string>();

  constructor(world: HostWorld, name: string, number: number) {
    this.world = world;
    this.name = name;
    const { ipv4, ipv6 } = addressesOf(number);
    this.ipv4 = ipv4;
    this.ipv6 = ipv6;
    this.#listeners = new PortTable(world.ports, ({ settings }) => settings.reusePort);
    this.#datagrams = new PortTable(world.ports, ({ settings }) => settings.reuseAddress);
    // An address of a kind gives handles whose addresses are of that kind.
    this.network = {
      listen:
        ((address: SocketAddress, options) => openListener(address, options, this)) as Network[
          "listen"
        ],
      connect:
        ((address: SocketAddress, options) => openConnection(this, address, options)) as Network[
          "connect"
        ],
      bindUdp: (address, options) => openUdpSocket(this, address, options),
    };
  }

  get frozen(): boolean {
    return this.freezes > 0;
  }

  get streams(): Iterable<MemoryStream> {
    return this.#streams;
  }

  /** Says which calls wait on this host. */
  *waiting(): Generator<string, void, void> {
    for (const attempt of this.#attempts) yield attempt.waiting;
    for (const listener of this.#listeners) yield* listener.waiting;
    for (const stream of this.#streams) yield* stream.waiting;
    for (const socket of this.#datagrams) yield* socket.waiting;
  }

  // The backend of the functions of a program.

  async listen(address: Address, settings: ListenSettings): Promise<TransportListener> {
    const own = await this.#ownAddress(address);
    const { host, port } = this.#listeners.claim(own, settings.reusePort);
    const listener = new MemoryListener(
      this.name,
      toAddress(host, port),
      settings,
      (one) => this.#listeners.remove(one),
    );
    this.#listeners.add(listener);
    return listener;
  }

  async connect(
    { host, port }: Address,
    settings: TcpSettings,
    signal?: AbortSignal,
  ): Promise<Transport> {
    const addresses = await this.world.resolve(host);
    if (addresses.length === 1) return this.#connect(addresses[0], port, settings, signal);
    return await this.#connectToAny(addresses, port, settings, signal);
  }

  listenUnix(address: UnixAddress): Promise<never> {
    return Promise.reject(noUnixSockets("listen", address));
  }

  connectUnix(address: UnixAddress): Promise<never> {
    return Promise.reject(noUnixSockets("connect", address));
  }

  async bindDatagrams(address: Address, settings: DatagramSettings): Promise<DatagramSocket> {
    checkSimulated(address, settings);
    const own = await this.#ownAddress(address);
    const { host, port } = this.#datagrams.claim(own, settings.reuseAddress);
    const socket = new MemoryDatagrams(
      this,
      toAddress(host, port),
      settings,
      (one) => this.#datagrams.remove(one),
    );
    this.#datagrams.add(socket);
    return socket;
  }

  async #ownAddress({ host, port }: Address): Promise<Address> {
    const addresses = await this.world.resolve(host);
    const own = addresses.find((address) => this.owns(address));
    if (own === undefined) throw new SystemError("EADDRNOTAVAIL");
    return { host: own, port };
  }

  /** Tries addresses as the runtime does: the next one after a failure, or beside the others after 250 ms. */
  #connectToAny(
    addresses: readonly string[],
    port: number,
    settings: TcpSettings,
    signal: AbortSignal | undefined,
  ): Promise<Transport> {
    const { clock } = this.world;
    const rest = new AbortController();
    signal?.addEventListener("abort", () => rest.abort(), { once: true });
    const { promise, resolve, reject } = Promise.withResolvers<Transport>();
    let tried = 0;
    let failures = 0;
    let connected = false;
    let timer = clock.schedule(clock.now(), () => tryNext());
    const tryNext = (): void => {
      clock.cancel(timer);
      if (connected || tried === addresses.length || rest.signal.aborted) return;
      const attempt = this.#connect(addresses[tried++], port, settings, rest.signal);
      timer = clock.schedule(clock.now() + NEXT_ADDRESS_MS, tryNext);
      attempt.then(
        (transport) => {
          clock.cancel(timer);
          if (connected) return transport.close();
          connected = true;
          rest.abort();
          resolve(transport);
        },
        (error) => {
          if (++failures === addresses.length || rest.signal.aborted) reject(error);
          else tryNext();
        },
      );
    };
    return promise;
  }

  #connect(
    host: string,
    port: number,
    { keepAlive }: TcpSettings,
    signal: AbortSignal | undefined,
  ): Promise<Transport> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const target = this.world.findHost(host, this);
    if (target === undefined) return this.#failToReach(host);
    const remote = toAddress(targetOf(host), port);
    const local = toAddress(this.sourceFor(host), this.#choosePort(remote));
    const stream = new MemoryStream(this, target, local, remote);
    stream.keepAlive = keepAlive;
    const tuple = tupleOf(local.port, remote);
    this.#tuples.add(tuple);
    this.addStream(stream, () => this.#tuples.delete(tuple));
    const attempt = new ConnectAttempt(this, target, stream, (one) => this.#attempts.delete(one));
    this.#attempts.add(attempt);
    signal?.addEventListener("abort", () => attempt.fail("EINTR"), { once: true });
    return attempt.start();
  }

  async #failToReach(host: string): Promise<never> {
    if (!isNeighbour(host)) throw new SystemError("ENETUNREACH");
    const { clock } = this.world;
    await new Promise<void>((resolve) => clock.schedule(clock.now() + NO_NEIGHBOUR_MS, resolve));
    throw new SystemError("EHOSTUNREACH");
  }

  #choosePort(remote: Address): number {
    for (const port of this.#listeners.choices()) {
      if (!this.#listeners.has(port) && !this.#tuples.has(tupleOf(port, remote))) return port;
    }
    throw new SystemError("EADDRNOTAVAIL");
  }

  // The kernel.

  /** Tells if an address is one of this host. */
  owns(address: string): boolean {
    return address === this.ipv4 || address === this.ipv6 || isLoopback(address) ||
      isUnspecified(address);
  }

  /** Returns the address from which this host sends to another one. */
  sourceFor(target: string): string {
    if (isLoopback(target) || isUnspecified(target)) return loopbackLike(target);
    return ipFamily(target) === 4 ? this.ipv4 : this.ipv6;
  }

  addStream(stream: MemoryStream, onGone?: () => void): void {
    this.#streams.add(stream);
    stream.onGone = () => {
      this.#streams.delete(stream);
      onGone?.();
    };
  }

  findListener(address: Address): MemoryListener | undefined {
    const found = this.#listeners.find(address);
    // With `reusePort` the kernel spreads the clients among several.
    return found.length < 2 ? found[0] : found[this.world.random.below(found.length)];
  }

  deliver({ host, port }: Address, datagram: Datagram): void {
    // Of several sockets with `reuseAddress`, the one that was bound last gets it.
    this.#datagrams.find({ host: targetOf(host), port }).at(-1)?.add(datagram);
  }

  /** Ends everything that programs had open, as the kernel does for one that was killed. */
  stop(): void {
    for (const attempt of [...this.#attempts]) attempt.stop();
    for (const listener of [...this.#listeners]) listener.stop();
    for (const socket of [...this.#datagrams]) socket.stop();
    for (const stream of [...this.#streams]) {
      if (this.frozen) stream.vanish();
      else stream.stop();
    }
  }
}

function noUnixSockets(operation: string, address: UnixAddress): SocketError {
  const reason = "a network in memory has no Unix sockets";
  return new SocketError("Unsupported", operation, reason, { address });
}

/** Throws `Unsupported` for settings that a network without interfaces and routers cannot honour. */
function checkSimulated(
  address: Address,
  { ttl, multicastTtl, multicastInterface, ipv6Only }: DatagramSettings,
): void {
  // Only a socket on all addresses would receive IPv4 as well.
  const dropsIPv4 = ipv6Only && address.host === "::";
  const given = Object.entries({ ttl, multicastTtl, multicastInterface, ipv6Only: dropsIPv4 });
  const [name] = given.find(([, value]) => value !== undefined && value !== false) ?? [];
  if (name === undefined) return;
  const reason = `a network in memory does not simulate ${name}`;
  throw new SocketError("Unsupported", "bindUdp", reason, { address });
}

function tupleOf(port: number, remote: Address): string {
  return `${port} ${remote.host} ${remote.port}`;
}
