import { SocketError, type SocketErrorOptions } from "../errors.ts";
import { formatHostPort, withoutZone } from "../core/ip_address.ts";
import { isAbstract } from "../core/unix_path.ts";
import type { Address, SocketAddress, UnixAddress } from "../types.ts";

type Permission = NonNullable<SocketErrorOptions["permission"]>;

/** Says if the program may use a host, written as in `--allow-net=`. */
export function isGranted(host: string): boolean {
  return permissionState({ name: "net", host }) === "granted";
}

/** Writes an address as in `--allow-net=`: a grant holds for all zones, and the runtime's own message names none. */
export function grantFor({ host, port }: Address): string {
  return formatHostPort(withoutZone(host), port);
}

/** Gives `PermissionDenied` if an error of the runtime is about a missing permission, else the error itself. */
export function explainDenial(error: unknown, operation: string, address: SocketAddress): unknown {
  if (!(error instanceof Deno.errors.NotCapable)) return error;
  // The runtime's message names the host, which may be another one than the caller's: with --deny-net=127.0.0.1 the
  // address behind `localhost` is refused, and a UDP sender lacks now its own address, now its target's.
  const named = /net access to "([^"]+)"/.exec(error.message)?.[1];
  if (address.host === undefined) return missingForPath(named, operation, address, error);
  return missingPermission(named ?? grantFor(address), operation, address, error);
}

/** Makes the error for a net permission that the program lacks; `host` is written as in `--allow-net=`. */
export function missingPermission(
  host: string,
  operation: string,
  address: Address,
  cause?: unknown,
): SocketError {
  return deniedError([{ name: "net", host }], operation, address, cause);
}

/**
 * Makes the error for a Unix socket, which needs three permissions: to read and to write its path, and the net. The
 * runtime names one at a time, this error all that are missing.
 */
function missingForPath(
  named: string | undefined,
  operation: string,
  address: UnixAddress,
  cause: unknown,
): SocketError {
  const { path } = address;
  // No flag can name an abstract name alone.
  const all: Permission[] = isAbstract(path) ? [{ name: "net" }] : [
    { name: "read", path },
    { name: "write", path },
    { name: "net", host: named ?? `unix:${absolute(path)}` },
  ];
  const missing = all.filter((one) => permissionState(one) !== "granted");
  return deniedError(missing.length === 0 ? all : missing, operation, address, cause);
}

/** Gives the path from the root, as flags for the net need it; without the right to ask for the directory, the path. */
function absolute(path: string): string {
  if (path.startsWith("/")) return path;
  try {
    return `${Deno.cwd()}/${path}`;
  } catch {
    return path;
  }
}

function deniedError(
  missing: readonly Permission[],
  operation: string,
  address: SocketAddress,
  cause: unknown,
): SocketError {
  const denied = missing.find(isDeniedByFlag);
  const permission = denied ?? missing[0];
  const names = missing.map(({ name }) => name).join(", ").replace(/, (\w+)$/, " and $1");
  const reason = denied !== undefined
    ? `${denied.name} access is denied by --deny-${denied.name}, which wins over ${flagFor(denied)}`
    : `${names} access is missing, run again with ${missing.map(flagFor).join(" ")}`;
  return new SocketError("PermissionDenied", operation, reason, {
    address,
    permission,
    ...cause === undefined ? {} : { cause },
  });
}

function flagFor(permission: Permission): string {
  const value = permission.name === "net" ? permission.host : permission.path;
  // A comma ends a value, and nothing can escape it.
  const isAll = value === undefined || value.includes(",");
  return `--allow-${permission.name}${isAll ? "" : `=${value}`}`;
}

/** A host and a path that no flag has named. */
const NEVER_ASKED = { host: "never-asked.invalid:1", path: "/never/asked/for" };

/**
 * Without `--no-prompt` and without a terminal the runtime denies a missing permission after it was asked for once, as
 * if somebody had denied it at a prompt. Then the whole net is denied, too, but hosts that nobody asked for are not.
 */
function isDeniedByFlag(permission: Permission): boolean {
  const { name } = permission;
  const other: Permission = name === "net"
    ? { name, host: NEVER_ASKED.host }
    : { name, path: NEVER_ASKED.path };
  return permissionState(permission) === "denied" &&
    (permissionState({ name } as Deno.PermissionDescriptor) !== "denied" ||
      permissionState(other) === "denied");
}

function permissionState(permission: Deno.PermissionDescriptor): Deno.PermissionState {
  try {
    return Deno.permissions.querySync(permission).state;
  } catch {
    // The query cannot read the host. Then no flag can have named it either.
    return "prompt";
  }
}
