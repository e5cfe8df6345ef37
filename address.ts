/**
 * Addresses as text, and back.
 *
 * @module
 */

import {
  checkHostAndPort,
  checkSocketAddress,
  readPath,
  toAddress,
  toUnixAddress,
} from "./core/address_check.ts";
import { describe, invalidInput, quote } from "./core/arguments.ts";
import { formatHostPort } from "./core/ip_address.ts";
import { formatUnixPath, parseUnixPath } from "./core/unix_path.ts";
import type { Address, SocketAddress } from "./types.ts";

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
  checkIsText(operation, text);
  return readHostAndPort(operation, text, "; parseSocketAddress() reads a path as unix:/path");
}

function checkIsText(operation: string, text: unknown): void {
  if (typeof text === "string") return;
  throw invalidInput(operation, `the text is ${describe(text)}, not a string`);
}

/** @param pathHint What to add to the error for a text that may be meant as a path. */
function readHostAndPort(operation: string, text: string, pathHint: string): Address {
  const match = /^(?:\[([^[\]]*)\]|([^:[\]]*)):(0|[1-9][0-9]{0,4})$/.exec(text);
  if (match === null) {
    throw invalidInput(operation, `${quote(text)} is not an address: ${rightForm(text, pathHint)}`);
  }
  const [, bracketed, plain, port] = match;
  if (bracketed !== undefined && !bracketed.includes(":")) {
    throw invalidInput(operation, `${quote(text)} has brackets, which are for IPv6 addresses only`);
  }
  const address = toAddress(bracketed ?? plain, Number(port));
  checkHostAndPort(operation, address.host, address.port, 0);
  return address;
}

/** Says how an address is written, with a word on the form that the text has. */
function rightForm(text: string, pathHint: string): string {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return "write host:port, without a scheme";
  const seemsPath = text.includes("/") || /^unix:/i.test(text);
  return `write host:port, with an IPv6 host in brackets${seemsPath ? pathHint : ""}`;
}

/**
 * Reads an address of either kind: `host:port` as {@linkcode parseAddress}, or `unix:` and the path of a Unix socket.
 *
 * @param text The address, such as `127.0.0.1:80`, `unix:/run/app.sock` or `unix:app.sock`; `unix:@name` is the
 * abstract name `"\0name"`, and `unix:///run/app.sock` is read too. `unix:80` is a host and a port, `unix:./80` a file.
 * `unix:` alone is the address of a client without a name, as {@linkcode formatAddress} writes it: nobody can listen
 * there or connect to it.
 * @returns The address, frozen.
 * @throws {SocketError} `InvalidInput` if the text is anything else, or if the path is too long.
 *
 * @example
 * ```ts
 * import { parseSocketAddress } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * assertEquals(parseSocketAddress("unix:/run/app.sock"), { path: "/run/app.sock" });
 * assertEquals(parseSocketAddress("unix:@app"), { path: "\0app" });
 * assertEquals(parseSocketAddress("[::1]:80"), { host: "::1", port: 80 });
 * ```
 */
export function parseSocketAddress(text: string): SocketAddress {
  const operation = "parseSocketAddress";
  checkIsText(operation, text);
  const path = parseUnixPath(operation, text);
  return path === undefined
    ? readHostAndPort(operation, text, ", or unix:/path for a Unix socket")
    : toUnixAddress(path);
}

/**
 * Writes an address as {@linkcode parseSocketAddress} reads it: `host:port`, with an IPv6 host in brackets, or `unix:`
 * and the path. An abstract name begins with `@`, and an unnamed Unix socket is `unix:` alone. A path that would be read
 * in another way is written as another one of the same file: `@file` as `unix:./@file`.
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
 * assertEquals(formatAddress({ path: "/run/app.sock" }), "unix:/run/app.sock");
 * ```
 */
export function formatAddress(address: SocketAddress): string {
  const operation = "formatAddress";
  const path = readPath(operation, address);
  if (path === "") return formatUnixPath(path);
  const checked = checkSocketAddress(operation, address, 0);
  return checked.host === undefined
    ? formatUnixPath(checked.path)
    : formatHostPort(checked.host, checked.port);
}
