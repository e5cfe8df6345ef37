import { isStillThere, noLongerThere } from "../bytes/byte_arguments.ts";
import { formatAddress } from "../address.ts";
import { fromRuntimeAddress, toAddress, withZoneOf } from "../core/address_check.ts";
import { ipFamily } from "../core/ip_address.ts";
import type { Address, Datagram } from "../types.ts";
import type { DatagramSettings, DatagramSocket } from "./backend.ts";
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
}

/** The global `Deno` object with the parts that the flag adds. It is missing on Node and Bun, which load this file too. */
const unstableNet: UnstableNet = (globalThis as unknown as { Deno?: UnstableNet }).Deno ?? {};

/** Says if the program runs with `--unstable-net`: without it, `Deno.listenDatagram` is missing. */
export function hasUnstableNet(): boolean {
  return typeof unstableNet.listenDatagram === "function";
}

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

  constructor(address: Address, { reuseAddress }: DatagramSettings) {
    this.#socket = unstableNet.listenDatagram!({
      transport: "udp",
      hostname: address.host,
      port: address.port,
      reuseAddress,
      loopback: true,
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

  setReferenced(on: boolean): void {
    if (on) this.#socket.ref();
    else this.#socket.unref();
  }

  // deno-lint-ignore require-await -- the caller waits for its pending receive
  async close(): Promise<void> {
    this.#socket.close();
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
