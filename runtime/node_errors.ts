import { octetsOf, withoutZone } from "../core/ip_address.ts";
import { SocketError } from "../errors.ts";
import type { Address, SocketAddress } from "../types.ts";
import { explainDenial } from "./node_permissions.ts";

/** The part of an error of Node or Bun that says what has failed. */
interface SystemError {
  readonly code?: string;
  readonly syscall?: string;
}

interface NodeProcess {
  getBuiltinModule(name: "node:os"): { networkInterfaces(): object };
}

const { process } = globalThis as unknown as { process: NodeProcess };

/**
 * Explains an error of Node or Bun in the words that this package has for it on Deno. It gives a `SocketError` if more
 * is known than the error's code says, else the error itself.
 */
export function explainNodeFailure(
  error: unknown,
  operation: string,
  address: SocketAddress,
): unknown {
  const { code, syscall } = Object(error) as SystemError;
  if (code === "ERR_ACCESS_DENIED") return explainDenial(error, operation, address);
  if (address.host === undefined) return error;
  if (syscall === "getaddrinfo" || isUnknownZone(code, address.host)) {
    const context = { address, cause: error };
    return new SocketError("HostNotFound", operation, "host not found", context);
  }
  return error;
}

/**
 * Throws if a host has a zone that names no interface of this machine, or none where the system needs it. Node takes the
 * first for no zone at all, and some interface for the second, and waits for an answer that cannot come.
 */
export function checkZone(operation: string, address: Address): void {
  const zone = address.host.slice(withoutZone(address.host).length + 1);
  if (zone === "" && isLinkLocal(address.host)) {
    const reason = `a link-local address needs a zone, as in ${address.host}%eth0`;
    throw new SocketError("InvalidInput", operation, reason, { address, code: "EINVAL" });
  }
  if (zone === "" || /^\d+$/.test(zone)) return;
  // Asked for on use, so that importing the package loads nothing of node:.
  if (zone in process.getBuiltinModule("node:os").networkInterfaces()) return;
  throw new SocketError("HostNotFound", operation, "host not found", { address });
}

/** Says if an address is one of a single link (RFC 4291, section 2.5.6). */
function isLinkLocal(host: string): boolean {
  const octets = octetsOf(host);
  return octets?.length === 16 && octets[0] === 0xfe && (octets[1] & 0xc0) === 0x80;
}

/** Says if a bind or a connect has failed because the machine has no interface of the zone's name. */
function isUnknownZone(code: string | undefined, host: string): boolean {
  const refused = code === undefined || code === "EINVAL" || code === "ENOENT";
  return refused && withoutZone(host) !== host;
}
