import { assert, assertEquals } from "@std/assert";
import type { Address, JoinMulticastOptions } from "../../../mod.ts";
import { compiled } from "./compile.ts";
import type { Host } from "./host.ts";
import { ADDRESSES, DEVICE, type Network, SECOND_ADDRESSES, type Side } from "./network.ts";
import { Process } from "./process.ts";

/** A group of each family, as a program writes it and as the kernel's lists of memberships do. */
export const GROUPS = {
  4: { host: "239.255.7.7", listed: "0707FFEF", any: "0.0.0.0" },
  6: { host: "ff02::7777", listed: "ff020000000000000000000000007777", any: "::" },
} as const;
export type Family = keyof typeof GROUPS;

const SIZE = 64;
/** The number of the datagram that is sent to the receiver alone. */
const MARK = 1000;

/** The socket of a host that receives, and its host's address. */
export interface Receiver {
  readonly host: Host;
  readonly side: Side;
  readonly family: Family;
  readonly port: number;
}

/** Binds a socket named "it", and joins the group with the membership "in". */
export async function startReceiver(
  network: Network,
  side: Side,
  family: Family,
  { flags, join = { interface: DEVICE } }: {
    readonly flags: readonly string[];
    readonly join?: JoinMulticastOptions | null;
  },
): Promise<Receiver> {
  if (family === 6) await network.waitLinkLocal(side, DEVICE);
  const host = await network.host(side, { flags });
  const { port } = await host.do("bindUdp", { as: "it", host: GROUPS[family].any });
  if (join !== null) {
    const group = GROUPS[family].host;
    await host.do("joinMulticast", { on: "it", as: "in", group, options: join });
  }
  return { host, side, family, port };
}

/** Returns the group as a target on a receiver's port. A sender on an IPv6 link has to name the link. */
export function groupOf({ family, port }: Receiver, device = DEVICE): Address {
  const { host } = GROUPS[family];
  return { host: family === 6 && device !== "" ? `${host}%${device}` : host, port };
}

/**
 * Sends three datagrams to the group and one to the receiver alone, which comes for certain. Returns how many of the
 * three the receiver got.
 */
export async function countReceived(
  sender: Host,
  receiver: Receiver,
  { to = groupOf(receiver), on = "it", at = ADDRESSES[receiver.side][receiver.family] } = {},
): Promise<number> {
  const sent = await sender.do("sendNumbered", { on, to, count: 3, size: SIZE });
  assertEquals(sent, { sent: 3, failures: [] });
  const mark = { host: at, port: receiver.port };
  await sender.do("sendNumbered", { on, to: mark, count: 1, size: SIZE, first: MARK });
  for (let received = 0;; received++) {
    const { numbers, intact, end } = await receiver.host.do("recvNumbered", {
      on: "it",
      most: 1,
      timeout: 20_000,
    });
    assertEquals(end, undefined);
    assert(intact);
    if (numbers[0] === MARK) return received;
    assertEquals(numbers, [received]);
  }
}

/** Checks how many entries the kernel of a side has for the group, each on one device. */
export async function assertMembers(
  network: Network,
  side: Side,
  family: Family,
  devices: number,
): Promise<void> {
  const list = await network.sh(side, `cat /proc/net/${family === 4 ? "igmp" : "igmp6"}`);
  assertEquals(list.split(GROUPS[family].listed).length - 1, devices, list);
}

/** Makes side b forward IPv4 multicast from side a to side c. Disposing ends it. */
export async function routeMulticast(network: Network): Promise<Process> {
  const program = await compiled("multicast_router");
  const args = [ADDRESSES.b[4], SECOND_ADDRESSES[4], ADDRESSES.a[4], GROUPS[4].host];
  const router = new Process("ip", ["netns", "exec", network.space("b"), program, ...args]);
  const { value } = await router.lines.next();
  if (value === "ready") return router;
  await router[Symbol.asyncDispose]();
  throw new Error(`the router did not start: ${router.errors}`);
}
