import { assert, assertEquals } from "@std/assert";
import {
  ascending,
  assertRefused,
  closeUdpBoth,
  provesUdpWell,
  UDP_BACKENDS,
  udpHosts,
} from "./support/datagrams.ts";
import { faultTest } from "./support/fault_test.ts";
import { DEVICE, type Network } from "./support/network.ts";

const COUNT = 5000;
const SIZE = 1024;

/** Returns the number of datagrams that the receiver's kernel had no room for. */
async function kernelDrops(network: Network): Promise<number> {
  const lines = (await network.sh("b", "grep ^Udp: /proc/net/snmp")).split("\n");
  const [names, values] = lines.map((line) => line.split(" "));
  return Number(values[names.indexOf("RcvbufErrors")]);
}

for (const { title, flags } of UDP_BACKENDS) {
  faultTest(
    `U5: 5,000 x 1 KiB unread on ${title}: each is received, or counted`,
    async (network) => {
      const hosts = await udpHosts(network, { flags });
      const { sender, receiver, to } = hosts;
      const sent = await sender.do("sendNumbered", { on: "it", to, count: COUNT, size: SIZE });
      assertEquals(sent, { sent: COUNT, failures: [] });
      const { numbers, intact } = await receiver.do("recvNumbered", {
        on: "it",
        most: COUNT,
        timeout: 1000,
      });
      const dropped = await receiver.do("dropped", { on: "it" });
      const lost = await kernelDrops(network);
      assert(dropped + lost > 0, "nothing was lost");
      if (title === "Deno.listenDatagram") assertEquals(dropped, 0);
      assert(intact && ascending(numbers));
      assertEquals(numbers.length + dropped + lost, COUNT);
      await provesUdpWell(hosts);
      await closeUdpBoth(hosts);
    },
  );

  faultTest(
    `U4: a link that is down on ${title}: sendTo fails, the socket goes on`,
    async (network) => {
      const hosts = await udpHosts(network, { flags });
      const { sender, to } = hosts;
      await network.ip("a", "link", "set", DEVICE, "down");
      const { failures } = await sender.do("sendNumbered", { on: "it", to, count: 3, size: SIZE });
      assertEquals(failures.length, 3);
      for (const failure of failures) assertRefused(failure, title, "Unreachable", "ENETUNREACH");
      await network.ip("a", "link", "set", DEVICE, "up");
      await provesUdpWell(hosts);
      await closeUdpBoth(hosts);
    },
  );

  faultTest(
    `U4: a firewall that forbids on ${title}: sendTo fails, the socket goes on`,
    async (network) => {
      const hosts = await udpHosts(network, { flags });
      const { sender, to } = hosts;
      await network.filter("a", "output", "meta l4proto udp drop");
      const { failures } = await sender.do("sendNumbered", { on: "it", to, count: 3, size: SIZE });
      assertEquals(failures.length, 3);
      for (const failure of failures) assertRefused(failure, title, "PermissionDenied", "EPERM");
      await network.heal("a");
      await provesUdpWell(hosts);
      await closeUdpBoth(hosts);
    },
  );

  faultTest(`U4: ICMP errors on ${title}: no call fails, the socket goes on`, async (network) => {
    const hosts = await udpHosts(network, { flags });
    const { sender, to } = hosts;
    const receiving = sender.do("recvNumbered", { on: "it", most: 1, timeout: 1000 });
    for (const type of ["port-unreachable", "host-unreachable", "admin-prohibited"]) {
      await network.filter("b", "input", `meta l4proto udp reject with icmp type ${type}`);
      const sent = await sender.do("sendNumbered", { on: "it", to, count: 3, size: SIZE });
      assertEquals(sent, { sent: 3, failures: [] });
      await network.heal("b");
    }
    assertEquals((await receiving).end?.kind, "TimedOut");
    await provesUdpWell(hosts);
    await closeUdpBoth(hosts);
  });
}
