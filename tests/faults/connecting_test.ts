import { assertEquals } from "@std/assert";
import type { SocketErrorKind } from "../../mod.ts";
import { faultTest } from "./support/fault_test.ts";
import { ADDRESSES } from "./support/network.ts";

const PORT = 4000;
const SYN = "tcp flags & (syn | ack) == syn";

faultTest(
  "C1: a SYN blackhole: connect is TimedOut at its deadline and leaves nothing",
  async (network) => {
    const [client, server] = await network.hosts();
    const { host, port } = await server.do("listen", { as: "it", host: ADDRESSES.b[4] });
    await network.filter("b", "input", `${SYN} drop`);
    const error = await client.fails("TimedOut", "connect", { as: "it", host, port, timeout: 300 });
    assertEquals([error.operation, error.retryable, error.code], ["connect", true, undefined]);
    await client.proveClean();
    assertEquals(await network.sockets("a"), "");

    await network.heal("b");
    const accepting = server.do("accept", { on: "it", as: "it" });
    await client.do("connect", { as: "it", host, port, timeout: 5000 });
    await accepting;
    await Promise.all([client, server].map((host) => host.do("close", { on: "it" })));
    await server.do("closeListener", { on: "it" });
  },
);

faultTest("a SYN blackhole: without a deadline the kernel gives up, ETIMEDOUT", async (network) => {
  await network.sh("a", "echo 1 >/proc/sys/net/ipv4/tcp_syn_retries");
  await network.filter("b", "input", `${SYN} drop`);
  const client = await network.host("a");
  const host = ADDRESSES.b[4];
  const error = await client.fails("TimedOut", "connect", { as: "it", host, port: PORT });
  assertEquals([error.code, error.retryable], ["ETIMEDOUT", true]);
});

type Rejection = readonly [type: string, kind: SocketErrorKind, code: string];

const REJECTIONS: Record<4 | 6, readonly Rejection[]> = {
  4: [
    ["icmp type net-unreachable", "Unreachable", "ENETUNREACH"],
    ["icmp type host-unreachable", "Unreachable", "EHOSTUNREACH"],
    ["icmp type prot-unreachable", "Unreachable", "ENOPROTOOPT"],
    ["icmp type port-unreachable", "ConnectionRefused", "ECONNREFUSED"],
    ["icmp type net-prohibited", "Unreachable", "ENETUNREACH"],
    ["icmp type host-prohibited", "Unreachable", "EHOSTUNREACH"],
    ["icmp type admin-prohibited", "Unreachable", "EHOSTUNREACH"],
    ["tcp reset", "ConnectionRefused", "ECONNREFUSED"],
  ],
  6: [
    ["icmpv6 type no-route", "Unreachable", "ENETUNREACH"],
    ["icmpv6 type addr-unreachable", "Unreachable", "EHOSTUNREACH"],
    ["icmpv6 type port-unreachable", "ConnectionRefused", "ECONNREFUSED"],
    ["icmpv6 type admin-prohibited", "Unreachable", "EACCES"],
    ["icmpv6 type policy-fail", "Unreachable", "EACCES"],
    ["icmpv6 type reject-route", "Unreachable", "EACCES"],
    ["tcp reset", "ConnectionRefused", "ECONNREFUSED"],
  ],
};

for (const family of [4, 6] as const) {
  faultTest(
    `unreachable, prohibited, refused over IPv${family}: connect says which`,
    async (network) => {
      const client = await network.host("a");
      const host = ADDRESSES.b[family];
      for (const [type, kind, code] of REJECTIONS[family]) {
        await network.filter("b", "input", `tcp dport ${PORT} reject with ${type}`);
        const error = await client.fails(kind, "connect", { as: "it", host, port: PORT });
        assertEquals([error.code, error.retryable], [code, true], type);
        await network.heal("b");
      }
    },
  );
}

faultTest("routes that end here: connect is Unreachable", async (network) => {
  const client = await network.host("a");
  for (const [type, code] of [["unreachable", "EHOSTUNREACH"], ["prohibit", "EACCES"]]) {
    await network.ip("a", "route", "add", type, "10.78.0.1");
    const target = { as: "it", host: "10.78.0.1", port: PORT };
    assertEquals((await client.fails("Unreachable", "connect", target)).code, code);
    await network.ip("a", "route", "del", type, "10.78.0.1");
  }
  const error = await client.fails("Unreachable", "connect", {
    as: "it",
    host: "10.78.0.1",
    port: PORT,
  });
  assertEquals(error.code, "ENETUNREACH");
});

for (const host of ["127.0.0.1", "::1"]) {
  faultTest(
    `C2: connect to a dead local port at ${host} never connects to itself`,
    async (network) => {
      // With one port to choose from, every try connects to itself. Otherwise 2 of 40,000 tries do.
      await network.sh("a", `echo ${PORT} ${PORT} >/proc/sys/net/ipv4/ip_local_port_range`);
      // A port is not free while it is in TIME-WAIT, so TIME-WAIT sockets are limited.
      await network.sh("a", "echo 1000 >/proc/sys/net/ipv4/tcp_max_tw_buckets");
      const client = await network.host("a");
      for (const timeout of [undefined, 5000]) {
        const target = { as: "it", host, port: PORT, timeout };
        const error = await client.fails("ConnectionRefused", "connect", target);
        assertEquals([error.operation, error.retryable], ["connect", true]);
        await client.proveClean();
        await client.do("listen", { as: "it", host, port: PORT });
        await client.do("closeListener", { on: "it" });
      }
    },
  );
}
