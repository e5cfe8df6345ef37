import { toSocketError } from "../core/error_mapping.ts";
import { SocketError, type SocketErrorKind } from "../errors.ts";

/** Kinds of the errors by which a peer that closes shows. */
const ENDS: ReadonlySet<SocketErrorKind> = new Set([
  "UnexpectedEof",
  "ConnectionReset",
  "BrokenPipe",
]);

/** The error of a peer that ends without saying so. */
export function truncated(): Error {
  return namedError("UnexpectedEof", "the peer ended without close_notify");
}

/** The error of a peer that ends before the handshake is done. */
export function endedEarly(): Error {
  return namedError("UnexpectedEof", "the peer ended during the handshake");
}

/** The error that the system has for a write after the end. */
export function brokenPipe(): Error {
  return Object.assign(new Error("the session has ended"), { code: "EPIPE" });
}

/** The error of a session that this side has closed. */
export function closedError(): Error {
  return namedError("Interrupted", "the TLS session was closed");
}

/** The error that OpenSSL has for messages that are too long. */
export function endlessMessage(): Error {
  const error = new Error("the peer's messages do not end");
  return Object.assign(error, { code: "ERR_SSL_EXCESSIVE_MESSAGE_SIZE" });
}

/**
 * Says of an end that it may be the answer to this side's certificate, and returns other errors as they are. A server
 * learns of the certificate at the end of the handshake, and `node:tls` has no way to send an alert when it refuses one:
 * its servers only close.
 *
 * @param secured True if the handshake was done on this side.
 */
export function perhapsRefused(error: unknown, secured: boolean): unknown {
  const operation = secured ? "recv" : "connectTls";
  const { kind, reason, code } = toSocketError(error, operation);
  if (!ENDS.has(kind)) return error;
  const plain = code === undefined ? reason : reason.slice(0, -` (${code})`.length);
  const words = `${plain}; it may have refused this side's certificate`;
  return new SocketError(kind, operation, words, { code, cause: error });
}

/** Makes an error with the name of one of Deno's classes, by which `core/error_mapping.ts` knows its kind. */
function namedError(name: "UnexpectedEof" | "Interrupted", message: string): Error {
  return Object.assign(new Error(message), { name });
}
