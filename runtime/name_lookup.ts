import { SocketError } from "../errors.ts";
import { ipFamily } from "../core/ip_address.ts";
import type { Address } from "../types.ts";
import { missingPermission, netPermission } from "../core/error_mapping.ts";

/**
 * The address of a host for a socket that is bound to `bound`, or for a new one. The runtime itself
 * takes a name's first address, which may be one that the socket cannot send to.
 */
export async function resolveName(
  operation: string,
  address: Address,
  bound: string | undefined,
): Promise<string> {
  const { host } = address;
  if (ipFamily(host) !== 0) return host;
  const family = bound === undefined || bound === "::" ? 0 : ipFamily(bound);
  // Only here, so that importing the package loads nothing of node:.
  const { lookup } = await import("node:dns/promises");
  try {
    return (await lookup(host, { family })).address;
  } catch (cause) {
    if (netPermission(host) !== "granted") {
      throw missingPermission(host, operation, { address, cause });
    }
    throw new SocketError("HostNotFound", operation, "host not found", { address, cause });
  }
}
