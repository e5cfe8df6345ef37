/** PostgreSQL's protocol with the original server and psql: the example's client gets what psql gets. */
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { concat } from "@std/bytes/concat";
import { equals } from "@std/bytes/equals";
import { SocketError } from "../../mod.ts";
import { PostgresClient, type PostgresOptions } from "../../examples/postgres_client.ts";
import { PostgresError } from "../../examples/postgres_protocol.ts";
import { bytesOf, textOf } from "../support/text.ts";
import { Example } from "../system/support/example.ts";
import { type Postgres, startPostgres } from "./support/postgres.ts";

const PATIENCE_MS = 30_000;

/** Copies rows of about 107 bytes. */
function copyRows(count: number): string {
  return `COPY (SELECT i, repeat('x', 100) FROM generate_series(1, ${count}) i) TO STDOUT`;
}

/** 54 MB, far more than the buffers of the kernel. */
const LARGE_COPY = copyRows(500_000);

let server: Postgres;
Deno.test.beforeAll(async () => {
  server = await startPostgres();
});
Deno.test.afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

function login(options: Partial<PostgresOptions> = {}, { host, port } = server) {
  return PostgresClient.connect({ host, port }, { user: "postgres", ...options });
}

/** Gives all bytes of an iteration, and the error that ended it. */
async function collect(source: AsyncIterable<Uint8Array>): Promise<[Uint8Array, unknown]> {
  const parts: Uint8Array[] = [];
  try {
    for await (const part of source) parts.push(part);
  } catch (error) {
    return [concat(parts), error];
  }
  return [concat(parts), undefined];
}

async function firstValue(client: PostgresClient, sql: string): Promise<string | null> {
  const [{ rows }] = await client.query(sql, { timeout: PATIENCE_MS });
  return rows[0]?.[0] ?? null;
}

/** Waits until a statement gives a row. */
async function waitRow(client: PostgresClient, sql: string): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (await firstValue(client, sql) === null) {
    if (performance.now() > end) throw new Error(`no row: ${sql}`);
    await client.query("SELECT pg_sleep(0.01)");
  }
}

async function processOf(client: PostgresClient): Promise<number> {
  return Number(await firstValue(client, "SELECT pg_backend_pid()"));
}

function waitActive(client: PostgresClient, process: number): Promise<void> {
  const sql = `SELECT 1 FROM pg_stat_activity WHERE pid = ${process} AND state = 'active'`;
  return waitRow(client, `${sql} AND wait_event = 'PgSleep'`);
}

/** Asserts that a request fails with a server's error, and gives it. */
async function assertCode(request: Promise<unknown>, code: string): Promise<PostgresError> {
  const error = await assertRejects(() => request, PostgresError);
  assertEquals(error.code, code, error.message);
  return error;
}

async function assertKind(request: Promise<unknown>, kind: string): Promise<SocketError> {
  const error = await assertRejects(() => request, SocketError);
  assertEquals(error.kind, kind, error.message);
  return error;
}

Deno.test("a query gives the columns, the rows with NULL, and the tag of each statement", async () => {
  await using client = await login();
  const results = await client.query(`
    CREATE TEMPORARY TABLE t (number int, name text);
    INSERT INTO t VALUES (1, 'one'), (NULL, ''), (-3, NULL);
    SELECT *, true AS "a column" FROM t;
    SELECT FROM t; TABLE t LIMIT 0; UPDATE t SET number = 0;
  `);
  assertEquals(results, [
    { columns: [], rows: [], tag: "CREATE TABLE" },
    { columns: [], rows: [], tag: "INSERT 0 3" },
    {
      columns: ["number", "name", "a column"],
      rows: [["1", "one", "t"], [null, "", "t"], ["-3", null, "t"]],
      tag: "SELECT 3",
    },
    { columns: [], rows: [[], [], []], tag: "SELECT 3" },
    { columns: ["number", "name"], rows: [], tag: "SELECT 0" },
    { columns: [], rows: [], tag: "UPDATE 3" },
  ]);
  assertEquals(await client.query(""), [{ columns: [], rows: [], tag: "" }]);
});

Deno.test("texts come back as they were sent, in every script and with more than 1 MiB", async () => {
  await using client = await login();
  for (const text of ["grüße\r\n\t\\N", "日本語 🦀 e\u0301", "\ufeffmark", "é".repeat(1_000_000)]) {
    const [{ columns, rows }] = await client.query(`SELECT '${text}' AS "größe 🦀"`);
    assertEquals(columns, ["größe 🦀"]);
    assert(rows[0][0] === text, text.slice(0, 20));
  }
});

Deno.test("100,000 rows are those that psql gets", async () => {
  await using client = await login();
  const sql = "SELECT i, md5(i::text), CASE WHEN i % 3 > 0 THEN i * i END " +
    "FROM generate_series(1::bigint, 100000) i";
  const [{ rows, tag }] = await client.query(sql);
  assertEquals([rows.length, tag], [100_000, "SELECT 100000"]);
  const text = rows.map((row) => row.map((value) => value ?? "").join("|") + "\n").join("");
  assert(text === textOf(await server.psql(sql)));
});

Deno.test("an error has its SQLSTATE, undoes its query, and the session goes on", async () => {
  await using client = await login();
  const error = await assertCode(client.query("SELECT * FROM none"), "42P01");
  assertEquals(error.message, 'ERROR: relation "none" does not exist (42P01)');
  assertEquals([error.fatal, error.fields.get("P")], [false, "15"]);
  await client.query("CREATE TEMPORARY TABLE t (n int)");
  await assertCode(client.query("INSERT INTO t VALUES (1); SELECT 1 / 0; SELECT 2"), "22012");
  await assertCode(client.query("SELEC"), "42601");
  assertEquals(await firstValue(client, "SELECT count(*) FROM t"), "0");
});

Deno.test("notices, parameters and notifications do not disturb the replies", async () => {
  await using client = await login();
  await client.query("LISTEN news");
  const tags = await client.query(
    "DO $$ BEGIN RAISE NOTICE 'look'; END $$; SET application_name = 'me'; NOTIFY news; SELECT 1",
  );
  assertEquals(tags.map(({ tag }) => tag), ["DO", "SET", "NOTIFY", "SELECT 1"]);
  assertEquals(await firstValue(client, "SHOW application_name"), "me");
});

Deno.test("requests wait for one another in their order, also after one that fails", async () => {
  await using client = await login();
  await client.query("CREATE TEMPORARY SEQUENCE s");
  const requests = Array.from({ length: 200 }, (_, index) => {
    return index % 50 === 7
      ? assertCode(client.query("SELECT 1 / 0"), "22012").then(() => "failed")
      : firstValue(client, "SELECT nextval('s')");
  });
  let next = 1;
  const expected = requests.map((_, index) => index % 50 === 7 ? "failed" : `${next++}`);
  assertEquals(await Promise.all(requests), expected);
});

Deno.test("COPY TO STDOUT gives byte for byte what psql gets, as text and binary", async () => {
  await using client = await login();
  for (const sql of [copyRows(150_000), `${copyRows(150_000)} (FORMAT binary)`]) {
    const [bytes, error] = await collect(client.copyOut(sql));
    assertEquals(error, undefined);
    assert(bytes.length > 15_000_000);
    assert(equals(bytes, await server.psql(sql)));
  }
  assertEquals(await collect(client.copyOut("COPY (SELECT 1 LIMIT 0) TO STDOUT")), [
    new Uint8Array(),
    undefined,
  ]);
});

Deno.test("an error in mid-copy comes after all rows before it, and the session goes on", async () => {
  await using client = await login();
  const sql = "COPY (SELECT i / (100000 - i) FROM generate_series(1, 200000) i) TO STDOUT";
  const [bytes, error] = await collect(client.copyOut(sql));
  assert(error instanceof PostgresError);
  assertEquals(error.code, "22012");
  const rows = Array.from({ length: 99_999 }, (_, index) => {
    return `${Math.trunc((index + 1) / (99_999 - index))}\n`;
  });
  assert(textOf(bytes) === rows.join(""));
  assertEquals(await firstValue(client, "SELECT 1"), "1");
});

Deno.test("a reader that pauses holds the server back, and loses nothing", async () => {
  await using client = await login();
  await using watcher = await login();
  const process = await processOf(client);
  const copy = client.copyOut(LARGE_COPY);
  const parts = [(await copy.next()).value!];
  // The server waits for room, and has copied nothing more between two looks.
  await watcher.query("CREATE TEMPORARY TABLE seen (bytes bigint)");
  const held = `SELECT bytes_processed FROM pg_stat_progress_copy
    JOIN pg_stat_activity USING (pid) WHERE pid = ${process} AND wait_event = 'ClientWrite'`;
  await waitRow(watcher, `INSERT INTO seen ${held} RETURNING 1`);
  await waitRow(
    watcher,
    `WITH now (bytes) AS (${held}), last AS (DELETE FROM seen RETURNING bytes),
      next AS (INSERT INTO seen SELECT bytes FROM now)
    SELECT 1 FROM now, last WHERE now.bytes = last.bytes`,
  );
  const copied = Number(await firstValue(watcher, "SELECT bytes FROM seen"));
  assert(copied < 27_000_000, `${copied} bytes of 54 MB are copied`);
  for await (const part of copy) parts.push(part);
  const text = "x".repeat(100);
  const rows = Array.from({ length: 500_000 }, (_, index) => `${index + 1}\t${text}\n`);
  assert(textOf(concat(parts)) === rows.join(""));
});

Deno.test("a copy whose iteration is left is cancelled, and the session goes on", async () => {
  await using client = await login();
  const endless = "COPY (SELECT generate_series(1, 1000000000000)) TO STDOUT";
  for await (const bytes of client.copyOut(endless)) {
    assertMatch(textOf(bytes)!, /^1\n2\n/);
    break;
  }
  assertEquals(await firstValue(client, "SELECT 1"), "1");
});

Deno.test("COPY and other statements in the wrong call are refused, and the session goes on", async () => {
  await using client = await login();
  await assertKind(client.query(LARGE_COPY), "InvalidInput");
  await assertKind(client.copyOut("SELECT 1").next(), "InvalidInput");
  await client.query("CREATE TEMPORARY TABLE t (n int)");
  await assertCode(client.query("COPY t FROM STDIN"), "57014");
  await assertKind(client.query("SELECT '\0'"), "InvalidInput");
  assertEquals(await firstValue(client, "SELECT count(*) FROM t"), "0");
});

Deno.test("a request that gives up is cancelled at the server, and the session goes on", async () => {
  await using client = await login();
  await using watcher = await login();
  const process = await processOf(client);
  const controller = new AbortController();
  const request = client.query("SELECT pg_sleep(3600)", { signal: controller.signal });
  const aborted = assertKind(request, "Aborted");
  await waitActive(watcher, process);
  controller.abort(new Error("enough"));
  assertEquals(((await aborted).cause as Error).message, "enough");
  const timed = client.query("SELECT pg_sleep(3600)", { timeout: 50 });
  assertEquals((await assertKind(timed, "TimedOut")).message, "query: timed out after 50 ms");
  assertEquals(await firstValue(client, "SELECT 1"), "1");
});

Deno.test("a request that gives up in the queue is never sent", async () => {
  await using client = await login();
  await client.query("CREATE TEMPORARY TABLE t (n int)");
  const controller = new AbortController();
  const first = assertKind(
    client.query("SELECT pg_sleep(3600)", { signal: controller.signal }),
    "Aborted",
  );
  const second = client.query("INSERT INTO t VALUES (2)", { timeout: 20 });
  const third = client.query("INSERT INTO t VALUES (3)");
  await assertKind(second, "TimedOut");
  controller.abort();
  await first;
  await third;
  assertEquals((await client.query("TABLE t"))[0].rows, [["3"]]);
});

Deno.test("passwords are proved with SCRAM, or sent if that is allowed; wrong ones are refused", async () => {
  {
    await using client = await login();
    await client.query(`
      CREATE ROLE scram LOGIN PASSWORD 'p@ss wörd'; CREATE ROLE cleartext LOGIN PASSWORD 'secret';
      SET password_encryption = md5; CREATE ROLE md5 LOGIN PASSWORD 'secret';
    `);
  }
  const database = "postgres";
  for (
    const options of [
      { user: "scram", password: "p@ss wörd" },
      // The same text in another normal form.
      { user: "scram", password: "p@ss wo\u0308rd" },
      { user: "cleartext", password: "secret", allowCleartext: true },
    ]
  ) {
    await using client = await login({ database, ...options });
    assertEquals(await firstValue(client, "SELECT current_user"), options.user);
  }
  const wrong = { database, password: "wrong", allowCleartext: true };
  await assertCode(login({ user: "scram", ...wrong }), "28P01");
  await assertCode(login({ user: "cleartext", ...wrong }), "28P01");
  await assertCode(login({ user: "nobody" }), "28000");
  await assertCode(login({ database: "none" }), "3D000");
  await assertKind(login({ user: "scram", database }), "Unsupported");
  await assertKind(login({ user: "cleartext", database, password: "secret" }), "Unsupported");
  await assertKind(login({ user: "md5", database, password: "secret" }), "Unsupported");
});

Deno.test("a message over the limit is TooLarge, and ends the session", async () => {
  await using client = await login({ maxLength: 10_000 });
  await assertKind(client.query(`SELECT '${"x".repeat(10_000)}'`), "TooLarge");
  assertEquals(await firstValue(client, "SELECT length(repeat('x', 9000))"), "9000");
  const error = await assertKind(client.query("SELECT repeat('x', 10000)"), "TooLarge");
  assertMatch(error.message, /the frame has 10011 bytes, at most 10000 are allowed/);
  assertEquals(await client.query("SELECT 1").catch((again) => again), error);
});

Deno.test("a session that an administrator ends says so, and says the same again", async () => {
  await using client = await login();
  await using idle = await login();
  await using other = await login();
  const [process, idleProcess] = [await processOf(client), await processOf(idle)];
  const running = assertCode(client.query("SELECT pg_sleep(3600)"), "57P01");
  const waiting = assertCode(client.query("SELECT 1"), "57P01");
  await waitActive(other, process);
  await other.query(
    `SELECT pg_terminate_backend(pid) FROM unnest(ARRAY[${process}, ${idleProcess}]) pid`,
  );
  const error = await running;
  assert(error.fatal);
  assertEquals(await waiting, error);
  await waitRow(
    other,
    `SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = ${idleProcess})`,
  );
  await assertCode(idle.query("SELECT 1"), "57P01");
  await assertCode(idle.query("SELECT 1"), "57P01");
});

Deno.test("a server that is killed in mid-query or mid-copy is a SocketError, and nothing hangs", async () => {
  await using mortal = await startPostgres();
  await using sleeper = await login({}, mortal);
  await using copier = await login({}, mortal);
  await using watcher = await login({}, mortal);
  const process = await processOf(sleeper);
  const copy = copier.copyOut(LARGE_COPY);
  await copy.next();
  const running = sleeper.query("SELECT pg_sleep(3600)").catch((error) => error);
  const waiting = sleeper.query("SELECT 1").catch((error) => error);
  await waitActive(watcher, process);
  // The system ends the sessions of all clients if one is killed.
  Deno.kill(process, "SIGKILL");
  const error = await running;
  assert(error instanceof SocketError);
  assert(["UnexpectedEof", "ConnectionReset"].includes(error.kind), error.message);
  assertEquals(await waiting, error);
  assertEquals(await sleeper.query("SELECT 1").catch((error) => error), error);
  const [, cut] = await collect(copy);
  assert(cut instanceof SocketError || cut instanceof PostgresError && cut.fatal, `${cut}`);
});

Deno.test("the program prints rows, streams copies, and reports errors in one line", async () => {
  const { host, port } = server;
  const url = `postgres://postgres@${host}:${port}/postgres`;
  const run = (sql: string) => Example.run("postgres_client", url, sql);
  assertEquals(await run("SELECT 1 AS a, NULL AS b; CREATE TEMPORARY TABLE t ()"), {
    code: 0,
    output: "a\tb\n1\t\\N\nSELECT 1\n\nCREATE TABLE\n",
  });
  const { code, output } = await run("COPY (SELECT generate_series(1, 100000)) TO STDOUT");
  assertEquals(code, 0);
  assert(equals(bytesOf(output), await server.psql("SELECT generate_series(1, 100000)")));
  await using failing = Example.start("postgres_client", url, "SELECT 1 / 0");
  assertEquals(await failing.end(), 1);
  assertEquals(await failing.errors(), "ERROR: division by zero (22012)\n");
  await using wrong = Example.start("postgres_client", "127.0.0.1:5432");
  assertEquals(await wrong.end(), 2);
  assertStringIncludes(await wrong.errors(), "arguments are postgres://");
});
