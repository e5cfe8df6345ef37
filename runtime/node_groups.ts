import type { Socket } from "node:dgram";
import type { SocketError } from "../errors.ts";
import type { Address } from "../types.ts";
import type { JoinedGroup, MulticastGroup } from "./backend.ts";
import { checkNodeGroup } from "./datagram_settings.ts";
import { interfaceAddress, interfaceIndex } from "./interfaces.ts";
import { alreadyJoined, type InterfaceUser, noDevice, tooManyGroups } from "./multicast_errors.ts";

/** Groups that a program never needs to join: no membership of them is reported, so joining sends nothing. */
const PROBES = {
  4: { host: "224.0.0.1", at: "127.0.0.1" },
  6: { host: "ff01::1", at: undefined },
} as const;
const LOOPBACK = "::%lo";

/**
 * Joins a group with `node:dgram`, which gives EINVAL for every reason: the real one is found out afterwards. An
 * interface is passed by name only if the system has it, since `node:dgram` takes an unknown one, or a number, for
 * the default.
 *
 * @param bound The address of the socket.
 * @param others The groups that the socket is in.
 */
export function joinWithNode(
  socket: Socket,
  bound: Address,
  group: MulticastGroup,
  others: Iterable<MulticastGroup>,
): JoinedGroup {
  const address = { host: group.host, port: bound.port };
  checkNodeGroup(group, bound, address);
  const user = { operation: "joinMulticast", address };
  const at = interfaceOption(group.interface, group.family, user);
  try {
    if (group.source === undefined) socket.addMembership(group.host, at);
    else socket.addSourceSpecificMembership(group.source, group.host, at);
  } catch (cause) {
    throw explainJoin(socket, group, at, [...others], user, cause);
  }
  return new NodeGroup(socket, group, at, { operation: "leave", address });
}

/** Returns an interface as `node:dgram` takes it: an IPv4 address, or `::%name`. */
export function interfaceOption(
  text: string | undefined,
  family: 4 | 6,
  user: InterfaceUser,
): string | undefined {
  if (text === undefined) return undefined;
  return family === 4 ? interfaceAddress(text, user) : `::%${interfaceIndex(text, user).name}`;
}

class NodeGroup implements JoinedGroup {
  readonly #socket: Socket;
  readonly #group: MulticastGroup;
  readonly #at: string | undefined;
  readonly #user: InterfaceUser;

  constructor(
    socket: Socket,
    group: MulticastGroup,
    at: string | undefined,
    user: InterfaceUser,
  ) {
    this.#socket = socket;
    this.#group = group;
    this.#at = at;
    this.#user = user;
  }

  // deno-lint-ignore require-await -- async so that what node:dgram throws rejects
  async leave(): Promise<void> {
    const { host, source, family } = this.#group;
    const at = this.#at;
    // With the name of an interface that is gone, node:dgram would leave the group on another one. The kernel has ended
    // the membership already.
    if (family === 6 && at !== undefined && !isInterface(this.#socket, at)) return;
    try {
      if (source === undefined) this.#socket.dropMembership(host, at);
      else this.#socket.dropSourceSpecificMembership(source, host, at);
    } catch (cause) {
      throw noDevice(this.#group, this.#user, cause);
    }
  }
}

/**
 * Tells if the system still has an interface, which may be down. A name that it does not know stands for any interface,
 * and a group cannot be joined on any interface once it is joined on one.
 */
function isInterface(socket: Socket, at: string): boolean {
  const { host } = PROBES[6];
  if (at === LOOPBACK) return true;
  try {
    socket.addMembership(host, LOOPBACK);
  } catch {
    return true;
  }
  const known = canJoin(socket, host, at);
  socket.dropMembership(host, LOOPBACK);
  return known;
}

/** Finds the reason of an EINVAL, so that the error is that of `Deno.listenDatagram`. */
function explainJoin(
  socket: Socket,
  group: MulticastGroup,
  at: string | undefined,
  others: readonly MulticastGroup[],
  user: InterfaceUser,
  cause: unknown,
): SocketError {
  const probe = PROBES[group.family];
  const same = others.filter((other) => other !== group && other.host === group.host);
  // At most 10 sources of one group are allowed (igmp_max_msf), and 20 groups (igmp_max_memberships).
  const isOneOfSources = same.length > 0 && [group, ...same].every(({ source }) => source);
  if (isOneOfSources || others.length > 1 && !canJoin(socket, probe.host, probe.at)) {
    return tooManyGroups(user, cause);
  }
  if (same.length > 0 && (group.family === 6 || canJoin(socket, probe.host, at))) {
    return alreadyJoined(user, cause);
  }
  return noDevice(group, user, cause);
}

/** Joins and leaves a group. */
function canJoin(socket: Socket, host: string, at: string | undefined): boolean {
  try {
    socket.addMembership(host, at);
    socket.dropMembership(host, at);
    return true;
  } catch {
    return false;
  }
}
