import { SocketError } from "../errors.ts";
import { ipFamily } from "../address.ts";
import type { Address } from "../types.ts";
import { isGranted, missingPermission } from "./permissions.ts";

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
