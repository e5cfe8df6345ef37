import { assert, assertEquals } from "@std/assert";
import { UDP_BACKENDS } from "./support/datagrams.ts";
import { faultTest } from "./support/fault_test.ts";
import type { Host } from "./support/host.ts";
import { nameServer, resolvesBy } from "./support/names.ts";
import { ADDRESSES } from "./support/network.ts";

/** Connects to a name on side b, and checks that bytes arrive. */
async function provesConnected(client: Host, server: Host, name: string): Promise<void> {
  const { port } = await server.do("listen", { as: "it", host: ADDRESSES.b[4] });
  const serving = server.do("sendToClients", { on: "it", clients: 1, length: 10 });
  const { remoteAddress } = await client.do("connect", { as: "it", host: name, port });
  assertEquals(remoteAddress, { host: ADDRESSES.b[4], port });
  assertEquals((await client.do("drain", { on: "it" })).length, 10);
  await client.do("close", { on: "it" });
  await serving;
  await server.do("closeListener", { on: "it" });
}

const TARGET = { as: "it", port: 4000 };

faultTest("no name server at all: HostNotFound", async (network) => {
  // No socket is bound there, and ICMP reports that at once.
  await resolvesBy(network, ADDRESSES.b[4]);
  const client = await network.host("a");
  const error = await client.fails("HostNotFound", "connect", { ...TARGET, host: "any.test" });
  assertEquals([error.operation, error.retryable], ["connect", true]);
});

faultTest(
  "C1: a name server that drops everything: TimedOut at the deadline, or HostNotFound",
  async (network) => {
    await resolvesBy(network, ADDRESSES.b[4]);
    await network.filter("b", "input", "udp dport 53 drop");
    const client = await network.host("a");
    const name = { ...TARGET, host: "any.test" };
    const error = await client.fails("TimedOut", "connect", { ...name, timeout: 200 });
    assertEquals([error.operation, error.retryable, error.code], ["connect", true, undefined]);
    await client.proveClean();
    // Without a deadline, the resolver gives up.
    assert((await client.fails("HostNotFound", "connect", name)).retryable);
  },
);

faultTest(
  "a name server that is dead, broken or knows no name, and one that is slow",
  async (network) => {
    await resolvesBy(network, ADDRESSES.b[4], 2);
    await using _server = await nameServer(network);
    const [client, server] = await network.hosts();
    for (const host of ["no-such.test", "broken.test"]) {
      const error = await client.fails("HostNotFound", "connect", { ...TARGET, host });
      assert(error.retryable, error.message);
    }
    for (const host of ["dead.test", "1500.slow.test"]) {
      await client.fails("TimedOut", "connect", { ...TARGET, host, timeout: 200 });
    }
    // A slow answer is no failure, and the names given up before have no effect.
    await provesConnected(client, server, "1000.slow.test");
  },
);

faultTest(
  "a name with a dead address before the good one: connect uses the good one",
  async (network) => {
    await resolvesBy(network, ADDRESSES.b[4]);
    await using _server = await nameServer(network);
    const [client, server] = await network.hosts();
    // The dead addresses are one without a route, one that refuses, and one that is silent.
    await network.ip("a", "route", "add", "unreachable", "10.78.0.1");
    await network.ip("b", "addr", "add", "10.77.0.3/24", "dev", "wire");
    await network.filter("b", "input", "ip daddr 10.77.0.4 drop");
    await network.ip("b", "addr", "add", "10.77.0.4/24", "dev", "wire");
    const good = ADDRESSES.b[4].replaceAll(".", "-");
    for (const dead of ["10-78-0-1", "10-77-0-3", "10-77-0-4"]) {
      await provesConnected(client, server, `${dead}-${good}.hosts.test`);
    }
    const host = "10-78-0-1-10-77-0-3.hosts.test";
    const error = await client.attempt("connect", { ...TARGET, host });
    // If all addresses fail, the error is that of one of them.
    assert(error?.kind === "ConnectionRefused" || error?.kind === "Unreachable", error?.kind);
  },
);

for (const { title, flags } of UDP_BACKENDS) {
  faultTest(
    `U7: a name that resolves slowly delays its own datagrams only, on ${title}`,
    async (network) => {
      await resolvesBy(network, ADDRESSES.b[4], 4);
      await using _server = await nameServer(network);
      const [client, server] = await network.hosts({ flags });
      const to = await server.do("bindUdp", { as: "it", host: ADDRESSES.b[4] });
      await client.do("bindUdp", { as: "it", host: ADDRESSES.a[4] });
      const send = { on: "it", size: 10 };
      const settled: string[] = [];
      const sends = (
        [
          ["never", "dead.test", undefined],
          ["given up", "dead.test", 100],
          ["slow", "700.slow.test", undefined],
          ["fast", "10.slow.test", undefined],
          ["an address", to.host, undefined],
        ] as const
      ).map(async ([what, host, timeout]) => {
        const target = { host, port: to.port };
        const outcomes = await client.do("sendTogether", {
          ...send,
          to: target,
          count: 5,
          timeout,
        });
        settled.push(what);
        return outcomes;
      });
      const five = (outcome: string) => Array.from({ length: 5 }, () => outcome);
      assertEquals(await Promise.all(sends), [
        ...["HostNotFound", "TimedOut", "sent", "sent", "sent"].map(five),
      ]);
      // No datagram waits for a name that is slower than its own.
      assertEquals(settled.filter((what) => ["an address", "slow", "never"].includes(what)), [
        ...["an address", "slow", "never"],
      ]);
      assertEquals(settled[4], "never");
      assert(settled.indexOf("fast") < settled.indexOf("slow"), `${settled}`);
      // The datagrams to each name arrived in the order of their calls.
      const received = await server.do("recvNumbered", { on: "it", most: 15, timeout: 5000 });
      assertEquals(received.numbers, [0, 1, 2].flatMap(() => [0, 1, 2, 3, 4]));
      for (const host of [client, server]) await host.do("closeUdp", { on: "it" });
    },
  );

  faultTest(
    `U8: closeUdp() does not wait for a name that resolves slowly, on ${title}`,
    async (network) => {
      await resolvesBy(network, ADDRESSES.b[4], 4);
      await using _server = await nameServer(network);
      const client = await network.host("a", { flags });
      const bound = await client.do("bindUdp", { as: "it", host: ADDRESSES.a[4] });
      const send = { on: "it", size: 10, to: { host: "dead.test", port: 9 } };
      const sends = [undefined, 60_000].map((timeout) =>
        client.do("sendTogether", { ...send, count: 2, timeout })
      );
      // The host runs its commands in the order of their lines.
      await client.do("closeUdp", { on: "it" });
      // If the resolver had given up first, this would be HostNotFound.
      assertEquals(await Promise.all(sends), [["Closed", "Closed"], ["Closed", "Closed"]]);
      assertEquals(await client.do("bindUdp", { as: "it", ...bound }), bound);
      await client.do("closeUdp", { on: "it" });
    },
  );

  faultTest(
    `sendTo a name that cannot be resolved, on ${title}: HostNotFound, TimedOut`,
    async (network) => {
      await resolvesBy(network, ADDRESSES.b[4], 2);
      await using _server = await nameServer(network);
      const client = await network.host("a", { flags });
      await client.do("bindUdp", { as: "it", host: ADDRESSES.a[4] });
      const send = { on: "it", count: 1, size: 10 };
      for (
        const [host, kind, timeout] of [
          ["no-such.test", "HostNotFound", undefined],
          ["broken.test", "HostNotFound", undefined],
          ["dead.test", "TimedOut", 200],
          ["1500.slow.test", "TimedOut", 200],
        ] as const
      ) {
        const { failures } = await client.do("sendNumbered", {
          ...send,
          to: { host, port: 9 },
          timeout,
        });
        assertEquals(failures.map((failure) => failure.kind), [kind], host);
        assert(failures[0].retryable);
      }
      const to = { host: "10.slow.test", port: 9 };
      assertEquals(await client.do("sendNumbered", { ...send, to }), { sent: 1, failures: [] });
      await client.do("closeUdp", { on: "it" });
    },
  );
}
