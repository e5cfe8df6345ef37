import { assert, assertEquals } from "@std/assert";
import {
  close,
  closeWrite,
  connect,
  type Connection,
  encodeProxyHeader,
  framed,
  heartbeat,
  keepConnected,
  lengthPrefixed,
  lines,
  listen,
  recv,
  recvFrame,
  recvLine,
  recvProxyHeader,
  send,
  sendFrame,
  serve,
  type ServeContext,
  type ServeOptions,
  type SocketAddress,
  SocketError,
  type UnixAddress,
} from "../../mod.ts";
import { rawV2 } from "../support/proxy_bytes.ts";
import { soon } from "../support/socket_errors.ts";
import { bytesOf, textOf } from "../support/text.ts";
import { SocketFolder, unixPair } from "../support/unix_sockets.ts";

const CLIENT = { host: "192.0.2.1", port: 56324 };
const HERE = { host: "192.0.2.2", port: 443 };
const TRUSTED = { proxyProtocol: { trust: ["unix"] } };

interface Serving extends AsyncDisposable {
  readonly address: UnixAddress;
  readonly errors: unknown[];
  readonly refused: () => number;
}

async function serving(
  handler: (
    connection: Connection<UnixAddress>,
    context: ServeContext<UnixAddress>,
  ) => Promise<void>,
  options: ServeOptions<UnixAddress> = {},
): Promise<Serving> {
  const folder = await SocketFolder.make();
  const listener = await listen(folder.next(), { mode: 0o600 });
  const errors: unknown[] = [];
  const server = serve(listener, handler, {
    onError: (error) => void errors.push(error),
    ...options,
  });
  return {
    address: server.address,
    errors,
    refused: () => server.refused,
    async [Symbol.asyncDispose](): Promise<void> {
      await server.shutdown({ timeout: 5000 });
      assertEquals(await folder.names(), []);
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function echo(connection: Connection<SocketAddress>): Promise<void> {
  for await (const bytes of connection) await send(connection, bytes);
}

async function answerOf(address: UnixAddress, bytes: Uint8Array): Promise<string | null> {
  const client = await connect(address);
  await send(client, bytes);
  await closeWrite(client);
  const answer = await recvLine(client, { timeout: 10_000 });
  await close(client);
  return answer;
}

Deno.test("N1: serve() serves a Unix socket, and delivers what its handlers sent", async () => {
  await using served = await serving(echo);
  const payload = crypto.getRandomValues(new Uint8Array(60_000));
  await Promise.all(Array.from({ length: 20 }, async () => {
    const client = await connect(served.address);
    const sent = send(client, payload).then(() => closeWrite(client));
    let length = 0;
    for await (const bytes of client) length += bytes.length;
    assertEquals(length, payload.length);
    await sent;
    await close(client);
  }));
  assertEquals(served.errors, []);
});

Deno.test("N1: maxConnectionsPerHost does not count clients of a Unix socket, which have no host", async () => {
  await using served = await serving(echo, { maxConnectionsPerHost: 1 });
  const clients = await Promise.all([1, 2, 3].map(() => connect(served.address)));
  for (const client of clients) {
    await send(client, new Uint8Array([65, 10]));
    assertEquals(await recvLine(client), "A");
  }
  assertEquals(served.refused(), 0);
  await Promise.all(clients.map((client) => close(client)));
});

const SILENT: Record<string, ServeOptions<UnixAddress>> = {
  idleTimeout: { idleTimeout: 20 },
  firstByteTimeout: { firstByteTimeout: 20 },
  proxyProtocol: { proxyProtocol: { trust: ["unix"], timeout: 20 } },
};

for (const [what, options] of Object.entries(SILENT)) {
  Deno.test(`E2: an error of ${what} about a client without a name has no address`, async () => {
    await using served = await serving(async (connection) => void await recv(connection), options);
    const client = await connect(served.address);
    // A part of a header: a trusted proxy that says nothing is no failure.
    if (what === "proxyProtocol") await send(client, bytesOf("PROXY "));
    assertEquals(await soon(recv(client)), null);
    await close(client);
    const errors = served.errors.filter((error) => error instanceof SocketError);
    assert(errors.length > 0);
    for (const error of errors) {
      assertEquals(error.address, undefined);
      assert(!error.message.includes("unix:"), error.message);
    }
  });
}

Deno.test("E2: an error of heartbeat() about a client without a name has no address", async () => {
  await using served = await serving(async (connection) => {
    using _ = heartbeat(connection, { interval: 8, timeout: 8, ping: () => {} });
    await recv(connection);
  });
  const client = await connect(served.address);
  await soon(recv(client).catch(() => null));
  await close(client);
  const [error] = served.errors;
  assert(error instanceof SocketError && error.cause instanceof SocketError);
  assertEquals([error.kind, error.address, error.cause.address], [
    "TimedOut",
    undefined,
    undefined,
  ]);
  assertEquals(error.cause.operation, "heartbeat");
});

Deno.test("V5: the line of a failed handler names the Unix socket", async () => {
  const folder = await SocketFolder.make();
  const listener = await listen(folder.next());
  const error = console.error;
  const written = Promise.withResolvers<string>();
  console.error = written.resolve;
  try {
    await using server = serve(listener, () => Promise.reject(new TypeError("secret")));
    const client = await connect(server.address);
    assertEquals(
      (await written.promise).split("\n")[0],
      `serve unix:${server.address.path}: the handler failed with TypeError: "secret"`,
    );
    await close(client);
  } finally {
    console.error = error;
  }
  await folder[Symbol.asyncDispose]();
});

for (const version of [1, 2] as const) {
  Deno.test(`P4: a proxy behind a Unix socket names its client with version ${version}`, async () => {
    await using served = await serving(async (connection, { proxy }) => {
      const { remoteAddress, localAddress } = connection;
      await send(
        connection,
        new TextEncoder().encode(
          `${JSON.stringify([remoteAddress, localAddress, proxy?.peer, proxy?.source])}\n`,
        ),
      );
    }, { ...TRUSTED, maxConnectionsPerHost: 1 });
    const header = encodeProxyHeader({ source: CLIENT, destination: HERE }, { version });
    const answer = await answerOf(served.address, header);
    assertEquals(JSON.parse(answer!), [CLIENT, served.address, { path: "" }, CLIENT]);
  });
}

Deno.test("P1: a peer of a Unix socket is trusted only if the list says so", async () => {
  const trust = ["0.0.0.0/0", "::/0", "127.0.0.1"];
  await using served = await serving(echo, { proxyProtocol: { trust } });
  const header = encodeProxyHeader({ source: CLIENT, destination: HERE }, { version: 2 });
  const client = await connect(served.address);
  const sent = await send(client, header).then(() => undefined, (error) => error.kind);
  assert(sent === undefined || sent === "BrokenPipe" || sent === "ConnectionReset", sent);
  const end = await recv(client, { timeout: 10_000 }).catch((error) => error.kind);
  assert(end === null || end === "ConnectionReset", String(end));
  await close(client);
  assertEquals(served.refused(), 1);
});

Deno.test("P1: a trust list for Unix sockets trusts no host", async () => {
  const listener = await listen({ host: "127.0.0.1", port: 0 });
  await using server = serve(listener, echo, TRUSTED);
  const client = await connect(server.address);
  const end = await recv(client, { timeout: 10_000 }).catch((error) => error.kind);
  assert(end === null || end === "ConnectionReset", String(end));
  await close(client);
  assertEquals([server.accepted, server.refused], [0, 1]);
});

Deno.test("P4: a header for a Unix client names no host, so the peer's address stays", async () => {
  await using pair = await unixPair();
  const header = rawV2({ family: 0x31 }, new Uint8Array(216).fill(65));
  await send(pair.client, header);
  const { transport, source, peer } = await recvProxyHeader(pair.server);
  assertEquals([transport, source, peer], ["unix", undefined, { path: "" }]);
  assertEquals<SocketAddress>(pair.server.remoteAddress, { path: "" });
});

Deno.test("N1: frames of every kind go over a Unix socket", async () => {
  await using pair = await unixPair();
  const [a, b] = [framed(pair.client, lines()), framed(pair.server, lines())];
  await sendFrame(a, "hello");
  assertEquals(await recvFrame(b), "hello");
  const [c, d] = [framed(pair.client, lengthPrefixed()), framed(pair.server, lengthPrefixed())];
  const large = crypto.getRandomValues(new Uint8Array(65_536));
  const sent = sendFrame(d, large);
  assertEquals(await recvFrame(c), large);
  await sent;
  await Promise.all([close(a), close(b)]);
});

Deno.test("N1: a link keeps a connection to a Unix socket, and comes back to it", async () => {
  const address = { path: `\0link-${crypto.randomUUID()}` };
  await using server = serve(await listen(address), async (connection) => {
    await send(connection, bytesOf("once"));
  });
  let sessions = 0;
  const again = Promise.withResolvers<void>();
  await using link = keepConnected(address, async (connection, { ready, endpoint }) => {
    const path: string = endpoint.path;
    assertEquals(path, address.path);
    assertEquals(connection.remoteAddress, address);
    ready();
    assertEquals(textOf((await recv(connection))!), "once");
    if (++sessions === 2) again.resolve();
  }, { backoff: { first: 1, longest: 1 } });
  await soon(again.promise);
  await link.close();
  assertEquals(server.address, address);
});
