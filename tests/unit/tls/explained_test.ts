import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  abort,
  accept,
  type Address,
  connect,
  type Connection,
  connectTls,
  formatAddress,
  listen,
  type Listener,
  listenTls,
  observe,
  recv,
  send,
  serve,
  type Server,
  SocketError,
  startTls,
  type StartTlsOptions,
  type TlsClientOptions,
  type TlsConnection,
  type TlsListener,
  type UnixAddress,
} from "../../../mod.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf } from "../../support/text.ts";
import { testAuthority } from "../../support/tls_kinds.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };
const { ca, server, client } = await testAuthority();
const { cert, key } = server;
const trusted = { caCerts: [ca.cert], serverName: "server.test" };
const own = { cert: client.cert, key: client.key };

type Way = (address: Address, options?: TlsClientOptions) => Promise<TlsConnection>;

/** The ways of a client, on both engines. */
const WAYS: readonly (readonly [operation: "connectTls" | "startTls", name: string, Way])[] = [
  ["connectTls", "connectTls", (address, options) => connectTls(address, options)],
  [
    "connectTls",
    "connectTls with a certificate",
    (address, options) => connectTls(address, { ...options, ...own }),
  ],
  ["startTls", "startTls", async (address, options) => {
    return await startTls(await connect(address), { role: "client", ...options });
  }],
  ["startTls", "startTls with a certificate", async (address, options) => {
    return await startTls(await connect(address), { role: "client", ...options, ...own });
  }],
];

/** Starts a server that does something to each client, and ends with the test. */
async function serverOf(work: (connection: Connection) => Promise<void> | void) {
  const listener = await listen(LOOPBACK);
  const working = (async () => {
    for await (const connection of listener) await work(connection);
  })();
  return {
    address: listener.address,
    async [Symbol.asyncDispose](): Promise<void> {
      await listener[Symbol.asyncDispose]();
      await working;
    },
  };
}

for (const [operation, name, way] of WAYS) {
  Deno.test(`E2: ${name} names the server's address if the certificate is rejected`, async () => {
    await using listener = await listenTls(LOOPBACK, { cert, key });
    const where = formatAddress(listener.address);
    const begin = `${operation} ${where}: the peer's certificate is rejected: `;
    const rows: (readonly [TlsClientOptions, string])[] = [
      [
        { ...trusted, serverName: "a.example" },
        'it is not for "a.example", it is for localhost, 127.0.0.1, server.test',
      ],
    ];
    // The authorities of the runtime need a permission on Deno, which these tests do without.
    if (!name.includes("certificate")) {
      rows.push([{ serverName: "server.test" }, "no trusted authority has signed it"]);
    }
    for (const [options, reason] of rows) {
      const call = () => way(listener.address, options);
      const error = await rejection(call, "CertificateRejected", operation, name);
      assertEquals(error.address, listener.address);
      assertEquals(error.message, begin + reason);
    }
  });

  Deno.test(`E2: ${name} names the server's address if the handshake fails`, async () => {
    const connections: Connection[] = [];
    const failures:
      readonly (readonly [(connection: Connection) => Promise<void> | void, string])[] = [
        [async (connection) => {
          await send(connection, bytesOf("220 mail.example ESMTP\r\n"));
          await recv(connection).catch(() => {});
          connections.push(connection);
        }, "TlsFailed"],
        [(connection) => abort(connection), "UnexpectedEof"],
        [(connection) => void connections.push(connection), "TimedOut"],
      ];
    for (const [work, kind] of failures) {
      await using peer = await serverOf(work);
      const { address } = peer;
      const error = await soon(
        way(address, { handshakeTimeout: kind === "TimedOut" ? 50 : 20_000 }),
      )
        .catch((error) => error);
      assert(error instanceof SocketError);
      // A reset may come before the end: the server has not read what the client said.
      const kinds = kind === "UnexpectedEof" ? [kind, "ConnectionReset"] : [kind];
      assert(kinds.includes(error.kind), error.message);
      assertEquals(error.address, address);
      assert(error.message.startsWith(`${operation} ${formatAddress(address)}: `), error.message);
    }
    connections.forEach(abort);
  });
}

/** A first message that offers versions as TLS 1.1 and older do, and an extension if there is one. */
function helloOf(version: number, extension: readonly number[] = []): Uint8Array<ArrayBuffer> {
  const extensions = extension.length === 0 ? [] : [0, extension.length, ...extension];
  const hello = [3, version, ...new Array(32).fill(7), 0, 0, 4, 0xc0, 0x13, 0, 0x2f, 1, 0];
  hello.push(...extensions);
  const message = [1, 0, 0, hello.length, ...hello];
  return new Uint8Array([22, 3, 1, 0, message.length, ...message]);
}

const NO_VERSION = "the peer offers neither TLS 1.2 nor TLS 1.3";
/** First messages of clients, and what a server says of them. */
const HELLOS: readonly (readonly [what: string, bytes: Uint8Array, reason: string | RegExp])[] = [
  ["TLS 1.1", helloOf(2), NO_VERSION],
  ["SSL 3", helloOf(0), NO_VERSION],
  ["versions that are none", helloOf(3, [0, 43, 0, 5, 4, 3, 2, 0x7a, 0x7a]), NO_VERSION],
  ["a version without a cipher that is known", helloOf(3), /^(?!.*\b(alert|neither)\b)/],
  [
    "an alert",
    new Uint8Array([21, 3, 1, 0, 2, 2, 80]),
    "the peer sent an alert instead of its first message",
  ],
];

for (const [what, bytes, reason] of HELLOS) {
  Deno.test(`E2: a server whose client sends ${what} says so, and names the client`, async () => {
    const failed = Promise.withResolvers<SocketError>();
    using _observing = observe({
      handshake: ({ error }) => {
        if (error?.operation === "listenTls") failed.resolve(error);
      },
    });
    await using listener = await listenTls(LOOPBACK, { cert, key });
    await using plain = await tcpPair();
    const peer = await connect(listener.address);
    await send(peer, bytes);
    const starting = startTls(plain.server, { role: "server", cert, key });
    await send(plain.client, bytes);
    const errors = [
      [await soon(failed.promise), peer.localAddress],
      [await soon(starting.catch((error) => error)), plain.client.localAddress],
    ] as const;
    for (const [error, address] of errors) {
      assertEquals([error.kind, error.address], ["TlsFailed", address]);
      if (typeof reason === "string") assertEquals(error.reason, reason);
      else assertMatch(error.reason, reason);
    }
    abort(peer);
  });
}

Deno.test("E2: startTls of a server names a client that ends before its handshake", async () => {
  await using pair = await tcpPair();
  const address = pair.client.localAddress;
  const starting = startTls(pair.server, { role: "server", cert, key });
  abort(pair.client);
  const error = await rejection(() => starting, "UnexpectedEof", "startTls");
  assertEquals(error.address, address);
  assertEquals(
    error.message,
    `startTls ${formatAddress(address)}: the peer ended before the handshake`,
  );
});

Deno.test("E1: connectTls says how TLS begins at a path", async () => {
  const error = await rejection(
    () => connectTls({ path: "/run/app.sock" } as never),
    "InvalidInput",
    "connectTls",
  );
  assertEquals(
    error.reason,
    "the address has path: connect to it, then call startTls with a serverName",
  );
});

// The compiler checks what follows: the functions are never called.

async function programForTls(): Promise<void> {
  const names: readonly string[] = ["h2"];
  const options = { caCerts: names, alpnProtocols: names, ...own } as const;
  const listener: TlsListener = await listenTls(LOOPBACK, {
    ...server,
    clientCaCerts: names,
    alpnProtocols: names,
  });
  const plain: Listener = listener;
  const first: TlsConnection = await accept(listener);
  const any: Connection = await accept(plain);
  for await (const connection of listener) useText(connection.tls.protocol);
  const served: Server = serve(listener, async (connection, context) => {
    useText(connection.tls.alpnProtocol ?? context.server.address.host);
    await recv(connection);
  }, { onError: (_error, connection) => useText(connection?.remoteAddress.host ?? "") });
  serve(listener, (connection: Connection) => useText(connection.remoteAddress.host));
  const choice: StartTlsOptions = { role: "client", timeout: 5, ...options };
  const second: TlsConnection = await startTls(any, choice);
  const unix: TlsListener<UnixAddress> = await listenTls({ path: "/tmp/app.sock" }, server);
  const third: TlsConnection<UnixAddress> = await accept(unix);
  const either: Connection<UnixAddress> = await accept<UnixAddress>(unix);
  const handle = serve<UnixAddress>(unix, (connection) => useText(connection.localAddress.path));
  useText([first, second, third, either, served, handle].join());
}

function useText(text: string): void {
  assertEquals(typeof text, "string");
}

Deno.test("programs get connections over TLS from a listener of TLS, without a cast", () => {
  assertEquals(typeof programForTls, "function");
});

Deno.test("E3: a client with a certificate says which permission or option the authorities need", async () => {
  await using listener = await listenTls(LOOPBACK, { cert, key });
  const call = () => connectTls(listener.address, { serverName: "server.test", ...own });
  const error = await call().then(() => undefined, (error: SocketError) => error);
  assertEquals(error?.address, listener.address);
  // With the permission, and on Node and Bun, the certificate is looked at.
  if (error?.kind === "PermissionDenied") {
    assertMatch(error.message, /need --allow-sys.* caCerts$/);
  } else assertEquals(error?.kind, "CertificateRejected");
});
