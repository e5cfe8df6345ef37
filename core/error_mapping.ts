import { SocketError, type SocketErrorKind } from "../errors.ts";
import type { SocketAddress } from "../types.ts";
import { quoteMessage, UNSEEN } from "./arguments.ts";
import { isTlsCode, tlsMeaning } from "./tls_meaning.ts";

/** The kind and the reason of an error of the system. */
type Meaning = readonly [kind: SocketErrorKind, reason: string];

const REFUSED: Meaning = ["ConnectionRefused", "connection refused"];
const RESET: Meaning = ["ConnectionReset", "connection reset by the peer"];
const BROKEN_PIPE: Meaning = ["BrokenPipe", "the peer no longer receives"];
const TIMED_OUT: Meaning = ["TimedOut", "the network gave no answer in time"];
const NET_UNREACHABLE: Meaning = ["Unreachable", "network unreachable"];
const HOST_UNREACHABLE: Meaning = ["Unreachable", "host unreachable"];
const PROHIBITED: Meaning = ["Unreachable", "prohibited by a router, a firewall or a route"];
const IN_USE: Meaning = ["AddressInUse", "address already in use"];
const NOT_AVAILABLE: Meaning = ["AddressNotAvailable", "address not available on this machine"];
const FORBIDDEN: Meaning = ["PermissionDenied", "the operating system does not permit it"];
const DESCRIPTORS: Meaning = ["ResourceExhausted", "out of file descriptors"];
const MEMORY: Meaning = ["ResourceExhausted", "out of buffer memory"];
const TOO_LARGE: Meaning = ["TooLarge", "the datagram is too large to send"];
const WRONG_FAMILY: Meaning = ["InvalidInput", "the address is of the wrong family"];
const INVALID: Meaning = ["InvalidInput", "the operating system calls an argument invalid"];
const CLOSED: Meaning = ["Closed", "closed underneath on this side"];
const BUSY: Meaning = ["Busy", "another call is under way"];
const NOT_FOUND: Meaning = ["HostNotFound", "host not found"];
const UNSUPPORTED: Meaning = ["Unsupported", "the operating system does not support it"];

/** Meanings by errno. On Linux each of these was seen, or is in the call's manual page. */
const BY_CODE: ReadonlyMap<string, Meaning> = new Map<string, Meaning>([
  ["ECONNREFUSED", REFUSED],
  ["ECONNRESET", RESET],
  ["ECONNABORTED", RESET],
  // shutdown(2) of a connection that the peer has reset.
  ["ENOTCONN", RESET],
  ["EPIPE", BROKEN_PIPE],
  ["ESHUTDOWN", BROKEN_PIPE],
  ["ETIMEDOUT", TIMED_OUT],
  ["ENETUNREACH", NET_UNREACHABLE],
  ["ENETDOWN", NET_UNREACHABLE],
  ["ENONET", NET_UNREACHABLE],
  ["EHOSTUNREACH", HOST_UNREACHABLE],
  ["EHOSTDOWN", HOST_UNREACHABLE],
  // ICMP "protocol unreachable" arrives as this one.
  ["ENOPROTOOPT", HOST_UNREACHABLE],
  ["EADDRINUSE", IN_USE],
  ["EADDRNOTAVAIL", NOT_AVAILABLE],
  ["ENODEV", ["AddressNotAvailable", "there is no such network interface"]],
  ["EACCES", FORBIDDEN],
  ["EPERM", FORBIDDEN],
  ["EMFILE", DESCRIPTORS],
  ["ENFILE", DESCRIPTORS],
  ["ENOBUFS", MEMORY],
  ["ENOMEM", MEMORY],
  ["EMSGSIZE", TOO_LARGE],
  ["EAFNOSUPPORT", WRONG_FAMILY],
  ["EINVAL", INVALID],
  ["EBADF", CLOSED],
  // The runtime gives this one if it cancels an operation because its resource is closed.
  ["EINTR", CLOSED],
  ["EBUSY", BUSY],
  ["ENOTFOUND", NOT_FOUND],
  ["EAI_AGAIN", NOT_FOUND],
  ["EAI_NODATA", NOT_FOUND],
  ["EAI_NONAME", NOT_FOUND],
  ["EOPNOTSUPP", UNSUPPORTED],
  ["ENOTSUP", UNSUPPORTED],
  ["EPROTONOSUPPORT", UNSUPPORTED],
]);

const NOBODY: Meaning = ["ConnectionRefused", "no socket is there"];
const NO_DIRECTORY: Meaning = ["AddressNotAvailable", "the directory does not exist"];

/** Meanings of the errnos of connect(2) on a Unix socket that differ from those of TCP: see unix(7). */
const OF_CONNECT: ReadonlyMap<string, Meaning> = new Map<string, Meaning>([
  ["ENOENT", NOBODY],
  ["ENOTDIR", NOBODY],
  ["ECONNREFUSED", ["ConnectionRefused", "nobody listens on the socket"]],
  ["EPROTOTYPE", ["ConnectionRefused", "the socket there takes datagrams, not connections"]],
  ["EAGAIN", ["ResourceExhausted", "too many clients wait for the listener"]],
  ["EACCES", ["PermissionDenied", "the rights of the socket file or of a directory forbid it"]],
]);

/** The same for bind(2). */
const OF_LISTEN: ReadonlyMap<string, Meaning> = new Map<string, Meaning>([
  ["ENOENT", NO_DIRECTORY],
  ["ENOTDIR", NO_DIRECTORY],
  ["EADDRINUSE", ["AddressInUse", "a file or another listener has the path"]],
  ["EACCES", ["PermissionDenied", "the rights of a directory forbid it"]],
  ["EROFS", ["PermissionDenied", "the file system is read-only"]],
  ["ENOSPC", ["ResourceExhausted", "the file system is full"]],
  ["EDQUOT", ["ResourceExhausted", "the quota of the file system is used up"]],
]);

/** Gives the meaning of an errno of `listen` or `connect` on a path, if it has one of its own. */
function unixMeaning(operation: string, code: string | undefined): Meaning | undefined {
  if (code === undefined) return undefined;
  if (operation === "connect") return OF_CONNECT.get(code);
  return operation === "listen" ? OF_LISTEN.get(code) : undefined;
}

/** Meanings by error class, for systems and errors to which the runtime gives no code. */
const BY_CLASS: ReadonlyMap<string, Meaning> = new Map<string, Meaning>([
  ["ConnectionRefused", REFUSED],
  ["ConnectionReset", RESET],
  ["ConnectionAborted", RESET],
  ["NotConnected", RESET],
  ["BrokenPipe", BROKEN_PIPE],
  ["TimedOut", TIMED_OUT],
  ["NetworkUnreachable", NET_UNREACHABLE],
  ["AddrInUse", IN_USE],
  ["AddrNotAvailable", NOT_AVAILABLE],
  ["PermissionDenied", FORBIDDEN],
  ["NotCapable", ["PermissionDenied", "the runtime does not permit it"]],
  ["BadResource", CLOSED],
  ["Interrupted", CLOSED],
  ["Busy", BUSY],
  ["NotSupported", UNSUPPORTED],
  ["InvalidData", ["InvalidData", "the data underneath is malformed"]],
  ["UnexpectedEof", ["UnexpectedEof", "the stream ended too early"]],
  ["URIError", ["InvalidInput", "the runtime cannot read the host"]],
  ["RangeError", ["InvalidInput", "the runtime calls an argument out of range"]],
  ["TypeError", ["InvalidInput", "the runtime calls an argument invalid"]],
]);

/** Adds what the caller knows to an error that is mapped. */
export interface MappingContext {
  readonly address?: SocketAddress;
  readonly bytesSent?: number;
  readonly retryable?: false;
}

/**
 * Makes a {@linkcode SocketError} of what the runtime, a transport or a function of this package threw. The caller has
 * looked at its own abort reason and closed flag before: they explain more than any code can.
 */
export function toSocketError(
  error: unknown,
  operation: string,
  context: MappingContext = {},
): SocketError {
  if (error instanceof SocketError) {
    const { bytesSent = error.bytesSent, retryable = error.retryable } = context;
    const fits = error.operation === operation && error.bytesSent === bytesSent &&
      error.retryable === retryable;
    return fits ? error : rewrap(error, operation, context);
  }
  const { name, message } = error instanceof Error ? error : { name: "", message: textOf(error) };
  const code = errorCode(error, message);
  const [kind, reason] = meaning(code, name, message, operation, context.address);
  const shown = code === undefined || isTlsCode(code) ? undefined : code;
  return new SocketError(kind, operation, reason, { ...context, code: shown, cause: error });
}

/** Writes what was thrown, which may be anything: a symbol, or an object without a prototype. */
function textOf(thrown: unknown): string {
  return typeof thrown === "object" && thrown !== null
    ? "failed with an object that is no Error"
    : String(thrown);
}

/**
 * Makes an error of the call that ran a codec of what the codec threw. A codec does not know where its bytes come from,
 * so the address is added. Anything but a {@linkcode SocketError} is a mistake in the codec.
 */
export function fromCodec(
  error: unknown,
  operation: string,
  address: SocketAddress | undefined,
): SocketError {
  if (!(error instanceof SocketError)) {
    const reason = `the codec failed${quoteMessage(error)}`;
    return new SocketError("Other", operation, reason, { address, cause: error });
  }
  const known = address === undefined || error.address !== undefined;
  return known && error.operation === operation ? error : rewrap(error, operation, { address });
}

function meaning(
  code: string | undefined,
  name: string,
  message: string,
  operation: string,
  address: SocketAddress | undefined,
): Meaning {
  if (address !== undefined && address.host === undefined) {
    const ofPath = unixMeaning(operation, code);
    if (ofPath !== undefined) return ofPath;
  }
  // ICMPv6 "administratively prohibited" arrives as this one, ICMPv4's as EHOSTUNREACH.
  if (code === "EACCES" && operation === "connect") return PROHIBITED;
  const known = (code === undefined ? undefined : BY_CODE.get(code)) ??
    (/failed to lookup address/.test(message) ? NOT_FOUND : undefined) ??
    tlsMeaning(name, code, message, operation) ??
    BY_CLASS.get(name);
  return known ?? ["Other", message === "" ? "failed without a message" : firstLine(message)];
}

function firstLine(message: string): string {
  return message.split("\n", 1)[0].replace(/ \(os error \d+\)$/, "");
}

/** Finds the system's name for an error, which some of the runtime's errors carry as a number only. */
function errorCode(error: unknown, message: string): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  // node:dgram says "UNKNOWN" if it dropped the errno.
  if (typeof code === "string" && code !== "UNKNOWN") return code;
  const number = /\(os error (\d+)\)/.exec(message)?.[1];
  return number === undefined ? undefined : errnoName(Number(number));
}

/** The kernel's own bound (MAX_ERRNO). */
const LARGEST_ERRNO = 4095;

let nameErrno: (errno: number) => string | undefined = () => undefined;

/** Sets the function that gives the system's name for an errno, which only the platform knows. */
export function useErrnoNames(name: (errno: number) => string | undefined): void {
  nameErrno = name;
}

function errnoName(errno: number): string | undefined {
  return errno < 1 || errno > LARGEST_ERRNO ? undefined : nameErrno(errno);
}

/** Turns the error of another function of this package into one of the function that called it. */
function rewrap(error: SocketError, operation: string, context: MappingContext): SocketError {
  const { kind, reason, code, permission, retryable } = error;
  const carried = { retryable, ...context, code, permission, cause: error };
  return new SocketError(kind, operation, reason, carried);
}

/** Names an error in a few words that quote nothing of it: its kind, or the name of its class. */
export function summarize(error: unknown): string {
  if (error instanceof SocketError) {
    const { kind, operation, code } = error;
    return `${kind} of ${operation}${code === undefined ? "" : ` (${code})`}`;
  }
  if (typeof error !== "object" || error === null) return `a thrown ${typeof error}`;
  const name: unknown = error.constructor?.name;
  const isName = typeof name === "string" && /^[A-Za-z_$][\w$]{0,63}$/.test(name);
  return isName ? name : "an object";
}

/** Longest part of a message that a line on standard error quotes (characters). */
const LONGEST_MESSAGE = 500;

/**
 * Describes what a function of the program threw, for standard error: its class, its message and the places of its
 * stack, each on a line of its own. A {@linkcode SocketError} is only summarized, since most are the peer's doing, and a
 * codec may have quoted the peer in it.
 */
export function describeThrown(thrown: unknown): string {
  if (thrown instanceof SocketError) return summarize(thrown);
  return summarize(thrown) + quoteMessage(thrown, LONGEST_MESSAGE) + placesOf(thrown);
}

/** Returns the lines of a stack behind the message, which may have lines that look like them. */
function placesOf(thrown: unknown): string {
  if (!(thrown instanceof Error) || typeof thrown.stack !== "string") return "";
  const { message, stack } = thrown;
  const at = stack.indexOf(message);
  const lines = at < 0 ? [] : stack.slice(at + message.length).split("\n");
  return lines.filter((line) => /^\s+at /.test(line))
    .map((line) => `\n    ${line.trim().replace(UNSEEN, "\uFFFD")}`).join("");
}
