/**
 * Addresses as text, and back.
 *
 * @module
 */

import { checkAddress, checkHostAndPort, toAddress } from "./core/address_check.ts";
import { describe, invalidInput, quote } from "./core/arguments.ts";
import { formatHostPort } from "./core/ip_address.ts";
import type { Address } from "./types.ts";

/**
 * Reads `host:port`, with an IPv6 host in brackets.
 *
 * @param text The address, such as `127.0.0.1:80`, `[::1]:80`, `[fe80::1%eth0]:80` or `example.com:443`; port 0 to
 * 65535.
 * @returns The address, frozen; `::ffff:a.b.c.d` is given as `a.b.c.d`.
 * @throws {SocketError} `InvalidInput` if the text is anything else.
 *
 * @example
 * ```ts
 * import { parseAddress } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * assertEquals(parseAddress("[::1]:80"), { host: "::1", port: 80 });
 * ```
 */
export function parseAddress(text: string): Address {
  const operation = "parseAddress";
  if (typeof text !== "string") {
    throw invalidInput(operation, `the text is ${describe(text)}, not a string`);
  }
  const match = /^(?:\[([^[\]]*)\]|([^:[\]]*)):(0|[1-9][0-9]{0,4})$/.exec(text);
  if (match === null) {
    throw invalidInput(
      operation,
      `${quote(text)} is not an address: write host:port, with an IPv6 host in brackets`,
    );
  }
  const [, bracketed, plain, port] = match;
  if (bracketed !== undefined && !bracketed.includes(":")) {
    throw invalidInput(operation, `${quote(text)} has brackets, which are for IPv6 addresses only`);
  }
  const address = toAddress(bracketed ?? plain, Number(port));
  checkHostAndPort(operation, address.host, address.port, 0);
  return address;
}

/**
 * Writes an address as {@linkcode parseAddress} reads it: `host:port`, with an IPv6 host in brackets.
 *
 * @param address The address; port 0 to 65535.
 * @returns Its text.
 * @throws {SocketError} `InvalidInput` if it is not an address.
 *
 * @example
 * ```ts
 * import { formatAddress } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * assertEquals(formatAddress({ host: "::1", port: 80 }), "[::1]:80");
 * ```
 */
export function formatAddress(address: Address): string {
  const { host, port } = checkAddress("formatAddress", address, 0);
  return formatHostPort(host, port);
}
