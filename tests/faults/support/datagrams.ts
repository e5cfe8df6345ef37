import { assertEquals } from "@std/assert";
import type { Address, SocketErrorKind } from "../../../mod.ts";
import type { Failure } from "../programs/failure.ts";
import type { Host, HostOptions } from "./host.ts";
import { ADDRESSES, type Network } from "./network.ts";

/** The two backends of UDP sockets, with and without unstable features. */
export const UDP_BACKENDS = [
  { title: "Deno.listenDatagram", flags: ["--unstable-net"] },
  { title: "node:dgram", flags: [] },
] as const;

/** Two hosts with one UDP socket each, named "it" on both sides. */
export interface UdpHosts {
  /** The host on side a. */
  readonly sender: Host;
  /** The host on side b. */
  readonly receiver: Host;
  /** The address of the receiver. */
  readonly to: Address;
}

export async function udpHosts(network: Network, options: HostOptions): Promise<UdpHosts> {
  const [sender, receiver] = await network.hosts(options);
  const to = await receiver.do("bindUdp", { as: "it", host: ADDRESSES.b[4] });
  await sender.do("bindUdp", { as: "it", host: ADDRESSES.a[4] });
  return { sender, receiver, to };
}

export async function closeUdpBoth({ sender, receiver }: UdpHosts): Promise<void> {
  await Promise.all([sender, receiver].map((host) => host.do("closeUdp", { on: "it" })));
}

/** Checks that datagrams arrive as before the fault. */
export async function provesUdpWell({ sender, receiver, to }: UdpHosts): Promise<void> {
  const sent = await sender.do("sendNumbered", { on: "it", to, count: 3, size: 1000 });
  assertEquals(sent, { sent: 3, failures: [] });
  const received = await receiver.do("recvNumbered", { on: "it", most: 3, timeout: 5000 });
  assertEquals(received, { numbers: [0, 1, 2], intact: true });
}

/** Checks the error of a refused `sendTo`. `node:dgram` drops the reason, so its kind is `Other`. */
export function assertRefused(
  { kind, code, operation }: Failure,
  backend: string,
  expected: SocketErrorKind,
  errno: string,
): void {
  const known = backend === "node:dgram"
    ? { kind: "Other" as const, code: undefined }
    : { kind: expected, code: errno };
  assertEquals({ kind, code, operation }, { ...known, operation: "sendTo" });
}

/** Tells if the numbers are in order, without duplicates. */
export function ascending(numbers: readonly number[]): boolean {
  return numbers.every((number, at) => at === 0 || number > numbers[at - 1]);
}
