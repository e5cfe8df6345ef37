import { assert, assertEquals } from "@std/assert";
import { faultTest } from "./support/fault_test.ts";
import { ADDRESSES, type Network } from "./support/network.ts";
import { endKind } from "./support/pairs.ts";

/** Sets the range of ports from which the kernel chooses. */
async function narrow(network: Network, range: string): Promise<void> {
  await network.sh("a", `echo ${range} >/proc/sys/net/ipv4/ip_local_port_range`);
}

faultTest(
  "a range of ports that runs out: AddressNotAvailable, until one is free again",
  async (network) => {
    await narrow(network, "40000 40003");
    const [client, server] = await network.hosts();
    const { host, port } = await server.do("listen", { as: "it", host: ADDRESSES.b[4] });
    const names = ["1", "2", "3", "4"];
    for (const name of names) {
      await client.do("connect", { as: name, host, port });
      await server.do("accept", { on: "it", as: name });
    }
    const target = { as: "more", host, port };
    for (let time = 0; time < 3; time++) {
      const error = await client.fails("AddressNotAvailable", "connect", target);
      assertEquals([error.code, error.retryable], ["EADDRNOTAVAIL", true]);
    }
    await Promise.all([client, server].map((host) => host.do("close", { on: "4" })));
    await client.do("connect", target);
    await server.do("accept", { on: "it", as: "more" });
    for (const on of ["1", "2", "3", "more"]) {
      await Promise.all([client, server].map((host) => host.do("close", { on })));
    }
    await server.do("closeListener", { on: "it" });
  },
);

faultTest(
  "a range of ports that runs out: listen and bindUdp are AddressInUse",
  async (network) => {
    await narrow(network, "40000 40001");
    for (const flags of [["--unstable-net"], []]) {
      const host = await network.host("a", { flags });
      const at = { host: ADDRESSES.a[4] };
      for (const as of ["1", "2"]) {
        await host.do("listen", { as, ...at });
        await host.do("bindUdp", { as, ...at });
      }
      for (const command of ["listen", "bindUdp"] as const) {
        const error = await host.fails("AddressInUse", command, { as: "3", ...at });
        assertEquals([error.code, error.retryable], ["EADDRINUSE", true]);
      }
      await host.do("closeListener", { on: "1" });
      await host.do("closeUdp", { on: "1" });
      await host.do("listen", { as: "1", ...at });
      await host.do("bindUdp", { as: "1", ...at });
      for (const on of ["1", "2"]) {
        await host.do("closeListener", { on });
        await host.do("closeUdp", { on });
      }
    }
  },
);

faultTest(
  "a backlog that overflows: TimedOut at the deadline, then everybody gets in",
  async (network) => {
    const [client, server] = await network.hosts();
    const backlog = 2;
    const { host, port } = await server.do("listen", { as: "it", host: ADDRESSES.b[4], backlog });
    const names = Array.from({ length: 8 }, (_, at) => `${at}`);
    const connected: string[] = [];
    const refused: string[] = [];
    for (const name of names) {
      const target = { as: name, host, port, timeout: 300 };
      const error = await client.attempt("connect", target);
      (error === undefined ? connected : refused).push(name);
      if (error !== undefined) assertEquals([error.kind, error.retryable], ["TimedOut", true]);
    }
    assert(connected.length > backlog && refused.length > 0, `${connected.length} are in`);
    // The clients in the backlog were connected all the time.
    const serving = server.do("sendToClients", { on: "it", clients: names.length, length: 10 });
    for (const name of refused) {
      await client.do("connect", { as: name, host, port });
    }
    for (const on of names) {
      const { length, intact, end } = await client.do("drain", { on });
      assertEquals({ length, intact, end }, { length: 10, intact: true, end: "end of stream" });
      await client.do("close", { on });
    }
    assertEquals(await serving, names.length);
    await server.do("closeListener", { on: "it" });
  },
);

faultTest(
  "a backlog that resets the clients it has no room for: ConnectionReset",
  async (network) => {
    await network.sh("b", "echo 1 >/proc/sys/net/ipv4/tcp_abort_on_overflow");
    await network.sh("b", "echo 0 >/proc/sys/net/ipv4/tcp_syncookies");
    const [client, server] = await network.hosts();
    const at = { as: "it", host: ADDRESSES.b[4], backlog: 4 };
    const { host, port } = await server.do("listen", at);
    // The kernel answers more SYNs of the second wave than it has room for when the handshakes end.
    const waves = [["0", "1", "2"], ["3", "4", "5", "6"]];
    for (const wave of waves) {
      await Promise.all(wave.map((as) => client.do("connect", { as, host, port })));
    }
    const kinds: unknown[] = [];
    for (const on of waves.flat()) {
      const { length, end } = await client.do("drain", { on, timeout: 200 });
      assertEquals(length, 0);
      kinds.push(endKind(end));
      await client.do("close", { on, linger: 0 });
    }
    // A client that got in waits. The first call of one that did not get in fails.
    assertEquals(kinds.slice(0, 3), Array(3).fill("TimedOut"));
    assertEquals(new Set(kinds), new Set(["TimedOut", "ConnectionReset"]));
    await server.do("closeListener", { on: "it" });
  },
  { relay: { delay: 20 } },
);
