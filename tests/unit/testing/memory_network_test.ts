import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  abort,
  accept,
  close,
  closeListener,
  connect as realConnect,
  type Connection,
  type Network,
  recv,
  recvExactly,
  recvLine,
  send,
  serve,
  type SocketAddress,
  SocketError,
  type UnixAddress,
} from "../../../mod.ts";
import * as sockets from "../../../mod.ts";
import {
  type MemoryNetwork,
  memoryNetwork,
  type MemoryNetworkSettings,
  simulate,
} from "../../../testing.ts";
import { rejection } from "../../support/socket_errors.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { turns } from "../../support/turns.ts";

const FAST = { latency: 0, jitter: 0 };

/** Connects two hosts. */
async function pair(network = memoryNetwork(FAST)): Promise<[near: Connection, far: Connection]> {
  await using listener = await network.host("far").listen({ host: "far", port: 0 });
  const { port } = listener.address;
  const connecting = network.host("near").connect({ host: "far", port });
  return await Promise.all([connecting, accept(listener)]);
}

/** A program that takes a network. */
async function shout(network: Network, host: string): Promise<string | null> {
  const listener = await network.listen({ host, port: 0 });
  await using server = serve(listener, async (connection) => {
    await send(connection, bytesOf(`${(await recvLine(connection))?.toUpperCase()}\n`));
  });
  await using client = await network.connect(server.address);
  await send(client, bytesOf("hello\n"));
  return await recvLine(client);
}

Deno.test("M5: the module is a network, and a host in memory is another", async () => {
  assertEquals(await shout(sockets, "127.0.0.1"), "HELLO");
  assertEquals(await shout(memoryNetwork(FAST).host("a"), "127.0.0.1"), "HELLO");
  assertEquals(await shout(memoryNetwork(FAST).host("a"), "a"), "HELLO");
});

Deno.test("a host has a name, an IPv4 and an IPv6 address, and loopback of its own", () =>
  simulate({ seed: 1, ...FAST }, async (network) => {
    const [a, b] = [network.host("a"), network.host("b")];
    for (const host of ["b", "10.0.0.2", "fd00::2", "fd00:0::2", "b."]) {
      await using listener = await b.listen({ host, port: 80 });
      await using client = await a.connect({ host, port: 80 });
      await using server = await accept(listener);
      assertEquals(server.remoteAddress, client.localAddress);
      assertEquals(client.remoteAddress.port, 80);
    }
    await using own = await b.listen({ host: "127.0.0.1", port: 80 });
    await rejection(() => a.connect({ host: "b", port: 80 }), "ConnectionRefused", "connect");
    await rejection(() => a.connect(own.address), "ConnectionRefused", "connect");
    await using _ = await b.connect(own.address);
  }));

Deno.test("a listener on all addresses gets clients of each family, with their own address", () =>
  simulate({ seed: 1, ...FAST }, async (network) => {
    const [a, b] = [network.host("a"), network.host("b")];
    await using listener = await b.listen({ host: "::", port: 80 });
    for (const [host, from] of [["10.0.0.2", "10.0.0.1"], ["fd00::2", "fd00::1"]]) {
      await using client = await a.connect({ host, port: 80 });
      await using server = await accept(listener);
      assertEquals([server.remoteAddress.host, client.localAddress.host], [from, from]);
    }
  }));

Deno.test("names are a Map: aliases, several addresses, and names that are not there", () =>
  simulate({ seed: 1, ...FAST }, async (network) => {
    const [a, b] = [network.host("a"), network.host("b")];
    network.host("c");
    network.names.set("db.example", "b");
    network.names.set("cluster", ["c", "b"]);
    network.names.set("loop", "loop");
    await using listener = await b.listen({ host: "b", port: 80 });
    for (const host of ["db.example", "DB.example", "cluster"]) {
      const connecting = a.connect({ host, port: 80 });
      await using server = await accept(listener);
      await using client = await connecting;
      assertEquals(server.remoteAddress, client.localAddress);
    }
    for (const host of ["nobody", "loop"]) {
      await rejection(() => a.connect({ host, port: 80 }), "HostNotFound", "connect");
    }
    network.names.delete("b");
    await rejection(() => a.connect({ host: "db.example", port: 80 }), "HostNotFound", "connect");
  }));

/** Errors of opening a socket, each as Linux gives it. */
const REFUSALS: readonly [
  what: string,
  open: (host: Network) => Promise<unknown>,
  kind: sockets.SocketErrorKind,
  code: string,
][] = [
  [
    "a port where nobody listens",
    (host) => host.connect({ host: "b", port: 9 }),
    "ConnectionRefused",
    "ECONNREFUSED",
  ],
  [
    "an address outside of the network",
    (host) => host.connect({ host: "192.0.2.1", port: 9 }),
    "Unreachable",
    "ENETUNREACH",
  ],
  [
    "a host of another machine",
    (host) => host.listen({ host: "b", port: 0 }),
    "AddressNotAvailable",
    "EADDRNOTAVAIL",
  ],
  [
    "a port that is in use",
    (host) => host.listen({ host: "a", port: 80 }),
    "AddressInUse",
    "EADDRINUSE",
  ],
  [
    "a port that is in use on all addresses",
    (host) => host.listen({ host: "0.0.0.0", port: 80 }),
    "AddressInUse",
    "EADDRINUSE",
  ],
  [
    "a UDP port that is in use",
    (host) => host.bindUdp({ host: "a", port: 80 }),
    "AddressInUse",
    "EADDRINUSE",
  ],
];

for (const [what, open, kind, code] of REFUSALS) {
  Deno.test(`${what} is ${kind}`, async () => {
    const network = memoryNetwork(FAST);
    const [a] = [network.host("a"), network.host("b")];
    await using _listener = await a.listen({ host: "a", port: 80 });
    await using _socket = await a.bindUdp({ host: "a", port: 80 });
    const error = await assertRejected(open(a));
    assertEquals([error.kind, error.code], [kind, code]);
    assert(error.cause instanceof Error);
  });
}

async function assertRejected(promise: Promise<unknown>): Promise<SocketError> {
  const error = await promise.catch((error) => error);
  assert(error instanceof SocketError, String(error));
  return error;
}

Deno.test("a host that is out of local ports says AddressNotAvailable, until one is free", () =>
  simulate({ seed: 1, ...FAST, ports: [5000, 5002] }, async (network) => {
    const [a, b] = [network.host("a"), network.host("b")];
    await using listener = await b.listen({ host: "b", port: 80 });
    const connect = () => a.connect({ host: "b", port: 80 });
    const clients = [await connect(), await connect(), await connect()];
    assertEquals(clients.map(({ localAddress }) => localAddress.port), [5000, 5001, 5002]);
    const error = await rejection(connect, "AddressNotAvailable", "connect");
    assertEquals(error.code, "EADDRNOTAVAIL");
    await using other = await b.listen({ host: "b", port: 81 });
    await using _ = await a.connect(other.address);
    abort(clients[1]);
    const again = await connect();
    assertEquals(again.localAddress.port, 5001);
    await closeListener(listener);
    for (const client of [...clients, again]) abort(client);
  }));

Deno.test("M6: the port of a connection that was closed in order is free at once", () =>
  simulate({ seed: 1, ports: [5000, 5001] }, async (network) => {
    const listener = await network.host("b").listen({ host: "b", port: 80 });
    for (let count = 0; count < 10; count++) {
      const client = await network.host("a").connect({ host: "b", port: 80 });
      const server = await accept(listener);
      await Promise.all([close(client), close(server)]);
    }
  }));

Deno.test("L4: clients that were not accepted are reset when the listener closes", async () => {
  const network = memoryNetwork(FAST);
  const [a, b] = [network.host("a"), network.host("b")];
  const listener = await b.listen({ host: "b", port: 80 });
  const client = await a.connect({ host: "b", port: 80 });
  await send(client, new Uint8Array(3));
  const receiving = recv(client);
  await closeListener(listener);
  await rejection(() => receiving, "ConnectionReset", "recv");
  await rejection(() => a.connect({ host: "b", port: 80 }), "ConnectionRefused", "connect");
  abort(client);
});

Deno.test("L1: a client that resets before it is accepted does not end accept()", async () => {
  const network = memoryNetwork(FAST);
  const [a, b] = [network.host("a"), network.host("b")];
  await using listener = await b.listen({ host: "127.0.0.1", port: 80 });
  const gone = await b.connect(listener.address);
  network.reset(gone);
  const client = await b.connect(listener.address);
  const server = await accept(listener);
  assertEquals(server.remoteAddress, client.localAddress);
  for (const connection of [gone, client, server]) abort(connection);
  await rejection(() => a.connect({ host: "nobody", port: 1 }), "HostNotFound", "connect");
});

Deno.test("reset() breaks both ends, after the bytes that were under way", async () => {
  using network = memoryNetwork({ ...FAST, latency: 2 });
  const [near, far] = await pair(network);
  await send(far, bytesOf("last words"));
  network.reset(far);
  assertEquals(textOf(await recvExactly(near, 10)), "last words");
  await rejection(() => recv(near), "ConnectionReset", "recv");
  await rejection(() => recv(near), "ConnectionReset", "recv");
  await rejection(() => send(far, new Uint8Array(1)), "ConnectionReset", "send");
  for (const end of [near, far]) abort(end);
  network.reset(near);
});

Deno.test("reset() of another connection is InvalidInput", async () => {
  const network = memoryNetwork();
  await using listener = await sockets.listen({ host: "127.0.0.1", port: 0 });
  const client = await realConnect(listener.address);
  const server = await accept(listener);
  for (const wrong of [client, {}, undefined, null, 7]) {
    const error = assertThrows(() => network.reset(wrong as Connection), SocketError);
    assertEquals([error.kind, error.operation], ["InvalidInput", "reset"]);
  }
  await Promise.all([close(client), close(server)]);
});

Deno.test("a peer that closes with unread bytes leaves a broken pipe, and one that read all does not", async () => {
  const [near, far] = await pair();
  await send(near, new Uint8Array(5));
  await recv(far, { maxBytes: 1 });
  await send(near, new Uint8Array(5));
  await turns();
  abort(far);
  assertEquals(await recv(near), null);
  await turns();
  await rejection(() => send(near, new Uint8Array(1)), "BrokenPipe", "send");
  abort(near);

  const [client, server] = await pair();
  await Promise.all([close(server), close(client)]);
});

Deno.test("an abort with unread bytes destroys what the peer had no room for: ConnectionReset", async () => {
  const [near, far] = await pair();
  send(far, new Uint8Array(1024 * 1024)).catch(() => {});
  await send(near, new Uint8Array(5));
  assert(await recv(near) !== null);
  abort(far);
  const outcome = (async () => {
    while (await recv(near) !== null);
  })();
  await rejection(() => outcome, "ConnectionReset", "recv");
  abort(near);
});

/** Settings that are wrong, each with a part of the message. */
const WRONG: readonly [settings: unknown, message: string][] = [
  [7, "options is 7"],
  [{ seed: -1 }, "seed is -1"],
  [{ seed: 1.5 }, "seed is 1.5"],
  [{ latency: -1 }, "latency is -1"],
  [{ latency: Infinity }, "latency is Infinity"],
  [{ jitter: "1" }, 'jitter is "1"'],
  [{ loss: 1.5 }, "loss is 1.5"],
  [{ duplication: NaN }, "duplication is NaN"],
  [{ reordering: true }, "reordering is true"],
  [{ bandwidth: 0 }, "bandwidth is 0"],
  [{ segment: 0 }, "segment is 0"],
  [{ window: 1.5 }, "window is 1.5"],
  [{ partial: 2 }, "partial is 2"],
  [{ trace: 1 }, "trace is 1"],
  [{ ports: [2, 1] }, "the last of ports is 1"],
  [{ ports: 5 }, "ports is 5"],
];

for (const [settings, message] of WRONG) {
  Deno.test(`memoryNetwork() with ${JSON.stringify(settings)} is InvalidInput`, () => {
    const call = () => memoryNetwork(settings as MemoryNetworkSettings);
    const error = assertThrows(call, SocketError, message);
    assertEquals([error.kind, error.operation], ["InvalidInput", "memoryNetwork"]);
  });
}

Deno.test("a name that is no host name, and a wrong link, are InvalidInput", () => {
  const network = memoryNetwork();
  for (const name of ["a", "b"]) network.host(name);
  const calls: [operation: string, call: () => unknown][] = [
    ["host", () => network.host("a b")],
    ["host", () => network.host(undefined as unknown as string)],
    ["link", () => network.link("a", "b", { latency: -1 })],
    ["link", () => network.link("a", "", {})],
    ["host", () => network.host("10.0.0.1")],
    ["host", () => network.host("::1")],
    ["partition", () => network.partition("a", 5 as unknown as string)],
    ["partition", () => network.partition(["a", undefined as unknown as string], "b")],
    ["partition", () => network.partition("a", ["b", "c d"])],
    ["freeze", () => network.freeze("")],
    ["crash", () => network.crash("[::1]")],
  ];
  for (const [operation, call] of calls) {
    const error = assertThrows(call, SocketError);
    assertEquals([error.kind, error.operation], ["InvalidInput", operation]);
  }
});

Deno.test("M5: a program that takes addresses of either kind runs on the module and in memory", async () => {
  const reach = async (network: Network, text: string): Promise<SocketAddress> => {
    const listener = await network.listen(sockets.parseSocketAddress(text));
    const connection = await network.connect(listener.address);
    const { remoteAddress } = connection;
    sockets.abort(connection);
    await closeListener(listener);
    return remoteAddress;
  };
  using memory = memoryNetwork(FAST);
  for (const network of [sockets, memory.host("a")]) {
    assertEquals((await reach(network, "127.0.0.1:0")).host, "127.0.0.1");
  }
  const unix = () => reach(memory.host("a"), "unix:/run/app.sock");
  const error = await rejection(unix, "Unsupported", "listen");
  assertEquals(error.message, "listen unix:/run/app.sock: a network in memory has no Unix sockets");
  const path: Promise<Connection<UnixAddress>> = memory.host("a").connect({ path: "/a" });
  await rejection(() => path, "Unsupported", "connect");
});

/** Calls of the functions of faults, each with a host's name in any form. */
const FAULTS: Record<string, (network: MemoryNetwork, host: string) => unknown> = {
  "link from": (network, host) => network.link(host, "web", {}),
  "link to": (network, host) => network.link("web", host, {}),
  "partition of": (network, host) => network.partition(host, "web"),
  "partition from": (network, host) => network.partition("web", ["third", host]),
  freeze: (network, host) => network.freeze(host),
  crash: (network, host) => network.crash(host),
};

for (const [what, call] of Object.entries(FAULTS)) {
  Deno.test(`M7: ${what} a host that is not there is InvalidInput, and names those that are`, () => {
    using network = memoryNetwork();
    const wrong = (host: string) => {
      const error = assertThrows(() => call(network, host), SocketError, `"${host}" is no host`);
      assertEquals([error.kind, error.operation], ["InvalidInput", what.split(" ")[0]]);
      return error.reason;
    };
    for (const name of ["web", "third", "db"]) network.host(name);
    assertEquals(wrong("dbb"), '"dbb" is no host: host() has made web, third, db');
    network.names.set("gone.example", "gone").set("loop.example", "loop.example");
    for (const host of ["gone.example", "loop.example", "10.0.0.9", "fd00::9"]) wrong(host);
    for (const host of ["localhost", "127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::"]) {
      assertThrows(() => call(network, host), SocketError, `"${host}" is every host's own`);
    }
    assertEquals(network.trace, "");
  });

  Deno.test(`M7: ${what} a host means the same by its name, an entry of names and an address`, () => {
    const traceOf = (host: string) => {
      using network = memoryNetwork({ seed: 1 });
      for (const name of ["web", "third", "db"]) network.host(name);
      network.names.set("db.example", "primary.example").set("primary.example", "db");
      call(network, host);
      return network.trace.replace(/^ *[\d.]+/gm, "");
    };
    const forms = [
      "db.example",
      "DB",
      "db.",
      "10.0.0.3",
      "fd00::3",
      "FD00:0::3",
      "::ffff:10.0.0.3",
    ];
    for (const form of forms) assertEquals(traceOf(form), traceOf("db"), form);
  });
}

Deno.test("M7: a fault holds for a host by any of its names", async () => {
  for (const form of ["db", "db.example", "10.0.0.2", "fd00::2", "all.example"]) {
    await simulate({ seed: 1 }, async (network) => {
      const [web, db] = ["web", "db"].map((name) => network.host(name));
      network.names.set("db.example", "db").set("all.example", ["10.0.0.2", "10.0.0.3"]);
      network.host("spare");
      const listener = await db.listen({ host: "db", port: 80 });
      const connect = () => web.connect({ host: "db.example", port: 80 }, { timeout: 1000 });
      const works = async () => {
        const [client, server] = await Promise.all([connect(), sockets.accept(listener)]);
        sockets.abort(client);
        sockets.abort(server);
      };
      for (const fault of [() => network.partition("web", form), () => network.freeze(form)]) {
        {
          using _ = fault();
          await rejection(connect, "TimedOut", "connect");
        }
        await works();
      }
      network.link("web", form, { latency: 2000 });
      await rejection(connect, "TimedOut", "connect");
      network.link("web", form, { latency: 1 });
      await works();
      network.crash(form);
      await rejection(connect, "ConnectionRefused", "connect");
    });
  }
});

Deno.test("M7: a name with several hosts behind it means all of them", async () => {
  await simulate({ seed: 1 }, async (network) => {
    const web = network.host("web");
    for (const name of ["one", "two"]) await network.host(name).listen({ host: name, port: 80 });
    network.names.set("all.example", ["one", "two"]);
    const connect = (host: string) => web.connect({ host, port: 80 }, { timeout: 1000 });
    {
      using _ = network.freeze("all.example");
      for (const host of ["one", "two"]) {
        await rejection(() => connect(host), "TimedOut", "connect");
      }
    }
    network.crash("all.example");
    for (const host of ["one", "two"]) {
      await rejection(() => connect(host), "ConnectionRefused", "connect");
    }
  });
});

Deno.test("M7: a partition of a host from itself is InvalidInput, and one with an empty side is none", () => {
  using network = memoryNetwork();
  for (const name of ["web", "db"]) network.host(name);
  network.names.set("db.example", "db");
  for (const other of ["db", "db.example", "10.0.0.2"]) {
    const call = () => network.partition("db", ["db", other]);
    assertThrows(call, SocketError, "both sides are the host db");
  }
  // The sides of a program may overlap, or be drawn by lot.
  network.partition(["web", "db"], "db")[Symbol.dispose]();
  network.partition([], "db")[Symbol.dispose]();
});

Deno.test("a network in memory says Unsupported for Unix sockets, multicast, and options of interfaces", async () => {
  await simulate({ seed: 1 }, async (network) => {
    const host: Network = network.host("a");
    const path = { path: "/run/app.sock" };
    await rejection(() => host.listen(path), "Unsupported", "listen");
    await rejection(() => host.connect(path), "Unsupported", "connect");
    const everywhere = { host: "0.0.0.0", port: 0 };
    for (const options of [{ ttl: 3 }, { multicastTtl: 3 }, { multicastInterface: "eth0" }]) {
      await rejection(() => host.bindUdp(everywhere, options), "Unsupported", "bindUdp");
    }
    const socket = await host.bindUdp(everywhere);
    const join = () => sockets.joinMulticast(socket, "239.255.0.1");
    await rejection(join, "Unsupported", "joinMulticast");
  });
});
