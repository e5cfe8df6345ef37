import { assert, assertEquals } from "@std/assert";
import { faultTest } from "./support/fault_test.ts";
import type { Network } from "./support/network.ts";
import { closeBoth, connectedHosts } from "./support/pairs.ts";
import { ascending, closeUdpBoth, UDP_BACKENDS, udpHosts } from "./support/datagrams.ts";

const LENGTH = 96 * 1024;

/** Returns the packet count of the first rule of side b that has a counter. */
async function counted(network: Network): Promise<number> {
  return Number(/packets (\d+)/.exec(await network.exec("b", "nft", "list", "ruleset"))![1]);
}

const LOSSES = {
  "30 % random loss": "meta l4proto tcp numgen random mod 100 < 30 drop",
  "the loss of every fifth packet": "meta l4proto tcp numgen inc mod 5 == 4 drop",
};

for (const [what, rule] of Object.entries(LOSSES)) {
  for (const family of [4, 6] as const) {
    faultTest(`${what}: TCP over IPv${family} gives every byte both ways`, async (network) => {
      const hosts = await connectedHosts(network, { family });
      const { client, server } = hosts;
      await network.filter("b", "input", rule);
      const [there, back] = await Promise.all([
        server.do("take", { on: "it", length: LENGTH }),
        client.do("take", { on: "it", length: LENGTH }),
        client.do("send", { on: "it", length: LENGTH }),
        server.do("send", { on: "it", length: LENGTH }),
      ]);
      assertEquals(there, { length: LENGTH, intact: true });
      assertEquals(back, { length: LENGTH, intact: true });
      for (const host of [client, server]) {
        const counts = await host.do("counts", { on: "it" });
        assertEquals(counts, { bytesSent: LENGTH, bytesReceived: LENGTH });
      }
      await network.heal("b");
      await closeBoth(hosts);
    });
  }
}

for (const { title, flags } of UDP_BACKENDS) {
  faultTest(
    `30 % random loss: UDP on ${title} never fails, the rest arrives whole`,
    async (network) => {
      const hosts = await udpHosts(network, { flags });
      const { sender, receiver, to } = hosts;
      await network.filter(
        "b",
        "input",
        "meta l4proto udp numgen random mod 100 < 30 counter drop",
      );
      const receiving = receiver.do("recvNumbered", { on: "it", most: 1001, timeout: 2000 });
      const sent = await sender.do("sendNumbered", {
        on: "it",
        to,
        count: 1000,
        size: 500,
        pace: 20,
      });
      assertEquals(sent, { sent: 1000, failures: [] });
      const { numbers, intact, end } = await receiving;
      assertEquals(end?.kind, "TimedOut");
      const lost = await counted(network);
      assert(lost > 0, "nothing was lost");
      assertEquals({ came: numbers.length, intact }, { came: 1000 - lost, intact: true });
      assert(ascending(numbers));
      assertEquals(await receiver.do("dropped", { on: "it" }), 0);
      await closeUdpBoth(hosts);
    },
  );
}
