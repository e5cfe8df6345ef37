/**
 * The one error that every function rejects with, and the closed list of its kinds.
 *
 * @module
 */

import type { SocketAddress } from "./types.ts";

/**
 * Names what went wrong, for exhaustive switches.
 *
 * The kinds say whose move it is: `Closed` is this side's own close, `null` from `recv` is the peer's orderly end, and
 * `ConnectionReset` and `BrokenPipe` are breaks of the peer or of the network. `docs/errors.md` has a table of all
 * kinds.
 *
 * @example
 * ```ts
 * import type { SocketErrorKind } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * function blame(kind: SocketErrorKind): string {
 *   switch (kind) {
 *     case "ConnectionReset":
 *     case "BrokenPipe":
 *       return "the peer or the network";
 *     case "InvalidInput":
 *     case "Closed":
 *       return "this program";
 *     default:
 *       return "see the message";
 *   }
 * }
 * assertEquals(blame("Closed"), "this program");
 * ```
 */
export type SocketErrorKind =
  | "PermissionDenied"
  | "InvalidInput"
  | "HostNotFound"
  | "ConnectionRefused"
  | "ConnectionReset"
  | "BrokenPipe"
  | "Unreachable"
  | "AddressInUse"
  | "AddressNotAvailable"
  | "TimedOut"
  | "Aborted"
  | "Closed"
  | "Busy"
  | "UnexpectedEof"
  | "InvalidData"
  | "CertificateRejected"
  | "TlsFailed"
  | "TooLarge"
  | "QueueFull"
  | "ResourceExhausted"
  | "Unsupported"
  | "Other";

/** Describes a missing permission, as `Deno.permissions.request` takes it. */
export interface NetPermission {
  /** The permission's name. */
  readonly name: "net";
  /** Host and port as in `--allow-net=`; left out if the whole network is meant. */
  readonly host?: string;
}

/** Describes a missing permission for the path of a Unix socket, as `Deno.permissions.request` takes it. */
export interface PathPermission {
  /** The permission's name. */
  readonly name: "read" | "write";
  /** The path of the socket file. */
  readonly path: string;
  /** Never there: with it, `permission.host` is `undefined` for a path. */
  readonly host?: undefined;
}

/** Holds what is known of a {@linkcode SocketError} beside its kind. */
export interface SocketErrorOptions {
  /** The address that the operation was about. One without host and path, of a client without a name, is left out. */
  address?: SocketAddress;
  /** The system's name for the error, such as `ECONNREFUSED`. */
  code?: string;
  /** The permission to grant if one is missing. */
  permission?: NetPermission | PathPermission;
  /** Bytes of a send that are known to have left before it failed. */
  bytesSent?: number;
  /**
   * True if the same call has a chance later.
   *
   * @default {decided by the kind, and false if `bytesSent` is given}
   */
  retryable?: boolean;
  /** The error underneath, untouched. */
  cause?: unknown;
}

const RETRYABLE: ReadonlySet<SocketErrorKind> = new Set([
  "ConnectionRefused",
  "Unreachable",
  "HostNotFound",
  "AddressInUse",
  "AddressNotAvailable",
  "ResourceExhausted",
  "QueueFull",
  "Busy",
  "TimedOut",
]);

function isRetryable(kind: SocketErrorKind, operation: string, bytesSent?: number): boolean {
  // A send that has a count has torn its stream.
  return bytesSent === undefined &&
    (RETRYABLE.has(kind) || kind === "ConnectionReset" && operation === "connect");
}

/** Returns an address unless it names nothing: the client of a Unix socket has an empty path. */
function namedAddress(address: SocketAddress | undefined): SocketAddress | undefined {
  return address === undefined || (address.host ?? address.path) === "" ? undefined : address;
}

/** Characters of a path that would break a message into lines, or change a terminal. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Writes an address as `formatAddress` does, but on one line. */
function formatWhere(address: SocketAddress): string {
  if (address.host === undefined) {
    return `unix:${address.path.replace(/^\0/, "@").replace(UNSEEN, "\uFFFD")}`;
  }
  const { host, port } = address;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * The only error that the functions of this package reject with.
 *
 * Its message reads `operation address: what went wrong (CODE)`, for example
 * `connect 127.0.0.1:9: connection refused (ECONNREFUSED)`.
 *
 * @example Deciding by kind
 * ```ts
 * import { SocketError } from "jsr:@aivi/sockets";
 * import { assert, assertEquals } from "jsr:@std/assert";
 *
 * const error = new SocketError("ConnectionRefused", "connect", "connection refused", {
 *   address: { host: "127.0.0.1", port: 9 },
 *   code: "ECONNREFUSED",
 * });
 * assertEquals(error.message, "connect 127.0.0.1:9: connection refused (ECONNREFUSED)");
 * assertEquals(error.reason, "connection refused (ECONNREFUSED)");
 * assert(error.retryable);
 * ```
 */
export class SocketError extends Error {
  /** Always `SocketError`. */
  override readonly name: string = "SocketError";
  /** The kind of failure, which says whose move it is. */
  readonly kind: SocketErrorKind;
  /** The exported function that failed: `connect`, `sendTo`, … */
  readonly operation: string;
  /** The part of the message after `operation address: `, with the code if there is one. */
  readonly reason: string;
  /**
   * The address that the operation was about: on a connection, the remote one. It is missing for a client without a
   * name, as those of Unix sockets are.
   */
  declare readonly address?: SocketAddress;
  /** The system's name for the error, such as `ECONNREFUSED`, if the system gave one. */
  declare readonly code?: string;
  /** The permission to grant if one is missing; `Deno.permissions.request` takes it. */
  declare readonly permission?: NetPermission | PathPermission;
  /**
   * Bytes of a send that are known to have left: 0 if the connection broke or was closed while the send waited. It is
   * missing if the send changed nothing. In an error of `close` it counts all sends of the connection.
   */
  declare readonly bytesSent?: number;
  /** True if the same call has a chance later. It says nothing about another connection. */
  readonly retryable: boolean;

  /**
   * Makes an error. Codecs and protocols built on this package may use it for their own failures.
   *
   * @param kind The kind of failure.
   * @param operation The function that failed.
   * @param reason The failure in words, without a full stop. The code need not be in it, and is not written twice.
   * @param options Further facts, such as the address and the cause.
   */
  constructor(
    kind: SocketErrorKind,
    operation: string,
    reason: string,
    options?: SocketErrorOptions,
  );
  constructor(
    kind: SocketErrorKind,
    operation: string,
    reason: string,
    options: SocketErrorOptions = {},
  ) {
    const { code, permission, bytesSent } = options;
    const address = namedAddress(options.address);
    const where = address === undefined ? "" : ` ${formatWhere(address)}`;
    const suffix = code === undefined ? "" : ` (${code})`;
    // The reason of another error has its code already.
    const full = reason.endsWith(suffix) ? reason : reason + suffix;
    super(
      `${operation}${where}: ${full}`,
      "cause" in options ? { cause: options.cause } : undefined,
    );
    this.kind = kind;
    this.operation = operation;
    this.reason = full;
    if (address !== undefined) this.address = address;
    if (code !== undefined) this.code = code;
    if (permission !== undefined) this.permission = permission;
    if (bytesSent !== undefined) this.bytesSent = bytesSent;
    this.retryable = options.retryable ?? isRetryable(kind, operation, bytesSent);
  }
}
