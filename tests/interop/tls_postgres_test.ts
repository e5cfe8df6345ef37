/** PostgreSQL over TLS, which begins in mid-stream: our client and its server, psql and our server. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { PostgresClient } from "../../examples/postgres_client.ts";
import {
  closeWrite,
  connect,
  type Connection,
  listen,
  recvExactly,
  send,
  serve,
  SocketError,
  startTls,
} from "../../mod.ts";
import { makeAuthority, makeCertificate } from "../support/certificates.ts";
import { bytesOf } from "../support/text.ts";
import { type Postgres, startPostgres } from "./support/postgres.ts";
import { talk } from "./support/talk.ts";

const SSL_REQUEST = new Uint8Array([0, 0, 0, 8, 4, 210, 22, 47]);
const authority = await makeAuthority();
const { cert, key } = authority.server;

let server: Postgres;
Deno.test.beforeAll(async () => {
  server = await startPostgres({ cert, key });
});
Deno.test.afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

Deno.test("T4: startTls with a PostgreSQL server: queries, a large copy and a cancel", async () => {
  await using client = await PostgresClient.connect(server, {
    user: "postgres",
    tls: { caCerts: [authority.ca.cert], serverName: "server.test" },
  });
  const [{ rows }] = await client.query(
    "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
  );
  assertEquals(rows, [["t", "TLSv1.3"]]);
  let length = 0;
  const copy = "COPY (SELECT repeat('x', 99) FROM generate_series(1, 200000)) TO STDOUT";
  for await (const part of client.copyOut(copy)) length += part.length;
  assertEquals(length, 200_000 * 100);
  const error = await client.query("SELECT pg_sleep(60)", { timeout: 50 }).catch((error) => error);
  assertEquals(error.kind, "TimedOut");
  assertEquals((await client.query("SELECT 7"))[0].rows, [["7"]]);
});

Deno.test("T1: a PostgreSQL server is refused whose certificate is for another host, or of nobody", async () => {
  for (
    const tls of [{ caCerts: [authority.ca.cert], serverName: "other.test" }, {
      serverName: "server.test",
    }]
  ) {
    const error = await PostgresClient.connect(server, { user: "postgres", tls })
      .catch((error) => error);
    assert(error instanceof SocketError, String(error));
    assertEquals(error.kind, "CertificateRejected");
  }
});

/** Relays both directions until both have ended. */
async function relay(one: Connection, other: Connection): Promise<void> {
  const copy = async (from: Connection, to: Connection) => {
    for await (const bytes of from) await send(to, bytes);
    await closeWrite(to);
  };
  await Promise.all([copy(one, other), copy(other, one)]);
}

Deno.test("T1, T4: psql with sslmode=verify-full trusts startTls as a server, and only the right one", async () => {
  const folder = await Deno.makeTempDir({ prefix: "tls-" });
  const root = `${folder}/root.pem`;
  await Deno.writeTextFile(root, authority.ca.cert);
  // psql wants keys that nobody else can read.
  const certificates = { good: authority.client, bad: await makeCertificate({ subject: "bad" }) };
  for (const [name, certificate] of Object.entries(certificates)) {
    await Deno.writeTextFile(`${folder}/${name}.pem`, certificate.cert);
    await Deno.writeTextFile(`${folder}/${name}.key`, certificate.key, { mode: 0o600 });
  }
  const front = await listen({ host: "127.0.0.1", port: 0 });
  const serving = serve(front, async (connection) => {
    assertEquals(await recvExactly(connection, 8), SSL_REQUEST);
    await send(connection, bytesOf("S"));
    const clientCaCerts = [authority.ca.cert];
    const secure = await startTls(connection, { role: "server", cert, key, clientCaCerts });
    await using plain = await connect(server);
    await relay(secure, plain);
  }, { onError: () => {} });
  const query = (host: string, name: string) =>
    talk("psql", [
      `host=${host} hostaddr=127.0.0.1 port=${front.address.port} user=postgres sslmode=verify-full ` +
      `sslrootcert=${root} sslcert=${folder}/${name}.pem sslkey=${folder}/${name}.key`,
      "-XqAt",
      "-c",
      "SELECT repeat('x', 100000)",
    ]);
  try {
    const good = await query("server.test", "good");
    assertEquals(good.output, `${"x".repeat(100_000)}\n`, good.errors);
    const wrongHost = await query("other.test", "good");
    assertMatch(wrongHost.errors, /does not match host name "other.test"/);
    const refused = await query("server.test", "bad");
    assertEquals(refused.output, "");
    assert(refused.code !== 0);
  } finally {
    await serving.shutdown({ timeout: 1000 });
    await Deno.remove(folder, { recursive: true });
  }
});
