import { SocketError } from "../errors.ts";
import { formatHostPort, withoutZone } from "../core/ip_address.ts";
import type { Address } from "../types.ts";

/** The runtime's own object, which Node and Bun lack. A shim of it for tests has parts of it, and no sockets. */
const { Deno: deno } = globalThis as unknown as { Deno?: Partial<typeof Deno> };
/** True on Deno. Other runtimes have no permissions for single hosts: what they refuse shows in the error of the call. */
export const onDeno: boolean = typeof deno?.listen === "function" && deno.permissions !== undefined;

/** Says if the program may use a host, written as in `--allow-net=`. */
export function isGranted(host: string): boolean {
  return !onDeno || permissionState(host) === "granted";
}

/** Writes an address as in `--allow-net=`: a grant holds for all zones, and the runtime's own message names none. */
export function grantFor({ host, port }: Address): string {
  return formatHostPort(withoutZone(host), port);
}

/** Gives `PermissionDenied` if an error of the runtime is about a missing net permission, else the error itself. */
export function explainDenial(error: unknown, operation: string, address: Address): unknown {
  if (!isDenoDenial(error)) return error;
  // The runtime's message names the host, which may be another one than the caller's: with --deny-net=127.0.0.1 the
  // address behind `localhost` is refused, and a UDP sender lacks now its own address, now its target's.
  const host = /net access to "([^"]+)"/.exec(error.message)?.[1] ?? grantFor(address);
  return missingPermission(host, operation, address, error);
}

/** Says if Deno has refused something for want of a permission. */
function isDenoDenial(error: unknown): error is Error {
  return onDeno && error instanceof Deno.errors.NotCapable;
}

/** Makes the error for a net permission that the program lacks; `host` is written as in `--allow-net=`. */
export function missingPermission(
  host: string,
  operation: string,
  address: Address,
  cause?: unknown,
): SocketError {
  const flag = `--allow-net=${host}`;
  const reason = isDeniedByFlag(host)
    ? `net access is denied by --deny-net, which wins over ${flag}`
    : `net access is missing, run again with ${flag}`;
  return new SocketError("PermissionDenied", operation, reason, {
    address,
    permission: { name: "net", host },
    ...cause === undefined ? {} : { cause },
  });
}

/**
 * Without `--no-prompt` and without a terminal the runtime denies a missing permission after it was asked for once, as
 * if somebody had denied it at a prompt. Then the whole net is denied, too, but hosts that nobody asked for are not.
 */
function isDeniedByFlag(host: string): boolean {
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
