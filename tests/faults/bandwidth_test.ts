import { assert, assertEquals } from "@std/assert";
import type { Received } from "./programs/streams.ts";
import { faultTest } from "./support/fault_test.ts";
import type { Host } from "./support/host.ts";
import { ADDRESSES, DEVICE } from "./support/network.ts";
import { closeBoth, connectedHosts } from "./support/pairs.ts";

const SIZE = 16 * 1024;
const LIMIT = 128 * 1024;

/** Receives until the end of stream, then closes, so that the lingering peer sees the end. */
async function drainAndClose(host: Host, on: string): Promise<Received> {
  const received = await host.do("drain", { on });
  await host.do("close", { on });
  return received;
}

faultTest(
  "S3: 1 Mbit/s: the queue is bounded by QueueFull, and then every byte arrives",
  async (network) => {
    // The kernel's buffers are small, so that their content is sent in a few seconds.
    await network.sh("a", "echo 4096 16384 65536 >/proc/sys/net/ipv4/tcp_wmem");
    const hosts = await connectedHosts(network, { connect: { sendQueueLimit: LIMIT } });
    const { client, server } = hosts;
    const shape = ["root", "tbf", "rate", "1mbit", "burst", "4kb", "latency", "100ms"];
    await network.exec("a", "tc", "qdisc", "add", "dev", DEVICE, ...shape);

    const { taken, refused } = await client.do("flood", { on: "it", size: SIZE, most: 1000 });
    assertEquals([refused?.kind, refused?.retryable], ["QueueFull", true]);
    // This counts the send that is being written, the full queue, and the bytes in the kernel.
    assert(taken * SIZE >= LIMIT && taken * SIZE <= LIMIT + 512 * 1024, `${taken} sends`);

    assertEquals(await server.do("take", { on: "it", length: taken * SIZE }), {
      length: taken * SIZE,
      intact: true,
    });
    assertEquals(await client.do("flooded", { on: "it" }), { sent: taken, failed: [] });
    // The queue has room again, and no byte is missing in between.
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

faultTest(
  "K5: 128 kbit/s: close delivers all bytes, or reports bytesSent after a short flushTimeout",
  async (network) => {
    const [client, server] = await network.hosts();
    const { host, port } = await server.do("listen", { as: "it", host: ADDRESSES.b[4] });
    const shape = ["root", "tbf", "rate", "128kbit", "burst", "4kb", "latency", "100ms"];
    await network.exec("a", "tc", "qdisc", "add", "dev", DEVICE, ...shape);
    await network.sh("a", "echo 4096 65536 65536 >/proc/sys/net/ipv4/tcp_wmem");
    // The kernel reports room when a third of its buffer is free. Here that takes longer than a second.
    const length = 160 * 1024;
    for (const [as, flushTimeout] of [["hasty", 1000], ["patient", undefined]] as const) {
      await client.do("connect", { as, host, port });
      await server.do("accept", { on: "it", as });
      const sending = client.attempt("send", { on: as, length });
      const receiving = drainAndClose(server, as);
      const closing = await client.attempt("close", { on: as, flushTimeout });
      const { bytesSent } = await client.do("counts", { on: as });
      assertEquals(closing?.kind, as === "hasty" ? "TimedOut" : undefined, closing?.message);
      assertEquals(closing?.bytesSent, as === "hasty" ? bytesSent : undefined);
      assertEquals((await sending)?.bytesSent, as === "hasty" ? bytesSent : undefined);
      assert(as === "hasty" ? bytesSent < length : bytesSent === length);
      assertEquals(await receiving, { length: bytesSent, intact: true, end: "end of stream" });
    }
    await server.do("closeListener", { on: "it" });
  },
);

faultTest("K1: 5 % loss: close delivers all that waits", async (network) => {
  const hosts = await connectedHosts(network);
  const { client, server } = hosts;
  const length = 1024 * 1024;
  const sending = client.do("send", { on: "it", length });
  const receiving = drainAndClose(server, "it");
  await client.do("close", { on: "it" });
  await sending;
  assertEquals(await receiving, { length, intact: true, end: "end of stream" });
}, { relay: { loss: 5, delay: 20 } });
