import { hostOf, ipFamily, octetsOf, withoutZone } from "../core/ip_address.ts";
import { SocketError } from "../errors.ts";
import { type InterfaceUser, noInterface, notAvailable } from "./multicast_errors.ts";
import { onDeno } from "./permissions.ts";

/** Linux gives this number to the loopback device of every network namespace, and no other. */
const LINUX_LOOPBACK = { name: "lo", index: 1 };

/**
 * Returns an IPv4 address of an interface. An address is returned as it is, and the system finds its interface.
 *
 * @param text The name of the interface, or its IPv4 address.
 */
export function interfaceAddress(text: string, user: InterfaceUser): string {
  if (ipFamily(text) === 4) return text;
  const known = listInterfaces(user).filter(({ name }) => name === text);
  if (known.length === 0) throw noInterface(text, user);
  const address = known.find(({ family }) => family === "IPv4")?.address;
  if (address === undefined) throw notAvailable(`interface ${text} has no IPv4 address`, user);
  return address;
}

/**
 * Returns the name and the number of an interface with IPv6.
 *
 * The number is in the list only as the zone of a link-local address, which every interface has that is up and has
 * IPv6. Only the loopback device has none.
 *
 * @param text The name of the interface, or its IPv6 address.
 */
export function interfaceIndex(
  text: string,
  user: InterfaceUser,
): { readonly name: string; readonly index: number } {
  const all = listInterfaces(user);
  const address = ipFamily(text) === 6 ? uniform(text) : undefined;
  const zone = text.slice(withoutZone(text).length + 1);
  const name = address === undefined
    ? text
    : all.find((one) => one.address === address && isInZone(one, zone))?.name;
  const known = all.filter((one) => one.name === name);
  if (name === undefined || known.length === 0) throw noInterface(text, user);
  for (const one of known) {
    if (one.family === "IPv6" && one.scopeid) return { name, index: one.scopeid };
  }
  if (process.platform === "linux" && name === LINUX_LOOPBACK.name) return LINUX_LOOPBACK;
  throw notAvailable(`interface ${name} has no link-local IPv6 address`, user);
}

/** An address of an interface. */
interface InterfaceAddress {
  readonly name?: string;
  readonly family: string;
  readonly address: string;
  readonly scopeid?: number | null;
}

interface NodeProcess {
  readonly platform: string;
  getBuiltinModule(name: "node:os"): {
    networkInterfaces(): Record<string, readonly InterfaceAddress[]>;
  };
}

const { process } = globalThis as unknown as { process: NodeProcess };

function listInterfaces({ operation, address }: InterfaceUser): InterfaceAddress[] {
  try {
    if (onDeno) return Deno.networkInterfaces();
    const interfaces = process.getBuiltinModule("node:os").networkInterfaces();
    return Object.entries(interfaces).flatMap(([name, all]) =>
      all.map((one) => ({ ...one, name }))
    );
  } catch (cause) {
    const denied = onDeno && cause instanceof Deno.errors.NotCapable;
    const reason = denied
      ? "a named interface needs --allow-sys=networkInterfaces, which the program does not have"
      : "the system does not list its interfaces";
    const kind = denied ? "PermissionDenied" : "Other";
    throw new SocketError(kind, operation, reason, { address, cause });
  }
}

function uniform(address: string): string {
  return hostOf(octetsOf(withoutZone(address))!);
}

function isInZone({ name, scopeid }: InterfaceAddress, zone: string): boolean {
  return zone === "" || zone === name || zone === String(scopeid);
}
