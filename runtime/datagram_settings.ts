import { ipFamily, octetsOf } from "../core/ip_address.ts";
import { SocketError } from "../errors.ts";
import type { Address } from "../types.ts";
import type { DatagramSettings, MulticastGroup } from "./backend.ts";
import { onDeno } from "./permissions.ts";

/** `IP_MULTICAST_TTL` and `IPV6_MULTICAST_HOPS` of a new socket. */
const DEFAULT_MULTICAST_TTL = 1;
const USE_NODE = "run without --unstable-net";
const USE_DENO = "run with --unstable-net";

/** Throws `Unsupported` for settings that `Deno.listenDatagram` has no option for. */
export function checkDenoSettings(address: Address, settings: DatagramSettings): void {
  const { multicastInterface, ttl, ipv6Only } = settings;
  if (multicastInterface !== undefined) {
    const instead = address.host.includes(":")
      ? "name the interface in the target, as in ff02::fb%eth0"
      : "bind to the interface's own address";
    throw needsNode("multicastInterface", address, `${USE_NODE}, or ${instead}`);
  }
  if (ttl !== undefined) {
    throw address.host.includes(":")
      ? ipv6Lacks("ttl", address)
      : needsNode("ttl", address, USE_NODE);
  }
  checkIPv6Only(address, settings);
  multicastTtlFor(address, settings);
  // A socket on any other IPv6 address is of IPv6 only in any case.
  if (ipv6Only && isUnspecified(address.host)) throw needsNode("ipv6Only", address, USE_NODE);
}

/** Throws `InvalidInput` for an IPv4 socket that is to be of IPv6 only. */
export function checkIPv6Only(address: Address, { ipv6Only }: DatagramSettings): void {
  if (!ipv6Only || ipFamily(address.host) !== 4) return;
  const reason = "ipv6Only needs an IPv6 address to bind to";
  throw new SocketError("InvalidInput", "bindUdp", reason, { address });
}

/** Returns the multicast TTL to set on a bound IPv4 socket, or throws `Unsupported` on an IPv6 one. */
export function multicastTtlFor(
  { host, port }: Address,
  { multicastTtl = DEFAULT_MULTICAST_TTL }: DatagramSettings,
): number | undefined {
  if (multicastTtl === DEFAULT_MULTICAST_TTL) return undefined;
  if (host.includes(":")) throw ipv6Lacks("multicastTtl", { host, port });
  return multicastTtl;
}

/** Returns the TTL to set on a bound IPv4 socket, or throws `Unsupported` on an IPv6 one. */
export function ttlFor(address: Address, { ttl }: DatagramSettings): number | undefined {
  if (ttl !== undefined && address.host.includes(":")) throw ipv6Lacks("ttl", address);
  return ttl;
}

/** Throws `Unsupported` for a membership that `Deno.listenDatagram` cannot have. */
export function checkDenoGroup({ source, family }: MulticastGroup, address: Address): void {
  if (source === undefined) return;
  throw family === 6 ? noIPv6Source(address) : unsupported(
    "joinMulticast",
    `source needs node:dgram: ${USE_NODE}`,
    address,
  );
}

/** Throws `Unsupported` for a membership that `node:dgram` cannot have. */
export function checkNodeGroup(
  { source, family }: MulticastGroup,
  bound: Address,
  address: Address,
): void {
  if (family === 6) {
    if (source !== undefined) throw noIPv6Source(address);
  } else if (bound.host.includes(":")) {
    const reason = "an IPv6 socket of node:dgram cannot join an IPv4 group: bind another socket " +
      `to 0.0.0.0${onDeno ? `, or ${USE_DENO}` : ""}`;
    throw unsupported("joinMulticast", reason, address);
  }
}

function needsNode(option: string, address: Address, cure: string): SocketError {
  return unsupported("bindUdp", `${option} needs node:dgram: ${cure}`, address);
}

/** `node:dgram` takes these two on an IPv6 socket, and the datagrams leave as before. */
function ipv6Lacks(option: string, address: Address): SocketError {
  const reason = `the runtime cannot set ${option} on an IPv6 socket: bind to an IPv4 address`;
  return unsupported("bindUdp", reason, address);
}

/** `node:dgram` refuses it with EINVAL, whatever source and group are. */
function noIPv6Source(address: Address): SocketError {
  const reason = "the runtime has no source for IPv6 groups: compare `from` of each datagram";
  return unsupported("joinMulticast", reason, address);
}

function unsupported(operation: string, reason: string, address: Address): SocketError {
  return new SocketError("Unsupported", operation, reason, { address });
}

/** Tells if a host is `::` in any spelling. */
function isUnspecified(host: string): boolean {
  return octetsOf(host)?.every((octet) => octet === 0) ?? false;
}
