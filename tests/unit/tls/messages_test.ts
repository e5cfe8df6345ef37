import process from "node:process";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { deadline } from "@std/async";
import {
  abort,
  accept,
  connect,
  type Connection,
  connectTls,
  listen,
  listenTls,
  recv,
  send,
  SocketError,
  startTls,
} from "../../../mod.ts";
import {
  type CertificateOptions,
  element,
  makeCertificate,
  sequence,
} from "../../support/certificates.ts";
import { bytesOf } from "../../support/text.ts";
import { testAuthority } from "../../support/tls_kinds.ts";
import { startNodeServer } from "../../support/tls_peers.ts";

const PATIENCE_MS = 30_000;
const ON_DENO = "deno" in process.versions;
const LOOPBACK = { host: "127.0.0.1", port: 0 };
const { ca, server, client } = await testAuthority();
const trusted = { caCerts: [ca.cert], serverName: "server.test" };
const CLIENTS = [["runtime", {}], ["engine", { cert: client.cert, key: client.key }]] as const;

async function failureOf(promise: Promise<Connection>): Promise<SocketError> {
  const result = await deadline(promise, PATIENCE_MS).catch((error) => error);
  assert(result instanceof SocketError, "it connected");
  return result;
}

/** The first message of a server, and the words for it. */
type Answer = readonly [what: string, bytes: Iterable<number>, reason: RegExp];

const UNKNOWN_ALERT: Answer = [
  "an alert that nobody knows",
  [21, 3, 3, 0, 2, 2, 99],
  /^the peer sent the alert of number /,
];

const ANSWERS: readonly Answer[] = [
  ["HTTP", bytesOf("HTTP/1.1 400 Bad Request\r\n\r\n"), /^the peer does not speak TLS$/],
  ["SMTP", bytesOf("220 mail ESMTP\r\n"), /^the peer does not speak TLS$/],
  ["a message out of turn", [22, 3, 3, 0, 4, 14, 0, 0, 0], /^the peer sent a message out of turn/],
  ["data before the handshake", [23, 3, 3, 0, 2, 1, 2], /^the peer sent a message out of turn/],
  [
    "a refusal without a reason",
    [21, 3, 3, 0, 2, 2, 40],
    /^the peer sent the alert handshake_failure: it has nothing in common with this side/,
  ],
  [
    "an old version",
    [21, 3, 3, 0, 2, 2, 70],
    /^the peer sent the alert protocol_version: it speaks neither TLS 1.2 nor TLS 1.3$/,
  ],
  [
    "an unknown name",
    [21, 3, 3, 0, 2, 2, 112],
    /^the peer sent the alert unrecogni[sz]ed_name: it does not know the name/,
  ],
  // OpenSSL waits on.
  ...ON_DENO ? [UNKNOWN_ALERT] : [],
];

for (const [engine, own] of CLIENTS) {
  for (const [what, bytes, reason] of ANSWERS) {
    Deno.test(`a client on the ${engine}'s TLS says in plain words that the server sent ${what}`, async () => {
      await using listener = await listen(LOOPBACK);
      const connecting = failureOf(connectTls(listener.address, { ...trusted, ...own }));
      const peer = await accept(listener);
      await recv(peer);
      await send(peer, new Uint8Array([...bytes]));
      const { kind, reason: said } = await connecting;
      abort(peer);
      assertEquals(kind, "TlsFailed");
      assertMatch(said, reason);
    });
  }

  Deno.test(`a client on the ${engine}'s TLS says that no protocol is common`, async () => {
    const { cert, key } = server;
    await using listener = await listenTls(LOOPBACK, { cert, key, alpnProtocols: ["h2"] });
    const options = { ...trusted, ...own, alpnProtocols: ["mqtt"] };
    const { kind, reason } = await failureOf(connectTls(listener.address, options));
    assertEquals(kind, "TlsFailed");
    assertMatch(reason, /alert no_application_protocol: it speaks none of alpnProtocols$/);
  });

  Deno.test(`a client on the ${engine}'s TLS says for whom a certificate is that is for others`, async () => {
    const many = Array.from({ length: 30 }, (_, index) => `h${index}.test`);
    const uri = element(0x86, bytesOf("https://server.test/"));
    const rows: (readonly [Partial<CertificateOptions>, asked: string, words: string])[] = [
      [{ hosts: ["a.test", "10.0.0.1"] }, "server.test", "it is for a.test, 10.0.0.1"],
      [{ hosts: ["*.a.test"] }, "a.test", "it is for *.a.test"],
      [{}, "server.test", "it names nobody"],
      [{ extensions: [["2.5.29.17", sequence(uri), false]] }, "server.test", "it names nobody"],
      [
        { hosts: many },
        "server.test",
        `it is for ${many.slice(0, 10).join(", ")} and 20 others`,
      ],
    ];
    for (const [options, serverName, words] of rows) {
      const certificate = await makeCertificate({ subject: "server.test", issuer: ca, ...options });
      await using peer = await startNodeServer(certificate);
      const connecting = connectTls(peer.address, { ...trusted, ...own, serverName });
      const { kind, reason } = await failureOf(connecting);
      assertEquals(kind, "CertificateRejected");
      const begin = `the peer's certificate is rejected: it is not for "${serverName}"`;
      assertEquals(reason, `${begin}, ${words}`);
    }
  });
}

Deno.test("a server says in plain words that the client sent something else than TLS", async () => {
  await using listener = await listen(LOOPBACK);
  const rows: (readonly [Iterable<number>, reason: string])[] = [
    [bytesOf("GET / HTTP/1.1\r\n\r\n"), "the peer does not speak TLS"],
    [[22, 3, 1, 0, 4, 2, 0, 0, 0], "the peer's first message is no ClientHello"],
    [[22, 3, 1, 0, 6, 1, 0, 0, 2, 3, 3], "the peer's first message is malformed"],
  ];
  for (const [bytes, expected] of rows) {
    const peer = await connect(listener.address);
    const { cert, key } = server;
    const starting = failureOf(startTls(await accept(listener), { role: "server", cert, key }));
    await send(peer, new Uint8Array([...bytes]));
    const { kind, reason } = await starting;
    abort(peer);
    assertEquals([kind, reason], ["TlsFailed", expected]);
  }
});

// On other runtimes the client refuses after its handshake, when the server's is done.
if (ON_DENO) {
  Deno.test("a client's refusal is in plain words on the server", async () => {
    await using listener = await listen(LOOPBACK);
    const stranger = await makeCertificate({ subject: "server", hosts: ["server.test"] });
    const { cert, key } = stranger;
    const connecting = failureOf(connectTls(listener.address, trusted));
    const starting = failureOf(startTls(await accept(listener), { role: "server", cert, key }));
    const rejected = await connecting;
    assertEquals(rejected.kind, "CertificateRejected");
    assertMatch(rejected.reason, /no trusted authority has signed it$/);
    const { kind, reason } = await starting;
    assertEquals(kind, "TlsFailed");
    assertMatch(reason, /unknown_ca: it trusts nobody who has signed this side's certificate$/);
  });
}

Deno.test("a server's refusal is in plain words on the client", async () => {
  const { cert, key } = server;
  await using listener = await listenTls(LOOPBACK, { cert, key, clientCaCerts: [ca.cert] });
  // A server of TLS 1.3 refuses after the client's handshake.
  const refused = await connectTls(listener.address, trusted).then(async (connection) => {
    const error = await recv(connection).catch((error) => error);
    abort(connection);
    return error;
  }, (error) => error);
  assert(refused instanceof SocketError);
  assertEquals(refused.kind, "TlsFailed");
  assertMatch(
    refused.reason,
    /certificate_required: it demands a certificate, so give cert and key$/,
  );
});
