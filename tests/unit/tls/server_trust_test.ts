import process from "node:process";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { deadline } from "@std/async";
import {
  close,
  connect,
  connectTls,
  observe,
  recv,
  SocketError,
  startTls,
  type TlsClientOptions,
  type TlsConnection,
} from "../../../mod.ts";
import { makeBadCertificates } from "../../support/bad_certificates.ts";
import {
  type CertificateOptions,
  CLIENT_USE,
  element,
  HOSTS,
  makeAuthority,
  makeCertificate,
  sequence,
  SERVER_USE,
  type TestCertificate,
} from "../../support/certificates.ts";
import { GREETING, startNodeServer, VERSIONS } from "../../support/tls_peers.ts";
import { textOf } from "../../support/text.ts";
import type { Address } from "../../../mod.ts";

const PATIENCE_MS = 30_000;
const ON_DENO = "deno" in process.versions;
const authority = await makeAuthority();
const trusted = { caCerts: [authority.ca.cert], serverName: "server.test" };
const bad = await makeBadCertificates(authority, "server");

type Connector = (address: Address, options: TlsClientOptions) => Promise<TlsConnection>;

/** The ways to a server: each takes another path through the package. */
const WAYS: readonly (readonly [name: string, connect: Connector])[] = [
  ["connectTls", (address, options) => connectTls(address, options)],
  ["connectTls with a certificate", (address, options) => {
    const { cert, key } = authority.client;
    return connectTls(address, { ...options, cert, key });
  }],
  [
    "startTls",
    async (address, options) =>
      await startTls(await connect(address), { role: "client", ...options }),
  ],
  ["startTls after a cancelled recv", async (address, options) => {
    const connection = await connect(address);
    await recv(connection, { timeout: 1 }).catch(() => {});
    return await startTls(connection, { role: "client", ...options });
  }],
];

/** The ways on which the runtime's own verifier judges alone. */
const RUNTIME_WAYS: ReadonlySet<string> = new Set(["connectTls", "startTls"]);

async function outcome(connecting: Promise<TlsConnection>): Promise<SocketError | string> {
  try {
    const connection = await connecting;
    const received = textOf(await recv(connection)) ?? "";
    await close(connection);
    return received;
  } catch (error) {
    assert(error instanceof SocketError, String(error));
    return error;
  }
}

/** Authorities that a program trusts, and that may not have signed a server's certificate. */
const LIMITED_AUTHORITIES: readonly (readonly [what: string, Partial<CertificateOptions>])[] = [
  ["a certificate that is no authority's", { authority: false, hosts: ["other.test"] }],
  ["a certificate that does not say what it is", { authority: "missing" }],
  ["an authority that has expired", { from: -48, until: -1 }],
  ["an authority that is not valid yet", { from: 24, until: 48 }],
  ["an authority whose key may not sign certificates", { keyUsage: 0x80 }],
  ["an authority for clients", { uses: [CLIENT_USE] }],
  ["an authority that says something unknown", { extensions: [["1.2.3.4", sequence(), true]] }],
];

for (const [way, connectWay] of WAYS) {
  for (const version of VERSIONS) {
    for (const [what, options] of LIMITED_AUTHORITIES) {
      Deno.test(`T1: ${way}, ${version}: a server is refused below ${what}, though it is in caCerts`, async () => {
        const limited = await makeCertificate({ subject: "Limited", authority: true, ...options });
        const certificate = await makeCertificate({
          subject: "server",
          issuer: limited,
          hosts: HOSTS,
          uses: [SERVER_USE],
        });
        await using server = await startNodeServer(certificate, { version });
        const connecting = connectWay(server.address, { ...trusted, caCerts: [limited.cert] });
        const error = await deadline(outcome(connecting), PATIENCE_MS);
        assert(error instanceof SocketError, `it got in, and said ${error}`);
        assertEquals(error.kind, "CertificateRejected");
      });
    }

    Deno.test(`T1: ${way}, ${version}: a chain is refused that is longer than the authority in caCerts allows`, async () => {
      const root = await makeCertificate({ subject: "Root", authority: true, pathLength: 0 });
      const middle = await makeCertificate({ subject: "Middle", issuer: root, authority: true });
      const rows: [TestCertificate, TestCertificate[]][] = [[root, []], [middle, [middle]]];
      for (const [issuer, chain] of rows) {
        const options = { subject: "server", issuer, chain, hosts: HOSTS, uses: [SERVER_USE] };
        await using server = await startNodeServer(await makeCertificate(options), { version });
        const connecting = connectWay(server.address, { ...trusted, caCerts: [root.cert] });
        const found = await deadline(outcome(connecting), PATIENCE_MS);
        if (issuer === root) assertEquals(found, GREETING);
        else assert(found instanceof SocketError && found.kind === "CertificateRejected");
      }
    });

    Deno.test(`T1: ${way}, ${version}: a certificate in caCerts is trusted itself, for its own host only`, async () => {
      const pinned = await makeCertificate({ subject: "pinned", hosts: ["pinned.test"] });
      await using server = await startNodeServer(pinned, { version });
      const attempt = (serverName: string) =>
        deadline(
          outcome(connectWay(server.address, { caCerts: [pinned.cert], serverName })),
          PATIENCE_MS,
        );
      assertEquals(await attempt("pinned.test"), GREETING);
      assert(await attempt("server.test") instanceof SocketError);
    });

    Deno.test(`T1: ${way}, ${version}: a server with a good certificate is trusted`, async () => {
      await using server = await startNodeServer(authority.server, { version });
      assertEquals(
        await deadline(outcome(connectWay(server.address, trusted)), PATIENCE_MS),
        GREETING,
      );
    });

    Deno.test(`T1: ${way}, ${version}: a key that may sign and encrypt is trusted, below an authority for its names`, async () => {
      const subtree = element(0x82, new TextEncoder().encode("test"));
      const constraint = sequence(element(0xa0, sequence(subtree)));
      const middle = await makeCertificate({
        subject: "Middle",
        issuer: authority.ca,
        authority: true,
        keyUsage: 0x06,
        extensions: [["2.5.29.30", constraint, true]],
      });
      const options = { subject: "server", issuer: middle, chain: [middle], keyUsage: 0xa0 };
      const certificate = await makeCertificate({ ...options, hosts: ["server.test"] });
      await using server = await startNodeServer(certificate, { version });
      // The second time the package knows who has signed the server's certificate.
      for (let time = 0; time < 2; time++) {
        const found = await deadline(outcome(connectWay(server.address, trusted)), PATIENCE_MS);
        assertEquals(found, GREETING);
      }
    });

    Deno.test(`T1: ${way}, ${version}: a chain of two authorities is trusted`, async () => {
      const middle = await makeCertificate({
        subject: "Middle",
        issuer: authority.ca,
        authority: true,
        pathLength: 0,
      });
      const certificate = await makeCertificate({
        subject: "server",
        issuer: middle,
        hosts: HOSTS,
        uses: [SERVER_USE],
        chain: [middle],
      });
      await using server = await startNodeServer(certificate, { version });
      assertEquals(
        await deadline(outcome(connectWay(server.address, trusted)), PATIENCE_MS),
        GREETING,
      );
    });

    for (const { what, certificate, reason, stricter } of bad) {
      if (stricter && RUNTIME_WAYS.has(way)) continue;
      Deno.test(`T1: ${way}, ${version}: a server is refused that shows ${what}`, async () => {
        await using server = await startNodeServer(certificate, { version });
        const error = await deadline(outcome(connectWay(server.address, trusted)), PATIENCE_MS);
        assert(error instanceof SocketError, `it got in, and said ${error}`);
        assert(["CertificateRejected", "TlsFailed"].includes(error.kind), error.message);
        // Other runtimes find out other things first, and say them in words of their own.
        if (ON_DENO) assertMatch(error.message, reason);
      });
    }

    Deno.test(`T1: ${way}, ${version}: a server for another host is refused, and its hosts are named`, async () => {
      await using server = await startNodeServer(authority.server, { version });
      for (const serverName of ["other.test", "127.0.0.2", "test", "a.server.test"]) {
        const options = { ...trusted, serverName };
        const error = await deadline(outcome(connectWay(server.address, options)), PATIENCE_MS);
        assert(error instanceof SocketError, `it got in, and said ${error}`);
        assertEquals(error.kind, "CertificateRejected");
        assertMatch(error.message, /it is not for .*, it is for localhost, 127.0.0.1, server.test/);
      }
    });

    Deno.test(`T1: ${way}, ${version}: a server is refused at once whose names are malformed`, async () => {
      for (const host of ['"', '"server.test', "server.test\0.other.test", "\xff", ""]) {
        const options = { subject: "server", issuer: authority.ca, hosts: [host] };
        await using server = await startNodeServer(await makeCertificate(options), { version });
        const error = await deadline(outcome(connectWay(server.address, trusted)), PATIENCE_MS);
        assert(error instanceof SocketError, `it got in, and said ${error}`);
        assertEquals(error.kind, "CertificateRejected");
      }
    });

    Deno.test(`T1: ${way}, ${version}: a wildcard covers one label`, async () => {
      const certificate = await makeCertificate({
        subject: "server",
        issuer: authority.ca,
        hosts: ["*.wild.test"],
      });
      await using server = await startNodeServer(certificate, { version });
      const attempt = (serverName: string) =>
        deadline(outcome(connectWay(server.address, { ...trusted, serverName })), PATIENCE_MS);
      assertEquals(await attempt("a.wild.test"), GREETING);
      for (const serverName of ["wild.test", "a.b.wild.test", "a.other.test"]) {
        assert(await attempt(serverName) instanceof SocketError, serverName);
      }
    });

    Deno.test(`T1: ${way}, ${version}: without caCerts a private authority is not trusted`, async () => {
      await using server = await startNodeServer(authority.server, { version });
      const options = { serverName: "server.test" };
      const error = await deadline(outcome(connectWay(server.address, options)), PATIENCE_MS);
      assert(error instanceof SocketError, `it got in, and said ${error}`);
      // A program that may not read the authorities of the system (--allow-sys=ca) trusts none of them.
      const refusals = ["CertificateRejected", "PermissionDenied"];
      assert(refusals.includes(error.kind), `it said ${error}`);
    });
  }
}

Deno.test("T1: a server whose certificate has another signer than before is judged anew", async () => {
  const pki = await makeAuthority("Another Authority");
  const options = { caCerts: [pki.ca.cert], serverName: "server.test" };
  const signed = { subject: "server", hosts: HOSTS, uses: [SERVER_USE] };
  const [good, powerless] = await Promise.all([
    makeCertificate({ subject: "Middle", issuer: pki.ca, authority: true }),
    makeCertificate({ subject: "Middle", issuer: pki.ca, authority: true, keyUsage: 0x80 }),
  ]);
  const start = async (address: Address) =>
    await startTls(await connect(address), { role: "client", ...options });
  const meet = async (certificate: TestCertificate, connectWay: typeof start) => {
    await using server = await startNodeServer(certificate);
    return await deadline(outcome(connectWay(server.address)), PATIENCE_MS);
  };
  const below = (issuer: TestCertificate) =>
    makeCertificate({ ...signed, issuer, chain: [issuer] });
  for (let time = 0; time < 2; time++) assertEquals(await meet(pki.server, start), GREETING);
  const refused = await meet(await below(powerless), start);
  assert(refused instanceof SocketError && refused.kind === "CertificateRejected");
  for (let time = 0; time < 2; time++) {
    assertEquals(await meet(await below(good), start), GREETING);
    const again = await meet(await below(powerless), start);
    assert(again instanceof SocketError && again.kind === "CertificateRejected");
    assert(!again.retryable);
  }
  assertEquals(await meet(pki.server, start), GREETING);
});

Deno.test("T1: connectTls connects again if others have signed a certificate than caCerts, once for each server", async () => {
  const pki = await makeAuthority("A Third Authority");
  const middle = await makeCertificate({ subject: "Middle", issuer: pki.ca, authority: true });
  const signed = { subject: "server", hosts: HOSTS, uses: [SERVER_USE] };
  const rows: [TestCertificate, connections: number[]][] = [
    [pki.server, [1, 2]],
    [await makeCertificate({ ...signed, issuer: middle, chain: [middle] }), [2, 3]],
  ];
  const handshakes: (string | undefined)[] = [];
  using _observing = observe({ handshake: ({ error }) => handshakes.push(error?.kind) });
  for (const [certificate, connections] of rows) {
    await using server = await startNodeServer(certificate);
    for (const most of connections) {
      const options = { caCerts: [pki.ca.cert], serverName: "server.test" };
      const connecting = connectTls(server.address, options);
      assertEquals(await deadline(outcome(connecting), PATIENCE_MS), GREETING);
      // Only the runtime's own TLS can need a second connection.
      assert(server.clients <= most, `${server.clients} connections`);
    }
  }
  // The first of two handshakes is no failure that anybody could do something about.
  assertEquals(handshakes, Array(4).fill(undefined));
});
