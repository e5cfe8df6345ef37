import { quote, toAddress, withoutZone } from "../address.ts";
import { SocketError } from "../errors.ts";
import type { Address } from "../types.ts";

/** The address of a runtime socket; those without host and port (Unix, vsock) get an empty one. */
export function fromRuntimeAddress(address: object | undefined): Address {
  const { hostname, port } = (address ?? {}) as Partial<Deno.NetAddr>;
  return typeof hostname === "string" && typeof port === "number"
    ? toAddress(hostname, port)
    : toAddress("", 0);
}

/**
 * The address of a socket that was bound to `host`, with the zone that the host has: the runtime drops it, and nobody
 * could reach the socket at a link-local address without.
 */
export function withZoneOf(host: string, address: Address): Address {
  const zone = host.slice(withoutZone(host).length);
  return zone === "" ? address : toAddress(address.host + zone, address.port);
}

/** What a value is, for a message about it. */
export function describe(value: unknown): string {
  if (typeof value === "string") return quote(value);
  if (typeof value === "number" || typeof value === "boolean" || value == null) return `${value}`;
  if (isArray(value)) return "an array";
  return typeof value === "object" ? "an object of another kind" : `a ${typeof value}`;
}

/** The error for an argument that can't be right; thrown before any I/O. */
export function invalidInput(operation: string, reason: string, cause?: unknown): SocketError {
  return new SocketError("InvalidInput", operation, reason, cause === undefined ? {} : { cause });
}

/**
 * Runs what reads a caller's arguments. Getters and proxies may throw anything: that is bad input as
 * well, and must not escape raw.
 */
export function readArguments<T>(operation: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw asInvalidInput(operation, error);
  }
}

/** What was thrown while a caller's arguments were read, which may be the getter's own. */
export function asInvalidInput(operation: string, error: unknown): SocketError {
  return error instanceof SocketError
    ? error
    : invalidInput(operation, "an argument could not be read", error);
}

/** A whole number in a range, or `InvalidInput`. */
export function checkWhole(
  operation: string,
  name: string,
  value: unknown,
  lowest: number,
  highest: number,
): number {
  if (Number.isInteger(value) && (value as number) >= lowest && (value as number) <= highest) {
    return value as number;
  }
  throw invalidInput(
    operation,
    `${name} is ${describe(value)}, not a whole number from ${lowest} to ${highest}`,
  );
}

/** A number from `lowest` to `Infinity`, whole where `whole` says so, or `InvalidInput`. */
export function checkLimit(
  operation: string,
  name: string,
  value: unknown,
  fallback: number,
  { lowest = 0, whole = false }: { lowest?: number; whole?: boolean } = {},
): number {
  if (value === undefined) return fallback;
  if (
    typeof value === "number" && value >= lowest &&
    (!whole || value === Infinity || Number.isInteger(value))
  ) return value;
  throw invalidInput(
    operation,
    `${name} is ${describe(value)}, not a ${
      whole ? "whole " : ""
    }number from ${lowest} to Infinity`,
  );
}

/** `true` or `false`, or `InvalidInput`. */
export function checkBoolean(
  operation: string,
  name: string,
  value: unknown,
  fallback: boolean,
): boolean {
  if (value === undefined) return fallback;
  if (typeof value === "boolean") return value;
  throw invalidInput(operation, `${name} is ${describe(value)}, not true or false`);
}

/** An options object, or the empty one where it was left out, or `InvalidInput`. */
export function checkOptions<T extends object>(operation: string, options: T | undefined): T {
  if (options === undefined) return {} as T;
  if (typeof options === "object" && options !== null && !isArray(options)) return options;
  throw invalidInput(operation, `options is ${describe(options)}, not an object`);
}

/** Asked so that nothing can throw. */
export function isArray(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    return false; // A revoked proxy.
  }
}
