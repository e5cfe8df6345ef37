/**
 * Addresses as text and back. What is exported here beside {@linkcode parseAddress} and
 * {@linkcode formatAddress} is for this package alone.
 *
 * @module
 */

import { SocketError } from "./errors.ts";
import type { Address } from "./types.ts";

/**
 * Reads `host:port`, with an IPv6 host in brackets.
 *
 * @param text The address, such as `127.0.0.1:80`, `[::1]:80`, `[fe80::1%eth0]:80` or `example.com:443`; port 0 to
 * 65535.
 * @returns The address, frozen; `::ffff:a.b.c.d` is given as `a.b.c.d`.
 * @throws {SocketError} `InvalidInput`, where the text is anything else.
 *
 * @example
 * ```ts
 * import { parseAddress } from "jsr:@aivi/sockets";
 *
 * console.log(parseAddress("[::1]:80")); // { host: "::1", port: 80 }
 * ```
 */
export function parseAddress(text: string): Address {
  if (typeof text !== "string") throw invalid("parseAddress", `the text is not a string`);
  const match = /^(?:\[([^[\]]*)\]|([^:[\]]*)):(0|[1-9][0-9]{0,4})$/.exec(text);
  if (match === null) {
    throw invalid(
      "parseAddress",
      `${quote(text)} is not an address: write host:port, with an IPv6 host in brackets`,
    );
  }
  const [, bracketed, plain, port] = match;
  if (bracketed !== undefined && !bracketed.includes(":")) {
    throw invalid(
      "parseAddress",
      `${quote(text)} has brackets, which are for IPv6 addresses only`,
    );
  }
  const address = toAddress(bracketed ?? plain, Number(port));
  checkHostAndPort("parseAddress", address.host, address.port, 0);
  return address;
}

/**
 * Writes an address as `host:port`, an IPv6 host in brackets: what {@linkcode parseAddress} reads.
 *
 * @param address The address; port 0 to 65535.
 * @returns Its text.
 * @throws {SocketError} `InvalidInput`, where it is not an address.
 *
 * @example
 * ```ts
 * import { formatAddress } from "jsr:@aivi/sockets";
 *
 * console.log(formatAddress({ host: "::1", port: 80 })); // [::1]:80
 * ```
 */
export function formatAddress(address: Address): string {
  const { host, port } = checkAddress("formatAddress", address, 0);
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** An address as this package gives it: frozen, IPv4 in its own form. */
export function toAddress(host: string, port: number): Address {
  return Object.freeze({ host: unmapIPv4(host), port });
}

/** A frozen copy of a caller's address, or `InvalidInput`; a target's port is at least 1. */
export function checkAddress(operation: string, address: unknown, lowestPort: 0 | 1): Address {
  let host: unknown, port: unknown;
  try {
    ({ host, port } = address as Address);
  } catch (cause) {
    // Neither null nor a getter that throws may escape as the error it makes.
    throw invalid(operation, "the address is not { host, port }", cause);
  }
  checkHostAndPort(operation, host, port, lowestPort);
  return Object.freeze({ host: host as string, port: port as number });
}

function checkHostAndPort(operation: string, host: unknown, port: unknown, lowest: number): void {
  if (typeof host !== "string") {
    throw invalid(operation, "the address is not { host, port }: host is not a string");
  }
  const problem = hostProblem(host);
  if (problem !== undefined) throw invalid(operation, problem);
  if (!Number.isInteger(port) || (port as number) < lowest || (port as number) > 65535) {
    const given = typeof port === "number" ? `${port}` : `a ${typeof port}`;
    throw invalid(operation, `port is ${given}, not a whole number from ${lowest} to 65535`);
  }
}

function invalid(operation: string, reason: string, cause?: unknown): SocketError {
  return new SocketError("InvalidInput", operation, reason, cause === undefined ? {} : { cause });
}

/** The last host in which nothing was wrong: most programs name the same one again and again. */
let lastGoodHost: string | undefined;

/** What is wrong with `host` and what would be right, or nothing where it can be tried. */
export function hostProblem(host: string): string | undefined {
  if (host === lastGoodHost) return undefined;
  const problem = findHostProblem(host);
  if (problem === undefined) lastGoodHost = host;
  return problem;
}

function findHostProblem(host: string): string | undefined {
  if (host === "") return "host is empty, name an address or a host";
  if (host.startsWith("[")) return `host ${quote(host)} has brackets, write the address without`;
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
  if (plain === host || ipFamily(plain) === 0) return `host ${quote(host)} is not an IPv6 address`;
  return isMapped(plain)
    ? `host ${quote(host)} has a zone, which IPv4 addresses do not have`
    : `host ${quote(host)} has a zone that is not 1 to 15 letters, digits or any of . _ ~ -, ` +
      "the name or number of an interface";
}

/**
 * What JSON leaves as it is, and a log or a terminal takes for a line break (U+0085, U+2028), the beginning
 * of a command (U+009B, as ESC [ is) or another direction of the text (U+202E).
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Text from a caller as it goes into a message: on one line, in sight, and not at any length. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text)
    .replace(UNSEEN, (character) => character.split("").map(escaped).join(""));
}

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** The octets of a dotted quad; leading zeros are refused, since some systems read them as octal. */
function parseIPv4(text: string): number[] | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const octets: number[] = [];
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined;
    octets.push(Number(part));
  }
  return octets;
}

function parseGroups(text: string): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    if (index === parts.length - 1 && part.includes(".")) {
      const octets = parseIPv4(part);
      if (octets === undefined) return undefined;
      groups.push(octets[0] << 8 | octets[1], octets[2] << 8 | octets[3]);
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(part)) return undefined;
      groups.push(parseInt(part, 16));
    }
  }
  return groups;
}

/** The eight groups of an IPv6 address (RFC 4291, section 2.2), without brackets and zone. */
function parseIPv6(text: string): number[] | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0]);
  if (head === undefined) return undefined;
  if (halves.length === 1) return head.length === 8 ? head : undefined;
  const tail = parseGroups(halves[1]);
  // The dotted quad may only stand at the very end.
  if (tail === undefined || halves[0].includes(".")) return undefined;
  const zeros = 8 - head.length - tail.length;
  return zeros < 1 ? undefined : [...head, ...new Array<number>(zeros).fill(0), ...tail];
}

/**
 * The zone of an IPv6 address, with the `%` before it (RFC 4007, section 11). An interface of Linux has a name of at
 * most 15 characters (IFNAMSIZ); the characters are those that RFC 6874 takes as they are.
 */
const ZONE = /%[a-z0-9._~-]{1,15}$/i;

/** An IPv6 address without its zone, valid or not; everything else as it is. */
export function withoutZone(host: string): string {
  const start = host.indexOf("%");
  return start === -1 ? host : host.slice(0, start);
}

/** 4 or 6 for an address written out, an IPv6 one perhaps with a zone; 0 for anything else. */
export function ipFamily(host: string): 4 | 6 | 0 {
  if (!host.includes(":")) return parseIPv4(host) === undefined ? 0 : 4;
  const plain = withoutZone(host);
  if (parseIPv6(plain) === undefined) return 0;
  return plain === host || host.search(ZONE) === plain.length && !isMapped(plain) ? 6 : 0;
}

/** Says whether an IPv6 address is IPv4 that IPv6 carries. */
function isMapped(host: string): boolean {
  return unmapIPv4(host) !== host;
}

/** `a.b.c.d` for `::ffff:a.b.c.d` in any of its spellings, everything else as it is. */
export function unmapIPv4(host: string): string {
  if (!host.includes(":")) return host;
  const groups = parseIPv6(host);
  if (groups === undefined || groups[5] !== 0xffff || groups.some((g, i) => i < 5 && g !== 0)) {
    return host;
  }
  return [groups[6] >> 8, groups[6] & 255, groups[7] >> 8, groups[7] & 255].join(".");
}
