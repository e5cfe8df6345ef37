import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import {
  abort,
  accept,
  close,
  closeListener,
  connect,
  connectTls,
  listen,
  listenTls,
  send,
  SocketError,
  startTls,
} from "../../../mod.ts";
import { makeBadCertificates } from "../../support/bad_certificates.ts";
import {
  makeAuthority,
  makeCertificate,
  type TestCertificate,
} from "../../support/certificates.ts";
import { bytesOf } from "../../support/text.ts";
import { connectNodeClient, VERSIONS } from "../../support/tls_peers.ts";

const PATIENCE_MS = 30_000;
const LOOPBACK = { host: "127.0.0.1", port: 0 };
const SECRET = "for clients with a certificate only";
const authority = await makeAuthority();
const { cert, key } = authority.server;
const demanding = { cert, key, clientCaCerts: [authority.ca.cert] };
const bad = await makeBadCertificates(authority, "client");

/** The ways to serve a client: each lets `visit` connect and tells what the client has received. */
type Server = (visit: (port: number) => Promise<string>) => Promise<string>;

const WAYS: readonly (readonly [name: string, serve: Server])[] = [
  ["listenTls", async (visit) => {
    const listener = await listenTls(LOOPBACK, demanding);
    const serving = (async () => {
      for await (const connection of listener) {
        assert(connection.tls.peerCertificate !== undefined);
        await send(connection, bytesOf(SECRET)).catch(() => {});
        await close(connection);
      }
    })();
    const received = await visit(listener.address.port);
    await closeListener(listener);
    await serving;
    return received;
  }],
  ["startTls", async (visit) => {
    await using listener = await listen(LOOPBACK);
    const visiting = visit(listener.address.port);
    const plain = await accept(listener);
    try {
      const connection = await startTls(plain, { role: "server", ...demanding });
      await send(connection, bytesOf(SECRET)).catch(() => {});
      await close(connection);
    } catch (error) {
      assert(error instanceof SocketError, String(error));
      assert(
        ["CertificateRejected", "TlsFailed", "UnexpectedEof"].includes(error.kind),
        error.message,
      );
    } finally {
      abort(plain);
    }
    return await visiting;
  }],
];

function visitWith(version: (typeof VERSIONS)[number], certificate?: TestCertificate) {
  const shown = certificate === undefined ? {} : { cert: certificate.cert, key: certificate.key };
  return (port: number) => deadline(connectNodeClient(port, { version, ...shown }), PATIENCE_MS);
}

for (const [way, serve] of WAYS) {
  for (const version of VERSIONS) {
    Deno.test(`T1: ${way}, ${version}: a client with a good certificate gets in`, async () => {
      assertEquals(await serve(visitWith(version, authority.client)), SECRET);
    });

    Deno.test(`T1: ${way}, ${version}: a client without a certificate gets nothing`, async () => {
      assertEquals(await serve(visitWith(version)), "");
    });

    for (const { what, certificate } of bad) {
      Deno.test(`T1: ${way}, ${version}: a client gets nothing that shows ${what}`, async () => {
        assertEquals(await serve(visitWith(version, certificate)), "");
      });
    }

    Deno.test(`T1: ${way}, ${version}: a certificate of a public authority's namesake gets nothing`, async () => {
      const root = "CN=ISRG Root X1,O=Internet Security Research Group,C=US";
      const namesake = await makeCertificate({ subject: root, authority: true });
      const forged = await makeCertificate({
        subject: "client",
        issuer: namesake,
        chain: [namesake],
      });
      assertEquals(await serve(visitWith(version, forged)), "");
    });

    Deno.test(`T1: ${way}, ${version}: the server's own certificate gets a client nothing`, async () => {
      assertEquals(await serve(visitWith(version, authority.server)), "");
    });
  }
}

/** Writes the first message of a client that speaks nothing newer than a version. */
function oldHello(minor: number): Uint8Array<ArrayBuffer> {
  const body = [3, minor, ...new Array(32).fill(7), 0, 0, 6, 0xc0, 0x13, 0, 0x2f, 0, 0x35, 1, 0];
  const message = [1, 0, 0, body.length, ...body];
  return new Uint8Array([22, 3, 1, 0, message.length, ...message]);
}

Deno.test("T1: TLS 1.0 and TLS 1.1 get a client nothing but an alert, and the server goes on", async () => {
  await using listener = await listenTls(LOOPBACK, { cert, key });
  for (const minor of [0, 1, 2]) {
    const old = await connect(listener.address);
    await send(old, oldHello(minor));
    const answer: number[] = [];
    for await (const bytes of old) answer.push(...bytes);
    assert(answer.length === 0 || answer[0] === 21, String(answer));
    await close(old);
  }
  const near = await connectTls(listener.address, {
    caCerts: [authority.ca.cert],
    serverName: "server.test",
  });
  const far = await accept(listener);
  await Promise.all([close(near), close(far)]);
});
