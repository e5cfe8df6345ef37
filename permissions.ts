/**
 * One check of permissions at the start of a program.
 *
 * @module
 */

import { checkAddress, checkSocketAddress } from "./core/address_check.ts";
import { describe, invalidInput, isArray, readArguments } from "./core/arguments.ts";
import { askForPermissions, type NeededAddresses } from "./runtime/required_permissions.ts";
import type { Address, SocketAddress } from "./types.ts";

const OPERATION = "requirePermissions";

/** The lowest port of each function's addresses. */
const LOWEST_PORTS = { listen: 0, connect: 1, bindUdp: 0, sendTo: 1 } as const;

/** The addresses that a program will use, by function; what is left out is not used. */
export interface RequiredPermissions {
  /** Addresses to listen on. Port 0 is a permission of its own. */
  listen?: readonly SocketAddress[];
  /** Addresses to connect to. A name is granted as it is written. */
  connect?: readonly SocketAddress[];
  /** Addresses to bind for datagrams. */
  bindUdp?: readonly Address[];
  /** Addresses to send datagrams to. */
  sendTo?: readonly Address[];
}

/**
 * Asks for every permission that a program will need, when it starts. A daemon must not find out in the night, at its
 * first reconnect, that it may not connect.
 *
 * With a terminal, the runtime prompts for what is missing, unless `--no-prompt` or `--deny-net` has decided already.
 * After one refusal it asks no more.
 *
 * Without `--unstable-net`, a name in `bindUdp` or `sendTo` needs the name, and the addresses behind it. Those can be
 * looked up only after the name is granted: then they are asked for, too.
 *
 * @param needed The addresses to use, by function.
 * @returns Resolves if everything is granted.
 *
 * Rejects with a {@linkcode SocketError}: `InvalidInput`, or `PermissionDenied`. That names all that is missing in one
 * flag, such as `--allow-net=a.example:1,b.example:2`, and what `--deny-net` has denied. `permission` is the first of
 * them. It cannot be cancelled.
 *
 * @example
 * ```ts
 * import { listen, requirePermissions } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * const address = { host: "127.0.0.1", port: 0 };
 * const upstream = { host: "db.example", port: 5432 };
 * await requirePermissions({ listen: [address], connect: [upstream] });
 * await using listener = await listen(address);
 * assertEquals(listener.address.host, "127.0.0.1");
 * ```
 */
export async function requirePermissions(needed: RequiredPermissions): Promise<void> {
  const addresses = readArguments(OPERATION, () => readNeeded(needed));
  const error = await askForPermissions(OPERATION, addresses);
  if (error !== undefined) throw error;
}

function readNeeded(needed: RequiredPermissions): NeededAddresses {
  const names = Object.keys(LOWEST_PORTS);
  if (typeof needed !== "object" || needed === null || isArray(needed)) {
    const right = `an object with addresses in ${names.join(", ")}`;
    throw invalidInput(OPERATION, `the argument is ${describe(needed)}, not ${right}`);
  }
  // A misspelled name would be a permission that nobody asks for.
  const unknown = Object.keys(needed).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw invalidInput(OPERATION, `${describe(unknown)} is none of ${names.join(", ")}`);
  }
  const read = <A>(
    name: keyof NeededAddresses,
    check: (operation: string, address: unknown, lowestPort: 0 | 1) => A,
  ): A[] => {
    const list = needed[name];
    if (list === undefined) return [];
    if (!isArray(list)) {
      throw invalidInput(OPERATION, `${name} is ${describe(list)}, not an array of addresses`);
    }
    // Not the array's own map(), which would skip holes.
    return Array.from(
      list as readonly unknown[],
      (one) => check(OPERATION, one, LOWEST_PORTS[name]),
    );
  };
  return {
    listen: read("listen", checkSocketAddress),
    connect: read("connect", checkSocketAddress),
    bindUdp: read("bindUdp", checkAddress),
    sendTo: read("sendTo", checkAddress),
  };
}
