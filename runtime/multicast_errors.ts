import { quote } from "../core/arguments.ts";
import { ipFamily } from "../core/ip_address.ts";
import { SocketError } from "../errors.ts";
import type { Address } from "../types.ts";
import type { MulticastGroup } from "./backend.ts";

/** The operation that needs an interface, for errors. */
export interface InterfaceUser {
  readonly operation: string;
  readonly address: Address;
}

/** Gives what the caller should know of a failed join of `Deno.listenDatagram`, in the words of both backends. */
export function explainJoinFailure(
  error: unknown,
  group: MulticastGroup,
  user: InterfaceUser,
): unknown {
  const { code, message } = error as { code?: string; message?: string };
  if (code === "EADDRINUSE") return alreadyJoined(user, error);
  if (code === "ENOBUFS" || code === "ENOMEM") return tooManyGroups(user, error);
  // The runtime gives ENODEV, which is 19 on Linux, macOS and BSD, in the message only.
  return message?.includes("(os error 19)") ? noDevice(group, user, error) : error;
}

/** Makes the error for a group that the socket is in. */
export function alreadyJoined({ operation, address }: InterfaceUser, cause: unknown): SocketError {
  const reason = "the socket is in this group already";
  const options = { address, code: "EADDRINUSE", retryable: false, cause };
  return new SocketError("AddressInUse", operation, reason, options);
}

/** Makes the error for a membership beyond the limit of the system. */
export function tooManyGroups({ operation, address }: InterfaceUser, cause: unknown): SocketError {
  const reason = "the system allows this socket no more memberships";
  return new SocketError("ResourceExhausted", operation, reason, { address, cause });
}

/** Makes the error for a group that no interface can join or leave (ENODEV). */
export function noDevice(
  { interface: named }: MulticastGroup,
  user: InterfaceUser,
  cause: unknown,
): SocketError {
  return named === undefined
    ? notAvailable("no route leads to the group: name an interface", user, cause)
    : noInterface(named, user, cause);
}

/** Makes the error for an interface that this machine does not have. */
export function noInterface(text: string, user: InterfaceUser, cause?: unknown): SocketError {
  const what = ipFamily(text) === 0 ? "is called" : "has the address";
  return notAvailable(`no interface of this machine ${what} ${quote(text)}`, user, cause);
}

/** Makes the error for an interface, or a route, that is not there now and may come. */
export function notAvailable(
  reason: string,
  { operation, address }: InterfaceUser,
  cause?: unknown,
): SocketError {
  const options = cause === undefined ? { address } : { address, cause };
  return new SocketError("AddressNotAvailable", operation, reason, options);
}
