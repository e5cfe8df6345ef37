import { assert, assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import {
  abort,
  close,
  type Connection,
  connectionOver,
  encodeProxyHeader,
  type EncodeProxyHeaderOptions,
  type ProxyHeaderInit,
  recv,
  recvExactly,
  recvProxyHeader,
  send,
} from "../../../mod.ts";
import { ascii, rawV2 } from "../../support/proxy_bytes.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";

const PEER = { host: "10.0.0.1", port: 4000 };
const CLIENT = { host: "192.0.2.1", port: 56324 };
const TARGET = { host: "2001:db8::2", port: 443 };

function scripted(): [Connection, ScriptedTransport] {
  const remoteAddr: Deno.NetAddr = { transport: "tcp", hostname: PEER.host, port: PEER.port };
  const transport = new ScriptedTransport({ remoteAddr });
  return [connectionOver(transport), transport];
}

/** Makes a connection on which these bytes come in one read. */
async function receiving(...bytes: Uint8Array[]): Promise<Connection> {
  const [connection, transport] = scripted();
  const first = recv(connection, { maxBytes: 1 });
  (await transport.nextRead()).give(concat([bytesOf("!"), ...bytes]));
  await first;
  return connection;
}

const HEADER: ProxyHeaderInit = { source: CLIENT, destination: { host: "192.0.2.2", port: 443 } };

for (const version of [1, 2] as const) {
  Deno.test(`P4: a header of version ${version} makes remoteAddress the client's`, async () => {
    const connection = await receiving(encodeProxyHeader(HEADER, { version }), bytesOf("rest"));
    assertEquals(connection.remoteAddress, PEER);
    const header = await soon(recvProxyHeader(connection));
    assertEquals([header.version, header.command, header.transport], [version, "PROXY", "tcp"]);
    assertEquals([header.source, header.destination], [CLIENT, HEADER.destination]);
    assertEquals(header.peer, PEER);
    assertEquals(connection.remoteAddress, CLIENT);
    assert(Object.isFrozen(header) && Object.isFrozen(connection.remoteAddress));
    assertEquals(textOf(await soon(recv(connection))), "rest");
  });

  const unknown: readonly (readonly [string, ProxyHeaderInit])[] = [
    ["without addresses", {}],
    ...version === 1 ? [] : [["LOCAL", { command: "LOCAL" }] as const],
  ];
  for (const [what, init] of unknown) {
    Deno.test(`P4: a header of version ${version} ${what} leaves remoteAddress the peer's`, async () => {
      const connection = await receiving(encodeProxyHeader(init, { version }), bytesOf("rest"));
      const header = await soon(recvProxyHeader(connection));
      assertEquals([header.source, header.peer], [undefined, PEER]);
      assertEquals(connection.remoteAddress, PEER);
      assertEquals(textOf(await soon(recv(connection))), "rest");
    });
  }

  Deno.test(`P2: a header of version ${version} that comes a byte at a time is read, and nothing behind it`, async () => {
    const [connection, transport] = scripted();
    const bytes = encodeProxyHeader(HEADER, { version });
    const receiving = recvProxyHeader(connection);
    for (const byte of bytes) (await transport.nextRead()).give(Uint8Array.of(byte));
    assertEquals((await soon(receiving)).source, CLIENT);
    assertEquals([transport.reads, connection.bytesReceived], [bytes.length, bytes.length]);
  });

  Deno.test(`P2: a header of version ${version} that ends too early is UnexpectedEof at every byte`, async () => {
    const bytes = encodeProxyHeader(HEADER, { version });
    for (let cut = 0; cut < bytes.length; cut++) {
      const [connection, transport] = scripted();
      const receiving = recvProxyHeader(connection);
      if (cut > 0) (await transport.nextRead()).give(bytes.subarray(0, cut));
      (await transport.nextRead()).end();
      const error = await rejection(() => receiving, "UnexpectedEof", "recvProxyHeader");
      assertEquals(
        error.message,
        `recvProxyHeader 10.0.0.1:4000: the stream ended inside the PROXY header, after ${cut} bytes`,
      );
      assertEquals(connection.remoteAddress, PEER);
      assertEquals(await soon(recv(connection)), cut === 0 ? null : bytes.subarray(0, cut));
    }
  });

  Deno.test(`P2: over TCP the bytes behind a header of version ${version} stay in the stream`, async () => {
    await using pair = await tcpPair();
    const { client, server } = pair;
    const real = server.remoteAddress;
    await send(client, concat([encodeProxyHeader(HEADER, { version }), bytesOf("hello")]));
    const header = await soon(recvProxyHeader(server, { timeout: 20_000 }));
    assertEquals([header.peer, server.remoteAddress], [real, CLIENT]);
    assertEquals(textOf(await soon(recvExactly(server, 5))), "hello");
    await send(server, bytesOf("back"));
    assertEquals(textOf(await soon(recv(client))), "back");
  });
}

Deno.test("P4: errors after a header name the client, as remoteAddress does", async () => {
  const connection = await receiving(encodeProxyHeader(HEADER, { version: 2 }));
  await soon(recvProxyHeader(connection));
  const error = await rejection(() => recv(connection, { timeout: 0 }), "TimedOut", "recv");
  assertEquals(error.message, "recv 192.0.2.1:56324: timed out after 0 ms");
  abort(connection);
  const closed = await rejection(() => recvProxyHeader(connection), "Closed", "recvProxyHeader");
  assertEquals(closed.address, CLIENT);
});

Deno.test("P4: a second header comes from the next proxy: the peer stays the same", async () => {
  const second = { source: TARGET, destination: TARGET };
  const connection = await receiving(
    encodeProxyHeader(HEADER, { version: 1 }),
    encodeProxyHeader(second, { version: 2 }),
  );
  await soon(recvProxyHeader(connection));
  const header = await soon(recvProxyHeader(connection));
  assertEquals([header.peer, header.source, connection.remoteAddress], [PEER, TARGET, TARGET]);
});

Deno.test("P4: a connection without an address gets the client's, and its peer is empty", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const receiving = recvProxyHeader(connection);
  (await transport.nextRead()).give(encodeProxyHeader(HEADER, { version: 2 }));
  assertEquals((await soon(receiving)).peer, { host: "", port: 0 });
  assertEquals(connection.remoteAddress, CLIENT);
});

const HOSTILE: readonly (readonly [what: string, bytes: Uint8Array])[] = [
  ["another protocol", ascii("GET / HTTP/1.1\r\n")],
  ["a single wrong byte", ascii("X")],
  ["a lower case signature", ascii("proxy ")],
  ["a leading zero", ascii("PROXY TCP4 192.0.2.1 192.0.2.2 056324 443\r\n")],
  ["LF alone", ascii("PROXY UNKNOWN\n")],
  ["a line without an end", ascii(`PROXY UNKNOWN ${"x".repeat(200)}`)],
  ["the wrong family", ascii("PROXY TCP4 ::1 ::1 1 2\r\n")],
  ["an unknown version", rawV2({ command: 0x31 })],
  ["an unknown command", rawV2({ command: 0x22 })],
  ["too short an address", rawV2({}, new Uint8Array(11))],
];

for (const [what, bytes] of HOSTILE) {
  Deno.test(`P2: a header with ${what} is InvalidData at once, and again, and its bytes are left`, async () => {
    const connection = await receiving(bytes);
    for (let round = 0; round < 2; round++) {
      const error = await rejection(
        () => recvProxyHeader(connection),
        "InvalidData",
        "recvProxyHeader",
      );
      assertEquals([error.address, error.retryable], [PEER, false]);
      assert(error.message.startsWith("recvProxyHeader 10.0.0.1:4000: "), error.message);
      assert(!error.message.includes("GET"), "the bytes are not quoted");
    }
    assertEquals(connection.remoteAddress, PEER);
    assertEquals(await soon(recv(connection)), bytes);
  });
}

Deno.test("P2: a header of more than 16 KiB is TooLarge as soon as its length is known", async () => {
  const [connection, transport] = scripted();
  const receiving = recvProxyHeader(connection);
  (await transport.nextRead()).give(rawV2({ length: 16 * 1024 - 15 }));
  await rejection(() => receiving, "TooLarge", "recvProxyHeader");
  assertEquals(transport.reads, 1);

  const largest: EncodeProxyHeaderOptions = { version: 2 };
  const tlvs = [{ type: 0xe0, value: new Uint8Array(16 * 1024 - 16 - 12 - 3) }];
  const bytes = encodeProxyHeader({ ...HEADER, tlvs }, largest);
  assertEquals(bytes.length, 16 * 1024);
  const fine = await soon(recvProxyHeader(await receivingInPieces(bytes, 1000)));
  assertEquals(fine.tlvs[0].value.length, tlvs[0].value.length);
});

async function receivingInPieces(bytes: Uint8Array, size: number): Promise<Connection> {
  const [connection, transport] = scripted();
  const first = recvExactly(connection, 1);
  const all = concat([bytesOf("!"), bytes]);
  void (async () => {
    for (let at = 0; at < all.length; at += size) {
      (await transport.nextRead()).give(all.subarray(at, at + size));
    }
  })();
  await first;
  return connection;
}

for (const [what, end] of Object.entries({ "close()": close, "abort()": abort })) {
  Deno.test(`E7: at ${what} a recvProxyHeader() that has a part of a header is Closed`, async () => {
    const [connection, transport] = scripted();
    const receiving = recvProxyHeader(connection);
    (await transport.nextRead()).give(ascii("PROXY TCP4 192."));
    await transport.nextRead();
    const ended = Promise.resolve(end(connection, { linger: 0 }));
    const error = await rejection(() => receiving, "Closed", "recvProxyHeader");
    assertEquals(error.address, PEER);
    await soon(ended);
    assertEquals(connection.remoteAddress, PEER);
  });
}
