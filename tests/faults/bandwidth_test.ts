import { assert, assertEquals } from "@std/assert";
import { faultTest } from "./support/fault_test.ts";
import { DEVICE } from "./support/network.ts";
import { closeBoth, connectedHosts } from "./support/pairs.ts";

const SIZE = 16 * 1024;
const LIMIT = 128 * 1024;

faultTest(
  "1 Mbit/s: what waits is bounded, QueueFull, then every byte arrives",
  async (network) => {
    // Small buffers of the kernel, so that what it holds itself is through in a few seconds.
    await network.sh("a", "echo 4096 16384 65536 >/proc/sys/net/ipv4/tcp_wmem");
    const hosts = await connectedHosts(network, { connect: { sendQueueLimit: LIMIT } });
    const { client, server } = hosts;
    const shape = ["root", "tbf", "rate", "1mbit", "burst", "4kb", "latency", "100ms"];
    await network.exec("a", "tc", "qdisc", "add", "dev", DEVICE, ...shape);

    const { taken, refused } = await client.do("flood", { on: "it", size: SIZE, most: 1000 });
    assertEquals([refused?.kind, refused?.retryable], ["QueueFull", true]);
    // One that is being written, as many as may wait, and what the kernel has taken.
    assert(taken * SIZE >= LIMIT && taken * SIZE <= LIMIT + 512 * 1024, `${taken} sends`);

    assertEquals(await server.do("take", { on: "it", length: taken * SIZE }), {
      length: taken * SIZE,
      intact: true,
    });
    assertEquals(await client.do("flooded", { on: "it" }), { sent: taken, failed: [] });
    // It has recovered: there is room again, and nothing is missing in between.
    const [again] = await Promise.all([
      server.do("take", { on: "it", length: SIZE }),
      client.do("send", { on: "it", length: SIZE }),
    ]);
    assertEquals(again, { length: SIZE, intact: true });
    const total = (taken + 1) * SIZE;
    assertEquals((await client.do("counts", { on: "it" })).bytesSent, total);
    assertEquals((await server.do("counts", { on: "it" })).bytesReceived, total);
    await closeBoth(hosts);
  },
);
