import { ipFamily, withoutZone } from "../core/ip_address.ts";
import { SocketError } from "../errors.ts";
import type { Address } from "../types.ts";
import { explainDenial, grantFor, isGranted, missingPermission } from "./permissions.ts";

/** The code of `node:dgram` for each error that the system gave: it has dropped the errno. */
const NO_CODE = "UNKNOWN";

/**
 * Codes for a datagram from 127.0.0.1 to another machine: Linux says EINVAL, or ENETUNREACH if the machine has no
 * route, and `node:dgram` says neither.
 */
const LOOPBACK_REFUSALS: ReadonlySet<string | undefined> = new Set([
  "EINVAL",
  "ENETUNREACH",
  NO_CODE,
]);

/**
 * Resolves a host to an address that a socket can use. The runtime itself takes a name's first address, which the
 * socket may be unable to send to.
 *
 * @param bound The host that the socket is bound to; left out for a new socket.
 */
export async function resolveName(
  operation: string,
  address: Address,
  bound?: string,
): Promise<string> {
  const { host } = address;
  if (ipFamily(host) !== 0) return host;
  const family = bound === undefined || bound === "::" ? 0 : ipFamily(bound);
  // Imported on use, so that importing the package loads nothing of node:.
  const { lookup } = await import("node:dns/promises");
  try {
    return (await lookup(host, { family })).address;
  } catch (cause) {
    if (!isGranted(host)) throw missingPermission(host, operation, address, cause);
    throw new SocketError("HostNotFound", operation, "host not found", { address, cause });
  }
}

/**
 * Explains why a datagram could not be sent, in the same words for both backends. It gives a `SocketError` if more is
 * known than the error says, else the error itself.
 */
export function explainSendFailure(error: unknown, from: Address, to: Address): unknown {
  const { code } = error as { code?: string };
  if (code === NO_CODE && !isGranted(grantFor(to))) {
    return missingPermission(grantFor(to), "sendTo", to, error);
  }
  if (LOOPBACK_REFUSALS.has(code) && isLoopbackIPv4(from.host) && !isLoopbackIPv4(to.host)) {
    const reason = `the socket is bound to ${from.host}, which cannot send to other machines`;
    return new SocketError("InvalidInput", "sendTo", reason, { address: to, cause: error });
  }
  if (code === NO_CODE) {
    const zone = withoutZone(to.host) === to.host ? "" : ", or there is no such zone";
    const reason = `the operating system refused it${zone}, and node:dgram does not say why`;
    return new SocketError("Other", "sendTo", reason, { address: to, cause: error });
  }
  return explainDenial(error, "sendTo", to);
}

function isLoopbackIPv4(host: string): boolean {
  return ipFamily(host) === 4 && host.startsWith("127.");
}
