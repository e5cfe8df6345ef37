import { SocketError } from "../errors.ts";
import type { Address } from "../types.ts";

/** Errors as Linux and the runtime give them: `core/error_mapping.ts` reads the code. */
const MESSAGES = {
  EADDRINUSE: "Address already in use (os error 98)",
  EADDRNOTAVAIL: "Cannot assign requested address (os error 99)",
  EBADF: "Bad resource ID",
  ECONNREFUSED: "Connection refused (os error 111)",
  ECONNRESET: "Connection reset by peer (os error 104)",
  EHOSTUNREACH: "No route to host (os error 113)",
  EINTR: "operation canceled",
  EINVAL: "Invalid argument (os error 22)",
  ENETUNREACH: "Network is unreachable (os error 101)",
  ENOTCONN: "Transport endpoint is not connected (os error 107)",
  ENOTFOUND: "failed to lookup address information: Name or service not known",
  EPIPE: "Broken pipe (os error 32)",
  ETIMEDOUT: "Connection timed out (os error 110)",
} as const;

/** Names of the errors that a network in memory gives. */
export type SystemErrorCode = keyof typeof MESSAGES;

/** An error of the system, as the runtime throws it. */
export class SystemError extends Error {
  readonly code: SystemErrorCode;

  constructor(code: SystemErrorCode) {
    super(MESSAGES[code]);
    this.code = code;
  }
}

/** Makes a promise that rejects with an error of the system. */
export function failed(code: SystemErrorCode): Promise<never> {
  return Promise.reject(new SystemError(code));
}

/** A promise that never settles: a call of a program that was stopped in the middle of it. */
export function never(): Promise<never> {
  return new Promise(() => {});
}

/** Explains why a datagram from loopback cannot go to another machine, in the words of the other backends. */
export function explainEinval(error: unknown, from: string, to: Address): unknown {
  if (!(error instanceof SystemError) || error.code !== "EINVAL") return error;
  const reason = `the socket is bound to ${from}, which cannot send to other machines`;
  return new SocketError("InvalidInput", "sendTo", reason, { address: to, cause: error });
}
