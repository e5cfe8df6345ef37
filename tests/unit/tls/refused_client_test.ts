import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  abort,
  accept,
  close,
  type Connection,
  connectTls,
  listen,
  listenTls,
  observe,
  recv,
  send,
  serve,
  SocketError,
  startTls,
  type TlsConnection,
} from "../../../mod.ts";
import {
  CLIENT_USE,
  makeCertificate,
  SERVER_USE,
  type TestCertificate,
} from "../../support/certificates.ts";
import { soon } from "../../support/socket_errors.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { testAuthority } from "../../support/tls_kinds.ts";
import { startNodeServer, VERSIONS } from "../../support/tls_peers.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };
const REFUSED = /; it may have refused this side's certificate( \(\w+\))?$/;
const ENDS = ["UnexpectedEof", "ConnectionReset", "BrokenPipe"];
const { ca, server, client } = await testAuthority();
const trusted = { caCerts: [ca.cert], serverName: "server.test" };
const stranger = await makeCertificate({ subject: "Stranger", authority: true });
const CLIENT = { subject: "client", uses: [CLIENT_USE] };

const BAD: readonly (readonly [what: string, TestCertificate])[] = [
  ["of another authority", await makeCertificate({ ...CLIENT, issuer: stranger })],
  ["that has signed itself", await makeCertificate(CLIENT)],
  [
    "that has expired",
    await makeCertificate({ ...CLIENT, issuer: ca, from: -48, until: -24 }),
  ],
  ["for servers", await makeCertificate({ ...CLIENT, issuer: ca, uses: [SERVER_USE] })],
];

/** Receives, and returns the error. The refusal of TLS 1.3 comes after the client's handshake. */
async function refusalOf(connecting: Promise<TlsConnection>, greeting?: string) {
  const connection = await soon(connecting);
  try {
    if (greeting !== undefined) await send(connection, bytesOf(greeting));
    return await soon(recv(connection));
  } catch (error) {
    assert(error instanceof SocketError);
    return error;
  } finally {
    abort(connection);
  }
}

for (const [what, { cert, key }] of BAD) {
  for (const greeting of [undefined, "hello"]) {
    const doing = greeting === undefined ? "waits" : "speaks first";
    Deno.test(`a client that ${doing} learns that listenTls may have refused a certificate ${what}`, async () => {
      const failed = Promise.withResolvers<SocketError | undefined>();
      using _observing = observe({
        handshake: ({ error }) => {
          if (error?.operation === "listenTls") failed.resolve(error);
        },
      });
      const listener = await listenTls(LOOPBACK, {
        cert: server.cert,
        key: server.key,
        clientCaCerts: [ca.cert],
      });
      const heard: unknown[] = [];
      await using serving = serve(listener, (connection) => send(connection, bytesOf("secret")), {
        onError: (error) => heard.push(error),
      });
      const connecting = connectTls(serving.address, { ...trusted, cert, key });
      const error = await refusalOf(connecting, greeting);
      assert(error instanceof SocketError);
      assert(ENDS.includes(error.kind), error.message);
      assertMatch(error.reason, REFUSED);
      assertEquals(error.address, serving.address);
      const why = await soon(failed.promise);
      assertEquals(why?.kind, "CertificateRejected");
      // A server hears of clients only: a handshake that fails is the observer's to report.
      assertEquals(heard, []);
    });
  }

  for (const version of VERSIONS) {
    Deno.test(`a client learns that a server of ${version} may have refused a certificate ${what}`, async () => {
      await using peer = await startNodeServer(server, {
        version,
        requestCert: true,
        rejectUnauthorized: true,
        ca: [ca.cert],
      });
      // A server may also refuse in the handshake.
      const error = await refusalOf(connectTls(peer.address, { ...trusted, cert, key }))
        .catch((error) => error);
      assert(error instanceof SocketError);
      if (ENDS.includes(error.kind)) assertMatch(error.reason, REFUSED);
      else assertEquals(error.kind, "TlsFailed");
    });
  }
}

Deno.test("a client with a good certificate learns nothing of refusals from an end that comes later, or in order", async () => {
  await using listener = await listen(LOOPBACK);
  const ends: readonly (readonly [end: (far: Connection) => Promise<void>, string | null])[] = [
    [async (far) => {
      await send(far, bytesOf("x"));
      abort(far);
    }, "the peer ended without close_notify, so data may be missing"],
    [(far) => close(far), null],
  ];
  for (const [end, expected] of ends) {
    const connecting = connectTls(listener.address, {
      ...trusted,
      cert: client.cert,
      key: client.key,
    });
    const far = await startTls(await accept(listener), {
      role: "server",
      cert: server.cert,
      key: server.key,
      clientCaCerts: [ca.cert],
    });
    const near = await connecting;
    const ending = end(far);
    const found = [];
    for (let last: string | null = ""; last !== null && found.length < 2;) {
      last = await recv(near).then(textOf, (error) => error.reason);
      found.push(last);
    }
    assertEquals(found.at(-1), expected);
    abort(near);
    await ending;
  }
});
