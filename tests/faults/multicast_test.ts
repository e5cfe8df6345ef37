import { assertEquals } from "@std/assert";
import { UDP_BACKENDS } from "./support/datagrams.ts";
import { faultTest } from "./support/fault_test.ts";
import type { Host } from "./support/host.ts";
import {
  assertMembers,
  countReceived,
  type Family,
  groupOf,
  GROUPS,
  startReceiver,
} from "./support/multicast.ts";
import { ADDRESSES, DEVICE, type Network } from "./support/network.ts";

const FAMILIES: readonly Family[] = [4, 6];

/** Starts a host on side a with a socket that sends to the link: an IPv4 one is bound to its address there. */
async function startSender(
  network: Network,
  family: Family,
  flags: readonly string[],
  options = {},
): Promise<Host> {
  await network.waitLinkLocal("a", DEVICE);
  const host = await network.host("a", { flags });
  const at = family === 4 ? ADDRESSES.a[4] : "::";
  await host.do("bindUdp", { as: "it", host: at, options });
  return host;
}

function close(...hosts: readonly Host[]): Promise<unknown> {
  return Promise.all(hosts.map((host) => host.do("closeUdp", { on: "it" })));
}

for (const { title, flags } of UDP_BACKENDS) {
  for (const family of FAMILIES) {
    const of = `IPv${family} on ${title}`;

    faultTest(`U10: a member on another host receives until it leaves, ${of}`, async (network) => {
      const receiver = await startReceiver(network, "b", family, { flags });
      const sender = await startSender(network, family, flags);
      await assertMembers(network, "b", family, 1);
      assertEquals(await countReceived(sender, receiver), 3);
      await receiver.host.do("leave", { as: "in" });
      await assertMembers(network, "b", family, 0);
      assertEquals(await countReceived(sender, receiver), 0);
      await receiver.host.do("leave", { as: "in" });
      await close(sender, receiver.host);
    });

    faultTest(`U10: closeUdp() leaves all groups, ${of}`, async (network) => {
      const receiver = await startReceiver(network, "b", family, { flags });
      const options = { interface: "lo" };
      const group = GROUPS[family].host;
      await receiver.host.do("joinMulticast", { on: "it", as: "lo", group, options });
      await assertMembers(network, "b", family, 2);
      await close(receiver.host);
      await assertMembers(network, "b", family, 0);
      await receiver.host.do("leave", { as: "in" });
    });

    faultTest(`U10: a member of another interface receives nothing, ${of}`, async (network) => {
      const receiver = await startReceiver(network, "b", family, {
        flags,
        join: { interface: "lo" },
      });
      const sender = await startSender(network, family, flags);
      assertEquals(await countReceived(sender, receiver), 0);
      const group = GROUPS[family].host;
      // By its address this time.
      const options = { interface: ADDRESSES.b[family] };
      await receiver.host.do("joinMulticast", { on: "it", as: "wire", group, options });
      assertEquals(await countReceived(sender, receiver), 3);
      await receiver.host.do("leave", { as: "in" });
      assertEquals(await countReceived(sender, receiver), 3);
      await close(sender, receiver.host);
    });

    faultTest(
      `U13: a member on the sender's host receives by default, and not with multicastLoopback: false, ${of}`,
      async (network) => {
        const own = await startReceiver(network, "a", family, { flags });
        const other = await startReceiver(network, "b", family, { flags });
        for (const multicastLoopback of [undefined, true, false]) {
          const sender = await startSender(network, family, flags, { multicastLoopback });
          const expected = multicastLoopback === false ? 0 : 3;
          assertEquals(await countReceived(sender, own), expected, `${multicastLoopback}`);
          assertEquals(await countReceived(sender, other), 3);
          await close(sender);
        }
        await close(own.host, other.host);
      },
    );

    faultTest(
      `U10: a membership outlasts an interface that goes down and comes back, ${of}`,
      async (network) => {
        const receiver = await startReceiver(network, "b", family, { flags });
        const sender = await startSender(network, family, flags);
        assertEquals(await countReceived(sender, receiver), 3);
        await network.ip("b", "link", "set", DEVICE, "down");
        await network.ip("b", "link", "set", DEVICE, "up");
        // IPv6 addresses do not outlast it. The receiver's own address is for the datagram that comes for certain.
        await network.ip("b", "addr", "replace", `${ADDRESSES.b[6]}/64`, "dev", DEVICE);
        assertEquals(await countReceived(sender, receiver), 3);
        await receiver.host.do("leave", { as: "in" });
        assertEquals(await countReceived(sender, receiver), 0);
        await assertMembers(network, "b", family, 0);
        await close(sender, receiver.host);
      },
    );

    faultTest(`U10: leave() works while the interface is down, ${of}`, async (network) => {
      const receiver = await startReceiver(network, "b", family, { flags });
      await network.ip("b", "link", "set", DEVICE, "down");
      await receiver.host.do("leave", { as: "in" });
      await network.ip("b", "link", "set", DEVICE, "up");
      await assertMembers(network, "b", family, 0);
      await close(receiver.host);
    });

    faultTest(
      `U10: leave() for an interface that is gone leaves no other, ${of}`,
      async (network) => {
        const receiver = await startReceiver(network, "b", family, { flags });
        await network.ip("b", "link", "add", "gone", "type", "veth", "peer", "name", "other");
        await network.ip("b", "addr", "add", "10.79.0.1/24", "dev", "gone");
        await network.sh("b", "ip link set gone up; ip link set other up");
        await network.waitLinkLocal("b", "gone");
        const group = GROUPS[family].host;
        const options = { interface: "gone" };
        await receiver.host.do("joinMulticast", { on: "it", as: "gone", group, options });
        await assertMembers(network, "b", family, 2);
        await network.ip("b", "link", "del", "gone");
        await receiver.host.do("leave", { as: "gone" });
        await assertMembers(network, "b", family, 1);
        const sender = await startSender(network, family, flags);
        assertEquals(await countReceived(sender, receiver), 3);
        await close(sender, receiver.host);
      },
    );

    faultTest(
      `U11: an interface that is not there is AddressNotAvailable, ${of}`,
      async (network) => {
        const host = await network.host("b", { flags });
        await host.do("bindUdp", { as: "it", host: GROUPS[family].any });
        const group = GROUPS[family].host;
        const others = family === 4 ? ["192.0.2.1"] : ["2001:db8::1", `fe80::1%${DEVICE}`];
        for (const name of ["nope", "1", "99", "wire ", "Wire", ...others]) {
          const options = { interface: name };
          const values = { on: "it", as: "in", group, options };
          const failure = await host.fails("AddressNotAvailable", "joinMulticast", values);
          assertEquals(failure.operation, "joinMulticast");
        }
        await assertMembers(network, "b", family, 0);
        await close(host);
      },
    );

    faultTest(`U11: one interface under two names is joined once, ${of}`, async (network) => {
      const receiver = await startReceiver(network, "b", family, { flags });
      const group = GROUPS[family].host;
      const options = { interface: ADDRESSES.b[family] };
      const values = { on: "it", as: "again", group, options };
      const { code } = await receiver.host.fails("AddressInUse", "joinMulticast", values);
      assertEquals(code, "EADDRINUSE");
      await assertMembers(network, "b", family, 1);
      await close(receiver.host);
    });

    faultTest(
      `U10: 1,000 memberships, joined and left, leave nothing behind, ${of}`,
      async (network) => {
        const host = await network.host("b", { flags });
        await host.do("bindUdp", { as: "it", host: GROUPS[family].any });
        const options = { interface: DEVICE };
        await network.waitLinkLocal("b", DEVICE);
        const before = await network.sh("b", "cat /proc/net/igmp /proc/net/igmp6");
        const group = GROUPS[family].host;
        await host.do("joinAndLeave", { on: "it", group, options, rounds: 1000 });
        assertEquals(
          usersOf(await network.sh("b", "cat /proc/net/igmp /proc/net/igmp6")),
          usersOf(before),
        );
        await close(host);
      },
    );
  }

  faultTest(
    `U10: a membership by the routes, on ${title}, and without a route`,
    async (network) => {
      const host = await network.host("b", { flags });
      await host.do("bindUdp", { as: "it", host: "0.0.0.0" });
      const group = GROUPS[4].host;
      const values = { on: "it", as: "in", group };
      await host.fails("AddressNotAvailable", "joinMulticast", values);
      await network.ip("b", "route", "add", "224.0.0.0/4", "dev", DEVICE);
      await host.do("joinMulticast", values);
      await assertMembers(network, "b", 4, 1);
      await network.ip("b", "route", "del", "224.0.0.0/4", "dev", DEVICE);
      await host.fails("AddressNotAvailable", "leave", { as: "in" });
      await network.ip("b", "route", "add", "224.0.0.0/4", "dev", DEVICE);
      await host.do("leave", { as: "in" });
      await assertMembers(network, "b", 4, 0);
      await close(host);
    },
  );
}

faultTest("U12: source receives from one sender only, on node:dgram", async (network) => {
  const second = "10.77.0.3";
  await network.ip("a", "addr", "add", `${second}/24`, "dev", DEVICE);
  const join = { interface: DEVICE, source: second };
  const receiver = await startReceiver(network, "b", 4, { flags: [], join });
  const sender = await startSender(network, 4, []);
  await sender.do("bindUdp", { as: "second", host: second });
  assertEquals(await countReceived(sender, receiver), 0);
  assertEquals(await countReceived(sender, receiver, { on: "second" }), 3);
  const { host: group } = groupOf(receiver);
  const options = { interface: DEVICE, source: ADDRESSES.a[4] };
  await receiver.host.do("joinMulticast", { on: "it", as: "more", group, options });
  assertEquals(await countReceived(sender, receiver), 3);
  await receiver.host.do("leave", { as: "in" });
  assertEquals(await countReceived(sender, receiver, { on: "second" }), 0);
  assertEquals(await countReceived(sender, receiver), 3);
  await sender.do("closeUdp", { on: "second" });
  await close(sender, receiver.host);
});

/** Returns the groups of all devices with the number of their users, without timers. */
function usersOf(lists: string): string[] {
  return lists.split("\n").map((line) => line.trim().split(/\s+/).slice(0, 4).join(" "));
}
