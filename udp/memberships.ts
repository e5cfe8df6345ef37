import { toSocketError } from "../core/error_mapping.ts";
import { SocketError } from "../errors.ts";
import type { DatagramSocket, JoinedGroup, MulticastGroup } from "../runtime/backend.ts";
import type { Membership } from "../types.ts";

/** The socket that memberships belong to. */
export interface MembershipUser {
  readonly socket: DatagramSocket;
  /** True from the call of `closeUdp`. */
  isClosing(): boolean;
  closedError(operation: string): SocketError;
}

/**
 * The groups that one socket is in. The record is needed because `node:dgram` gives the same error for a group that
 * the socket is in already as for an interface that is not there.
 */
export class Memberships {
  readonly #user: MembershipUser;
  readonly #groups = new Set<MulticastGroup>();

  constructor(user: MembershipUser) {
    this.#user = user;
  }

  async join(group: MulticastGroup): Promise<Membership> {
    this.#checkNew(group);
    this.#groups.add(group);
    try {
      const joined = await this.#user.socket.join(group, this.#groups);
      return new SocketMembership(this.#user, this.#groups, group, joined);
    } catch (error) {
      this.#groups.delete(group);
      throw explain(this.#user, "joinMulticast", group, error);
    }
  }

  #checkNew(group: MulticastGroup): void {
    for (const other of this.#groups) {
      if (other.host !== group.host || other.interface !== group.interface) continue;
      if (other.source !== undefined && group.source !== undefined) {
        if (other.source !== group.source) continue;
      }
      const reason = other.source === group.source
        ? "the socket is in this group already"
        : "the socket is in this group already, with a source in one call and without in the other";
      throw new SocketError("AddressInUse", "joinMulticast", reason, {
        address: addressOf(this.#user, group),
        code: "EADDRINUSE",
        retryable: false,
      });
    }
  }
}

class SocketMembership implements Membership {
  readonly group: string;
  readonly #user: MembershipUser;
  readonly #groups: Set<MulticastGroup>;
  readonly #key: MulticastGroup;
  readonly #joined: JoinedGroup;
  #leaving: Promise<void> | undefined;

  constructor(
    user: MembershipUser,
    groups: Set<MulticastGroup>,
    key: MulticastGroup,
    joined: JoinedGroup,
  ) {
    this.group = key.host;
    this.#user = user;
    this.#groups = groups;
    this.#key = key;
    this.#joined = joined;
  }

  leave(): Promise<void> {
    return this.#leaving ??= this.#leave();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave();
  }

  async #leave(): Promise<void> {
    // The kernel leaves all groups of a socket that is closed.
    if (this.#user.isClosing()) return;
    try {
      await this.#joined.leave();
      this.#groups.delete(this.#key);
    } catch (error) {
      if (this.#user.isClosing()) return;
      this.#leaving = undefined;
      throw explain(this.#user, "leave", this.#key, error);
    }
  }
}

function explain(
  user: MembershipUser,
  operation: string,
  group: MulticastGroup,
  error: unknown,
): SocketError {
  if (user.isClosing()) return user.closedError(operation);
  return toSocketError(error, operation, { address: addressOf(user, group) });
}

function addressOf(user: MembershipUser, { host }: MulticastGroup) {
  return { host, port: user.socket.address.port };
}
