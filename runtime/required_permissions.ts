import { ipFamily } from "../core/ip_address.ts";
import type { SocketError } from "../errors.ts";
import type { Address, SocketAddress } from "../types.ts";
import { resolveName } from "./datagram_support.ts";
import { hasUnstableNet } from "./deno_datagrams.ts";
import { checkPermission } from "./node_permissions.ts";
import {
  grantFor,
  hasPermission,
  isDeniedByFlag,
  missingPermissions,
  onDeno,
  type Permission,
  permissionsFor,
  requestPermission,
} from "./permissions.ts";

/** The addresses that a program will use, by function. */
export interface NeededAddresses {
  readonly listen: readonly SocketAddress[];
  readonly connect: readonly SocketAddress[];
  readonly bindUdp: readonly Address[];
  readonly sendTo: readonly Address[];
}

/**
 * Asks for the permissions of all functions at all addresses. Returns the error that names all that are missing, if any
 * is.
 */
export async function askForPermissions(
  operation: string,
  needed: NeededAddresses,
): Promise<SocketError | undefined> {
  const { listen, connect, bindUdp, sendTo } = needed;
  if (!onDeno) return missingOnNode(operation, needed);
  const byName = (address: Address) => !hasUnstableNet() && ipFamily(address.host) === 0;
  const datagrams = [...bindUdp, ...sendTo];
  const direct = [...listen, ...connect, ...datagrams.filter((address) => !byName(address))];
  const names = datagrams.filter(byName).map(({ host }) => netFor(host));
  const first = [...direct.flatMap(permissionsFor), ...names];
  const error = await ask(operation, first);
  if (error !== undefined || names.length === 0) return error;
  // node:dgram is given the address behind a name, which may be looked up only now.
  const found = await resolveAll(operation, needed, byName);
  return await ask(operation, [...first, ...found.map(netFor)]);
}

/** Node has one permission for the net of all hosts, and nobody to ask. */
function missingOnNode(
  operation: string,
  { listen, connect, bindUdp, sendTo }: NeededAddresses,
): SocketError | undefined {
  try {
    for (const address of [...listen, ...connect, ...bindUdp, ...sendTo]) {
      checkPermission(operation, address);
    }
    return undefined;
  } catch (error) {
    return error as SocketError;
  }
}

/** Returns the addresses behind the names for datagrams, as sockets that are bound as `needed` says would use them. */
async function resolveAll(
  operation: string,
  { bindUdp, sendTo }: NeededAddresses,
  byName: (address: Address) => boolean,
): Promise<string[]> {
  const found: string[] = [];
  const resolve = async (address: Address, bound?: string) => {
    try {
      const host = await resolveName(operation, address, bound);
      found.push(grantFor({ host, port: address.port }));
    } catch {
      // A name that nobody knows now is no matter of permissions: the function itself will say so.
    }
  };
  const from = bindUdp.length === 0 ? [undefined] : bindUdp.map(({ host }) => host);
  await Promise.all([
    ...bindUdp.filter(byName).map((address) => resolve(address)),
    ...sendTo.filter(byName).flatMap((address) => from.map((bound) => resolve(address, bound))),
  ]);
  return found;
}

function netFor(host: string): Permission {
  return { name: "net", host };
}

async function ask(
  operation: string,
  permissions: readonly Permission[],
): Promise<SocketError | undefined> {
  const each = new Map(permissions.map((permission) => [JSON.stringify(permission), permission]));
  const missing = [...each.values()].filter((permission) => !hasPermission(permission));
  // After one refusal the program cannot start, whatever is answered to further questions.
  if (!missing.some(isDeniedByFlag)) {
    for (const permission of missing) if (!await requestPermission(permission)) break;
  }
  const left = missing.filter((permission) => !hasPermission(permission));
  return left.length === 0 ? undefined : missingPermissions(left, operation);
}
