import { quote, toAddress, withoutZone } from "../address.ts";
import { SocketError } from "../errors.ts";
import type { Address } from "../types.ts";

/** The address of a runtime socket; those without host and port (Unix, vsock) get an empty one. */
export function fromRuntimeAddress(address: Deno.Addr | undefined): Address {
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

/** Bytes to send or a buffer to fill, as {@linkcode plainBytes} gives them, or `InvalidInput`. */
export function checkBytes(operation: string, name: string, bytes: unknown): Uint8Array {
  if (!isBytes(bytes)) {
    throw invalidInput(operation, `${name} is ${describe(bytes)}, not a Uint8Array`);
  }
  const plain = plainBytes(bytes);
  // Nobody means to send nothing by that.
  if (plain.length > 0 || isThere(bytes)) return plain;
  throw invalidInput(operation, `the buffer of ${name} has been transferred or shortened`);
}

/** Bytes as {@linkcode checkBytes} gives them, at least one. */
export function checkSomeBytes(operation: string, name: string, bytes: unknown): Uint8Array {
  const checked = checkBytes(operation, name, bytes);
  if (checked.length > 0) return checked;
  throw invalidInput(operation, `${name} is empty`);
}

const [typedArrayTag, bufferOf, byteOffsetOf, lengthOf] = [
  ...[Symbol.toStringTag, "buffer", "byteOffset", "length"],
].map((name) =>
  Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), name)!.get!
);
const EMPTY = new Uint8Array();

/**
 * Asks the value itself, not its prototype, which a proxy has as well, or an array of another type that
 * was given this one's. That costs 15 ns more than `instanceof`.
 */
export function isBytes(value: unknown): value is Uint8Array {
  return typedArrayTag.call(value) === "Uint8Array";
}

/**
 * The same bytes in a plain array. In a subclass, such as `Buffer` of Node, `length`, `set` and `subarray` can be
 * anything: a `length` that lies made the runtime write nothing for ever, a `set` that throws lost a read.
 */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  const length = lengthOf.call(bytes);
  const plain = Object.getPrototypeOf(bytes) === Uint8Array.prototype &&
    statedLength(bytes) === length;
  if (plain) return bytes;
  // Of a buffer that was transferred no view can be made.
  return length === 0
    ? EMPTY
    : new Uint8Array(bufferOf.call(bytes), byteOffsetOf.call(bytes), length);
}

/** The length that bytes say they have, which may be any number; 0 where they say none. */
export function statedLength(bytes: Uint8Array): number {
  try {
    return bytes.length;
  } catch {
    return 0;
  }
}

/** Whether a view that reads as empty is one of no bytes, not of a buffer that was transferred or ends before it. */
export function isThere(bytes: Uint8Array): boolean {
  try {
    Uint8Array.prototype.at.call(bytes, 0);
    return true;
  } catch {
    return false;
  }
}

/** Whether bytes are as many as when they were made, whatever somebody did to their buffer since. */
export function keepsItsLength(bytes: Uint8Array): boolean {
  return isThere(bytes) && (bufferOf.call(bytes) as ArrayBuffer).resizable !== true;
}

/** Asked so that nothing can throw. */
export function isArray(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    return false; // A revoked proxy.
  }
}
