import { assert, assertEquals } from "@std/assert";
import {
  abort,
  accept,
  close,
  closeWrite,
  connect,
  type Connection,
  connectTls,
  encodeProxyHeader,
  framed,
  lines,
  listen,
  type Listener,
  listenTls,
  recv,
  recvLine,
  send,
  sendFrame,
  serve,
  SocketError,
  startTls,
  type TlsConnection,
} from "../../../mod.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { testAuthority } from "../../support/tls_kinds.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };
const { ca, server: { cert, key } } = await testAuthority();
const clientOptions = { caCerts: [ca.cert], serverName: "server.test" };

Deno.test("V1: serve closes the connections of listenTls after their handlers, with everything delivered", async () => {
  const listener = await listenTls(LOOPBACK, { cert, key });
  await using server = serve(listener, async (connection) => {
    for await (const line of framed(connection, lines())) {
      await send(connection, bytesOf(line.repeat(100_000)));
      return;
    }
  });
  const clients = Array.from({ length: 20 }, async (_, i) => {
    const connection = await connectTls(server.address, clientOptions);
    await send(connection, bytesOf(`${i % 10}\n`));
    let length = 0;
    for await (const bytes of connection) length += bytes.length;
    await close(connection);
    return length;
  });
  assertEquals(await Promise.all(clients), new Array(20).fill(100_000));
});

Deno.test("V1: serve closes the TLS connection that a handler has made with startTls", async () => {
  await using server = serve(await listen(LOOPBACK), async (connection) => {
    assertEquals(await recvLine(connection), "STARTTLS");
    await send(connection, bytesOf("220 go\n"));
    const secure = await startTls(connection, { role: "server", cert, key });
    await send(secure, bytesOf("secret"));
  });
  const plain = await connect(server.address);
  await send(plain, bytesOf("STARTTLS\n"));
  assertEquals(await recvLine(plain), "220 go");
  const secure = await startTls(plain, { role: "client", ...clientOptions });
  assertEquals(textOf(await recv(secure)), "secret");
  assertEquals(await recv(secure), null);
  await close(secure);
});

Deno.test("V4: idleTimeout ends the TLS connection that a handler has made with startTls", async () => {
  const errors: unknown[] = [];
  await using server = serve(await listen(LOOPBACK), async (connection) => {
    const secure = await startTls(connection, { role: "server", cert, key });
    await recv(secure);
  }, { idleTimeout: 500, onError: (error) => errors.push(error) });
  const plain = await connect(server.address);
  const secure = await startTls(plain, { role: "client", ...clientOptions });
  const kind = await recv(secure).then(() => "nothing", (error) => error.kind);
  assert(["UnexpectedEof", "ConnectionReset"].includes(kind), kind);
  abort(secure);
  await server.shutdown();
  assert(errors[0] instanceof SocketError && errors[0].kind === "TimedOut", String(errors[0]));
});

Deno.test("V6: shutdown ends a handshake that a handler waits for", async () => {
  const waiting = Promise.withResolvers<void>();
  const failed = Promise.withResolvers<SocketError>();
  const server = serve(await listen(LOOPBACK), async (connection) => {
    const starting = startTls(connection, { role: "server", cert, key });
    waiting.resolve();
    await starting.catch(failed.resolve);
  });
  const silent = await connect(server.address);
  await waiting.promise;
  await server.shutdown({ timeout: 50 });
  assert(await failed.promise instanceof SocketError);
  abort(silent);
});

Deno.test("P4: TLS may follow a PROXY header at once", async () => {
  const header = encodeProxyHeader({
    source: { host: "192.0.2.7", port: 4711 },
    destination: { host: "192.0.2.8", port: 443 },
  }, { version: 2 });
  await using server = serve(await listen(LOOPBACK), async (connection) => {
    const secure = await startTls(connection, { role: "server", cert, key });
    await send(secure, bytesOf(`${secure.remoteAddress.host} ${secure.tls.serverName}`));
  }, { proxyProtocol: { trust: ["127.0.0.1"] } });
  // The header and the first message of the handshake come in one segment.
  const connection = await connect(server.address);
  await using between = await listen(LOOPBACK);
  const relaying = relay(between, connection, header);
  const secure = await connectTls(between.address, clientOptions) as TlsConnection;
  assertEquals(textOf(await recv(secure)), "192.0.2.7 server.test");
  await close(secure);
  await relaying;
});

/** Relays one client, and puts bytes before its first ones. */
async function relay(listener: Listener, server: Connection, before: Uint8Array): Promise<void> {
  const client = await accept(listener);
  await send(server, [before, (await recv(client))!]);
  const up = (async () => {
    for await (const bytes of client) await send(server, bytes);
  })();
  for await (const bytes of server) await send(client, bytes);
  await closeWrite(client);
  await up;
  await Promise.all([close(client), close(server)]);
}

Deno.test("V1: a frame codec works over TLS as it does over TCP", async () => {
  const listener = await listenTls(LOOPBACK, { cert, key });
  await using server = serve(listener, async (connection) => {
    const stream = framed(connection, lines());
    for await (const line of stream) await sendFrame(stream, line.toUpperCase());
  });
  const connection = await connectTls(server.address, clientOptions);
  await sendFrame(framed(connection, lines()), "hello");
  assertEquals(await recvLine(connection), "HELLO");
  await close(connection);
});
