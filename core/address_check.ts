import type { Address, SocketAddress, TransportAddress, UnixAddress } from "../types.ts";
import {
  asInvalidInput,
  checkWhole,
  describe,
  invalidInput,
  quote,
  readArguments,
  UNSEEN,
} from "./arguments.ts";
import { checkPath, formatUnixPath } from "./unix_path.ts";
import { formatHostPort, ipFamily, isMapped, unmapIPv4, withoutZone } from "./ip_address.ts";

/** Makes an address as this package gives it: frozen, and IPv4 in its own form. */
export function toAddress(host: string, port: number): Address {
  return Object.freeze({ host: unmapIPv4(host), port });
}

/** Makes an address of a transport's. A Unix socket has a path, which is empty if it has no name. */
export function toSocketAddress(address: TransportAddress | undefined): SocketAddress {
  return address?.transport === "unix" || address?.transport === "unixpacket"
    ? toUnixAddress(address.path ?? "")
    : fromRuntimeAddress(address);
}

/** Makes a Unix address as this package gives it: frozen. */
export function toUnixAddress(path: string): UnixAddress {
  return Object.freeze({ path });
}

/** Returns true for an address that says where a socket is. */
export function isNamed(address: SocketAddress): boolean {
  return address.host === undefined ? address.path !== "" : address.host !== "";
}

/** Writes the address of a peer for a line of a log. A peer may have any path, so it is not checked. */
export function describeAddress(address: SocketAddress): string {
  return address.host === undefined
    ? formatUnixPath(address.path).replace(UNSEEN, "\uFFFD")
    : formatHostPort(address.host, address.port);
}

/** Makes an address of the runtime's; one without host and port (vsock) becomes an empty one. */
export function fromRuntimeAddress(address: object | undefined): Address {
  const { hostname, port } = (address ?? {}) as { hostname?: unknown; port?: unknown };
  return typeof hostname === "string" && typeof port === "number"
    ? toAddress(hostname, port)
    : toAddress("", 0);
}

/**
 * Returns the address of a socket with the zone of the host that it was bound to. The runtime drops the zone, and
 * without it nobody could reach the socket at a link-local address.
 */
export function withZoneOf(host: string, address: Address): Address {
  const zone = host.slice(withoutZone(host).length);
  return zone === "" ? address : toAddress(address.host + zone, address.port);
}

/** Returns a frozen copy of a caller's address, or throws `InvalidInput`. */
export function checkAddress(operation: string, address: unknown, lowestPort: 0 | 1): Address {
  if (typeof address !== "object" || address === null) {
    const hint = typeof address === "string" ? "; parseAddress() makes one of a text" : "";
    throw invalidInput(
      operation,
      `the address is ${describe(address)}, not an object { host, port }${hint}`,
    );
  }
  let host: unknown, port: unknown;
  // Not readArguments(), which takes a closure: sendTo comes by here for each datagram.
  try {
    ({ host, port } = address as Address);
  } catch (error) {
    throw asInvalidInput(operation, error);
  }
  if (host === undefined && "hostname" in address) {
    throw invalidInput(operation, "the address has hostname, not host: write { host, port }");
  }
  if (host === undefined && "path" in address) {
    throw invalidInput(operation, "the address has path, which is for listen and connect only");
  }
  return Object.freeze(checkHostAndPort(operation, host, port, lowestPort));
}

/** Returns a frozen copy of a caller's address of either kind, or throws `InvalidInput`. */
export function checkSocketAddress(
  operation: string,
  address: unknown,
  lowestPort: 0 | 1,
): SocketAddress {
  const path = readPath(operation, address);
  return path === undefined
    ? checkAddress(operation, address, lowestPort)
    : toUnixAddress(checkPath(operation, path));
}

/** Returns the path of a caller's address, which may be anything, and nothing if it has none. */
export function readPath(operation: string, address: unknown): unknown {
  if (typeof address !== "object" || address === null) return undefined;
  return readArguments(operation, () => {
    const { path, host, port } = address as Partial<Record<"path" | "host" | "port", unknown>>;
    if (path !== undefined && (host !== undefined || port !== undefined)) {
      throw invalidInput(operation, "the address has path and host or port, write { path } alone");
    }
    return path;
  });
}

/** Returns a host and a port that can be tried, or throws `InvalidInput`. */
export function checkHostAndPort(
  operation: string,
  host: unknown,
  port: unknown,
  lowestPort: 0 | 1,
): Address {
  if (typeof host !== "string") {
    throw invalidInput(operation, `host is ${describe(host)}, not a string`);
  }
  const problem = hostProblem(host);
  if (problem !== undefined) throw invalidInput(operation, problem);
  return { host, port: checkWhole(operation, "port", port, lowestPort, 65535) };
}

/** The last host in which nothing was wrong: most programs name the same one again and again. */
let lastGoodHost: string | undefined;

function hostProblem(host: string): string | undefined {
  if (host === lastGoodHost) return undefined;
  const problem = findHostProblem(host);
  if (problem === undefined) lastGoodHost = host;
  return problem;
}

function findHostProblem(host: string): string | undefined {
  if (host === "") return "host is empty, name an address or a host";
  if (host.startsWith("[")) return `host ${quote(host)} has brackets, write the address without`;
  if (host.includes("/") && !host.includes("%")) {
    const part = host.includes("://") ? "a scheme" : "a slash";
    return `host ${quote(host)} has ${part}, write the host alone`;
  }
  if (host.includes(":")) return findIPv6Problem(host);
  if (host.includes("%")) return `host ${quote(host)} has a zone, which only IPv6 addresses have`;
  const name = host.endsWith(".") ? host.slice(0, -1) : host;
  if (name.length > 253) return `host has ${name.length} characters, a name has at most 253`;
  const labels = name.split(".");
  const bad = labels.find((label) => !/^[a-z0-9_-]{1,63}$/i.test(label));
  if (bad !== undefined) {
    return `host ${quote(host)} is not a host name: ${quote(bad)} must be 1 to 63 letters, ` +
      "digits or hyphens";
  }
  // getaddrinfo reads 0177.1, 0x7f.1 and 2130706433 as 127.0.0.1, which defeats every check of
  // the text; a name can't end in a number (WHATWG URL, "ends in a number checker").
  if (/^([0-9]+|0x[0-9a-f]*)$/i.test(labels[labels.length - 1]) && ipFamily(host) !== 4) {
    return `host ${quote(host)} is not an IPv4 address: write four decimal numbers from 0 to 255`;
  }
  return undefined;
}

function findIPv6Problem(host: string): string | undefined {
  if (ipFamily(host) === 6) return undefined;
  const plain = withoutZone(host);
  if (plain === host || ipFamily(plain) === 0) {
    return /^[^:]+:\d+$/.test(host)
      ? `host ${quote(host)} has a port, and a port goes into port`
      : `host ${quote(host)} is not an IPv6 address`;
  }
  return isMapped(plain)
    ? `host ${quote(host)} has a zone, which IPv4 addresses do not have`
    : `host ${quote(host)} has a zone that is not 1 to 15 letters, digits or any of . _ ~ -, ` +
      "the name or number of an interface";
}
