import { assert, assertEquals } from "@std/assert";
import { faultTest } from "./support/fault_test.ts";
import { ADDRESSES } from "./support/network.ts";
import { Process } from "./support/process.ts";
import { acknowledged, connectedHosts, endKind, provesBroken } from "./support/pairs.ts";

const PART = 100_000;
/** More bytes than both kernels hold. */
const LARGE = 32 * 1024 * 1024;

/** A size that every kernel takes without a reader (bytes). */
const UNREAD = 20_000;

faultTest(
  "R4: a reset in the middle of a send: ConnectionReset with bytesSent, and it stays broken",
  async (network) => {
    const { client, server, port } = await connectedHosts(network);
    const sending = client.fails("ConnectionReset", "send", { on: "it", length: LARGE });
    assertEquals(await server.do("take", { on: "it", length: PART }), {
      length: PART,
      intact: true,
    });
    // The firewall answers the client's next segment. The server does not notice.
    await network.filter("b", "input", `tcp dport ${port} reject with tcp reset`);
    const rest = server.do("take", { on: "it", length: LARGE, timeout: 1000 });
    const { bytesSent, retryable } = await sending;
    const counts = await client.do("counts", { on: "it" });
    assertEquals([counts.bytesSent, retryable], [bytesSent, false]);

    const { length, intact, end } = await rest;
    assertEquals({ intact, end: endKind(end) }, { intact: true, end: "TimedOut" });
    const { bytesReceived } = await server.do("counts", { on: "it" });
    assertEquals(bytesReceived, PART + length);
    assert(bytesSent! >= bytesReceived && bytesSent! < LARGE);
    await provesBroken(client);
    await Promise.all([client, server].map((host) => host.do("abort", { on: "it" })));
  },
);

faultTest(
  "R4: a reset after N bytes: ConnectionReset, and the bytes before it are whole",
  async (network) => {
    const { client, server, port } = await connectedHosts(network);
    const quota = `tcp dport ${port} quota over ${PART} bytes`;
    await network.filter("b", "input", `${quota} reject with tcp reset`);
    const receiving = server.do("drain", { on: "it", timeout: 1000 });
    const { bytesSent } = await client.fails("ConnectionReset", "send", {
      on: "it",
      length: LARGE,
    });
    const { length, intact, end } = await receiving;
    assertEquals({ intact, end: endKind(end) }, { intact: true, end: "TimedOut" });
    // The quota counts headers as well, so slightly fewer bytes arrived.
    assert(length > 0 && length <= PART && bytesSent! >= length, `${length} of ${bytesSent}`);
    await provesBroken(client);
    await Promise.all([client, server].map((host) => host.do("abort", { on: "it" })));
  },
);

faultTest(
  "R4: a reset with unread data: the data, then ConnectionReset",
  async (network) => {
    const { client, server, port } = await connectedHosts(network);
    await server.do("send", { on: "it", length: UNREAD });
    await acknowledged(network, port);
    await network.filter("b", "input", `tcp dport ${port} reject with tcp reset`);
    await client.do("send", { on: "it", length: 1 });
    const { length, intact, end } = await client.do("drain", { on: "it" });
    assertEquals({ length, intact }, { length: UNREAD, intact: true });
    assertEquals(endKind(end), "ConnectionReset");
    assertEquals(await client.do("counts", { on: "it" }), { bytesSent: 1, bytesReceived: UNREAD });
    await provesBroken(client);
    await Promise.all([client, server].map((host) => host.do("abort", { on: "it" })));
  },
);

faultTest("R4: a peer with SO_LINGER (1, 0): the data, then ConnectionReset", async (network) => {
  const host = await network.host("a");
  const { port } = await host.do("listen", { as: "it", host: ADDRESSES.a[4] });
  const accepting = host.do("accept", { on: "it", as: "it" });
  // socat is an independent program. It ends its side in order unless it is killed.
  const target = `TCP:${ADDRESSES.a[4]}:${port},so-linger=0`;
  const socat = ["netns", "exec", network.space("b"), "socat", "-u", "STDIN", target];
  await using peer = new Process("ip", socat);
  await peer.write("x".repeat(999));
  await accepting;
  assertEquals((await host.do("take", { on: "it", length: 1 })).length, 1);
  peer.signal("SIGKILL");
  const { length, end } = await host.do("drain", { on: "it" });
  assertEquals([length, endKind(end)], [999, "ConnectionReset"]);
  assertEquals(await host.do("counts", { on: "it" }), { bytesSent: 0, bytesReceived: 1000 });
  await provesBroken(host);
  await host.do("close", { on: "it" });
  await host.do("closeListener", { on: "it" });
});

faultTest(
  "R4: a socket that ss -K kills: ConnectionReset on both sides, for pending and later calls",
  async (network) => {
    const { client, server, port } = await connectedHosts(network);
    const waiting = [
      client.fails("ConnectionReset", "send", { on: "it", length: LARGE }),
      client.do("drain", { on: "it" }),
      server.do("take", { on: "it", length: PART }),
    ] as const;
    assertEquals(await waiting[2], { length: PART, intact: true });
    await network.sh("a", `ss -K -tn dst ${ADDRESSES.b[4]} dport = ${port}`);
    const [sent, received] = await Promise.all(waiting);
    assert(sent.bytesSent! >= PART && sent.bytesSent! < LARGE);
    assertEquals({ ...received, end: endKind(received.end) }, {
      length: 0,
      intact: true,
      end: "ConnectionReset",
    });
    const { intact, end } = await server.do("drain", { on: "it" });
    assertEquals({ intact, end: endKind(end) }, {
      intact: true,
      end: "ConnectionReset",
    });
    await provesBroken(client);
    await provesBroken(server);
    await Promise.all([client, server].map((host) => host.do("close", { on: "it" })));
  },
);
