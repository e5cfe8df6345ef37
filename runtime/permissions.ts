import { SocketError, type SocketErrorOptions } from "../errors.ts";
import { formatHostPort, withoutZone } from "../core/ip_address.ts";
import { isAbstract } from "../core/unix_path.ts";
import type { Address, SocketAddress } from "../types.ts";

/** A permission of the runtime. */
export type Permission = NonNullable<SocketErrorOptions["permission"]>;

/** The runtime's own object, which Node and Bun lack. A shim of it for tests has parts of it, and no sockets. */
const { Deno: deno } = globalThis as unknown as { Deno?: Partial<typeof Deno> };
/** True on Deno. Other runtimes have no permissions for single hosts: what they refuse shows in the error of the call. */
export const onDeno: boolean = typeof deno?.listen === "function" && deno.permissions !== undefined;

/** Says if the program may use a host, written as in `--allow-net=`. */
export function isGranted(host: string): boolean {
  return hasPermission({ name: "net", host });
}

/** Says if the program has a permission. */
export function hasPermission(permission: Permission): boolean {
  return !onDeno || permissionState(permission) === "granted";
}

/** Writes an address as in `--allow-net=`: a grant holds for all zones, and the runtime's own message names none. */
export function grantFor({ host, port }: Address): string {
  return formatHostPort(withoutZone(host), port);
}

/**
 * Returns the permissions that the use of an address takes. A Unix socket takes three: to read and to write its path,
 * and the net.
 */
export function permissionsFor(address: SocketAddress): Permission[] {
  if (address.host !== undefined) return [{ name: "net", host: grantFor(address) }];
  const { path } = address;
  // No flag can name an abstract name alone.
  if (isAbstract(path)) return [{ name: "net" }];
  return [
    { name: "read", path },
    { name: "write", path },
    { name: "net", host: `unix:${absolute(path)}` },
  ];
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

/** Gives `PermissionDenied` if an error of the runtime is about a missing permission, else the error itself. */
export function explainDenial(error: unknown, operation: string, address: SocketAddress): unknown {
  if (!isDenoDenial(error)) return error;
  // The runtime's message names the host, which may be another one than the caller's: with --deny-net=127.0.0.1 the
  // address behind `localhost` is refused, and a UDP sender lacks now its own address, now its target's.
  const named = /net access to "([^"]+)"/.exec(error.message)?.[1];
  const all = permissionsFor(address).map((one) =>
    one.name === "net" && one.host !== undefined && named !== undefined
      ? { ...one, host: named }
      : one
  );
  // The runtime names one of three at a time, this error all that are missing.
  const missing = all.filter((one) => !hasPermission(one));
  return missingPermissions(missing.length === 0 ? all : missing, operation, {
    address,
    cause: error,
  });
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
  const context = cause === undefined ? { address } : { address, cause };
  return missingPermissions([{ name: "net", host }], operation, context);
}

/** Makes the error for permissions that the program lacks. It names the flags that grant them, and what no flag grants. */
export function missingPermissions(
  permissions: readonly Permission[],
  operation: string,
  context: SocketErrorOptions = {},
): SocketError {
  const denied = permissions.filter(isDeniedByFlag);
  const missing = permissions.filter((permission) => !denied.includes(permission));
  const reasons: string[] = [];
  if (missing.length > 0) {
    const names = namesOf(missing).join(", ").replace(/, (\w+)$/, " and $1");
    reasons.push(`${names} access is missing, run again with ${flagsFor(missing).join(" ")}`);
  }
  for (const flag of flagsFor(denied)) {
    const name = /^--allow-(\w+)/.exec(flag)![1];
    reasons.push(`${name} access is denied by --deny-${name}, which wins over ${flag}`);
  }
  const permission = denied[0] ?? missing[0];
  return new SocketError("PermissionDenied", operation, reasons.join("; "), {
    ...context,
    permission,
  });
}

function namesOf(permissions: readonly Permission[]): Permission["name"][] {
  return [...new Set(permissions.map(({ name }) => name))];
}

/** Returns the flags that grant permissions, one for each kind. */
function flagsFor(permissions: readonly Permission[]): string[] {
  return namesOf(permissions).map((name) => {
    const values = permissions.filter((one) => one.name === name).map(valueOf);
    // A comma ends a value, and nothing can escape it.
    const isAll = values.some((value) => value === undefined || value.includes(","));
    return `--allow-${name}${isAll ? "" : `=${values}`}`;
  });
}

function valueOf(permission: Permission): string | undefined {
  return permission.name === "net" ? permission.host : permission.path;
}

/** Asks for a permission, at a prompt if there is a terminal. Returns true if it is granted. */
export async function requestPermission(permission: Permission): Promise<boolean> {
  try {
    return (await Deno.permissions.request(permission)).state === "granted";
  } catch {
    return false; // The runtime cannot read the host.
  }
}

/** A host and a path that no flag has named. */
const NEVER_ASKED = { host: "never-asked.invalid:1", path: "/never/asked/for" };

/**
 * Says if a flag such as `--deny-net` denies a permission.
 *
 * Without `--no-prompt` and without a terminal the runtime denies a missing permission after it was asked for once, as
 * if somebody had denied it at a prompt. Then all of that kind is denied, too, but what nobody asked for is not.
 */
export function isDeniedByFlag(permission: Permission): boolean {
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
