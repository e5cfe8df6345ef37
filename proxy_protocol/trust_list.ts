import { quote } from "../core/quoted_text.ts";
import { describe, invalidInput, readArguments } from "../core/arguments.ts";
import { ipFamily, octetsOf, unmapIPv4 } from "../core/ip_address.ts";

type Family = "ipv4" | "ipv6";

/** The part of `node:net` that matches addresses. */
interface BlockList {
  addSubnet(network: string, prefix: number, family: Family): void;
  check(address: string, family: Family): boolean;
}

interface NodeProcess {
  getBuiltinModule(name: "node:net"): { BlockList: new () => BlockList };
}

/** Asked only where somebody trusts a proxy, so that importing this package loads no `node:net`. */
function newBlockList(): BlockList {
  const { process } = globalThis as unknown as { process: NodeProcess };
  return new (process.getBuiltinModule("node:net").BlockList)();
}

const RIGHT = 'write an address or a network, such as "10.0.0.0/8" or "::1"';

/**
 * Who may say on whose behalf it connects: single addresses and networks in CIDR notation.
 *
 * IPv4 peers and IPv6 peers are matched apart, whatever socket they came through: an IPv4 peer that
 * reads `::ffff:a.b.c.d` is found in `a.b.c.0/24`, and `::/0` is all of IPv6 but no IPv4.
 */
export class TrustList {
  readonly #networks = newBlockList();

  /** @throws {SocketError} `InvalidInput`, where an entry is not such a network, or none is there. */
  constructor(operation: string, entries: readonly string[]) {
    const networks = readArguments(operation, () => readNetworks(operation, entries));
    for (const { host, prefix, family } of networks) {
      this.#networks.addSubnet(host, prefix, family);
    }
  }

  /** Whether an address is in one of the networks; never so for a name or an empty host. */
  has(host: string): boolean {
    // The runtime gives peers without their zone, so what has one did not come from there.
    if (host.includes("%")) return false;
    const plain = unmapIPv4(host);
    const family = ipFamily(plain);
    return family !== 0 && this.#networks.check(plain, familyName(family));
  }
}

function familyName(family: 4 | 6): Family {
  return family === 4 ? "ipv4" : "ipv6";
}

interface Network {
  readonly host: string;
  readonly prefix: number;
  readonly family: Family;
}

function readNetworks(operation: string, entries: readonly string[]): Network[] {
  if (!Array.isArray(entries)) {
    throw invalidInput(operation, `trust is ${describe(entries)}, not an array: ${RIGHT}`);
  }
  const { length } = entries;
  if (length === 0) {
    throw invalidInput(operation, `trust is empty, which trusts nobody: ${RIGHT}`);
  }
  return Array.from({ length }, (_, index) => parseNetwork(operation, entries[index]));
}

function parseNetwork(operation: string, entry: unknown): Network {
  const wrong = (reason: string) => invalidInput(operation, `trust has ${reason}`);
  if (typeof entry !== "string") throw wrong(`${describe(entry)}: ${RIGHT}`);
  const match = /^([^/]*)(?:\/(0|[1-9][0-9]{0,2}))?$/.exec(entry);
  const host = match?.[1] ?? "";
  const octets = octetsOf(host);
  if (octets === undefined) {
    throw wrong(`${quote(entry)}, which is neither: ${RIGHT}`);
  }
  const longest = octets.length * 8;
  const prefix = match?.[2] === undefined ? longest : Number(match[2]);
  if (prefix > longest) {
    throw wrong(`${quote(entry)}, whose prefix must be a number from 0 to ${longest}`);
  }
  const plain = unmapIPv4(host);
  if (octets.length === 4 || plain === host) {
    return { host, prefix, family: familyName(octets.length === 4 ? 4 : 6) };
  }
  if (prefix < 96) {
    throw wrong(`${quote(entry)}: write the IPv4 network ${plain} in its own form`);
  }
  return { host: plain, prefix: prefix - 96, family: "ipv4" };
}
