import { assert, assertEquals } from "@std/assert";
import type { Address } from "../../mod.ts";
import { faultTest } from "./support/fault_test.ts";
import type { Host } from "./support/host.ts";
import { nameServer, resolvesBy } from "./support/names.ts";
import { ADDRESSES, DEVICE, type Network } from "./support/network.ts";

const HOST = ADDRESSES.b[4];
const OPTIONS = { as: "link", backoff: { first: 20, longest: 200 }, stableAfter: 200 } as const;
const ON = { on: "link" } as const;

/** A link on side a that is ready, and its server on side b. */
interface Linked {
  readonly client: Host;
  readonly server: Host;
  readonly address: Address;
}

async function linked(
  network: Network,
  options: { handshakeTimeout?: number; beat?: number } = {},
): Promise<Linked> {
  const [client, server] = await network.hosts();
  const address = await server.do("serve", { host: HOST });
  await client.do("keepConnected", { ...OPTIONS, to: address, ...options });
  await client.do("linksReady", ON);
  return { client, server, address };
}

/** Checks that the link works, and closes it and its server. */
async function provesWell(client: Host, server: Host, sessions: number): Promise<void> {
  await client.do("linksReady", { ...ON, sessions });
  await client.do("closeLinks", ON);
  const { errors } = await server.do("served", { active: 0 });
  assertEquals(errors, []);
  await server.do("shutdown", { timeout: 1000 });
}

faultTest("X1: a server is killed, and another one comes in its place", async (network) => {
  const { client, server, address } = await linked(network);
  server.signal("SIGKILL");
  // The kernel refuses at once, as nobody listens.
  await client.do("linksDown", { ...ON, kind: "ConnectionRefused" });
  const next = await network.host("b");
  await next.do("serve", address);
  await provesWell(client, next, 2);
});

faultTest("X1: a server is not there yet when the link begins", async (network) => {
  const [client, server] = await network.hosts();
  const address = await server.do("serve", { host: HOST });
  await server.do("shutdown", { timeout: 0 });
  await client.do("keepConnected", { ...OPTIONS, to: address });
  await client.do("linksDown", { ...ON, kind: "ConnectionRefused" });
  await server.do("serve", address);
  await provesWell(client, server, 1);
});

faultTest(
  "X3: a server is stopped: its link notices, no handshake hangs, and it is ready again after that",
  async (network) => {
    const { client, server } = await linked(network, { handshakeTimeout: 250 });
    const before = await client.do("links", ON);
    server.signal("SIGSTOP");
    // The kernel of a stopped server still accepts, but nobody answers.
    await client.do("linksDown", { ...ON, kind: "TimedOut" });
    let now = before;
    while (now.attempts < before.attempts + 3) now = await client.do("links", ON);
    assertEquals([now.ready, now.sessions], [0, before.sessions]);
    server.signal("SIGCONT");
    await client.do("linksReady", { ...ON, sessions: before.sessions + 1 });
    await client.do("closeLinks", ON);
    await server.do("served", { active: 0 });
    await server.do("shutdown", { timeout: 1000 });
  },
);

faultTest(
  "X3: a server that accepts and says nothing holds no attempt for ever",
  async (network) => {
    const [client, server] = await network.hosts();
    const to = await server.do("listen", { as: "silent", host: HOST });
    await client.do("keepConnected", { ...OPTIONS, to, handshakeTimeout: 100, patience: 60_000 });
    let attempts = 0;
    while (attempts < 5) ({ attempts } = await client.do("links", ON));
    const { sessions, kinds } = await client.do("closeLinks", ON);
    assertEquals([sessions, kinds], [0, ["TimedOut"]]);
    await server.do("closeListener", { on: "silent" });
  },
);

faultTest("X1: a server sends garbage, and then the right thing", async (network) => {
  const [client, server] = await network.hosts();
  const to = await server.do("listen", { as: "garbage", host: HOST });
  await client.do("keepConnected", { ...OPTIONS, to });
  // The pattern begins with bytes that are a length over the limit, or a wrong answer.
  await server.do("sendToClients", { on: "garbage", clients: 3, length: 5000 });
  const { kinds, sessions } = await client.do("links", ON);
  assertEquals(sessions, 0);
  assert(kinds.length > 0);
  await server.do("closeListener", { on: "garbage" });
  await server.do("serve", to);
  await provesWell(client, server, 1);
});

faultTest("X1: a server moves to another address behind its name", async (network) => {
  const moved = "10.77.0.9";
  await network.ip("b", "addr", "add", `${moved}/24`, "dev", DEVICE);
  await resolvesBy(network, HOST);
  await using _names = await nameServer(network);
  const [client, server] = await network.hosts();
  const { port } = await server.do("serve", { host: HOST });
  const name = `${`${HOST}-${moved}`.replaceAll(".", "-")}.moves.test`;
  await client.do("keepConnected", { ...OPTIONS, to: { host: name, port } });
  await client.do("linksReady", ON);
  server.signal("SIGKILL");
  const next = await network.host("b");
  await next.do("serve", { host: moved, port });
  await provesWell(client, next, 2);
});

for (const how of ["drops everything", "goes down"] as const) {
  faultTest(`X2: the network ${how}, and comes back`, async (network) => {
    const { client, server } = await linked(network, { handshakeTimeout: 500 });
    if (how === "goes down") await network.ip("b", "link", "set", DEVICE, "down");
    else await network.filter("b", "input", "meta l4proto tcp drop");
    await client.do("linksDown", { ...ON, kind: "TimedOut" });
    if (how === "goes down") await network.ip("b", "link", "set", DEVICE, "up");
    else await network.heal("b");
    await client.do("linksReady", { ...ON, sessions: 2 });
    await client.do("closeLinks", ON);
    // The server still has the end of the first connection, which a silent network cut.
    await server.do("shutdown", { timeout: 0 });
  });
}

faultTest(
  "X4: a server that is stopped for longer than the heartbeat is given up, and is back after that",
  async (network) => {
    const { client, server } = await linked(network, { handshakeTimeout: 500, beat: 300 });
    // Answers to pings keep it.
    assertEquals((await client.do("links", ON)).givenUp, 0);
    server.signal("SIGSTOP");
    const { givenUp, sessions } = await client.do("linksDown", { ...ON, kind: "TimedOut" });
    assertEquals([givenUp, sessions], [1, 1]);
    server.signal("SIGCONT");
    await client.do("linksReady", { ...ON, sessions: 2 });
    await client.do("closeLinks", ON);
    await server.do("served", { active: 0 });
    await server.do("shutdown", { timeout: 1000 });
  },
);

faultTest(
  "X4: another server takes over from one that is stopped, after the heartbeat has given that up",
  async (network) => {
    const [client, ...servers] = [...await network.hosts(), await network.host("b")];
    const to = await Promise.all(servers.map((server) => server.do("serve", { host: HOST })));
    await client.do("keepConnected", { ...OPTIONS, to, handshakeTimeout: 500, beat: 300 });
    await client.do("linksReady", ON);
    const active = await Promise.all(servers.map((server) => server.do("served", { active: 1 })));
    const first = active.findIndex(({ active }) => active === 1);
    const [stopped, other] = [servers[first], servers[1 - first]];
    stopped.signal("SIGSTOP");
    const { givenUp } = await client.do("linksReady", { ...ON, sessions: 2 });
    assertEquals(givenUp, 1);
    assertEquals((await other.do("served", { active: 1 })).active, 1);
    stopped.signal("SIGCONT");
    await client.do("closeLinks", ON);
    for (const server of servers) {
      await server.do("served", { active: 0 });
      await server.do("shutdown", { timeout: 1000 });
    }
  },
);

faultTest(
  "X4: a heartbeat finds a network that was cut, which nothing else would",
  async (network) => {
    const { client, server } = await linked(network, { handshakeTimeout: 500, beat: 300 });
    await network.filter("b", "input", "meta l4proto tcp drop");
    const { givenUp } = await client.do("linksDown", { ...ON, kind: "TimedOut" });
    assertEquals(givenUp, 1);
    await network.heal("b");
    await client.do("linksReady", { ...ON, sessions: 2 });
    await client.do("closeLinks", ON);
    // The server still has the end of the first connection.
    await server.do("shutdown", { timeout: 0 });
  },
);

faultTest("X1: 1,000 links whose server is killed come back when it does", async (network) => {
  const LINKS = 1000;
  const [client, server] = await network.hosts();
  const address = await server.do("serve", { host: HOST });
  const options = { backoff: { first: 100, longest: 2000 }, stableAfter: 500, patience: 20_000 };
  await client.do("keepConnected", { as: "link", to: address, links: LINKS, ...options });
  await client.do("linksReady", { ...ON, sessions: LINKS });
  server.signal("SIGKILL");
  await client.do("linksDown", { ...ON, kind: "ConnectionRefused" });
  const next = await network.host("b");
  await next.do("serve", address);
  const { ready, mostInARow } = await client.do("linksReady", { ...ON, sessions: 2 * LINKS });
  assertEquals(ready, LINKS);
  // Without growing pauses there would be thousands.
  assert(mostInARow < 100, `${mostInARow} attempts`);
  await client.do("closeLinks", ON);
  await next.do("served", { active: 0 });
  await next.do("shutdown", { timeout: 1000 });
});
