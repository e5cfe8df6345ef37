import { withoutZone } from "../core/ip_address.ts";
import { SocketError, type SocketErrorOptions } from "../errors.ts";
import type { Address } from "../types.ts";
import { grantFor } from "./permissions.ts";

/** The part of an error of Node or Bun that says what has failed. */
interface SystemError {
  readonly code?: string;
  readonly syscall?: string;
}

interface NodeProcess {
  getBuiltinModule(name: "node:os"): { networkInterfaces(): object };
  /** It is there if Node runs with `--permission`. */
  readonly permission?: { has(scope: "net"): boolean };
  readonly allowedNodeEnvironmentFlags?: ReadonlySet<string>;
}

const { process } = globalThis as unknown as { process: NodeProcess };

/** True if Node denies the net. The permissions of Node 24 and before know no net, and say that none is given. */
function isNetDenied(): boolean {
  const { permission, allowedNodeEnvironmentFlags: flags } = process;
  return permission !== undefined && !permission.has("net") && flags?.has("--allow-net") === true;
}

/** Throws if Node has no permission for the net: its `listen` and `bind` would throw past every handler. */
export function checkPermission(operation: string, address: Address): void {
  if (isNetDenied()) throw missingNet(operation, { address });
}

/** Returns the error of a program that will use addresses, if Node denies the net. */
export function missingNodePermission(
  operation: string,
  addresses: readonly Address[],
): SocketError | undefined {
  if (addresses.length === 0 || !isNetDenied()) return undefined;
  return missingNet(operation, { permission: { name: "net", host: grantFor(addresses[0]) } });
}

/** Makes the error. Node has one permission for all hosts. */
function missingNet(operation: string, context: SocketErrorOptions): SocketError {
  const { address } = context;
  const permission = address?.host === undefined
    ? {}
    : { permission: { name: "net", host: grantFor(address as Address) } as const };
  const reason = "net access is missing, run again with --allow-net";
  return new SocketError("PermissionDenied", operation, reason, { ...permission, ...context });
}

/**
 * Explains an error of Node or Bun in the words that this package has for it on Deno. It gives a `SocketError` if more
 * is known than the error's code says, else the error itself.
 */
export function explainNodeFailure(error: unknown, operation: string, address: Address): unknown {
  const { code, syscall } = Object(error) as SystemError;
  if (code === "ERR_ACCESS_DENIED") return missingNet(operation, { address, cause: error });
  if (syscall === "getaddrinfo" || isUnknownZone(code, address.host)) {
    const context = { address, cause: error };
    return new SocketError("HostNotFound", operation, "host not found", context);
  }
  return error;
}

/**
 * Throws if a host has a zone that names no interface of this machine. Node takes it for no zone at all, and waits for
 * an answer that cannot come.
 */
export function checkZone(operation: string, address: Address): void {
  const zone = address.host.slice(withoutZone(address.host).length + 1);
  if (zone === "" || /^\d+$/.test(zone)) return;
  // Asked for on use, so that importing the package loads nothing of node:.
  if (zone in process.getBuiltinModule("node:os").networkInterfaces()) return;
  throw new SocketError("HostNotFound", operation, "host not found", { address });
}

/** Says if a bind or a connect has failed because the machine has no interface of the zone's name. */
function isUnknownZone(code: string | undefined, host: string): boolean {
  const refused = code === undefined || code === "EINVAL" || code === "ENOENT";
  return refused && withoutZone(host) !== host;
}
