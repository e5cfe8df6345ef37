import { isStillThere, noLongerThere } from "../bytes/byte_arguments.ts";
import { formatAddress } from "../address.ts";
import { ipFamily } from "../core/ip_address.ts";
import type { Address, BindUdpOptions, Datagram } from "../types.ts";
import { fromRuntimeAddress, toAddress, withZoneOf } from "../core/address_check.ts";
import type { DatagramBackend } from "./datagram_backend.ts";
import { netPermission } from "../core/error_mapping.ts";
import { resolveName } from "./name_lookup.ts";
import { type RuntimeSocket, unstableNet } from "./unstable_net.ts";

/** The largest payload is 65,527 bytes, on IPv6; the runtime cuts off what has no room. */
const ROOM = 64 * 1024;

type Received = [Uint8Array, Deno.NetAddr];

/** UDP on `Deno.listenDatagram`. What nobody asks for waits in the kernel. */
export class DenoDatagrams implements DatagramBackend<Received> {
  readonly address: Address;
  /** The kernel drops without a word. */
  readonly dropped = 0;
  readonly #socket: RuntimeSocket;
  // One buffer for all: a fresh one a call, as the runtime makes, costs more than copying out of it.
  #buffer: Uint8Array | undefined;
  #lastFrom: Address | undefined;
  #lastTo: Address | undefined;
  #lastTarget: Deno.NetAddr | undefined;
  #isName = false;

  constructor(address: Address, { reuseAddress }: BindUdpOptions) {
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
    return this.#socket.receive(this.#buffer ??= new Uint8Array(ROOM));
  }

  toDatagram([bytes, { hostname, port }]: Received): Datagram {
    // Peers mostly send many datagrams: one address serves them all.
    const last = this.#lastFrom;
    const from = last?.host === hostname && last.port === port
      ? last
      : this.#lastFrom = toAddress(hostname, port);
    return { from, bytes: bytes.slice() as Uint8Array<ArrayBuffer> };
  }

  send(bytes: Uint8Array, to: Address): Promise<unknown> {
    // The same object again means the same target, for which nothing has to be made anew.
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

  /**
   * A grant for `name:port` lets nobody look the name up but the runtime's own send, and a grant for the name does not
   * reach the address behind it. Where the runtime would ask or refuse, it has to see the name as well.
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

  // deno-lint-ignore require-await -- the caller knows when its receive has ended
  async close(): Promise<void> {
    this.#socket.close();
  }

  /** Where the name's first address is of a family that the socket can't send to, takes another. */
  async #sendByFamily(
    error: { code?: string },
    bytes: Uint8Array,
    length: number,
    to: Address,
  ): Promise<unknown> {
    // An IPv6 socket that is not bound to :: says ENETUNREACH of an IPv4 target.
    if (error.code !== "EAFNOSUPPORT" && error.code !== "ENETUNREACH") throw error;
    const hostname = await resolveName("sendTo", to, this.address.host);
    if (!isStillThere(bytes, length)) throw noLongerThere();
    return await this.#socket.send(bytes, { transport: "udp", hostname, port: to.port });
  }
}

function isGranted(host: string): boolean {
  return netPermission(host) === "granted";
}
