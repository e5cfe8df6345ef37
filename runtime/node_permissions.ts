import { SocketError } from "../errors.ts";
import type { SocketAddress } from "../types.ts";
import { permissionsFor } from "./permissions.ts";

/** A permission of Node, and its flag. */
const FLAGS = { net: "--allow-net", "fs.read": "--allow-fs-read", "fs.write": "--allow-fs-write" };

/** A permission of Node. */
export type NodeScope = keyof typeof FLAGS;

/** The names that errors of Node have for its permissions. */
const SCOPES: ReadonlyMap<string | undefined, NodeScope> = new Map<string | undefined, NodeScope>([
  ["FileSystemRead", "fs.read"],
  ["FileSystemWrite", "fs.write"],
]);

interface NodeProcess {
  /** It is there if Node runs with `--permission`. */
  readonly permission?: { has(scope: NodeScope, path?: string): boolean };
  readonly allowedNodeEnvironmentFlags?: ReadonlySet<string>;
}

const { process } = globalThis as unknown as { process: NodeProcess };

/**
 * Throws if Node lacks a permission: its `listen` and `bind` would throw past every handler. The permissions of Node 24
 * and before know no net, and say that none is given.
 *
 * @param scopes The permissions for the file of a Unix socket, beside that for the net.
 */
export function checkPermission(
  operation: string,
  address: SocketAddress,
  scopes: readonly NodeScope[] = [],
): void {
  const { permission, allowedNodeEnvironmentFlags: flags } = process;
  if (permission === undefined) return;
  const needed: NodeScope[] = flags?.has(FLAGS.net) ? ["net", ...scopes] : [...scopes];
  const path = pathOf(address);
  const missing = needed.filter((one) => !permission.has(one, path));
  if (missing.length > 0) throw missingScopes(missing, operation, address);
}

/** Makes the error for a permission that Node has refused. */
export function explainDenial(error: unknown, operation: string, address: SocketAddress): unknown {
  // An error of connect(2) names no permission.
  const scope = SCOPES.get((error as { permission?: string }).permission) ?? "net";
  return missingScopes([scope], operation, address, error);
}

function missingScopes(
  scopes: readonly NodeScope[],
  operation: string,
  address: SocketAddress,
  cause?: unknown,
): SocketError {
  const names = scopes.map((scope) => scope.replace("fs.", ""));
  // Node has one permission for all of the net.
  const flags = scopes.map((scope) =>
    FLAGS[scope] + (scope === "net" ? "" : `=${pathOf(address)}`)
  );
  const what = names.join(", ").replace(/, (\w+)$/, " and $1");
  const reason = `${what} access is missing, run again with ${flags.join(" ")}`;
  return new SocketError("PermissionDenied", operation, reason, {
    address,
    permission: permissionsFor(address).find(({ name }) => name === names[0]),
    ...cause === undefined ? {} : { cause },
  });
}

function pathOf(address: SocketAddress): string | undefined {
  return address.host === undefined ? address.path : undefined;
}
