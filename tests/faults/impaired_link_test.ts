import { assert, assertEquals } from "@std/assert";
import { closeUdpBoth, UDP_BACKENDS, udpHosts } from "./support/datagrams.ts";
import { faultTest } from "./support/fault_test.ts";
import type { Network } from "./support/network.ts";
import { closeBoth, connectedHosts } from "./support/pairs.ts";

const ALL = { loss: 3, duplication: 3, reordering: 3, corruption: 3, delay: 2 };
const LENGTH = 512 * 1024;
const DATAGRAMS = 2000;

for (const family of [4, 6] as const) {
  faultTest(
    `loss, duplication, reordering, corruption, delay: TCP over IPv${family} gives every byte`,
    async (network) => {
      const hosts = await connectedHosts(network, { family });
      const { client, server } = hosts;
      const [there, back] = await Promise.all([
        server.do("take", { on: "it", length: LENGTH }),
        client.do("take", { on: "it", length: LENGTH }),
        client.do("send", { on: "it", length: LENGTH }),
        server.do("send", { on: "it", length: LENGTH }),
      ]);
      assertEquals([there, back], Array(2).fill({ length: LENGTH, intact: true }));
      for (const host of [client, server]) {
        const counts = await host.do("counts", { on: "it" });
        assertEquals(counts, { bytesSent: LENGTH, bytesReceived: LENGTH });
      }
      await closeBoth(hosts);
      await network.proveClean();
      const { tcp } = await network.relay!.end();
      assert(tcp.lost > 0 && tcp.duplicated > 0 && tcp.reordered > 0 && tcp.corrupted > 0);
    },
    { relay: ALL },
  );
}

/** Datagrams that the receiver's kernel dropped because the receiver, on a busy machine, took them too late. */
async function countKernelDrops(network: Network): Promise<number> {
  const counters = await network.exec("b", "cat", "/proc/net/snmp");
  const [names, values] = counters.split("\n").filter((line) => line.startsWith("Udp:"))
    .map((line) => line.split(" "));
  return Number(values[names.indexOf("RcvbufErrors")]);
}

for (const { title, flags } of UDP_BACKENDS) {
  faultTest(
    `loss, duplication, reordering, corruption: each datagram on ${title} is accounted for`,
    async (network) => {
      const hosts = await udpHosts(network, { flags });
      const { sender, receiver, to } = hosts;
      const receiving = receiver.do("recvNumbered", { on: "it", most: 9999, timeout: 2000 });
      const sent = await sender.do("sendNumbered", {
        on: "it",
        to,
        count: DATAGRAMS,
        size: 1000,
        pace: 10,
      });
      assertEquals(sent, { sent: DATAGRAMS, failures: [] });
      const { numbers, intact, end } = await receiving;
      assertEquals({ intact, end: end?.kind }, { intact: true, end: "TimedOut" });
      assertEquals(await receiver.do("dropped", { on: "it" }), 0);
      const overflowed = await countKernelDrops(network);
      await closeUdpBoth(hosts);
      await network.proveClean();

      const { udp } = await network.relay!.end();
      assertEquals([udp.packets, udp.overflowed], [DATAGRAMS, 0]);
      // The kernel detected corrupted datagrams by their checksum and dropped them.
      const expected = DATAGRAMS - udp.lost - udp.corrupted + udp.duplicated;
      assertEquals(numbers.length + overflowed, expected, JSON.stringify(udp));
      // An overflow takes a datagram or its duplicate.
      const missing = DATAGRAMS - udp.lost - udp.corrupted - new Set(numbers).size;
      assert(
        missing >= 0 && missing <= overflowed,
        `${missing} are missing, ${overflowed} overflowed`,
      );
      assert(udp.lost > 0 && udp.duplicated > 0 && udp.reordered > 0 && udp.corrupted > 0);
    },
    { relay: ALL },
  );
}
