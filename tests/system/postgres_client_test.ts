/** The PostgreSQL example against servers that are malformed, hostile, silent or gone. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { concat } from "@std/bytes/concat";
import {
  abort,
  accept,
  close,
  type Connection,
  listen,
  type Listener,
  recv,
  recvExactly,
  send,
  SocketError,
} from "../../mod.ts";
import { checkCodec } from "../../testing.ts";
import { PostgresClient, type PostgresOptions } from "../../examples/postgres_client.ts";
import {
  encodeMessage,
  messages,
  PostgresError,
  type Reply,
  uint32,
} from "../../examples/postgres_protocol.ts";
import { bytesOf, textOf } from "../support/text.ts";

const WAIT = { timeout: 15_000 };
const KEY = new Uint8Array([0, 0, 0, 7, 1, 2, 3, 4]);
const LOGGED_IN = concat([authentication(0), encodeMessage("K", KEY)]);
const READY = encodeMessage("Z", bytesOf("I"));
const COLUMNS = encodeMessage("T", uint16(1), "a", new Uint8Array(18));
const ROW = encodeMessage("D", uint16(1), uint32(1), bytesOf("1"));
const COMPLETE = encodeMessage("C", "SELECT 1");

function uint16(value: number): Uint8Array {
  return new Uint8Array([value >> 8, value & 255]);
}

function authentication(method: number, data: string = ""): Uint8Array {
  return encodeMessage("R", uint32(method), bytesOf(data));
}

function errorMessage(fields: string): Uint8Array {
  return encodeMessage("E", bytesOf(fields.replaceAll("|", "\0") + "\0\0"));
}

/** A server whose replies the test writes. */
class FakeServer implements AsyncDisposable {
  readonly #listener: Listener;
  readonly #connections: Connection[] = [];
  readonly #clients: PostgresClient[] = [];

  private constructor(listener: Listener) {
    this.#listener = listener;
  }

  static async start(): Promise<FakeServer> {
    return new FakeServer(await listen({ host: "127.0.0.1", port: 0 }));
  }

  /** Begins a login, and gives it with the server's connection after its startup message. */
  async begin(
    options: Partial<PostgresOptions> = {},
  ): Promise<{ login: Promise<PostgresClient>; peer: Connection; startup: Uint8Array }> {
    const all = { user: "me", ...WAIT, ...options };
    const login = PostgresClient.connect(this.#listener.address, all);
    login.catch(() => {});
    const peer = await this.accept();
    return { login, peer, startup: await recvMessage(peer, 0) };
  }

  /** Makes a session that has logged in. */
  async session(options?: Partial<PostgresOptions>): Promise<[PostgresClient, Connection]> {
    const { login, peer } = await this.begin(options);
    await send(peer, [LOGGED_IN, READY]);
    return [await this.own(login), peer];
  }

  /** Ends a client with the server. */
  async own(login: Promise<PostgresClient>): Promise<PostgresClient> {
    const client = await login;
    this.#clients.push(client);
    return client;
  }

  async accept(): Promise<Connection> {
    const connection = await accept(this.#listener, WAIT);
    this.#connections.push(connection);
    return connection;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener[Symbol.asyncDispose]();
    this.#connections.forEach(abort);
    await Promise.all(this.#clients.map((client) => client[Symbol.asyncDispose]()));
  }
}

/** Receives a message whose length begins at `offset`. */
async function recvMessage(peer: Connection, offset: number): Promise<Uint8Array> {
  const header = await recvExactly(peer, offset + 4, WAIT);
  const length = new DataView(header.buffer).getUint32(offset);
  return concat([header, await recvExactly(peer, length - 4, WAIT)]);
}

async function assertKind(request: Promise<unknown>, kind: string): Promise<SocketError> {
  const error = await assertRejects(() => request, SocketError);
  assertEquals(error.kind, kind, error.message);
  return error;
}

Deno.test("the messages are found however the bytes are cut", () => {
  const stream = concat([
    ...[authentication(0), encodeMessage("S", "a", "b"), encodeMessage("K", KEY), READY, COLUMNS],
    encodeMessage("D", uint16(3), uint32(2), bytesOf("é"), uint32(2 ** 32 - 1), uint32(0)),
    ...[COMPLETE, encodeMessage("I"), errorMessage("SERROR|VERROR|C42P01|Mno table")],
    ...[encodeMessage("H", new Uint8Array(3)), encodeMessage("d", bytesOf("1\n"))],
    ...[encodeMessage("c"), encodeMessage("G", new Uint8Array(3)), encodeMessage("N", "note")],
  ]);
  const error = new PostgresError(
    new Map([["S", "ERROR"], ["V", "ERROR"], ["C", "42P01"], ["M", "no table"]]),
  );
  const expected: Reply[] = [
    { kind: "authentication", method: 0, data: new Uint8Array() },
    { kind: "ignored" },
    { kind: "key", key: KEY },
    { kind: "ready" },
    { kind: "columns", columns: ["a"] },
    { kind: "row", row: ["é", null, ""] },
    { kind: "complete", tag: "SELECT 1" },
    { kind: "complete", tag: "" },
    { kind: "error", error },
    { kind: "copyOut" },
    { kind: "copyData", bytes: bytesOf("1\n") },
    { kind: "copyDone" },
    { kind: "copyIn" },
    { kind: "ignored" },
  ];
  checkCodec(messages(1000), stream, expected);
});

Deno.test("the first message is the startup, and each request is a Query", async () => {
  await using server = await FakeServer.start();
  const { login, peer, startup } = await server.begin({ user: "grüß", database: "db" });
  assertEquals(
    startup.subarray(4),
    concat([uint32(0x30000), bytesOf("user\0grüß\0database\0db\0client_encoding\0UTF8\0\0")]),
  );
  await send(peer, [authentication(0), encodeMessage("S", "a", "b"), READY]);
  const client = await server.own(login);
  const request = client.query("SELECT 1");
  assertEquals(await recvMessage(peer, 1), bytesOf("Q\0\0\0\rSELECT 1\0"));
  await send(peer, [COLUMNS, ROW, ROW, COMPLETE, READY]);
  assertEquals(await request, [{ columns: ["a"], rows: [["1"], ["1"]], tag: "SELECT 1" }]);
});

for (
  const [what, bytes] of Object.entries({
    "an unknown type": encodeMessage("?"),
    "a length inside the header": bytesOf("C\0\0\0\x03"),
    "a login": authentication(0),
    "more values than the message has": encodeMessage("D", uint16(2), uint32(1), bytesOf("1")),
    "a value that ends behind the message": encodeMessage("D", uint16(1), uint32(2), bytesOf("1")),
    "a value of negative length": encodeMessage("D", uint16(1), uint32(2 ** 32 - 2), bytesOf("1")),
    "a value that is not UTF-8": encodeMessage("D", uint16(1), uint32(1), new Uint8Array([255])),
    "a row without a number": encodeMessage("D"),
    "a row of more values than columns": encodeMessage("D", uint16(2), uint32(0), uint32(0)),
    "a row without columns": concat([COMPLETE, ROW]),
    "a tag without its zero": encodeMessage("C", bytesOf("SELECT")),
    "bytes behind the tag": encodeMessage("C", "SELECT 1", "more"),
    "columns without an end": encodeMessage("T", uint16(1), bytesOf("a")),
    "an error without an end": encodeMessage("E", bytesOf("SERROR")),
    "rows behind the end": concat([COMPLETE, READY, ROW]),
    "two ends": concat([COMPLETE, READY, READY]),
  })
) {
  Deno.test(`a reply with ${what} is InvalidData, and nothing hangs`, async () => {
    await using server = await FakeServer.start();
    const [client, peer] = await server.session();
    const request = assertKind(client.query("SELECT 1", WAIT), "InvalidData");
    await recvMessage(peer, 1);
    await send(peer, [COLUMNS, ROW, bytes]);
    const error = await request;
    assertEquals(await client.query("SELECT 2").catch((again) => again), error);
  });
}

for (const length of [1001, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]) {
  Deno.test(`a message of ${length} bytes is TooLarge before its bytes come`, async () => {
    await using server = await FakeServer.start();
    const [client, peer] = await server.session({ maxLength: 1000 });
    const request = client.query("SELECT 1", WAIT);
    await send(peer, [bytesOf("D"), uint32(length)]);
    const error = await assertKind(request, "TooLarge");
    assertEquals(await client.query("SELECT 2").catch((again) => again), error);
  });
}

Deno.test("a server that ends the session between or inside messages is UnexpectedEof", async () => {
  await using server = await FakeServer.start();
  for (const bytes of [new Uint8Array(), COLUMNS, ROW.subarray(0, 3), ROW.subarray(0, 8)]) {
    const [client, peer] = await server.session();
    const requests = [1, 2, 3].map((number) => client.query(`SELECT ${number}`, WAIT));
    const errors = Promise.all(requests.map((one) => assertKind(one, "UnexpectedEof")));
    await recvMessage(peer, 1);
    await send(peer, bytes);
    await close(peer);
    assertEquals(new Set(await errors).size, 1);
  }
  const { login, peer } = await server.begin();
  await close(peer);
  await assertKind(login, "UnexpectedEof");
});

Deno.test("an error without fields is a PostgresError, and the session goes on", async () => {
  await using server = await FakeServer.start();
  const [client, peer] = await server.session();
  const failing = client.query("SELECT 1", WAIT);
  await send(peer, [encodeMessage("E", new Uint8Array(1)), READY]);
  assertEquals((await assertRejects(() => failing, PostgresError)).code, "");
  const next = client.query("SELECT 1", WAIT);
  await recvMessage(peer, 1);
  await recvMessage(peer, 1);
  await send(peer, [COMPLETE, READY]);
  assertEquals((await next)[0].tag, "SELECT 1");
});

Deno.test("a request that gives up asks the server to cancel it, and the next drops its replies", async () => {
  await using server = await FakeServer.start();
  const [client, peer] = await server.session();
  const controller = new AbortController();
  const given = assertKind(client.query("SELECT 1", { signal: controller.signal }), "Aborted");
  await recvMessage(peer, 1);
  const next = client.query("SELECT 2", WAIT);
  await send(peer, [COLUMNS, ROW.subarray(0, 3)]);
  controller.abort();
  await given;
  const canceller = await server.accept();
  assertEquals(await recvMessage(canceller, 0), concat([uint32(16), uint32(80877102), KEY]));
  await send(peer, [ROW.subarray(3), errorMessage("SERROR|C57014|Mcancelled"), READY]);
  // Before the server has confirmed it, the cancel could hit the next request.
  await assertKind(recv(peer, { timeout: 50 }), "TimedOut");
  await close(canceller);
  assertEquals(await recvMessage(peer, 1), bytesOf("Q\0\0\0\rSELECT 2\0"));
  await send(peer, [encodeMessage("C", "SELECT 2"), READY]);
  assertEquals((await next)[0].tag, "SELECT 2");
});

Deno.test("a silent server is TimedOut, for a login and for a request", async () => {
  await using server = await FakeServer.start();
  const { login } = await server.begin({ timeout: 20 });
  assertMatch((await assertKind(login, "TimedOut")).message, /^connect: timed out after 20 ms$/);
  const [client] = await server.session();
  await assertKind(client.query("SELECT 1", { timeout: 20 }), "TimedOut");
  await close(await server.accept());
  await assertKind(client.query("SELECT 1", { timeout: 20 }), "TimedOut");
});

Deno.test("the end of a client rejects its requests, also those in the queue", async () => {
  await using server = await FakeServer.start();
  const [client, peer] = await server.session();
  const requests = [1, 2].map((number) => assertKind(client.query(`SELECT ${number}`), "Closed"));
  await recvMessage(peer, 1);
  await client[Symbol.asyncDispose]();
  await Promise.all(requests);
  const [idle, other] = await server.session();
  const ending = idle[Symbol.asyncDispose]();
  assertEquals(await recvMessage(other, 1), bytesOf("X\0\0\0\x04"));
  assertEquals(await recv(other, WAIT), null);
  await close(other);
  await ending;
  await assertKind(idle.query("SELECT 1"), "Closed");
});

/** Answers the first SCRAM message with a challenge that the client's nonce is put into. */
async function challenge(peer: Connection, text: string): Promise<void> {
  await send(peer, authentication(10, "SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"));
  const first = textOf(await recvMessage(peer, 1))!;
  const [, nonce] = /^p\0\0\0.SCRAM-SHA-256\0\0\0\0.n,,n=,r=([\w+/]{24})$/s.exec(first)!;
  await send(peer, authentication(11, text.replace("NONCE", nonce)));
}

const PROOF = /^p\0\0\0.c=biws,r=[\w+/]{24}more,p=[\w+/]{43}=$/s;

for (
  const [what, lastMessages] of Object.entries({
    "a wrong proof": [authentication(12, `v=${"A".repeat(43)}=`)],
    "an empty proof": [authentication(12, "")],
    "an error instead of a proof": [authentication(12, "e=other-error")],
    "no proof": [authentication(0), READY],
    "an end without a login": [READY],
  })
) {
  Deno.test(`a SCRAM server with ${what} is refused`, async () => {
    await using server = await FakeServer.start();
    const { login, peer } = await server.begin({ password: "secret" });
    await challenge(peer, "r=NONCEmore,s=AAAA,i=4096");
    assertMatch(textOf(await recvMessage(peer, 1))!, PROOF);
    await send(peer, lastMessages);
    const error = await assertRejects(() => login, SocketError);
    assert(error.kind === "InvalidData" || error.kind === "Unsupported", error.message);
    assertEquals(await recv(peer, WAIT), null);
  });
}

for (
  const [text, kind] of [
    ["r=NONCE,s=AAAA,i=4096", "InvalidData"],
    ["r=moreNONCE,s=AAAA,i=4096", "InvalidData"],
    ["r=NONCEmore,s=A,i=4096", "InvalidData"],
    ["r=NONCEmore,s=AAAA,i=0", "InvalidData"],
    ["r=NONCEmore,s=AAAA,i=-1", "InvalidData"],
    ["r=NONCEmore,s=AAAA,i=100001", "TooLarge"],
    ["r=NONCEmore,s=AAAA", "InvalidData"],
    ["m=x,r=NONCEmore,s=AAAA,i=4096", "InvalidData"],
    ["", "InvalidData"],
  ]
) {
  Deno.test(`a SCRAM challenge ${JSON.stringify(text)} is ${kind}, and gets no proof`, async () => {
    await using server = await FakeServer.start();
    const { login, peer } = await server.begin({ password: "secret" });
    await challenge(peer, text);
    await assertKind(login, kind);
    assertEquals(await recv(peer, WAIT), null);
  });
}

for (
  const [what, request] of Object.entries({
    "the password itself": authentication(3),
    "an MD5 hash": authentication(5, "salt"),
    "an unknown method": authentication(99),
    "SCRAM-SHA-256-PLUS only": authentication(10, "SCRAM-SHA-256-PLUS\0\0"),
    "a proof without a challenge": authentication(11, "r=a,s=AAAA,i=4096"),
    "nothing but a check of its proof": authentication(12, "v="),
  })
) {
  Deno.test(`a server that asks for ${what} gets nothing of the password`, async () => {
    await using server = await FakeServer.start();
    const { login, peer } = await server.begin({ password: "secret" });
    await send(peer, request);
    await assertKind(login, "Unsupported");
    assertEquals(await recv(peer, WAIT), null);
  });
}

Deno.test("a server that challenges twice gets one proof", async () => {
  await using server = await FakeServer.start();
  const { login, peer } = await server.begin({ password: "secret" });
  await challenge(peer, "r=NONCEmore,s=AAAA,i=4096");
  const [, nonce] = /r=([\w+/]{24})more/.exec(textOf(await recvMessage(peer, 1))!)!;
  await send(peer, authentication(11, `r=${nonce}more,s=AAAB,i=1`));
  await assertKind(login, "InvalidData");
  assertEquals(await recv(peer, WAIT), null);
});
