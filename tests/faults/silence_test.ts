import { assert, assertEquals } from "@std/assert";
import { faultTest } from "./support/fault_test.ts";
import { DEVICE } from "./support/network.ts";
import { closeBoth, connectedHosts, endKind, provesBroken } from "./support/pairs.ts";

const SMALL = 10_000;
/** More bytes than both kernels hold. */
const LARGE = 32 * 1024 * 1024;
/** Memory that a process may need besides the queue: garbage that is not collected yet (bytes). */
const CONSTANT = 96 * 1024 * 1024;

faultTest(
  "E6: a peer that goes silent: TimedOut at the deadline, and nothing is lost",
  async (network) => {
    const hosts = await connectedHosts(network);
    const { client, server } = hosts;
    await network.filter("b", "input", "meta l4proto tcp drop");
    await client.do("send", { on: "it", length: SMALL });
    for (const host of [client, server]) {
      for (let time = 0; time < 2; time++) {
        const { length, end } = await host.do("drain", { on: "it", timeout: 200 });
        assertEquals([length, endKind(end)], [0, "TimedOut"]);
        assert(typeof end === "object" && end.retryable && end.code === undefined);
      }
    }
    await network.heal("b");
    // The connection works as before, in both directions.
    assertEquals(await server.do("take", { on: "it", length: SMALL }), {
      length: SMALL,
      intact: true,
    });
    await server.do("send", { on: "it", length: SMALL });
    assertEquals(await client.do("take", { on: "it", length: SMALL }), {
      length: SMALL,
      intact: true,
    });
    await closeBoth(hosts);
  },
);

faultTest(
  "S4: a send towards a silent peer: TimedOut with bytesSent, and the sent part is whole",
  async (network) => {
    const { client, server } = await connectedHosts(network);
    await network.filter("b", "input", "meta l4proto tcp drop");
    const send = { on: "it", length: LARGE, timeout: 300 };
    const { bytesSent, retryable } = await client.fails("TimedOut", "send", send);
    assert(bytesSent! > 0 && bytesSent! < LARGE && !retryable);
    await client.fails("Closed", "send", { on: "it", length: 1 });
    assertEquals((await client.do("counts", { on: "it" })).bytesSent, bytesSent);
    await client.proveClean();
    await network.heal("b");
    // The bytes in the kernel still arrive. Only framing can tell that the rest is missing.
    const { length, intact, end } = await server.do("drain", { on: "it" });
    assertEquals({ length, intact, end }, {
      length: bytesSent,
      intact: true,
      end: "end of stream",
    });
    await server.do("close", { on: "it" });
  },
);

for (const [what, linger, length] of [["nothing", 200, SMALL], ["a lot", 0, LARGE]] as const) {
  faultTest(`K5: close towards a silent peer with ${what} left to send ends`, async (network) => {
    const { client, server } = await connectedHosts(network);
    await network.filter("b", "input", "meta l4proto tcp drop");
    if (length === SMALL) {
      await client.do("send", { on: "it", length });
      await client.do("close", { on: "it", linger });
    } else {
      const sending = client.fails("Closed", "send", { on: "it", length });
      const limits = { linger, flushTimeout: 1000 };
      const { retryable, message } = await client.fails("TimedOut", "close", {
        on: "it",
        ...limits,
      });
      assert(!retryable, message);
      assert((await sending).bytesSent! < length);
    }
    await client.proveClean();
    await network.heal("b");
    const { bytesSent } = await client.do("counts", { on: "it" });
    const { length: came, intact } = await server.do("drain", { on: "it" });
    assertEquals({ came, intact }, { came: bytesSent, intact: true });
    await server.do("close", { on: "it" });
  });
}

/** The error after the kernel has given up, which depends on the last message of the network. */
const GIVING_UP = [
  ["a silent peer", "drop", "TimedOut", "ETIMEDOUT"],
  ["an unreachable peer", "reject with icmp type host-unreachable", "Unreachable", "EHOSTUNREACH"],
] as const;

for (const [what, verdict, kind, code] of GIVING_UP) {
  faultTest(
    `R4: the kernel gives ${what} up: ${kind} (${code}), and it stays so`,
    async (network) => {
      const { client, server } = await connectedHosts(network);
      await network.sh("a", "echo 2 >/proc/sys/net/ipv4/tcp_retries2");
      await network.filter("b", "input", `meta l4proto tcp ${verdict}`);
      await client.do("send", { on: "it", length: SMALL });
      const { length, end } = await client.do("drain", { on: "it" });
      assertEquals([length, endKind(end)], [0, kind]);
      assert(typeof end === "object");
      assertEquals([end.code, end.retryable], [code, false]);
      await provesBroken(client, kind);
      await client.do("close", { on: "it" });
      await client.proveClean();
      assertEquals(await network.sockets("a"), "");
      await network.heal("b");
      await server.do("abort", { on: "it" });
    },
  );
}

for (const keepAlive of [true, false]) {
  const finds = keepAlive ? "finds" : "does not find";
  faultTest(
    `keepAlive ${keepAlive}: the kernel ${finds} out that an idle peer is gone`,
    async (network) => {
      for (const [name, value] of [["time", 1], ["intvl", 1], ["probes", 1]]) {
        await network.sh("a", `echo ${value} >/proc/sys/net/ipv4/tcp_keepalive_${name}`);
      }
      const { client, server } = await connectedHosts(network, { connect: { keepAlive } });
      await network.filter("b", "input", "meta l4proto tcp drop");
      const { end } = await client.do("drain", { on: "it", timeout: keepAlive ? 30_000 : 4000 });
      assert(typeof end === "object");
      assertEquals([end.kind, end.code], ["TimedOut", keepAlive ? "ETIMEDOUT" : undefined]);
      assertEquals(end.retryable, !keepAlive);
      await network.heal("b");
      await Promise.all([client, server].map((host) => host.do("abort", { on: "it" })));
    },
  );
}

faultTest(
  "ICMP errors in mid-stream, and a link that goes down and up, break nothing",
  async (network) => {
    const hosts = await connectedHosts(network);
    const { client, server } = hosts;
    const receiving = server.do("take", { on: "it", length: LARGE });
    const sending = client.do("send", { on: "it", length: LARGE });
    await network.filter("b", "input", "meta l4proto tcp reject with icmp type host-unreachable");
    await new Promise((resolve) => setTimeout(resolve, 100));
    await network.heal("b");
    await network.ip("a", "link", "set", DEVICE, "down");
    await new Promise((resolve) => setTimeout(resolve, 100));
    await network.ip("a", "link", "set", DEVICE, "up");
    assertEquals(await receiving, { length: LARGE, intact: true });
    await sending;
    assertEquals((await client.do("counts", { on: "it" })).bytesSent, LARGE);
    await closeBoth(hosts);
  },
);

faultTest(
  "S3: a frozen peer: send is QueueFull, and memory stays within the limit",
  async (network) => {
    const limit = 16 * 1024 * 1024;
    const { client, server } = await connectedHosts(network);
    const before = await client.do("memory");
    server.signal("SIGSTOP");
    const { taken, refused } = await client.do("flood", {
      on: "it",
      size: 64 * 1024,
      most: 10_000,
    });
    assertEquals(refused?.kind, "QueueFull");
    assert(taken < 10_000);
    assert(await client.do("memory") - before < limit + CONSTANT);
    await client.fails("TimedOut", "closeWrite", { on: "it", timeout: 200 });
    await client.do("abort", { on: "it" });
    const { sent, failed } = await client.do("flooded", { on: "it" });
    assertEquals(sent + failed.length, taken);
    assert(failed.every(({ kind, bytesSent }) => kind === "Closed" && bytesSent !== undefined));

    server.signal("SIGCONT");
    const { bytesSent } = await client.do("counts", { on: "it" });
    const { length, intact } = await server.do("drain", { on: "it" });
    assertEquals({ length, intact }, { length: bytesSent, intact: true });
    await server.do("close", { on: "it" });
  },
);

faultTest(
  "S4: a frozen peer: a send with a deadline is TimedOut with bytesSent",
  async (network) => {
    const { client, server } = await connectedHosts(network);
    server.signal("SIGSTOP");
    const send = { on: "it", length: LARGE, timeout: 500 };
    const { bytesSent, retryable } = await client.fails("TimedOut", "send", send);
    assert(bytesSent! < LARGE && !retryable);
    server.signal("SIGCONT");
    const { length, intact } = await server.do("drain", { on: "it" });
    assertEquals({ length, intact }, { length: bytesSent, intact: true });
    await server.do("close", { on: "it" });
  },
);

faultTest(
  "E6: a peer that is stopped past the deadline, then goes on: nothing is lost",
  async (network) => {
    const hosts = await connectedHosts(network);
    const { client, server } = hosts;
    server.signal("SIGSTOP");
    await client.do("send", { on: "it", length: SMALL, timeout: 1000 });
    for (let time = 0; time < 3; time++) {
      const { end } = await client.do("drain", { on: "it", timeout: 200 });
      assertEquals(endKind(end), "TimedOut");
    }
    server.signal("SIGCONT");
    const whole = { length: SMALL, intact: true };
    assertEquals(await server.do("take", { on: "it", length: SMALL }), whole);
    await server.do("send", { on: "it", length: SMALL });
    assertEquals(await client.do("take", { on: "it", length: SMALL }), whole);
    await closeBoth(hosts);
  },
);
