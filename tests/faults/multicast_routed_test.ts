import { assertEquals } from "@std/assert";
import type { BindUdpOptions } from "../../mod.ts";
import { UDP_BACKENDS } from "./support/datagrams.ts";
import { faultTest } from "./support/fault_test.ts";
import type { Host } from "./support/host.ts";
import {
  countReceived,
  type Family,
  groupOf,
  type Receiver,
  routeMulticast,
  startReceiver,
} from "./support/multicast.ts";
import {
  ADDRESSES,
  DEVICE,
  type Network,
  SECOND_ADDRESSES,
  SECOND_DEVICE,
  type Side,
} from "./support/network.ts";

const ROUTED = { routed: true } as const;

/** Starts a host with a socket for each of the options, which are the sockets' names. */
async function startSenders(
  network: Network,
  side: Side,
  flags: readonly string[],
  sockets: Readonly<Record<string, BindUdpOptions & { host?: string }>>,
): Promise<Host> {
  const sender = await network.host(side, { flags });
  for (const [as, { host = ADDRESSES[side][4], ...options }] of Object.entries(sockets)) {
    await sender.do("bindUdp", { as, host, options });
  }
  return sender;
}

async function closeAll(receivers: readonly Receiver[], sender: Host, names: readonly string[]) {
  for (const { host } of receivers) await host.do("closeUdp", { on: "it" });
  for (const on of names) await sender.do("closeUdp", { on });
}

for (const { title, flags } of UDP_BACKENDS) {
  faultTest(
    `U13: with a TTL of 1, the default, no datagram to a group passes a router, on ${title}`,
    async (network) => {
      await using _router = await routeMulticast(network);
      const near = await startReceiver(network, "b", 4, { flags });
      const far = await startReceiver(network, "c", 4, { flags });
      const sockets = { default: {}, one: { multicastTtl: 1 }, two: { multicastTtl: 2 } };
      const sender = await startSenders(network, "a", flags, sockets);
      for (const [on, expected] of [["default", 0], ["one", 0], ["two", 3]] as const) {
        assertEquals(await countReceived(sender, near, { on }), 3);
        assertEquals(await countReceived(sender, far, { on }), expected, on);
      }
      await closeAll([near, far], sender, Object.keys(sockets));
    },
    ROUTED,
  );

  faultTest(
    `of three hosts only members receive, on ${title}`,
    async (network) => {
      const outsider = await startReceiver(network, "a", 4, { flags, join: null });
      const member = await startReceiver(network, "c", 4, { flags });
      const sockets = { toA: {}, toC: { host: SECOND_ADDRESSES[4] } };
      const sender = await startSenders(network, "b", flags, sockets);
      // A socket that is bound to an interface's address sends by that interface.
      assertEquals(await countReceived(sender, outsider, { on: "toA" }), 0);
      assertEquals(await countReceived(sender, member, { on: "toA" }), 0);
      assertEquals(await countReceived(sender, member, { on: "toC" }), 3);
      await closeAll([outsider, member], sender, Object.keys(sockets));
    },
    ROUTED,
  );
}

for (const family of [4, 6] as Family[]) {
  const byAddress = SECOND_ADDRESSES[family];
  faultTest(
    `U12: multicastInterface chooses the interface to send by, IPv${family} on node:dgram`,
    async (network) => {
      await network.ip("b", "route", "add", "224.0.0.0/4", "dev", DEVICE);
      const [left, right] = await Promise.all(
        (["a", "c"] as const).map((side) => startReceiver(network, side, family, { flags: [] })),
      );
      for (const device of [DEVICE, SECOND_DEVICE]) await network.waitLinkLocal("b", device);
      const host = family === 4 ? "0.0.0.0" : "::";
      const sockets = {
        left: { host, multicastInterface: DEVICE },
        right: { host, multicastInterface: SECOND_DEVICE },
        byAddress: { host, multicastInterface: byAddress },
      };
      const sender = await startSenders(network, "b", [], sockets);
      for (const on of Object.keys(sockets)) {
        const at = on === "left" ? [3, 0] : [0, 3];
        const got = [];
        for (const receiver of [left, right]) {
          got.push(await countReceived(sender, receiver, { on, to: groupOf(receiver, "") }));
        }
        assertEquals(got, at, on);
      }
      await closeAll([left, right], sender, Object.keys(sockets));
    },
    ROUTED,
  );
}

faultTest(
  "U12: ttl bounds the routers that a datagram may pass, on node:dgram",
  async (network) => {
    const far = await startReceiver(network, "c", 4, { flags: [], join: null });
    const sockets = { one: { ttl: 1 }, two: { ttl: 2 }, it: {} };
    const sender = await startSenders(network, "a", [], sockets);
    const to = { host: ADDRESSES.c[4], port: far.port };
    for (const [on, expected] of [["one", [1000]], ["two", [0, 1000]]] as const) {
      await sender.do("sendNumbered", { on, to, count: 1, size: 64 });
      await sender.do("sendNumbered", { on: "it", to, count: 1, size: 64, first: 1000 });
      const { numbers } = await far.host.do("recvNumbered", {
        on: "it",
        most: expected.length,
        timeout: 20_000,
      });
      assertEquals(numbers, [...expected], on);
    }
    await closeAll([far], sender, Object.keys(sockets));
  },
  ROUTED,
);
