import { isStillThere, noLongerThere } from "../bytes/byte_arguments.ts";
import { formatAddress } from "../address.ts";
import { fromRuntimeAddress, toAddress, withZoneOf } from "../core/address_check.ts";
import { ipFamily } from "../core/ip_address.ts";
import type { Address, Datagram } from "../types.ts";
import type { DatagramSettings, DatagramSocket, JoinedGroup, MulticastGroup } from "./backend.ts";
import { checkDenoGroup, checkDenoSettings, multicastTtlFor } from "./datagram_settings.ts";
import { interfaceAddress, interfaceIndex } from "./interfaces.ts";
import { explainJoinFailure } from "./multicast_errors.ts";
import { isGranted } from "./permissions.ts";
import { explainSendFailure, resolveName } from "./datagram_support.ts";

/** The part of the runtime that needs `--unstable-net`. Its types are missing without the flag. */
interface UnstableNet {
  listenDatagram?(options: {
    transport: "udp";
    hostname: string;
    port: number;
    reuseAddress?: boolean;
    /** `IP_MULTICAST_LOOP`, which the runtime turns off by default. */
    loopback?: boolean;
  }): RuntimeSocket;
}

/** A UDP socket of `Deno.listenDatagram`. The runtime's own declarations leave out `ref` and `unref`. */
interface RuntimeSocket {
  readonly addr: Deno.NetAddr;
  receive(buffer: Uint8Array): Promise<[Uint8Array, Deno.NetAddr]>;
  send(bytes: Uint8Array, to: Deno.NetAddr): Promise<number>;
  /** Lets a pending receive keep the process alive, as it does at first. */
  ref(): void;
  /** Lets the process end although a receive is pending. */
  unref(): void;
  close(): void;
  joinMulticastV4(group: string, interfaceAddress: string): Promise<RuntimeMembership>;
  joinMulticastV6(group: string, interfaceIndex: number): Promise<RuntimeMembership>;
}

/** A group that a socket of the runtime is in. */
interface RuntimeMembership {
  leave(): Promise<void>;
  /** Sets the multicast TTL of the socket; only memberships of IPv4 have it. */
  setTTL?(ttl: number): Promise<void>;
}

/** The global `Deno` object with the parts that the flag adds. It is missing on Node and Bun, which load this file too. */
const unstableNet: UnstableNet = (globalThis as unknown as { Deno?: UnstableNet }).Deno ?? {};

/** Says if the program runs with `--unstable-net`: without it, `Deno.listenDatagram` is missing. */
export function hasUnstableNet(): boolean {
  return typeof unstableNet.listenDatagram === "function";
}

/** All hosts of a link (RFC 1112). Nobody reports a membership of it, so joining it sends nothing. */
const ALL_HOSTS = "224.0.0.1";
const LOOPBACK = "127.0.0.1";
/** Leaves the choice of the interface to the routes. */
const ANY_INTERFACE = { address: "0.0.0.0", index: 0 };

/** The largest payload is 65,527 bytes, on IPv6. The runtime cuts off what does not fit. */
const RECEIVE_BUFFER_BYTES = 64 * 1024;

type Received = [Uint8Array, Deno.NetAddr];

/** A UDP socket on `Deno.listenDatagram`. Datagrams that nobody asks for wait in the kernel. */
export class DenoDatagrams implements DatagramSocket<Received> {
  readonly address: Address;
  /** Always 0: the kernel does not say what it drops. */
  readonly dropped = 0;
  readonly #socket: RuntimeSocket;
  // One buffer for all receives: a fresh one for each, as the runtime makes, costs more than a copy out of this one.
  #buffer: Uint8Array | undefined;
  #lastFrom: Address | undefined;
  #lastTo: Address | undefined;
  #lastTarget: Deno.NetAddr | undefined;
  #isName = false;

  static async bind(address: Address, settings: DatagramSettings): Promise<DenoDatagrams> {
    checkDenoSettings(address, settings);
    const datagrams = new DenoDatagrams(address, settings);
    try {
      // The family of a name is known only now.
      checkDenoSettings(datagrams.address, settings);
      const ttl = multicastTtlFor(datagrams.address, settings);
      if (ttl !== undefined) await datagrams.#setMulticastTtl(ttl);
      return datagrams;
    } catch (error) {
      await datagrams.close();
      throw error;
    }
  }

  private constructor(
    address: Address,
    { reuseAddress, multicastLoopback }: DatagramSettings,
  ) {
    this.#socket = unstableNet.listenDatagram!({
      transport: "udp",
      hostname: address.host,
      port: address.port,
      reuseAddress,
      loopback: multicastLoopback,
    });
    this.address = withZoneOf(address.host, fromRuntimeAddress(this.#socket.addr));
  }

  receive(): Promise<Received> {
    return this.#socket.receive(this.#buffer ??= new Uint8Array(RECEIVE_BUFFER_BYTES));
  }

  toDatagram([bytes, { hostname, port }]: Received): Datagram {
    // Most peers send many datagrams in a row, which share one address.
    const last = this.#lastFrom;
    const from = last?.host === hostname && last.port === port
      ? last
      : this.#lastFrom = toAddress(hostname, port);
    return { from, bytes: bytes.slice() as Uint8Array<ArrayBuffer> };
  }

  send(bytes: Uint8Array, to: Address): Promise<unknown> {
    // The socket gives the same object for the same target.
    if (to !== this.#lastTo) {
      this.#lastTo = to;
      this.#lastTarget = { transport: "udp", hostname: to.host, port: to.port };
      this.#isName = ipFamily(to.host) === 0;
    }
    const { length } = bytes;
    const sent = this.#socket.send(bytes, this.#lastTarget!);
    if (!this.#isName) return sent;
    return sent.catch((error) => this.#sendByFamily(error, bytes, length, to));
  }

  explainSendFailure(error: unknown, to: Address): unknown {
    return explainSendFailure(error, this.address, to);
  }

  /**
   * A grant for `name:port` lets only the runtime's own send look the name up, and a grant for the name does not cover
   * the address behind it. So nothing is resolved here unless the name, the name with its port, and the address are
   * granted: else the runtime has to see the name, to ask or to refuse.
   */
  async resolve(to: Address): Promise<Address | undefined> {
    if (!isGranted(to.host) || !isGranted(formatAddress(to))) return undefined;
    const target = toAddress(await resolveName("sendTo", to, this.address.host), to.port);
    return isGranted(formatAddress(target)) ? target : undefined;
  }

  async join(group: MulticastGroup): Promise<JoinedGroup> {
    const { host, family } = group;
    const address = { host, port: this.address.port };
    checkDenoGroup(group, address);
    const user = { operation: "joinMulticast", address };
    const on = group.interface;
    try {
      if (family === 4) {
        const at = on === undefined ? ANY_INTERFACE.address : interfaceAddress(on, user);
        return await this.#socket.joinMulticastV4(host, at);
      }
      const { index } = on === undefined ? ANY_INTERFACE : interfaceIndex(on, user);
      return await this.#socket.joinMulticastV6(host, index);
    } catch (error) {
      throw explainJoinFailure(error, group, user);
    }
  }

  setReferenced(on: boolean): void {
    if (on) this.#socket.ref();
    else this.#socket.unref();
  }

  // deno-lint-ignore require-await -- the caller waits for its pending receive
  async close(): Promise<void> {
    this.#socket.close();
  }

  /** Sets the TTL of IPv4 multicast, which the runtime offers only as a function of a membership. */
  async #setMulticastTtl(ttl: number): Promise<void> {
    const membership = await this.#socket.joinMulticastV4(ALL_HOSTS, LOOPBACK);
    await membership.setTTL!(ttl);
    await membership.leave();
  }

  /** Tries another address if the socket cannot send to the family of the name's first one. */
  async #sendByFamily(
    error: { code?: string },
    bytes: Uint8Array,
    length: number,
    to: Address,
  ): Promise<unknown> {
    // An IPv6 socket that is not bound to :: gives ENETUNREACH for an IPv4 target.
    if (error.code !== "EAFNOSUPPORT" && error.code !== "ENETUNREACH") throw error;
    const hostname = await resolveName("sendTo", to, this.address.host);
    if (!isStillThere(bytes, length)) throw noLongerThere();
    return await this.#socket.send(bytes, { transport: "udp", hostname, port: to.port });
  }
}
