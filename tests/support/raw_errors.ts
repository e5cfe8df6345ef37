import { constants } from "node:os";
import { SocketError, type SocketErrorKind } from "../../mod.ts";

/** A value that a transport may fail with, and the kind and code of the `SocketError` that it becomes. */
export interface RawError {
  readonly what: string;
  readonly value: unknown;
  /** The kind, or `undefined` if any kind is right. */
  readonly kind?: SocketErrorKind;
  readonly code?: string;
}

const KIND_BY_CODE: Readonly<Record<string, SocketErrorKind>> = {
  ECONNREFUSED: "ConnectionRefused",
  ECONNRESET: "ConnectionReset",
  ECONNABORTED: "ConnectionReset",
  EPIPE: "BrokenPipe",
  ETIMEDOUT: "TimedOut",
  ENETUNREACH: "Unreachable",
  ENETDOWN: "Unreachable",
  EHOSTUNREACH: "Unreachable",
  EADDRINUSE: "AddressInUse",
  EADDRNOTAVAIL: "AddressNotAvailable",
  EACCES: "PermissionDenied",
  EPERM: "PermissionDenied",
  EMFILE: "ResourceExhausted",
  ENFILE: "ResourceExhausted",
  ENOBUFS: "ResourceExhausted",
  ENOMEM: "ResourceExhausted",
  EMSGSIZE: "TooLarge",
  EAFNOSUPPORT: "InvalidInput",
  EINVAL: "InvalidInput",
  EBADF: "Closed",
  EBUSY: "Busy",
  EOPNOTSUPP: "Unsupported",
};

/** The kinds of the runtime's error classes, which it throws without a code. */
const KIND_BY_CLASS: Readonly<Partial<Record<keyof typeof Deno.errors, SocketErrorKind>>> = {
  ConnectionRefused: "ConnectionRefused",
  ConnectionReset: "ConnectionReset",
  ConnectionAborted: "ConnectionReset",
  NotConnected: "ConnectionReset",
  BrokenPipe: "BrokenPipe",
  TimedOut: "TimedOut",
  NetworkUnreachable: "Unreachable",
  AddrInUse: "AddressInUse",
  AddrNotAvailable: "AddressNotAvailable",
  PermissionDenied: "PermissionDenied",
  NotCapable: "PermissionDenied",
  BadResource: "Closed",
  Interrupted: "Closed",
  Busy: "Busy",
  NotSupported: "Unsupported",
  InvalidData: "InvalidData",
  UnexpectedEof: "UnexpectedEof",
  NotFound: "Other",
  AlreadyExists: "Other",
  WriteZero: "Other",
  WouldBlock: "Other",
};

function ofClasses(): RawError[] {
  return Object.entries(KIND_BY_CLASS).map(([name, kind]) => {
    const Class = Deno.errors[name as keyof typeof Deno.errors];
    return { what: `Deno.errors.${name}`, value: new Class("it failed"), kind };
  });
}

function ofCodes(): RawError[] {
  return Object.entries(KIND_BY_CODE).map(([code, kind]) => ({
    what: `an Error with code ${code}`,
    value: Object.assign(new Error("it failed"), { code }),
    kind,
    code,
  }));
}

/** Makes errors like those of the runtime that have only the system's number in their message. */
function ofNumbers(): RawError[] {
  if (Deno.build.os === "windows") return [];
  const numbers = constants.errno as unknown as Record<string, number>;
  // On Linux, EOPNOTSUPP and ENOTSUP have the same number.
  const codes = Object.entries(KIND_BY_CODE).filter(([code]) => code !== "EOPNOTSUPP");
  return codes.map(([code, kind]) => ({
    what: `an Error with the number of ${code}`,
    value: new Error(`It failed (os error ${numbers[code]})`),
    kind,
    code,
  }));
}

const OTHERS: readonly RawError[] = [
  { what: "a plain Error", value: new Error("it failed"), kind: "Other" },
  { what: "an Error without a message", value: new Error(), kind: "Other" },
  { what: "an Error of several lines", value: new Error("first\nsecond\nthird"), kind: "Other" },
  {
    what: "a failed look-up",
    value: new Error("failed to lookup address information: Name or service not known"),
    kind: "HostNotFound",
  },
  {
    what: "an unknown code",
    value: Object.assign(new Error("it failed"), { code: "EWHATEVER" }),
    kind: "Other",
    code: "EWHATEVER",
  },
  {
    what: "an aborted read",
    value: new DOMException("The signal has been aborted", "AbortError"),
  },
  { what: "a DOMException", value: new DOMException("it failed", "InvalidStateError") },
  { what: "a TypeError", value: new TypeError("expected typed ArrayBufferView") },
  { what: "a RangeError", value: new RangeError("out of range") },
  { what: "a URIError", value: new URIError("invalid host") },
  { what: "number 0", value: new Error("It failed (os error 0)"), kind: "Other" },
  { what: "a number of nothing", value: new Error("It failed (os error 99999)"), kind: "Other" },
  {
    what: "a number beyond all",
    value: new Error(`It failed (os error ${"9".repeat(40)})`),
    kind: "Other",
  },
  ...["text", "", 5, NaN, true, 5n, undefined, null, Symbol("text"), [], {}, () => {}].map(
    (value): RawError => ({ what: `thrown: a ${typeof value}`, value, kind: "Other" }),
  ),
  { what: "an object without a prototype", value: Object.create(null), kind: "Other" },
  { what: "an Error with a numeric code", value: Object.assign(new Error("no"), { code: 5 }) },
];

/** Errors of a transport that is built on this package. */
const OWN: readonly RawError[] = [
  {
    what: "a SocketError of connect",
    value: new SocketError("Unreachable", "connect", "no way", { code: "EHOSTUNREACH" }),
    kind: "Unreachable",
    code: "EHOSTUNREACH",
  },
  {
    what: "a SocketError with an address",
    value: new SocketError("TimedOut", "handshake", "too late: really", {
      address: { host: "::1", port: 7 },
    }),
    kind: "TimedOut",
  },
];

/** All errors that a transport under test fails with. */
export const RAW_ERRORS: readonly RawError[] = [
  ...ofClasses(),
  ...ofCodes(),
  ...ofNumbers(),
  ...OTHERS,
  ...OWN,
];
