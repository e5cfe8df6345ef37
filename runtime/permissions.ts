import { SocketError } from "../errors.ts";
import { formatHostPort, withoutZone } from "../core/ip_address.ts";
import type { Address } from "../types.ts";

/** Says if the program may use a host, written as in `--allow-net=`. */
export function isGranted(host: string): boolean {
  return permissionState(host) === "granted";
}

/** Writes an address as in `--allow-net=`: a grant holds for all zones, and the runtime's own message names none. */
export function grantFor({ host, port }: Address): string {
  return formatHostPort(withoutZone(host), port);
}

/** Gives `PermissionDenied` if an error of the runtime is about a missing net permission, else the error itself. */
export function explainDenial(error: unknown, operation: string, address: Address): unknown {
  if (!(error instanceof Deno.errors.NotCapable)) return error;
  // The runtime's message names the host, which may be another one than the caller's: with --deny-net=127.0.0.1 the
  // address behind `localhost` is refused, and a UDP sender lacks now its own address, now its target's.
  const host = /net access to "([^"]+)"/.exec(error.message)?.[1] ?? grantFor(address);
  return missingPermission(host, operation, address, error);
}

/** Makes the error for a net permission that the program lacks; `host` is written as in `--allow-net=`. */
export function missingPermission(
  host: string,
  operation: string,
  address: Address,
  cause?: unknown,
): SocketError {
  return new SocketError("PermissionDenied", operation, reasonFor([host]), {
    address,
    permission: { name: "net", host },
    ...cause === undefined ? {} : { cause },
  });
}

/** Makes the error for several missing permissions. Its `permission` is the first of them. */
export function missingPermissions(hosts: readonly string[], operation: string): SocketError {
  return new SocketError("PermissionDenied", operation, reasonFor(hosts), {
    permission: { name: "net", host: hosts[0] },
  });
}

/** Names the one flag that grants all hosts, and those that no flag grants. */
function reasonFor(hosts: readonly string[]): string {
  const denied = hosts.filter(isDeniedByFlag);
  const missing = hosts.filter((host) => !denied.includes(host));
  const reasons: string[] = [];
  if (missing.length > 0) {
    reasons.push(`net access is missing, run again with --allow-net=${missing}`);
  }
  if (denied.length > 0) {
    reasons.push(`net access is denied by --deny-net, which wins over --allow-net=${denied}`);
  }
  return reasons.join("; ");
}

/** Asks for a host, at a prompt if there is a terminal. Returns true if it is granted. */
export async function requestNet(host: string): Promise<boolean> {
  try {
    return (await Deno.permissions.request({ name: "net", host })).state === "granted";
  } catch {
    return false; // The runtime cannot read the host.
  }
}

/**
 * Says if `--deny-net` denies a host, written as in `--allow-net=`.
 *
 * Without `--no-prompt` and without a terminal the runtime denies a missing permission after it was asked for once, as
 * if somebody had denied it at a prompt. Then the whole net is denied, too, but hosts that nobody asked for are not.
 */
export function isDeniedByFlag(host: string): boolean {
  return permissionState(host) === "denied" &&
    (permissionState(undefined) !== "denied" ||
      permissionState("never-asked.invalid:1") === "denied");
}

function permissionState(host: string | undefined): Deno.PermissionState {
  try {
    return Deno.permissions.querySync({ name: "net", host }).state;
  } catch {
    // The query cannot read the host. Then no flag can have named it either.
    return "prompt";
  }
}
