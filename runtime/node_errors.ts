import { withoutZone } from "../core/ip_address.ts";
import { SocketError } from "../errors.ts";
import type { Address } from "../types.ts";
import { grantFor } from "./permissions.ts";

/** The part of an error of Node or Bun that says what has failed. */
interface SystemError {
  readonly code?: string;
  readonly syscall?: string;
}

/**
 * Explains an error of Node or Bun in the words that this package has for it on Deno. It gives a `SocketError` if more
 * is known than the error's code says, else the error itself.
 */
export function explainNodeFailure(error: unknown, operation: string, address: Address): unknown {
  const { code, syscall } = Object(error) as SystemError;
  // Node runs with `--permission` and without `--allow-net`, which it cannot limit to hosts.
  if (code === "ERR_ACCESS_DENIED") {
    const reason = "net access is missing, run again with --allow-net";
    const permission = { name: "net", host: grantFor(address) } as const;
    return new SocketError("PermissionDenied", operation, reason, {
      address,
      permission,
      cause: error,
    });
  }
  const unknownZone = code === "EINVAL" && withoutZone(address.host) !== address.host;
  if (syscall === "getaddrinfo" || unknownZone) {
    const context = { address, cause: error };
    return new SocketError("HostNotFound", operation, "host not found", context);
  }
  return error;
}
