import { assert, assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import {
  type Address,
  close,
  closeWrite,
  type Connection,
  encodeProxyHeader,
  listen,
  type ProxyHeaderInit,
  recv,
  recvExactly,
  recvLine,
  send,
  serve,
  type ServeContext,
  type ServeOptions,
} from "../../../mod.ts";
import { BareClient } from "../../support/bare_client.ts";
import { ascii, rawV2 } from "../../support/proxy_bytes.ts";
import {
  Arrivals,
  echo,
  type Handler,
  kinds,
  serving,
  until,
  untilEnd,
} from "../../support/serving.ts";
import { ScriptedConn, ScriptedListener } from "../../support/scripted_runtime.ts";
import { soon } from "../../support/socket_errors.ts";
import { LOOPBACK } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { timedServing } from "../../support/timed_serving.ts";
import { isPending, turns } from "../../support/turns.ts";

const TRUSTED: ServeOptions = { proxyProtocol: { trust: ["127.0.0.0/8", "::1"] } };
const CLIENT = { host: "192.0.2.1", port: 56324 };
const HERE = { host: "192.0.2.2", port: 443 };
const SIX = { host: "2001:db8::1", port: 65535 };

/** Values that the handler sees at its call. */
interface Known {
  readonly remoteAddress: Address;
  readonly proxy: ServeContext["proxy"];
  readonly connection: Connection;
}

function knowing(known: Arrivals<Known>): Handler {
  return (connection, { proxy }) => {
    const { remoteAddress } = connection;
    known.push({ remoteAddress, proxy, connection });
    return echo(connection);
  };
}

for (const version of [1, 2] as const) {
  Deno.test(`P4: with a version ${version} header, the handler gets the client's address and the header`, async () => {
    const known = new Arrivals<Known>();
    await using served = await serving(knowing(known), TRUSTED);
    for (const source of [CLIENT, SIX]) {
      const client = await served.client();
      const destination = source === SIX ? { host: "2001:db8::2", port: 1 } : HERE;
      await send(client, encodeProxyHeader({ source, destination }, { version }));
      const { remoteAddress, proxy, connection } = await soon(known.next());
      assertEquals(remoteAddress, source);
      assert(Object.isFrozen(remoteAddress) && Object.isFrozen(proxy));
      const { command, transport, peer } = proxy!;
      assertEquals([proxy!.version, command, transport], [version, "PROXY", "tcp"]);
      assertEquals([proxy!.source, proxy!.destination], [source, destination]);
      assertEquals(peer, client.localAddress);
      assertEquals(connection.localAddress, served.server.address);
    }
    assertEquals([served.server.accepted, served.server.refused], [2, 0]);
  });

  Deno.test(`P2: the bytes behind a version ${version} header belong to the stream`, async () => {
    await using served = await serving(echo, TRUSTED);
    const header = encodeProxyHeader({ source: CLIENT, destination: HERE }, { version });
    // They are cut at every byte.
    for (let cut = 0; cut <= header.length; cut++) {
      const client = await served.client();
      const all = concat([header, bytesOf("first\n")]);
      await send(client, all.subarray(0, cut));
      if (cut % 10 === 0) await turns();
      await send(client, all.subarray(cut));
      assertEquals(textOf(await soon(recvExactly(client, 6))), "first\n");
      await send(client, bytesOf("second\n"));
      assertEquals(await soon(recvLine(client)), "second");
      await close(client);
    }
    assertEquals(served.errors, []);
  });
}

/** Headers that do not name the client. */
const KEEPING: Record<string, Uint8Array> = {
  "UNKNOWN of version 1": ascii("PROXY UNKNOWN\r\n"),
  "UNKNOWN with addresses": ascii("PROXY UNKNOWN 192.0.2.1 192.0.2.2 1 2\r\n"),
  LOCAL: encodeProxyHeader({ command: "LOCAL" }, { version: 2 }),
  "LOCAL with addresses": rawV2({ command: 0x20 }, Uint8Array.fromHex("c0000201c0000202dc0401bb")),
  "no family": rawV2({ family: 0 }),
  "a Unix socket": rawV2({ family: 0x31 }, new Uint8Array(216)),
};

for (const [what, header] of Object.entries(KEEPING)) {
  Deno.test(`P4: ${what} leaves remoteAddress the peer's`, async () => {
    const known = new Arrivals<Known>();
    await using served = await serving(knowing(known), TRUSTED);
    const client = await served.client();
    await send(client, concat([new Uint8Array(header), bytesOf("rest")]));
    const { remoteAddress, proxy } = await soon(known.next());
    assertEquals(remoteAddress, client.localAddress);
    assertEquals([proxy!.source, proxy!.peer], [undefined, client.localAddress]);
    assertEquals(textOf(await soon(recv(client))), "rest");
  });
}

Deno.test("P4: the handler gets all fields of a version 2 header", async () => {
  const known = new Arrivals<Known>();
  await using served = await serving(knowing(known), TRUSTED);
  const init: ProxyHeaderInit = {
    source: CLIENT,
    destination: HERE,
    crc32c: true,
    alpn: "h2",
    authority: "example.com",
    uniqueId: bytesOf("id-7"),
    tlvs: [{ type: 0xea, value: bytesOf("vpce-1") }],
  };
  const client = await served.client();
  await send(client, encodeProxyHeader(init, { version: 2 }));
  const { proxy } = await soon(known.next());
  const { crc32c, alpn, authority, uniqueId, tlvs } = proxy!;
  const { source: _, destination: __, ...rest } = init;
  assertEquals({ crc32c, alpn, authority, uniqueId, tlvs: [...tlvs] }, rest as object);
});

Deno.test("P1: without proxyProtocol a header is part of the stream", async () => {
  const known = new Arrivals<Known>();
  await using served = await serving(knowing(known));
  const client = await served.client();
  await send(client, ascii("PROXY UNKNOWN\r\n"));
  const { remoteAddress, proxy } = await soon(known.next());
  assertEquals([remoteAddress, proxy], [client.localAddress, undefined]);
  assertEquals(await soon(recvLine(client)), "PROXY UNKNOWN");
});

Deno.test("P1: the connection of a peer that is not trusted is closed, with or without a header", async () => {
  const headers = [undefined, "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "GET / HTTP/1.1\r\n\r\n"];
  const trust = ["10.0.0.0/8", "127.0.0.2", "::1", "::ffff:10.0.0.1"];
  await using served = await serving(echo, { proxyProtocol: { trust } });
  for (const [index, header] of headers.entries()) {
    const client = await served.client();
    if (header !== undefined) void send(client, ascii(header)).catch(() => {});
    // If its bytes are unread at the close, the kernel may reset it.
    assertEquals(await soon(recv(client).catch(() => null)), null);
    assertEquals([served.server.accepted, served.server.refused], [0, index + 1]);
  }
  assertEquals([served.server.active, served.errors.length], [0, 0]);
});

Deno.test({
  name: "P1: a peer is trusted by its host, an IPv4 peer of an IPv6 listener too",
  ignore: Deno.build.os !== "linux",
  async fn(): Promise<void> {
    const listener = await listen({ host: "::", port: 0 });
    const server = serve(listener, echo, { proxyProtocol: { trust: ["127.0.0.2"] } });
    const { port } = server.address;
    const header = encodeProxyHeader({ source: CLIENT, destination: HERE }, { version: 2 });
    const outcomes: [string, string, string | null][] = [
      ["127.0.0.1", "127.0.0.1", ""],
      ["127.0.0.1", "127.0.0.2", "hello"],
      ["::1", "::1", ""],
    ];
    for (const [host, from, answer] of outcomes) {
      const client = await BareClient.connect({ host, port }, from);
      client.write(concat([header, bytesOf("hello")]));
      client.finish();
      await soon(client.closed());
      assertEquals(textOf(client.received), answer, from);
    }
    assertEquals([server.accepted, server.refused], [1, 2]);
    await server.shutdown();
  },
});

Deno.test("P3: a trusted peer that sends no header is closed after ten seconds", async () => {
  await using at = await timedServing(untilEnd, TRUSTED);
  await at.time.pass(9_999);
  assertEquals([at.server.active, at.server.refused], [1, 0]);
  await at.time.pass(1);
  assertEquals(await soon(recv(at.client)), null);
  assertEquals([at.server.active, at.server.accepted, at.server.refused], [0, 0, 1]);
  // A peer that says nothing is no failure: it may be a probe.
  assertEquals(at.errors, []);
  assertEquals(at.time.running, 0);
});

Deno.test("P3: a header that comes too slowly ends the connection at its timeout", async () => {
  await using at = await timedServing(untilEnd, {
    proxyProtocol: { trust: ["127.0.0.1"], timeout: 500 },
  });
  const header = ascii("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n");
  for (let sent = 0; sent < 5; sent++) {
    await send(at.client, header.subarray(sent, sent + 1));
    await at.time.pass(99);
  }
  assertEquals(at.server.active, 1);
  await at.time.pass(5);
  // If bytes are unread, the kernel may reset the connection.
  assertEquals(await soon(recv(at.client).catch(() => null)), null);
  assertEquals([at.server.accepted, at.server.refused], [0, 1]);
  assertEquals(kinds(at.errors), ["TimedOut recvProxyHeader"]);
});

Deno.test("P3: the timeouts of a client begin after the header", async () => {
  await using at = await timedServing(untilEnd, {
    ...TRUSTED,
    firstByteTimeout: 1000,
    idleTimeout: 2000,
  });
  await at.time.pass(9_000);
  assertEquals(at.server.active, 1);
  await send(at.client, encodeProxyHeader({ source: CLIENT, destination: HERE }, { version: 2 }));
  await until(() => at.server.accepted === 1, "it is handled");
  await at.time.pass(900);
  assertEquals(at.server.active, 1);
  // The header was not the first byte of the client.
  await at.time.pass(250);
  assertEquals(await soon(recv(at.client)), null);
  assertEquals(at.errors.map((error) => (error as Error).message), [
    "serve 192.0.2.1:56324: not a byte came within 1000 ms",
  ]);
});

Deno.test("V4: firstByteTimeout notices a byte that came together with the PROXY header", async () => {
  await using at = await timedServing(untilEnd, { ...TRUSTED, firstByteTimeout: 1000 });
  const header = encodeProxyHeader({ source: CLIENT, destination: HERE }, { version: 2 });
  await send(at.client, concat([header, bytesOf("hello")]));
  await until(() => at.server.accepted === 1, "it is handled");
  await at.time.pass(3000);
  assertEquals([at.server.active, at.errors.length], [1, 0]);
});

const NO_HEADERS: Record<string, string> = {
  "another protocol": "GET / HTTP/1.1\r\n\r\n",
  "a line that never ends": `PROXY TCP4 ${"1".repeat(200)}`,
  "a port with a leading zero": "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
  "half a header": "PROXY TCP4 192.0.2.1",
};

Deno.test("P2: a trusted peer with an invalid header is closed, and onError hears of it", async () => {
  for (const [what, bytes] of Object.entries(NO_HEADERS)) {
    await using served = await serving(echo, TRUSTED);
    const client = await served.client();
    await send(client, ascii(bytes));
    await closeWrite(client).catch(() => {});
    assertEquals(await soon(recv(client).catch(() => null)), null, what);
    await until(() => served.server.refused === 1, what);
    const kind = what === "half a header" ? "UnexpectedEof" : "InvalidData";
    assertEquals(kinds(served.errors), [`${kind} recvProxyHeader`], what);
    assertEquals([served.server.accepted, served.server.active], [0, 0], what);
  }
});

Deno.test("P3: a probe that says nothing and leaves is refused, and is no failure", async () => {
  await using served = await serving(echo, TRUSTED);
  const orderly = await served.client();
  await closeWrite(orderly);
  assertEquals(await soon(recv(orderly)), null);
  await until(() => served.server.refused === 1, "the first probe is over");
  const rude = await BareClient.connect(served.server.address);
  await until(() => served.server.active === 1, "the second probe is accepted");
  rude.reset();
  await until(() => served.server.refused === 2, "the second probe is over");
  assertEquals([served.server.accepted, served.server.active], [0, 0]);
  assertEquals(served.errors, []);
});

Deno.test("V3: maxConnectionsPerHost counts the clients behind a proxy, not the proxy", async () => {
  await using served = await serving(echo, { ...TRUSTED, maxConnectionsPerHost: 1 });
  const clientOf = async (host: string) => {
    const client = await served.client();
    const destination = host.includes(":") ? { host: "2001:db8::2", port: 1 } : HERE;
    const source = { host, port: client.localAddress.port };
    await send(client, encodeProxyHeader({ source, destination }, { version: 2 }));
    await send(client, bytesOf("x"));
    const answer = await soon(recv(client).catch(() => null));
    return { client, served: answer !== null };
  };
  const first = await clientOf("192.0.2.1");
  assert(first.served);
  assert((await clientOf("192.0.2.2")).served);
  assert((await clientOf("2001:db8::1")).served);
  // A host is the same in all its forms.
  assert(!(await clientOf("192.0.2.1")).served);
  assert(!(await clientOf("2001:db8::1")).served);
  assert(!(await clientOf("::ffff:192.0.2.2")).served);
  assertEquals([served.server.accepted, served.server.refused], [3, 3]);
  await close(first.client);
  await until(() => served.server.active === 2, "one is over");
  assert((await clientOf("192.0.2.1")).served);
  assertEquals(served.errors, []);
});

Deno.test("V2: a silent proxy is active, but takes no place of maxConnections", async () => {
  await using served = await serving(echo, { ...TRUSTED, maxConnections: 1 });
  const silent = await served.client();
  const next = await served.client();
  await send(next, ascii("PROXY UNKNOWN\r\nhello"));
  assertEquals(textOf(await soon(recv(next))), "hello");
  assertEquals([served.server.active, served.server.accepted], [2, 1]);
  // After its header has come, it gets a place as soon as one is free.
  await send(silent, ascii("PROXY UNKNOWN\r\nlate"));
  const answer = recv(silent);
  assert(await isPending(answer));
  assertEquals([served.server.active, served.server.accepted], [2, 1]);
  await close(next);
  assertEquals(textOf(await soon(answer)), "late");
  assertEquals(served.server.accepted, 2);
});

Deno.test("V2: connections that wait for a place get one in order, and all of them when the server ends", async () => {
  const order = new Arrivals<string>();
  await using served = await serving((connection) => {
    order.push(connection.remoteAddress.host);
    return untilEnd(connection);
  }, { ...TRUSTED, maxConnections: 1 });
  const clients = [];
  // All are accepted before the first header comes: after it, accepting pauses.
  for (let count = 0; count < 5; count++) clients.push(await served.client());
  await until(() => served.server.active === 5, "all are accepted");
  for (const [index, client] of clients.entries()) {
    const source = { host: `192.0.2.${index + 1}`, port: 1 };
    await send(client, encodeProxyHeader({ source, destination: HERE }, { version: 2 }));
    await turns(5);
  }
  assertEquals(await soon(order.next()), "192.0.2.1");
  assertEquals(served.server.accepted, 1);
  // A client that has left meanwhile is served too: it may have sent everything it wanted.
  for (let index = 0; index < 2; index++) {
    await close(clients[index], { linger: 0 });
    assertEquals(await soon(order.next()), `192.0.2.${index + 2}`);
    assertEquals(served.server.accepted, index + 2);
  }
  const ended = served.server.shutdown();
  assertEquals([await soon(order.next()), await soon(order.next())], ["192.0.2.4", "192.0.2.5"]);
  for (const client of clients.slice(2)) await close(client);
  assertEquals(await soon(ended), { drained: 3, aborted: 0 });
});

Deno.test("V6: connections that wait for a place are aborted when the time is up", async () => {
  await using served = await serving(untilEnd, { ...TRUSTED, maxConnections: 1 });
  const clients = [await served.client(), await served.client()];
  await until(() => served.server.active === 2, "both are accepted");
  for (const client of clients) await send(client, ascii("PROXY UNKNOWN\r\n"));
  await until(() => served.server.accepted === 1, "the first is served");
  assertEquals(await soon(served.server.shutdown({ timeout: 0 })), { drained: 0, aborted: 2 });
  assertEquals([served.server.active, served.server.refused], [0, 0]);
});

Deno.test("P3: at most a thousand silent proxies are kept: one more drops the oldest", async () => {
  const silent = Array.from({ length: 1001 }, () => new ScriptedConn());
  using runtime = new ScriptedListener(silent);
  const server = serve(await listen(LOOPBACK), untilEnd, { ...TRUSTED, maxConnections: 1 });
  await until(() => runtime.accepts === 1002, "all are accepted");
  await turns();
  assertEquals([server.active, server.refused], [1000, 1]);
  const closed = silent.map(({ log }) => log.includes("close"));
  assertEquals(closed.indexOf(false), 1);
  assertEquals(closed.lastIndexOf(true), 0);
  await server.shutdown({ timeout: 0 });
});

Deno.test("V6: shutdown() waits for PROXY headers that have not come yet, and serves their clients", async () => {
  await using served = await serving(echo, TRUSTED);
  const client = await served.client();
  await until(() => served.server.active === 1, "it is accepted");
  const ended = served.server.shutdown();
  await turns(20);
  await send(client, ascii("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nstill here"));
  assertEquals(textOf(await soon(recv(client))), "still here");
  await close(client);
  assertEquals(await soon(ended), { drained: 1, aborted: 0 });
});

Deno.test("V6: shutdown() aborts connections whose PROXY header has not come when the time is up", async () => {
  await using served = await serving(echo, TRUSTED);
  const client = await served.client();
  await send(client, ascii("PROXY TCP4 192."));
  await until(() => served.server.active === 1, "it is accepted");
  assertEquals(await soon(served.server.shutdown({ timeout: 1 })), { drained: 0, aborted: 1 });
  assertEquals(await soon(recv(client).catch(() => null)), null);
  // The server did it, so it counts neither as refused nor as a failure.
  assertEquals([served.server.accepted, served.server.refused], [0, 0]);
  assertEquals(served.errors, []);
});
