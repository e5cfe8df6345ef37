import { assert, assertEquals } from "@std/assert";
import { faultTest } from "./support/fault_test.ts";
import type { Host } from "./support/host.ts";
import { ADDRESSES, type Network } from "./support/network.ts";
import { closeBoth, connectedHosts } from "./support/pairs.ts";

const LENGTH = 200_000;
/** Longest time of a handshake that cannot be done (ms). */
const SHORT_MS = 500;
/** The same on the server, so that a client gives up first (ms). */
const SERVER_MS = 5000;
/** Segments that carry bytes: those without have 40 to 60 bytes with their headers. */
const WITH_BYTES = "meta l4proto tcp meta length > 80";

/** Starts two hosts, of which the second one listens. */
async function listening(
  network: Network,
  tls: "runtime" | "engine",
): Promise<{ client: Host; server: Host; target: { as: string; host: string; port: number } }> {
  const [client, server] = await network.hosts();
  const host = ADDRESSES.b[4];
  const { port } = await server.do("listen", {
    as: "listener",
    host,
    tls,
    handshakeTimeout: SERVER_MS,
  });
  return { client, server, target: { as: "it", host, port } };
}

/** Checks that a server still lets clients in. */
async function letsIn(
  { client, server, target }: Awaited<ReturnType<typeof listening>>,
  tls: "runtime" | "engine",
): Promise<void> {
  await Promise.all([
    server.do("accept", { on: "listener", as: "it" }),
    client.do("connect", { ...target, tls }).then(() =>
      client.do("send", { on: "it", length: LENGTH })
    ),
  ]);
  let came = await server.do("take", { on: "it", length: LENGTH });
  if (tls === "runtime" && came.length === 0) {
    // A handshake that was given up on the runtime's own TLS may still be done, and ends at once.
    await server.do("close", { on: "it" });
    await server.do("accept", { on: "listener", as: "it" });
    came = await server.do("take", { on: "it", length: LENGTH });
  }
  assertEquals(came, { length: LENGTH, intact: true });
  await closeBoth({ client, server });
  await server.do("closeListener", { on: "listener" });
}

for (const tls of ["runtime", "engine"] as const) {
  faultTest(
    `S2: TLS (${tls}): handshake and data pass a link that loses 20 % of both directions`,
    async (network) => {
      const rule = "meta l4proto tcp numgen random mod 100 < 20 drop";
      for (const side of ["a", "b"] as const) await network.filter(side, "input", rule);
      const hosts = await connectedHosts(network, { tls });
      const { client, server } = hosts;
      const [there, back] = await Promise.all([
        server.do("take", { on: "it", length: LENGTH }),
        client.do("take", { on: "it", length: LENGTH }),
        client.do("send", { on: "it", length: LENGTH }),
        server.do("send", { on: "it", length: LENGTH }),
      ]);
      assertEquals([there, back], Array(2).fill({ length: LENGTH, intact: true }));
      for (const side of ["a", "b"] as const) await network.heal(side);
      await closeBoth(hosts);
    },
  );

  faultTest(
    `E4: TLS (${tls}): a handshake into silence is TimedOut, and the server goes on`,
    async (network) => {
      const hosts = await listening(network, tls);
      const { client, target } = hosts;
      await network.filter("b", "input", `${WITH_BYTES} drop`);
      const failure = await client.fails("TimedOut", "connect", {
        ...target,
        tls,
        handshakeTimeout: SHORT_MS,
      });
      assert(/handshake was not done/.test(failure.message), failure.message);
      await network.heal("b");
      await letsIn(hosts, tls);
    },
  );

  faultTest(
    `E4: TLS (${tls}): a handshake with a frozen server is TimedOut, and nothing is left when it goes on`,
    async (network) => {
      const hosts = await listening(network, tls);
      const { client, server, target } = hosts;
      server.signal("SIGSTOP");
      await client.fails("TimedOut", "connect", { ...target, tls, timeout: SHORT_MS });
      server.signal("SIGCONT");
      await letsIn(hosts, tls);
    },
  );

  faultTest(
    `T3: TLS (${tls}): a reset in the handshake ends it on the client, and the server goes on`,
    async (network) => {
      const hosts = await listening(network, tls);
      const { client, target } = hosts;
      await network.filter("b", "input", `${WITH_BYTES} reject with tcp reset`);
      const failure = await client.attempt("connect", { ...target, tls });
      assert(failure !== undefined, "it connected");
      // The runtime's own TLS calls a reset in the handshake an end.
      assert(["ConnectionReset", "UnexpectedEof"].includes(failure.kind), failure.message);
      await network.heal("b");
      await letsIn(hosts, tls);
    },
  );

  faultTest(
    `T3: TLS (${tls}): a server killed in the handshake ends it on the client`,
    async (network) => {
      const { client, server, target } = await listening(network, tls);
      server.signal("SIGSTOP");
      const connecting = client.attempt("connect", { ...target, tls });
      // The kernel of the server has taken the client's first message.
      const sent = `ss -tnH state established dport = :${target.port}`;
      while (!(await network.sh("a", sent)).startsWith("0")) { /* not connected yet */ }
      server.signal("SIGKILL");
      const failure = await connecting;
      assert(failure !== undefined, "it connected");
      assert(["ConnectionReset", "UnexpectedEof"].includes(failure.kind), failure.message);
    },
  );

  faultTest(
    `T3: TLS (${tls}): a client killed in the handshake is dropped, and the server goes on`,
    async (network) => {
      const hosts = await listening(network, tls);
      const { target } = hosts;
      const lost = await network.host("a");
      // The server's answer does not come, so the handshake stays half done.
      await network.filter("a", "input", `${WITH_BYTES} drop`);
      await lost.fails("TimedOut", "connect", { ...target, tls, timeout: SHORT_MS });
      lost.signal("SIGKILL");
      await network.heal("a");
      await letsIn(hosts, tls);
    },
  );
}
