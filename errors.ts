/**
 * The one error that every function rejects with, and the closed list of its kinds.
 *
 * @module
 */

import type { Address } from "./types.ts";

/**
 * What went wrong, for exhaustive switches. They say whose move it is: `Closed` is this side's own
 * close, `null` from `recv` the peer's orderly end, `ConnectionReset` and `BrokenPipe` the break of
 * the peer or of the network.
 *
 * @example
 * ```ts
 * import type { SocketErrorKind } from "jsr:@aivi/sockets";
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
 * console.log(blame("Closed"));
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
  | "TooLarge"
  | "QueueFull"
  | "ResourceExhausted"
  | "Unsupported"
  | "Other";

/** What a {@linkcode SocketError} may carry beyond its kind. */
export interface SocketErrorOptions {
  /** The address that the operation was about. */
  address?: Address;
  /** The system's name for the error, such as `ECONNREFUSED`. */
  code?: string;
  /** What to grant, where a permission is missing. */
  permission?: Deno.NetPermissionDescriptor;
  /** Of a send that failed part-way: how many of its bytes are known to have left. */
  bytesSent?: number;
  /** Whether the same call, later, has a chance; where it is left out, kind and operation decide. */
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
]);

/** Those that meet the system on a stream, which stays broken then. */
const ON_A_STREAM: ReadonlySet<string> = new Set([
  ...["send", "recv", "recvInto", "closeWrite", "close"],
  ...["recvExactly", "recvUntil", "recvLine", "recvFrame", "sendFrame", "recvProxyHeader"],
]);

function isRetryable(
  kind: SocketErrorKind,
  operation: string,
  { code, bytesSent }: SocketErrorOptions,
): boolean {
  if (kind === "ConnectionReset") return operation === "connect";
  // A stream that the system failed, or that a send has torn, stays broken. So EHOSTUNREACH of a recv is the
  // kernel giving the connection up, as ETIMEDOUT is: it came where routers had said "unreachable" meanwhile.
  if (bytesSent !== undefined || code !== undefined && ON_A_STREAM.has(operation)) return false;
  return kind === "TimedOut" || RETRYABLE.has(kind);
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
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
 *
 * const error = new SocketError("ConnectionRefused", "connect", "connection refused", {
 *   address: { host: "127.0.0.1", port: 9 },
 *   code: "ECONNREFUSED",
 * });
 * console.log(error.message); // connect 127.0.0.1:9: connection refused (ECONNREFUSED)
 * console.log(error.retryable); // true
 * ```
 */
export class SocketError extends Error {
  /** Always `SocketError`. */
  override readonly name: string = "SocketError";
  /** What went wrong. */
  readonly kind: SocketErrorKind;
  /** The exported function that failed: `connect`, `sendTo`, … */
  readonly operation: string;
  /** The address that the operation was about: on a connection, the remote one. */
  declare readonly address?: Address;
  /** The system's name for the error, such as `ECONNREFUSED`, when the system gave one. */
  declare readonly code?: string;
  /** Exactly what to grant, when a permission is missing; `Deno.permissions.request` takes it. */
  declare readonly permission?: Deno.NetPermissionDescriptor;
  /**
   * Of a send that was handed to the runtime, or lost with its connection: how many of its bytes are
   * known to have left. Missing where nothing of it was sent and the connection goes on.
   */
  declare readonly bytesSent?: number;
  /** Would the same call, later, have a chance? */
  readonly retryable: boolean;

  /**
   * Makes an error; codecs and protocols built on this package may use it for their own failures.
   *
   * @param kind What went wrong.
   * @param operation The function that failed.
   * @param reason What went wrong in words, without a full stop.
   * @param options What else is known.
   */
  constructor(
    kind: SocketErrorKind,
    operation: string,
    reason: string,
    options: SocketErrorOptions = {},
  ) {
    const { address, code, permission, bytesSent } = options;
    const where = address === undefined ? "" : ` ${bracketed(address.host)}:${address.port}`;
    const suffix = code === undefined ? "" : ` (${code})`;
    super(
      `${operation}${where}: ${reason}${suffix}`,
      "cause" in options ? { cause: options.cause } : undefined,
    );
    this.kind = kind;
    this.operation = operation;
    if (address !== undefined) this.address = address;
    if (code !== undefined) this.code = code;
    if (permission !== undefined) this.permission = permission;
    if (bytesSent !== undefined) this.bytesSent = bytesSent;
    this.retryable = options.retryable ?? isRetryable(kind, operation, options);
  }
}
