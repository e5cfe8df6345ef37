import { assertEquals } from "@std/assert";
import type { Address, SocketErrorKind } from "../../../mod.ts";
import type { Failure } from "../programs/failure.ts";
import type { Host, HostOptions } from "./host.ts";
import { ADDRESSES, type Network } from "./network.ts";

/** What UDP sockets run on, with and without unstable features. */
export const UDP_BACKENDS = [
  { title: "Deno.listenDatagram", flags: ["--unstable-net"] },
  { title: "node:dgram", flags: [] },
] as const;

/** Two hosts with a UDP socket each, called "it" on both sides. */
export interface UdpHosts {
  /** On side a. */
  readonly sender: Host;
  /** On side b. */
  readonly receiver: Host;
  /** Where the receiver is. */
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

/** After a fault, datagrams come through as before it. */
export async function provesUdpWell({ sender, receiver, to }: UdpHosts): Promise<void> {
  const sent = await sender.do("sendNumbered", { on: "it", to, count: 3, size: 1000 });
  assertEquals(sent, { sent: 3, failures: [] });
  const received = await receiver.do("recvNumbered", { on: "it", most: 3, timeout: 5000 });
  assertEquals(received, { numbers: [0, 1, 2], intact: true });
}

/** The system refused to send: `node:dgram` drops its reason, and no more is known. */
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

/** Whether each number is greater than the one before: in order, and none twice. */
export function ascending(numbers: readonly number[]): boolean {
  return numbers.every((number, at) => at === 0 || number > numbers[at - 1]);
}
