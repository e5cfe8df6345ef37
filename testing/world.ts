import type { Address, Datagram } from "../types.ts";
import type { CheckedLink } from "./link_settings.ts";
import type { SeededRandom } from "./seeded_random.ts";
import type { Clock } from "./timeline.ts";
import type { Trace } from "./trace.ts";

/** The parts of a network in memory that all of its hosts share. */
export interface World {
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly trace: Trace;
  /** Probability that a read or write moves only a part of what it could. */
  readonly partial: number;
  /** Local ports that the system chooses from, both included. */
  readonly ports: readonly [first: number, last: number];
  /** Returns the direction from one host to another, or to itself. */
  wire(from: Host, to: Host): Direction;
  /** Returns the host that has an address, seen from another host. */
  findHost(address: string, from: Host): Host | undefined;
  /** Returns the addresses behind a host of a caller: an address is its own. Rejects as a resolver does. */
  resolve(host: string): Promise<readonly string[]>;
}

/** A machine, as its sockets and the directions between machines see it. */
export interface Host {
  readonly name: string;
  readonly world: World;
  /** True if nothing comes to it or leaves it. */
  readonly frozen: boolean;
  /** The ends of connections that it holds. */
  readonly streams: Iterable<StreamEnd>;
  /** Returns the address from which it sends to another one. */
  sourceFor(target: string): string;
  /** Gives a datagram to the socket that is bound to an address, if there is one. */
  deliver(to: Address, datagram: Datagram): void;
}

/** An end of a connection, which learns if packets pass between the two hosts. */
export interface StreamEnd {
  readonly remoteHost: Host;
  onBlocked(): void;
  onPassing(): void;
}

/** The sender of packets that must arrive in order. */
export interface PacketSender {
  /** Time at which its last packet arrives (ms). */
  lastArrival: number;
  /** Number of its packets that are under way. */
  underWay: number;
  /** True if it sends nothing again any more: what is held of it never comes. */
  readonly gone: boolean;
  /** Called when a packet of it is held. */
  onHeld(): void;
  /** Called before a packet that was held comes. */
  onPassing(): void;
}

/** One direction between two hosts. */
export interface Direction {
  readonly to: Host;
  readonly settings: CheckedLink;
  /** Sends a packet of a stream: it comes after those before it, late if it is lost on the way. */
  send(bytes: number, sender: PacketSender, deliver: () => void, isSyn?: boolean): void;
  /**
   * Sends a datagram, which may be lost, come twice, or be overtaken. `deliver` is called for each that arrives.
   *
   * @param lastArrival Time at which the one before it arrives, which it does not overtake (ms).
   * @returns The time at which this one arrives (ms).
   */
  sendDatagram(bytes: number, lastArrival: number, deliver: () => void): number;
}
