import { assert, assertEquals } from "@std/assert";
import {
  abort,
  accept,
  close,
  connect,
  type Connection,
  connectTls,
  listen,
  type Listener,
  listenTls,
  recv,
  send,
  SocketError,
  type TlsServerOptions,
} from "../../../mod.ts";
import { makeCertificate } from "../../support/certificates.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { testAuthority } from "../../support/tls_kinds.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };
const HANDSHAKE_RECORD = 22;
const ALERT_RECORD = 21;
const { ca, client, server: { cert, key } } = await testAuthority();
const trusted = { caCerts: [ca.cert], serverName: "server.test" };

/** The extensions without which a server goes no further: groups and signature algorithms. */
const COMPLETE = [0, 10, 0, 4, 0, 2, 0, 0x17, 0, 13, 0, 6, 0, 4, 4, 3, 8, 4];

/** Writes the first message of a client of TLS 1.2, which asks for a host. */
function helloMessage(serverName: string, others: readonly number[] = []): number[] {
  const name = bytesOf(serverName);
  const { length } = name;
  const extension = [0, 0, 0, length + 5, 0, length + 3, 0, 0, length, ...name, ...others];
  const suites = [0, 4, 0xc0, 0x2b, 0xc0, 0x2c];
  const random = new Array(32).fill(7);
  const body = [3, 3, ...random, 0, ...suites, 1, 0, 0, extension.length, ...extension];
  return [1, 0, body.length >> 8, body.length & 0xff, ...body];
}

function record(content: readonly number[]): number[] {
  return [HANDSHAKE_RECORD, 3, 1, content.length >> 8, content.length & 0xff, ...content];
}

/** Sends bytes to a server, and receives until it ends the connection. */
async function answerTo(listener: Listener, bytes: Uint8Array): Promise<number[]> {
  const connection = await connect(listener.address);
  const received: number[] = [];
  try {
    await send(connection, bytes);
    for await (const part of connection) received.push(...part);
  } catch {
    // The server reset the connection, since it had not taken all of the bytes.
  }
  abort(connection);
  return received;
}

/** Checks that a server still serves those whom it should. */
async function assertServes(listener: Listener, options = trusted): Promise<void> {
  const connecting = connectTls(listener.address, options);
  const [near, far] = await Promise.all([connecting, acceptFrom(listener, connecting)]);
  await send(far, bytesOf("hello"));
  assertEquals(textOf(await recv(near)), "hello");
  await Promise.all([close(near), close(far)]);
}

/** Accepts one client, and drops those that have left after their handshakes. */
async function acceptFrom(
  listener: Listener,
  connecting: Promise<Connection>,
): Promise<Connection> {
  for (;;) {
    const connection = await accept(listener);
    if (connection.remoteAddress.port === (await connecting).localAddress.port) return connection;
    abort(connection);
  }
}

Deno.test("certificateFor is not asked for what is no host name", async () => {
  const asked: string[] = [];
  const certificateFor = (serverName: string) => {
    asked.push(serverName);
    return undefined;
  };
  await using listener = await listenTls(LOOPBACK, { cert, key, certificateFor });
  const names = ["..", "...", ".", "..a", "a..b", ".a", "a/b", "a\\b", "a\0b", "a b", "", "*.a"];
  for (const serverName of [...names, "x".repeat(64)]) {
    const hello = new Uint8Array(record(helloMessage(serverName)));
    const answer = await answerTo(listener, hello);
    assertEquals(answer[0], ALERT_RECORD, serverName);
  }
  assertEquals(asked, []);
  await answerTo(listener, new Uint8Array(record(helloMessage("A.Server.Test"))));
  assertEquals(asked, ["a.server.test"]);
});

Deno.test("T3: a client that speaks something else gets nothing, and the server goes on", async () => {
  await using listener = await listenTls(LOOPBACK, { cert, key });
  const good = helloMessage("server.test");
  const large = new Array(16_384).fill(0);
  const first: Record<string, readonly number[]> = {
    "HTTP": [...bytesOf("GET / HTTP/1.1\r\nHost: server.test\r\n\r\n")],
    "an SSL 2 hello": [0x80, 0x2e, 1, 3, 1, 0, 0x15, 0, 0, 0, 0x10, ...new Array(37).fill(1)],
    "zeros": new Array(100).fill(0),
    "ones": new Array(100).fill(255),
    "an alert": [ALERT_RECORD, 3, 1, 0, 2, 2, 40],
    "data": [23, 3, 3, 0, 2, 1, 1],
    "a ServerHello": record([2, ...good.slice(1)]),
    "an empty record": record([]),
    "a message that is too long": record([1, 0x0f, 0xff, 0xff, ...good]),
    "1 MiB": [...record([1, 0x0f, 0xff, 0xff, ...large.slice(4)]), ...new Array(1 << 20).fill(0)],
    "records of one byte": new Array(1000).fill(record([1])).flat(),
    "lengths that are wrong": record([1, 0, 0, 40, 3, 3, ...new Array(38).fill(255)]),
  };
  for (const [what, bytes] of Object.entries(first)) {
    assertEquals(await answerTo(listener, new Uint8Array(bytes)), [], what);
  }
  await assertServes(listener);
});

Deno.test("T3: a first message may come byte by byte, and in several records", async () => {
  const asked: string[] = [];
  const certificateFor = (serverName: string) => {
    asked.push(serverName);
    return undefined;
  };
  await using listener = await listenTls(LOOPBACK, { cert, key, certificateFor });
  const hello = helloMessage("server.test");
  for (const bytes of [record(hello), [...record(hello.slice(0, 3)), ...record(hello.slice(3))]]) {
    const connection = await connect(listener.address);
    for (const byte of bytes) await send(connection, new Uint8Array([byte]));
    assert(await recv(connection) !== null);
    abort(connection);
  }
  assertEquals(asked, ["server.test", "server.test"]);
});

/** The beginning of a message of 65,535 bytes and more, of which each record brings one byte. */
const ENDLESS_RECORDS = new Uint8Array(
  new Array(10_000).fill([HANDSHAKE_RECORD, 3, 3, 0, 1, 0]).flat(),
);
/** Far more than sockets hold, and than a handshake has (bytes). */
const MOST_BYTES = 32 << 20;

/** Sends records without end, and returns true if the peer goes before it has taken far too much. */
async function isDropped(connection: Connection, beginning: Uint8Array): Promise<boolean> {
  try {
    await send(connection, beginning);
    for (let sent = 0; sent < MOST_BYTES; sent += ENDLESS_RECORDS.length) {
      await send(connection, ENDLESS_RECORDS);
    }
    return false;
  } catch (error) {
    return error instanceof SocketError;
  } finally {
    abort(connection);
  }
}

Deno.test("T3: a client whose messages do not end is dropped before they fill the memory", async () => {
  await using listener = await listenTls(LOOPBACK, { cert, key, handshakeTimeout: 60_000 });
  const hello = record(helloMessage("server.test", COMPLETE));
  const message = record([16, 0, 0xff, 0xff]);
  assert(await isDropped(await connect(listener.address), new Uint8Array([...hello, ...message])));
  await assertServes(listener);
});

Deno.test("T3: a server whose messages do not end is left before they fill the memory", async () => {
  for (const own of [{}, { cert: client.cert, key: client.key }]) {
    await using listener = await listen(LOOPBACK);
    const connecting = connectTls(listener.address, {
      ...trusted,
      ...own,
      handshakeTimeout: 60_000,
    })
      .then(() => "in", ({ kind }) => kind);
    const message = new Uint8Array(record([2, 0, 0xff, 0xff]));
    assert(await isDropped(await accept(listener), message));
    assertEquals(await connecting, "TlsFailed");
  }
});

Deno.test("T4: bytes right behind the first message are none of the session's", async () => {
  await using listener = await listenTls(LOOPBACK, { cert, key });
  const hello = record(helloMessage("server.test"));
  const answer = await answerTo(listener, new Uint8Array([...hello, ...bytesOf("DROP TABLE")]));
  assert(answer.length === 0 || answer[0] === ALERT_RECORD, String(answer));
  await assertServes(listener);
});

Deno.test("T3: a certificateFor that gives rubbish, or never anything, costs its own client only", async () => {
  const other = await makeCertificate({ subject: "other", issuer: ca, hosts: ["other.test"] });
  const given: Record<string, unknown> = {
    "null": null,
    "a number": 5,
    "a text": cert,
    "nothing": {},
    "no PEM": { cert: "a", key: "b" },
    "another's key": { cert, key: client.key },
    "another host's certificate": { cert: other.cert, key: other.key },
    "no answer": new Promise(() => {}),
  };
  for (const [what, value] of Object.entries(given)) {
    const options = {
      cert,
      key,
      handshakeTimeout: 5000,
      certificateFor: (serverName: string) => serverName === "server.test" ? value : undefined,
    } as TlsServerOptions;
    if (what === "no answer") Object.assign(options, { handshakeTimeout: 200 });
    await using listener = await listenTls(LOOPBACK, options);
    const kind = await connectTls(listener.address, trusted).then(() => "in", ({ kind }) => kind);
    const expected = ["UnexpectedEof", "ConnectionReset", "CertificateRejected"];
    assert(expected.includes(kind), `${what}: ${kind}`);
    if (what !== "no answer") await assertServes(listener, { ...trusted, serverName: "localhost" });
  }
});
