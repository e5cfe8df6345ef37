import { assertEquals } from "@std/assert";
import { faultTest } from "./support/fault_test.ts";
import { closeBoth, connectedHosts } from "./support/pairs.ts";

const LENGTH = 256 * 1024;

faultTest("30 % random loss: TCP gives every byte in order, and the counts say so", async (network) => {
  const hosts = await connectedHosts(network);
  const { client, server } = hosts;
  await network.filter("b", "input", "numgen random mod 100 < 30 drop");
  const [received] = await Promise.all([
    server.do("take", { on: "it", length: LENGTH }),
    client.do("send", { on: "it", length: LENGTH }),
  ]);
  assertEquals(received, { length: LENGTH, intact: true });
  assertEquals(await client.do("counts", { on: "it" }), { bytesSent: LENGTH, bytesReceived: 0 });
  assertEquals(await server.do("counts", { on: "it" }), { bytesSent: 0, bytesReceived: LENGTH });
  await network.heal("b");
  await closeBoth(hosts);
});
