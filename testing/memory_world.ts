import { checkHostAndPort } from "../core/address_check.ts";
import { invalidInput, quote } from "../core/arguments.ts";
import { ipFamily } from "../core/ip_address.ts";
import {
  type CheckedLink,
  type LinkSettings,
  loopbackOf,
  readLinkSettings,
} from "./link_settings.ts";
import { canonicalAddress, isLoopback, isUnspecified } from "./host_addresses.ts";
import { type HostWorld, MemoryHost } from "./memory_host.ts";
import { SeededRandom } from "./seeded_random.ts";
import { SystemError } from "./system_errors.ts";
import type { Clock } from "./timeline.ts";
import { Trace } from "./trace.ts";
import { Wire } from "./wire.ts";
import type { Host } from "./world.ts";

/** A name that leads to itself is followed this often. */
const MOST_ALIASES = 8;
/** Number of hosts that an error about a missing one names. */
const MOST_NAMED = 10;

/** Checked settings of a network. */
export interface WorldSettings {
  readonly seed: number;
  readonly isTraced: boolean;
  readonly partial: number;
  readonly ports: readonly [first: number, last: number];
  readonly link: CheckedLink;
}

/** The hosts of a network, their addresses, and the directions between them. */
export class MemoryWorld implements HostWorld {
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly partial: number;
  readonly ports: readonly [first: number, last: number];
  readonly names: Map<string, string | readonly string[]> = new Map();
  readonly #link: CheckedLink;
  readonly #hosts = new Map<string, MemoryHost>();
  /** The directions that were used, by where they begin and where they end. */
  readonly #wires = new Map<Host, Map<Host, Wire>>();
  readonly #byAddress = new Map<string, MemoryHost>();

  constructor({ seed, isTraced, partial, ports, link }: WorldSettings, clock: Clock) {
    this.clock = clock;
    this.random = new SeededRandom(seed);
    this.trace = new Trace(isTraced, () => clock.now());
    this.partial = partial;
    this.ports = ports;
    this.#link = link;
    this.names.set("localhost", ["127.0.0.1", "::1"]);
  }

  /** Returns the host of a name, and adds it if there is none. */
  host(operation: string, name: string): MemoryHost {
    const known = this.#hosts.get(name);
    if (known !== undefined) return known;
    checkHostAndPort(operation, name, 1, 1);
    // Nobody could reach it: an address leads to the host that has it.
    if (ipFamily(name) !== 0) {
      throw invalidInput(operation, `${quote(name)} is an address, and a host has a name`);
    }
    const host = new MemoryHost(this, name, this.#hosts.size + 1);
    this.#hosts.set(name, host);
    this.#byAddress.set(host.ipv4, host).set(host.ipv6, host);
    if (!this.names.has(name)) this.names.set(name, host.ipv4);
    return host;
  }

  /**
   * Returns the hosts that a caller means: one by its name, or those behind an address or another name, as `connect`
   * finds them. Throws `InvalidInput` if there is none, since a fault of a mistyped host would never show.
   */
  findHosts(operation: string, name: string): readonly MemoryHost[] {
    const known = this.#hosts.get(name);
    if (known !== undefined) return [known];
    checkHostAndPort(operation, name, 1, 1);
    const addresses = this.#lookUp(name, MOST_ALIASES);
    if (addresses.some((address) => isLoopback(address) || isUnspecified(address))) {
      throw invalidInput(operation, `${quote(name)} is every host's own: write a host's name`);
    }
    const hosts = new Set(addresses.flatMap((address) => this.#byAddress.get(address) ?? []));
    if (hosts.size > 0) return [...hosts];
    throw invalidInput(operation, `${quote(name)} is no host: ${this.#hostsInWords()}`);
  }

  #hostsInWords(): string {
    const names = [...this.#hosts.keys()];
    if (names.length === 0) return "host() has made none yet";
    const more = names.length > MOST_NAMED ? `, and ${names.length - MOST_NAMED} more` : "";
    return `host() has made ${names.slice(0, MOST_NAMED).join(", ")}${more}`;
  }

  wire(from: Host, to: Host): Wire {
    let wires = this.#wires.get(from);
    if (wires === undefined) this.#wires.set(from, wires = new Map());
    let wire = wires.get(to);
    if (wire === undefined) {
      wire = new Wire(this, from, to, from === to ? loopbackOf(this.#link) : this.#link);
      wires.set(to, wire);
    }
    return wire;
  }

  findHost(address: string, from: MemoryHost): MemoryHost | undefined {
    return isLoopback(address) || isUnspecified(address) ? from : this.#byAddress.get(address);
  }

  async resolve(host: string): Promise<readonly string[]> {
    const found = this.#lookUp(host, MOST_ALIASES);
    if (found.length > 0) return await Promise.resolve(found);
    throw new SystemError("ENOTFOUND");
  }

  #lookUp(host: string, aliases: number): readonly string[] {
    if (ipFamily(host) !== 0) return [canonicalAddress(host)];
    const name = host.replace(/\.$/, "");
    const found = this.names.get(name) ?? this.names.get(name.toLowerCase());
    if (found === undefined || aliases === 0) return [];
    const targets = typeof found === "string" ? [found] : found;
    return targets.flatMap((target) => this.#lookUp(target, aliases - 1));
  }

  /** Changes the settings of a direction. */
  setLink(from: Host, to: Host, settings: LinkSettings): void {
    const wire = this.wire(from, to);
    wire.settings = readLinkSettings("link", settings, wire.settings);
  }

  /** Blocks the directions between some hosts and others until the function that it returns is called. */
  separate(some: readonly Host[], others: readonly Host[]): () => void {
    const wires = some.flatMap((one) =>
      others.filter((other) => other !== one)
        .flatMap((other) => [this.wire(one, other), this.wire(other, one)])
    );
    for (const wire of wires) this.#block(wire, () => wire.partitions += 1);
    return () => {
      for (const wire of wires) wire.partitions -= 1;
      for (const wire of wires) this.#unblock(wire);
    };
  }

  /** Blocks all directions from and to a host until the function that it returns is called. */
  freeze(host: MemoryHost): () => void {
    const wires = () =>
      [...this.#hosts.values()].filter((other) => other !== host)
        .flatMap((other) => [this.wire(host, other), this.wire(other, host)]);
    const before = wires().filter((wire) => !wire.blocked);
    host.freezes += 1;
    for (const wire of before) this.#noteBlocked(wire);
    return () => {
      host.freezes -= 1;
      for (const wire of wires()) this.#unblock(wire);
    };
  }

  #block(wire: Wire, block: () => void): void {
    const before = wire.blocked;
    block();
    if (!before) this.#noteBlocked(wire);
  }

  #noteBlocked({ from, to }: Wire): void {
    for (const stream of from.streams) {
      if (stream.remoteHost === to) stream.onBlocked();
    }
  }

  #unblock(wire: Wire): void {
    if (wire.blocked) return;
    for (const stream of wire.from.streams) {
      if (stream.remoteHost === wire.to) stream.onPassing();
    }
    wire.release();
  }

  /** Says which calls wait on all hosts. */
  waiting(): string[] {
    return [...this.#hosts.values()].flatMap((host) => [...host.waiting()]);
  }
}
