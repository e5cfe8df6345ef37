import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  abort,
  accept,
  close,
  connect,
  connectTls,
  listen,
  listenTls,
  recv,
  send,
  startTls,
  type TlsConnection,
  type TlsServerOptions,
} from "../../../mod.ts";
import { HOSTS, makeCertificate } from "../../support/certificates.ts";
import { rejection } from "../../support/socket_errors.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { testAuthority } from "../../support/tls_kinds.ts";
import { startNodeServer } from "../../support/tls_peers.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };
const { ca, server, client } = await testAuthority();
const { cert, key } = server;
const clientOptions = { caCerts: [ca.cert], serverName: "server.test" };
/** Options with which a client has the runtime's TLS, and the other engine. */
const ENGINES: readonly (readonly [name: string, own: object])[] = [
  ["without a certificate", {}],
  ["with a certificate", { cert: client.cert, key: client.key }],
];

/** Connects to a fresh server, and gives both ends. */
async function session(
  serverOptions: Partial<TlsServerOptions>,
  options: object,
): Promise<[near: TlsConnection, far: TlsConnection]> {
  await using listener = await listenTls(LOOPBACK, { cert, key, ...serverOptions });
  const near = await connectTls(listener.address, { ...clientOptions, ...options });
  return [near, await accept(listener) as TlsConnection];
}

/** The DER of the first certificate in a PEM text. */
function derOf(pem: string): Uint8Array {
  const base64 = /-----BEGIN CERTIFICATE-----([^-]*)-----END/.exec(pem)![1];
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

for (const [name, own] of ENGINES) {
  Deno.test(`a session says what it is: client ${name}`, async () => {
    const protocols = { alpnProtocols: ["second", "first"] };
    const [near, far] = await session({
      alpnProtocols: ["first", "second"],
      clientCaCerts: name === "with a certificate" ? [ca.cert] : undefined,
    }, { ...own, ...protocols });
    assertMatch(near.tls.protocol, /^TLSv1\.3$|^TLSv1\.2 or TLSv1\.3$/);
    assertEquals(far.tls.protocol, "TLSv1.3");
    assertMatch(far.tls.cipher!, /^TLS_/);
    assertEquals([near.tls.alpnProtocol, far.tls.alpnProtocol], ["first", "first"]);
    assertEquals([near.tls.serverName, far.tls.serverName], ["server.test", "server.test"]);
    assertEquals(near.tls.peerCertificate, derOf(cert));
    const shown = name === "with a certificate" ? derOf(client.cert) : undefined;
    assertEquals(far.tls.peerCertificate, shown);
    assert(Object.isFrozen(near.tls) && Object.isFrozen(far.tls));
    assertEquals(near.remoteAddress, far.localAddress);
    assertEquals(far.remoteAddress, near.localAddress);
    await Promise.all([close(near), close(far)]);
  });

  Deno.test(`without a common protocol the handshake fails: client ${name}`, async () => {
    await using listener = await listenTls(LOOPBACK, { cert, key, alpnProtocols: ["a"] });
    const call = () =>
      connectTls(listener.address, { ...clientOptions, ...own, alpnProtocols: ["b"] });
    const error = await rejection(call, "TlsFailed", "connectTls");
    assertMatch(error.message, /the peer sent the alert no_application_protocol/);
  });

  Deno.test(`a peer that does not speak TLS is TlsFailed: client ${name}`, async () => {
    await using listener = await listen(LOOPBACK);
    const connecting = connectTls(listener.address, { ...clientOptions, ...own });
    const peer = await accept(listener);
    await send(peer, bytesOf("220 mail.example ESMTP\r\n"));
    const error = await rejection(() => connecting, "TlsFailed", "connectTls");
    assertMatch(error.message, /^connectTls 127.0.0.1:\d+: the peer does not speak TLS/);
    assertEquals(error.retryable, false);
    abort(peer);
  });

  Deno.test(`a peer that goes during the handshake is UnexpectedEof: client ${name}`, async () => {
    await using listener = await listen(LOOPBACK);
    const connecting = connectTls(listener.address, { ...clientOptions, ...own });
    abort(await accept(listener));
    const error = await connecting.catch((error) => error);
    assert(["UnexpectedEof", "ConnectionReset"].includes(error.kind), String(error));
  });

  Deno.test(`a refused port is ConnectionRefused: client ${name}`, async () => {
    const listener = await listen(LOOPBACK);
    await listener[Symbol.asyncDispose]();
    const call = () => connectTls(listener.address, { ...clientOptions, ...own });
    const error = await rejection(call, "ConnectionRefused", "connectTls");
    assert(error.retryable);
  });

  Deno.test(`an IP address is the server's name if none is given: client ${name}`, async () => {
    await using listener = await listenTls(LOOPBACK, { cert, key });
    const near = await connectTls(listener.address, { caCerts: [ca.cert], ...own });
    const far = await accept(listener) as TlsConnection;
    assertEquals([near.tls.serverName, far.tls.serverName], [undefined, undefined]);
    await Promise.all([close(near), close(far)]);
    const nobody = await makeCertificate({ subject: "x", issuer: ca, hosts: ["server.test"] });
    await using other = await startNodeServer(nobody);
    const call = () => connectTls(other.address, { caCerts: [ca.cert], ...own });
    const error = await rejection(call, "CertificateRejected", "connectTls");
    assertMatch(error.message, /it is not for .*127\.0\.0\.1.*, it is for server\.test/);
  });

  Deno.test(`a server that demands a certificate says so: client ${name}`, async () => {
    await using listener = await listenTls(LOOPBACK, { cert, key, clientCaCerts: [ca.cert] });
    const connecting = connectTls(listener.address, { ...clientOptions, ...own });
    if (name === "with a certificate") {
      const [near, far] = await Promise.all([connecting, accept(listener)]);
      await Promise.all([close(near), close(far)]);
      return;
    }
    // In TLS 1.3 the client is done before the server has looked at it.
    const near = await connecting;
    const error = await rejection(() => recv(near), "TlsFailed", "recv");
    assertMatch(error.message, /the peer sent the alert certificate_required/);
    abort(near);
  });
}

Deno.test("certificateFor chooses by the name that the client asks for, now or later", async () => {
  const [one, other] = await Promise.all(
    ["one.test", "other.test"].map((host) =>
      makeCertificate({ subject: host, issuer: ca, hosts: [host] })
    ),
  );
  const asked: string[] = [];
  await using listener = await listenTls(LOOPBACK, {
    cert,
    key,
    certificateFor: (serverName) => {
      asked.push(serverName);
      if (serverName === "one.test") return { cert: one.cert, key: one.key };
      if (serverName !== "other.test") return undefined;
      return new Promise((resolve) => setTimeout(() => resolve(other), 1));
    },
  });
  for (const serverName of ["one.test", "OTHER.test", "other.test", "server.test"]) {
    const near = await connectTls(listener.address, { caCerts: [ca.cert], serverName });
    const far = await accept(listener) as TlsConnection;
    assertEquals(far.tls.serverName, serverName.toLowerCase());
    await Promise.all([close(near), close(far)]);
  }
  const near = await connectTls(listener.address, { caCerts: [ca.cert] });
  await Promise.all([close(near), close(await accept(listener))]);
  assertEquals(asked, ["one.test", "other.test", "other.test", "server.test"]);
});

Deno.test("a certificateFor that fails costs its client the connection, and nobody else", async () => {
  const wrong = await makeCertificate({ subject: "x" });
  const answers: Record<string, () => unknown> = {
    "throws.test": () => {
      throw new Error("mine");
    },
    "rejects.test": () => Promise.reject(new Error("mine")),
    "empty.test": () => ({}),
    "null.test": () => null,
    "mismatch.test": () => ({ cert, key: wrong.key }),
    "junk.test": () => ({ cert: "junk", key }),
  };
  await using listener = await listenTls(LOOPBACK, {
    cert,
    key,
    certificateFor: (serverName) => answers[serverName]?.() as undefined,
  });
  for (const serverName of Object.keys(answers)) {
    const error = await connectTls(listener.address, { caCerts: [ca.cert], serverName })
      .catch((error) => error);
    assert(["UnexpectedEof", "ConnectionReset"].includes(error.kind), `${serverName}: ${error}`);
  }
  const near = await connectTls(listener.address, clientOptions);
  await Promise.all([close(near), close(await accept(listener))]);
});

Deno.test("startTls of a server says why a client was refused", async () => {
  const rogue = await makeCertificate({ subject: "rogue" });
  const expired = await makeCertificate({ subject: "old", issuer: ca, from: -48, until: -1 });
  const wrongUse = await makeCertificate({
    subject: "x",
    issuer: ca,
    hosts: HOSTS,
    uses: ["1.3.6.1.5.5.7.3.1"],
  });
  const rows = [
    [rogue, /no trusted authority has signed it/],
    // Bun's verifier rejects them before this package's own check does.
    [expired, /it has expired(, on \d{4}-|$| \()/],
    [wrongUse, /it is not made for (clients|this use)/],
  ] as const;
  for (const [certificate, words] of rows) {
    await using listener = await listen(LOOPBACK);
    const [one, other] = await Promise.all([connect(listener.address), accept(listener)]);
    const { cert: shown, key: shownKey } = certificate;
    const connecting = startTls(one, {
      role: "client",
      ...clientOptions,
      cert: shown,
      key: shownKey,
    }).then(async (connection) => {
      const error = await recv(connection).catch((error) => error);
      abort(connection);
      return error;
    }, (error) => error);
    const call = () => startTls(other, { role: "server", cert, key, clientCaCerts: [ca.cert] });
    const error = await rejection(call, "CertificateRejected", "startTls");
    assertMatch(error.message, words);
    assert(["UnexpectedEof", "ConnectionReset"].includes((await connecting).kind));
  }
});

Deno.test("TLS in TLS in TLS carries what is sent", async () => {
  const [near, far] = await session({}, {});
  let [one, other] = [near, far];
  for (let depth = 0; depth < 2; depth++) {
    [one, other] = await Promise.all([
      startTls(one, { role: "client", ...clientOptions }),
      startTls(other, { role: "server", cert, key }),
    ]);
  }
  await send(one, bytesOf("deep"));
  assertEquals(textOf(await recv(other)), "deep");
  await Promise.all([close(one), close(other)]);
});
