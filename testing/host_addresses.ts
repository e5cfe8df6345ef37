import { toAddress } from "../core/address_check.ts";
import { hostOf, ipFamily, octetsOf } from "../core/ip_address.ts";

/** The most hosts of a network: two bytes of their IPv4 addresses count them. */
const MOST_HOSTS = 65_535;

/** The addresses of a host, beside those of its loopback interface. */
export interface HostAddresses {
  readonly ipv4: string;
  readonly ipv6: string;
}

/** Returns the addresses of the host with a number, from 1 on. */
export function addressesOf(number: number): HostAddresses {
  if (number > MOST_HOSTS) throw new RangeError(`a network has at most ${MOST_HOSTS} hosts`);
  return {
    ipv4: `10.0.${number >> 8}.${number & 255}`,
    ipv6: `fd00::${number.toString(16)}`,
  };
}

/** Tells if an address is in the network of the hosts, so that there is no router in between. */
export function isNeighbour(address: string): boolean {
  return address.startsWith("10.0.") || address.startsWith("fd00::");
}

/** Tells if an address is of the loopback interface. */
export function isLoopback(address: string): boolean {
  return address === "::1" || ipFamily(address) === 4 && address.startsWith("127.");
}

/** Tells if an address means all addresses of a host. */
export function isUnspecified(address: string): boolean {
  return address === "0.0.0.0" || address === "::";
}

/** Returns the address that is meant by a target: Linux takes the unspecified address for loopback. */
export function targetOf(address: string): string {
  return isUnspecified(address) ? loopbackLike(address) : address;
}

/** Returns the loopback address of the family of an address. */
export function loopbackLike(address: string): string {
  return ipFamily(address) === 4 ? "127.0.0.1" : "::1";
}

/** Returns the one text of an IP address. One with a zone, which no host has, stays as it is. */
export function canonicalAddress(host: string): string {
  const octets = octetsOf(host);
  return octets === undefined ? host : toAddress(hostOf(octets), 0).host;
}
