import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  abort,
  accept,
  close,
  closeWrite,
  connect,
  type Connection,
  disconnectSignal,
  heartbeat,
  keepConnected,
  type KeepConnectedOptions,
  type LinkSession,
  listen,
  recv,
  recvLine,
  send,
  serve,
  SocketError,
  startTls,
  type TlsConnection,
} from "../../../mod.ts";
import { Arrivals } from "../../support/serving.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf } from "../../support/text.ts";
import { testAuthority } from "../../support/tls_kinds.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };
const { ca, server, client } = await testAuthority();
const asServer = { role: "server", cert: server.cert, key: server.key } as const;
const asClient = { role: "client", caCerts: [ca.cert], serverName: "server.test" } as const;
/** Clients of both engines: with a certificate it is not the runtime's own. */
const CLIENTS = [["runtime", {}], ["engine", { cert: client.cert, key: client.key }]] as const;

/** Resolves when a signal has aborted, with its reason. */
function waitAborted(signal: AbortSignal): Promise<SocketError> {
  const { promise, resolve } = Promise.withResolvers<SocketError>();
  if (signal.aborted) resolve(signal.reason);
  else signal.addEventListener("abort", () => resolve(signal.reason), { once: true });
  return soon(promise);
}

/** Sends "go" and begins TLS as the server: the client begins only when it has come. */
function beginServer(connection: Connection): Promise<TlsConnection> {
  send(connection, bytesOf("go\n"));
  return startTls(connection, asServer);
}

/** Begins TLS as the client when the server says so. */
async function beginClient(connection: Connection, options = {}): Promise<TlsConnection> {
  assertEquals(await recvLine(connection), "go");
  return await startTls(connection, { ...asClient, ...options });
}

for (const [engine, own] of CLIENTS) {
  Deno.test(`V8: disconnected of a handler follows startTls, with a client on the ${engine}'s TLS`, async () => {
    const started = Promise.withResolvers<AbortSignal>();
    const left = Promise.withResolvers<SocketError>();
    await using listening = serve(await listen(LOOPBACK), async (connection, context) => {
      const { disconnected } = context;
      const secure = await beginServer(connection);
      assertStrictEquals(disconnectSignal(secure), disconnected);
      assertStrictEquals(disconnectSignal(connection), disconnected);
      started.resolve(disconnected);
      assertEquals(await recvLine(secure), "hello");
      left.resolve(await waitAborted(disconnected));
    }, { onError: started.reject });
    const near = await beginClient(await connect(listening.address), own);
    const signal = await soon(started.promise);
    await send(near, bytesOf("hello\n"));
    assertEquals(signal.aborted, false);
    await close(near);
    const { kind, operation } = await soon(left.promise);
    assertEquals([kind, operation], ["UnexpectedEof", "disconnectSignal"]);
  });

  Deno.test(`R7: disconnectSignal follows startTls of a client on the ${engine}'s TLS`, async () => {
    await using pair = await tcpPair();
    const [near, far] = await Promise.all([
      (async () => {
        const signal = disconnectSignal(pair.client);
        const secure = await beginClient(pair.client, own);
        assertEquals(signal.aborted, false);
        assertStrictEquals(disconnectSignal(secure), signal);
        return secure;
      })(),
      beginServer(pair.server),
    ]);
    const signal = disconnectSignal(pair.client);
    await send(far, bytesOf("read ahead\n"));
    assertEquals(await recvLine(near), "read ahead");
    assertEquals(signal.aborted, false);
    await closeWrite(far);
    assertEquals((await waitAborted(signal)).kind, "UnexpectedEof");
    assertEquals(await recv(near), null);
    abort(near);
    abort(far);
  });
}

Deno.test("R7: disconnectSignal aborts if startTls fails or is cancelled", async () => {
  const ways:
    readonly (readonly [way: string, (peer: Connection, stop: AbortController) => void])[] = [
      ["the peer leaves", abort],
      ["its signal aborts", (_peer, stop) => stop.abort()],
    ];
  for (const [way, end] of ways) {
    await using pair = await tcpPair();
    const disconnected = disconnectSignal(pair.client);
    const stop = new AbortController();
    const starting = startTls(pair.client, { ...asClient, signal: stop.signal });
    assertStrictEquals(disconnectSignal(pair.client), disconnected);
    end(pair.server, stop);
    assert(await soon(starting.catch((error) => error)) instanceof SocketError, way);
    assertEquals((await waitAborted(disconnected)).kind, "Closed", way);
    if (way !== "the peer leaves") assertEquals(await soon(recv(pair.server)), null);
  }
});

Deno.test("R7: disconnectSignal that is first asked for during startTls follows it", async () => {
  await using pair = await tcpPair();
  const serving = startTls(pair.server, asServer);
  const starting = startTls(pair.client, asClient);
  const signal = disconnectSignal(pair.client);
  const [near, far] = await Promise.all([starting, serving]);
  assertEquals(signal.aborted, false);
  abort(near);
  await waitAborted(signal);
  abort(far);
});

Deno.test("X5: startTls ends a heartbeat, and one on the connection over TLS gives its peer up", async () => {
  await using pair = await tcpPair();
  const never = { interval: 600_000, timeout: 600_000, ping: () => {} };
  // Nobody disposes this one: a timer of it would be left.
  heartbeat(pair.client, never);
  const [near, far] = await Promise.all([beginClient(pair.client), beginServer(pair.server)]);
  const pinged = Promise.withResolvers<void>();
  using _heart = heartbeat(near, { interval: 20, timeout: 20, ping: pinged.resolve });
  await soon(pinged.promise);
  const error = await rejection(() => recv(near), "TimedOut", "recv");
  assertEquals((error.cause as SocketError).operation, "heartbeat");
  abort(far);
});

/** A link whose sessions arrive here, to a listener that accepts by hand. */
async function linkTo(
  session: LinkSession,
  options: KeepConnectedOptions = {},
) {
  const listener = await listen(LOOPBACK);
  const link = keepConnected(listener.address, session, { backoff: { first: 1 }, ...options });
  return {
    link,
    listener,
    async [Symbol.asyncDispose](): Promise<void> {
      await link.close({ linger: 0 });
      await listener[Symbol.asyncDispose]();
    },
  };
}

for (const [engine, own] of CLIENTS) {
  Deno.test(`X3: a link follows startTls in its session, with the ${engine}'s TLS`, async () => {
    const sessions = new Arrivals<TlsConnection>();
    await using kept = await linkTo(async (connection, { ready, signal }) => {
      const secure = await beginClient(connection, own);
      ready();
      sessions.push(secure);
      while (await recvLine(secure, { signal }) !== null);
    });
    for (let round = 0; round < 2; round++) {
      const far = await soon(beginServer(await accept(kept.listener)));
      const secure = await soon(sessions.next());
      assertStrictEquals(await soon(kept.link.up()), secure);
      await send(secure, bytesOf("over TLS\n"));
      assertEquals(await recvLine(far), "over TLS");
      assertEquals(kept.link.state, "ready");
      // The second session begins when the first one's connection over TLS is lost.
      if (round === 0) abort(far);
      else {
        const closing = kept.link.close();
        assertEquals(await recv(far), null);
        await close(far);
        await soon(closing);
      }
    }
  });
}

Deno.test("X3: the signal of a link aborts the connection over TLS", async () => {
  const ending = new AbortController();
  await using kept = await linkTo(async (connection, { ready }) => {
    const secure = await beginClient(connection);
    ready();
    await recv(secure).catch(() => {});
  }, { signal: ending.signal });
  const far = await soon(beginServer(await accept(kept.listener)));
  const secure = await soon(kept.link.up());
  ending.abort();
  await rejection(() => send(secure, bytesOf("late")), "Closed", "send");
  await soon(kept.link.finished);
  await soon(recv(far).catch(() => {}));
  abort(far);
});

Deno.test("X3: a session whose startTls hangs ends after handshakeTimeout", async () => {
  await using kept = await linkTo(async (connection) => {
    await startTls(connection, asClient);
  }, { handshakeTimeout: 50, attempts: 1 });
  const silent = await accept(kept.listener);
  const error = await soon(kept.link.finished.catch((error) => error));
  assertEquals([error.kind, error.operation], ["TimedOut", "keepConnected"]);
  abort(silent);
});

Deno.test("X2: a link ends if startTls in its session rejects the server's certificate", async () => {
  await using kept = await linkTo(async (connection) => {
    await beginClient(connection, { serverName: "other.test" });
  });
  const serving = beginServer(await accept(kept.listener)).then(abort, () => {});
  const error = await soon(kept.link.finished.catch((error) => error));
  assertEquals([error.kind, error.operation], ["CertificateRejected", "startTls"]);
  await soon(serving);
});
