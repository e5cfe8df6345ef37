import { describe, invalidInput, quote, readArguments } from "../core/arguments.ts";
import { octetsOf, unmapIPv4 } from "../core/ip_address.ts";
import type { SocketAddress } from "../types.ts";

const RIGHT = 'write an address or a network, such as "10.0.0.0/8" or "::1", or "unix"';
/** The entry for every peer of a Unix socket: the rights of its file, or of its directory, say who that can be. */
const UNIX = "unix";

interface Network {
  /** The 4 or 16 bytes of its address. */
  readonly octets: Uint8Array;
  /** Leading bits that an address must share with it. */
  readonly prefix: number;
}

/**
 * Knows which peers may name their clients: single addresses, networks in CIDR notation, and Unix sockets.
 *
 * IPv4 and IPv6 are matched apart, whatever socket a peer came through: `::ffff:a.b.c.d` is an IPv4 peer, which
 * `a.b.c.0/24` includes, and `::/0` is all of IPv6 but no IPv4.
 */
export class TrustList {
  readonly #networks: readonly Network[];
  readonly #unix: boolean;

  /** @throws {SocketError} `InvalidInput` if an entry is no network, or if there is no entry. */
  constructor(operation: string, entries: readonly string[]) {
    const names = readArguments(operation, () => readNames(operation, entries));
    this.#unix = names.includes(UNIX);
    this.#networks = names.filter((name) => name !== UNIX)
      .map((name) => readNetwork(operation, name));
  }

  /** Says if a peer of a connection is trusted. */
  hasPeer(peer: SocketAddress): boolean {
    return peer.host === undefined ? this.#unix : this.has(peer.host);
  }

  /**
   * Finds an address in one of the networks. A name, an empty host and an address with a zone are in none: the
   * runtime gives peers without their zone.
   */
  has(host: string): boolean {
    const octets = octetsOf(unmapIPv4(host));
    return octets !== undefined && this.#networks.some((network) => contains(network, octets));
  }
}

function contains({ octets, prefix }: Network, address: Uint8Array): boolean {
  if (octets.length !== address.length) return false;
  for (let index = 0, bits = prefix; bits > 0; index++, bits -= 8) {
    const mask = bits >= 8 ? 0xff : 0xff << 8 - bits;
    if (((octets[index] ^ address[index]) & mask) !== 0) return false;
  }
  return true;
}

function readNames(operation: string, entries: readonly string[]): unknown[] {
  if (!Array.isArray(entries)) {
    throw invalidInput(operation, `trust is ${describe(entries)}, not an array: ${RIGHT}`);
  }
  if (entries.length === 0) {
    throw invalidInput(operation, `trust is empty, which trusts nobody: ${RIGHT}`);
  }
  return Array.from(entries);
}

function readNetwork(operation: string, entry: unknown): Network {
  const wrong = (reason: string) => invalidInput(operation, `trust has ${reason}`);
  if (typeof entry !== "string") throw wrong(`${describe(entry)}: ${RIGHT}`);
  const [, host, bits] = /^([^/]*)(?:\/(0|[1-9][0-9]{0,2}))?$/.exec(entry) ?? [];
  const octets = octetsOf(host ?? "");
  if (octets === undefined) throw wrong(`${quote(entry)}, which is none of these: ${RIGHT}`);
  const longest = octets.length * 8;
  const prefix = bits === undefined ? longest : Number(bits);
  if (prefix > longest) {
    throw wrong(`${quote(entry)}, whose prefix must be a number from 0 to ${longest}`);
  }
  const plain = unmapIPv4(host);
  if (plain === host) return { octets, prefix };
  // Of `::ffff:a.b.c.d`, the first 96 bits say that it is IPv4.
  if (prefix < 96) {
    throw wrong(`${quote(entry)}: write the IPv4 network ${plain} in its own form`);
  }
  return { octets: octets.subarray(12), prefix: prefix - 96 };
}
