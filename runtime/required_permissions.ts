import { ipFamily } from "../core/ip_address.ts";
import type { SocketError } from "../errors.ts";
import type { Address } from "../types.ts";
import { resolveName } from "./datagram_support.ts";
import { hasUnstableNet } from "./deno_datagrams.ts";
import {
  grantFor,
  isDeniedByFlag,
  isGranted,
  missingPermissions,
  requestNet,
} from "./permissions.ts";

/** The addresses that a program will use, by function. */
export interface NeededAddresses {
  readonly listen: readonly Address[];
  readonly connect: readonly Address[];
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
  const byName = (address: Address) => !hasUnstableNet() && ipFamily(address.host) === 0;
  const datagrams = [...bindUdp, ...sendTo];
  const direct = [...listen, ...connect, ...datagrams.filter((address) => !byName(address))];
  const names = datagrams.filter(byName).map(({ host }) => host);
  const hosts = new Set([...direct.map(grantFor), ...names]);
  const error = await ask(operation, hosts);
  if (error !== undefined || names.length === 0) return error;
  // node:dgram is given the address behind a name, which may be looked up only now.
  for (const host of await resolveAll(operation, needed, byName)) hosts.add(host);
  return await ask(operation, hosts);
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

/** Asks for hosts, written as in `--allow-net=`. */
async function ask(operation: string, hosts: Iterable<string>): Promise<SocketError | undefined> {
  const missing = [...hosts].filter((host) => !isGranted(host));
  // After one refusal the program cannot start, whatever is answered to further questions.
  if (!missing.some(isDeniedByFlag)) {
    for (const host of missing) if (!await requestNet(host)) break;
  }
  const left = missing.filter((host) => !isGranted(host));
  return left.length === 0 ? undefined : missingPermissions(left, operation);
}
