import { checkOptions, describe, invalidInput, quote } from "../core/arguments.ts";
import { hostOf, ipFamily, octetsOf, unmapIPv4, withoutZone } from "../core/ip_address.ts";
import type { MulticastGroup } from "../runtime/backend.ts";
import type { JoinMulticastOptions } from "../types.ts";

/** The first byte of IPv4 multicast addresses, 224.0.0.0/4 (RFC 5771). */
const IPV4_MULTICAST = { lowest: 224, highest: 239 };
/** The first byte of IPv6 multicast addresses (RFC 4291, section 2.7). */
const IPV6_MULTICAST = 0xff;

/** Returns the group that a call names, or throws `InvalidInput`. */
export function readGroup(
  operation: string,
  group: unknown,
  options: JoinMulticastOptions | undefined,
): MulticastGroup {
  const host = checkGroup(operation, group);
  const family = ipFamily(host) === 6 ? 6 : 4;
  const { interface: on, source } = checkOptions(operation, options);
  return {
    host,
    family,
    interface: checkInterface(operation, "interface", on, family),
    source: source === undefined ? undefined : checkSource(operation, source, family),
  };
}

/** Returns the name or the address of an interface, or throws `InvalidInput`. */
export function checkInterface(
  operation: string,
  option: string,
  value: unknown,
  family: 4 | 6 | 0,
): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "string") {
    throw invalidInput(operation, `${option} is ${describe(value)}, not a string`);
  }
  if (value === "") throw invalidInput(operation, `${option} is empty, name an interface`);
  const own = ipFamily(value);
  if (own === 0) return value;
  if (family !== 0 && own !== family) {
    const right = `write an IPv${family} address or the interface's name`;
    throw invalidInput(operation, `${option} ${quote(value)} is an IPv${own} address, ${right}`);
  }
  if (isUnspecified(value)) {
    throw invalidInput(operation, `${option} ${quote(value)} is no interface, leave it out`);
  }
  return value;
}

function checkGroup(operation: string, group: unknown): string {
  if (typeof group !== "string") {
    throw invalidInput(operation, `the group is ${describe(group)}, not a string`);
  }
  if (group !== withoutZone(group) && ipFamily(withoutZone(group)) === 6) {
    const cure = "write the interface into the option interface";
    throw invalidInput(operation, `the group ${quote(group)} has a zone, ${cure}`);
  }
  const octets = octetsOf(unmapIPv4(group));
  if (octets === undefined || !isMulticast(octets)) {
    const right =
      "not a multicast address: write one of 224.0.0.0 to 239.255.255.255, or of ff00::/8";
    throw invalidInput(operation, `the group is ${quote(group)}, ${right}`);
  }
  return hostOf(octets);
}

function checkSource(operation: string, source: unknown, family: 4 | 6): string {
  if (typeof source !== "string") {
    throw invalidInput(operation, `source is ${describe(source)}, not a string`);
  }
  const host = unmapIPv4(source);
  const octets = octetsOf(host);
  if (octets === undefined || ipFamily(host) !== family) {
    throw invalidInput(operation, `source is ${quote(source)}, not an IPv${family} address`);
  }
  if (isMulticast(octets) || isUnspecified(host)) {
    throw invalidInput(operation, `source is ${quote(source)}, not the address of one sender`);
  }
  return hostOf(octets);
}

function isMulticast(octets: Uint8Array): boolean {
  const [first] = octets;
  return octets.length === 16
    ? first === IPV6_MULTICAST
    : first >= IPV4_MULTICAST.lowest && first <= IPV4_MULTICAST.highest;
}

function isUnspecified(host: string): boolean {
  return octetsOf(withoutZone(host))!.every((octet) => octet === 0);
}
