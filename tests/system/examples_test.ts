import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import {
  close,
  closeWrite,
  connect,
  formatAddress,
  listen,
  parseAddress,
  recv,
  recvLine,
  send,
} from "../../mod.ts";
import {
  encodeAnswer,
  encodeQuery,
  isAnswerTo,
  TYPE_A,
  TYPE_AAAA,
} from "../../examples/dns_message.ts";
import { RespClient } from "../../examples/resp_client.ts";
import { Example } from "./support/example.ts";

const ADDRESS = /127\.0\.0\.1:\d+/;

/** Asserts that an example prints the problem as one line, and exits with 2. */
async function assertRefused(name: string, problem: string, ...args: string[]): Promise<void> {
  await using example = Example.start(name, ...args);
  assertEquals([await example.end(), await example.errors()], [2, `${problem}\n`]);
  assertEquals(example.output, "");
}

Deno.test("the demo shows each of its steps and ends well", async () => {
  const { code, output } = await Example.run("demo");
  for (
    const line of [
      "1. A TCP echo server with many clients",
      "200 clients at once",
      "2. A bulk transfer",
      "GB a second",
      "3. A receive that times out loses nothing",
      'the next recv() gives "here I am"',
      "4. Closing delivers",
      "5. Datagrams",
      "marco -> polo",
      "65507 bytes, arrived whole",
      "6. What errors say",
      "connection refused (ECONNREFUSED)",
      "net access is missing, run again with --allow-net=[::1]:443",
      "all as it should be",
    ]
  ) assertStringIncludes(output, line);
  assertEquals(code, 0);
});

Deno.test("the echo client gets back from the echo server what it sent, over TCP and UDP", async () => {
  await using server = Example.start("echo_server", "--port", "0");
  const [address] = await server.until(ADDRESS);
  const { code, output } = await Example.run("echo_client", address, "hello", "wörld");
  assertEquals(output, `tcp ${address}: hello wörld\nudp ${address}: hello wörld\n`);
  assertEquals(code, 0);
});

Deno.test("the echo client reports that only TCP is answered", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  await using client = Example.start("echo_client", `127.0.0.1:${port}`, "hello");
  using conn = await listener.accept();
  await conn.readable.pipeTo(conn.writable);
  assertEquals(await client.end(), 1);
  assertEquals(client.output, `tcp 127.0.0.1:${port}: hello\n`);
  assertEquals(await client.errors(), `udp 127.0.0.1:${port}: no answer to 3 datagrams\n`);
});

Deno.test("the echo server serves a client that uses Deno.connect and closeWrite", async () => {
  await using server = Example.start("echo_server", "--port", "0");
  const { host, port } = parseAddress((await server.until(ADDRESS))[0]);
  using conn = await Deno.connect({ hostname: host, port });
  const bytes = crypto.getRandomValues(new Uint8Array(60_000));
  const sending = (async () => {
    for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
    await conn.closeWrite();
  })();
  const received: number[] = [];
  const buffer = new Uint8Array(65536);
  for (let count; (count = await conn.read(buffer)) !== null;) {
    received.push(...buffer.subarray(0, count));
  }
  await sending;
  assertEquals(new Uint8Array(received), bytes);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`the echo server closes everything at ${signal} and exits with 0`, async () => {
    await using server = Example.start("echo_server", "--port", "0");
    const address = parseAddress((await server.until(ADDRESS))[0]);
    const client = await connect(address);
    await send(client, new TextEncoder().encode("x"));
    assertEquals((await recv(client))?.length, 1);
    server.signal(signal);
    assertEquals(await recv(client), null);
    await close(client);
    assertEquals(await server.end(), 0);
    assertMatch(server.output, /closed\n$/);
  });
}

Deno.test("chat members read the lines of the others, but not their own", async () => {
  await using server = Example.start("chat_server", "127.0.0.1:0");
  const [address] = await server.until(ADDRESS);
  const raw = await connect(parseAddress(address));
  const name = `guest-${raw.localAddress.port}`;
  await using ann = Example.start("chat_client", address);
  assertMatch(new TextDecoder().decode((await recv(raw))!), /^\* guest-\d+ joined\n$/);
  await using bob = Example.start("chat_client", address);
  await ann.until(/\* guest-\d+ joined/);
  // A chunk ends in the middle of a line and of a character.
  const bytes = new TextEncoder().encode("grüß\nsecond\n");
  await send(raw, bytes.slice(0, 3));
  await send(raw, bytes.slice(3));
  await ann.until(new RegExp(`${name}: grüß\n${name}: second\n`));
  await bob.until(new RegExp(`${name}: grüß\n${name}: second\n`));
  await bob.type("from bob");
  await ann.until(/guest-\d+: from bob\n/);
  assert(!bob.output.includes("from bob"));
  await closeWrite(raw);
  await ann.until(new RegExp(`\\* ${name} left`));
  await close(raw);
  await bob.endInput();
  assertEquals(await bob.end(), 0);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`the chat server ends at ${signal}, and its members end too, even while their input is open`, async () => {
    await using server = Example.start("chat_server", "127.0.0.1:0");
    const [address] = await server.until(ADDRESS);
    const raw = await connect(parseAddress(address));
    await using ann = Example.start("chat_client", address);
    assertMatch((await recvLine(raw))!, /joined$/);
    server.signal(signal);
    assertEquals(await recvLine(raw), null);
    await close(raw);
    assertEquals([await server.end(), await server.errors()], [0, ""]);
    assertEquals([await ann.end(), await ann.errors()], [1, "the server has ended the chat\n"]);
  });
}

Deno.test("a chat member whose server is lost prints the error and ends, even while its input is open", async () => {
  // The runtime itself always ends a connection with FIN; `node:net` can reset one.
  const server = createServer((member) => member.once("data", () => member.resetAndDestroy()));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  await using ann = Example.start("chat_client", `127.0.0.1:${port}`);
  await ann.type("hello");
  assertEquals(await ann.end(), 1);
  assertMatch(await ann.errors(), /^recv 127\.0\.0\.1:\d+: .*\n$/);
  server.close();
  await once(server, "close");
});

Deno.test("the DNS query gets its answer from the DNS server", async () => {
  await using server = Example.start("dns_server", "127.0.0.1:0", "example.com=192.0.2.1");
  const [address] = await server.until(ADDRESS);
  const found = await Example.run("dns_query", "example.com", address);
  assertEquals(found, { code: 0, output: "192.0.2.1\n" });
  await using unknown = Example.start("dns_query", "example.org", address);
  assertEquals(await unknown.end(), 1);
  assertStringIncludes(await unknown.errors(), "example.org: no such name");
});

Deno.test("the DNS server goes on after a datagram that is no question", async () => {
  await using server = Example.start("dns_server", "127.0.0.1:0", "a.example=192.0.2.7");
  const [address] = await server.until(ADDRESS);
  const { host, port } = parseAddress(address);
  const socket = Deno.listenDatagram({ transport: "udp", hostname: host, port: 0 });
  const target: Deno.NetAddr = { transport: "udp", hostname: host, port };
  await socket.send(crypto.getRandomValues(new Uint8Array(40)).fill(255, 12).fill(1, 2, 3), target);
  socket.close();
  assertEquals((await Example.run("dns_query", "a.example", address)).output, "192.0.2.7\n");
});

Deno.test("the DNS query takes the name of a server, and names in any case and with a final dot", async () => {
  const entries = ["Example.com=192.0.2.1", "full.example.=192.0.2.2"];
  await using server = Example.start("dns_server", "127.0.0.1:0", ...entries);
  const { port } = parseAddress((await server.until(ADDRESS))[0]);
  const ask = (name: string) => Example.run("dns_query", name, `localhost:${port}`);
  assertEquals(await ask("eXAMPLE.com."), { code: 0, output: "192.0.2.1\n" });
  assertEquals(await ask("full.example"), { code: 0, output: "192.0.2.2\n" });
});

Deno.test("the DNS server does not answer an answer", async () => {
  await using server = Example.start("dns_server", "127.0.0.1:0", "a.example=192.0.2.7");
  const { host, port } = parseAddress((await server.until(ADDRESS))[0]);
  const socket = Deno.listenDatagram({ transport: "udp", hostname: host, port: 0 });
  const query = encodeQuery(1, "a.example", TYPE_A);
  const answer = encodeAnswer(encodeQuery(2, "a.example", TYPE_A), "192.0.2.7");
  const target: Deno.NetAddr = { transport: "udp", hostname: host, port };
  await socket.send(answer, target);
  await socket.send(query, target);
  // It answers in the order of the questions.
  assertEquals((await socket.receive())[0][1], 1);
  socket.close();
});

Deno.test("an answer is accepted only for its own query", () => {
  const query = encodeQuery(0x1234, "a.example", TYPE_A);
  const answer = encodeAnswer(query, "192.0.2.7");
  assert(isAnswerTo(query, answer));
  assert(isAnswerTo(query, encodeAnswer(encodeQuery(0x1234, "A.eXample", TYPE_A), "192.0.2.7")));
  assert(!isAnswerTo(query, query), "a query");
  assert(!isAnswerTo(query, answer.subarray(0, query.length - 1)), "the question is cut off");
  const others = [
    encodeQuery(0x1235, "a.example", TYPE_A),
    encodeQuery(0x1334, "a.example", TYPE_A),
    encodeQuery(0x1234, "b.example", TYPE_A),
    encodeQuery(0x1234, "a.example", TYPE_AAAA),
  ];
  for (const other of others) assert(!isAnswerTo(query, encodeAnswer(other, "192.0.2.7")));
});

Deno.test("the DNS programs refuse names and entries that DNS cannot carry, in one line", async () => {
  const label = "a".repeat(63), server = "127.0.0.1:53";
  const query = encodeQuery(1, `${label}.${label}.${label}.${"a".repeat(61)}`, TYPE_A);
  assertEquals(query.length, 12 + 255 + 4, "the longest name");
  const refused: [problem: string, name: string, type?: string][] = [
    [`the label "${label}a" has more than 63 bytes`, `${label}a.com`],
    ['the name "a..b" has an empty label', "a..b"],
    ['the name ".a" has an empty label', ".a"],
    ['the type is A or AAAA, not "MX"', "a.example", "MX"],
  ];
  for (const [problem, name, ...type] of refused) {
    await assertRefused("dns_query", problem, name, server, ...type as string[]);
  }
  const long = `${label}.${label}.${label}.${"a".repeat(62)}`;
  assertThrows(() => encodeQuery(1, long, TYPE_A), Error, "has more than 255 bytes");
  for (const entry of ["a.example=bogus", "a.example", "=192.0.2.1", "a.example=192.0.2.256"]) {
    const problem = "an entry is a name and an IPv4 address, such as example.com=192.0.2.1, not";
    await assertRefused("dns_server", `${problem} "${entry}"`, "127.0.0.1:0", entry);
  }
});

Deno.test("the DNS query reports that no answer came", async () => {
  const silent = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = silent.addr as Deno.NetAddr;
  await using query = Example.start("dns_query", "example.com", `127.0.0.1:${port}`);
  assertEquals(await query.end(), 1);
  assertStringIncludes(await query.errors(), "attempt 3 of 3");
  silent.close();
});

Deno.test("the port check tells open ports from closed ones", async () => {
  await using open = await listen({ host: "127.0.0.1", port: 0 });
  const closed = await listen({ host: "127.0.0.1", port: 0 });
  await closed[Symbol.asyncDispose]();
  const ports = [open.address.port, closed.address.port];
  const { code, output } = await Example.run("port_check", "127.0.0.1", ...ports.map(String));
  assertEquals(output, `${ports[0]}\topen\n${ports[1]}\tclosed\n`);
  assertEquals(code, 0);
});

Deno.test("the port check refuses an argument that is neither a port nor a range", async () => {
  for (const ports of ["abc", "80-", "-80", "0", "65536", "90-80", "1-65536", ""]) {
    const problem = `ports are from 1 to 65535, such as 80 or 8000-8010, not "${ports}"`;
    await assertRefused("port_check", problem, "127.0.0.1", "80", ports);
  }
});

Deno.test("the RESP client gets back the values that it stored in the RESP server, and typed replies", async () => {
  await using server = Example.start("resp_server", "--port", "0");
  const [address] = await server.until(ADDRESS);
  const say = async (...words: string[]) => {
    const { code, output } = await Example.run("resp_client", address, ...words);
    assertEquals(code, 0);
    return output;
  };
  assertEquals(await say("SET", "greeting", "grüß\ndich"), "OK\n");
  assertEquals(await say("get", "greeting"), '"grüß\\ndich"\n');
  assertEquals(
    await say("INCR", "greeting"),
    `(error) ERR value is not an integer or out of range\n`,
  );
  assertEquals(await say("CONFIG", "GET", "save"), '1) "save"\n2) ""\n');
  assertEquals(await say("DEL", "greeting", "none"), "(integer) 1\n");
  assertEquals(await say("GET", "greeting"), "(nil)\n");
});

Deno.test("the RESP client sends the commands of its input without waiting for each reply", async () => {
  await using server = Example.start("resp_server", "--port", "0");
  const [address] = await server.until(ADDRESS);
  await using client = Example.start("resp_client", address);
  for (let count = 1; count <= 3; count++) await client.type("INCR n");
  await client.type("PING done");
  await client.endInput();
  assertEquals(await client.end(), 0);
  assertEquals(client.output, '(integer) 1\n(integer) 2\n(integer) 3\n"done"\n');
});

Deno.test("RESP clients that never read disturb no others, and lose nothing if they read at last", async () => {
  await using server = Example.start("resp_server", "--port", "0");
  const { host, port } = parseAddress((await server.until(ADDRESS))[0]);
  await using client = await RespClient.connect({ host, port });
  const value = "x".repeat(1_000_000);
  assertEquals(await client.command("SET", "b", value), { status: "OK" });
  const asks = (count: number) => "GET b\r\n".repeat(count) + "QUIT\r\n";
  using gone = await Deno.connect({ hostname: host, port });
  using late = await Deno.connect({ hostname: host, port });
  // 4 KiB, the first read of these, are 585 requests: their replies in one string would be longer than a string can be.
  for (const [conn, text] of [[gone, asks(1000)], [late, asks(100)]] as const) {
    const bytes = new TextEncoder().encode(text);
    assertEquals(await conn.write(bytes), bytes.length);
  }
  const replies = await Promise.all(
    Array.from({ length: 1000 }, () => client.command("INCR", "n")),
  );
  assertEquals(replies, Array.from({ length: 1000 }, (_, index) => index + 1));
  gone.close();
  let received = 0;
  for await (const bytes of late.readable) received += bytes.length;
  assertEquals(received, 100 * `$1000000\r\n${value}\r\n`.length + "+OK\r\n".length);
  server.signal("SIGTERM");
  assertEquals(await server.end(), 0);
  assertEquals(await server.errors(), "");
});

Deno.test("the RESP server answers what comes before a QUIT or an error in a batch, and nothing behind it", async () => {
  await using server = Example.start("resp_server", "--port", "0");
  const { host, port } = parseAddress((await server.until(ADDRESS))[0]);
  for (
    const [end, reply] of [
      ["quit\r\n", /^\+OK\r\n$/],
      ["*1\r\n:1\r\n", /^-ERR Protocol error: .*\r\n$/],
    ] as const
  ) {
    using conn = await Deno.connect({ hostname: host, port });
    const before = "*2\r\n$4\r\nECHO\r\n$3\r\nabc\r\nPING\r\n".repeat(3);
    await conn.write(new TextEncoder().encode(`${before}${end}PING\r\n`));
    const text = await new Response(conn.readable).text();
    const answers = "$3\r\nabc\r\n+PONG\r\n".repeat(3);
    assertEquals(text.slice(0, answers.length), answers);
    assertMatch(text.slice(answers.length), reply);
  }
  server.signal("SIGTERM");
  assertEquals(await server.end(), 0);
  assertEquals(await server.errors(), "");
});

Deno.test("the RESP server ends a client that has sent half a request when SIGTERM comes", async () => {
  await using server = Example.start("resp_server", "--port", "0");
  const client = await connect(parseAddress((await server.until(ADDRESS))[0]));
  await send(client, new TextEncoder().encode("PING\r\n*1\r\n$4\r\nPI"));
  assertEquals(await recvLine(client), "+PONG");
  server.signal("SIGTERM");
  assertEquals(await recv(client), null);
  await close(client);
  assertEquals(await server.end(), 0);
  assertMatch(server.output, /closed: 1 clients served to the end, 0 not\n$/);
  assertEquals(await server.errors(), "");
});

Deno.test("the RESP client sends the commands that nobody awaited before it closes", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [client, server] = await Promise.all([
    RespClient.connect({ host: "127.0.0.1", port: listener.addr.port }),
    listener.accept(),
  ]);
  const value = "x".repeat(900_000);
  const calls = Promise.allSettled(
    Array.from({ length: 10 }, () => client.command("SET", "big", value)),
  );
  const closed = client[Symbol.asyncDispose]();
  let received = 0;
  for await (const bytes of server.readable) received += bytes.length;
  await closed;
  const request = `*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$900000\r\n${value}\r\n`;
  assertEquals(received, 10 * request.length);
  assert((await calls).every(({ status }) => status === "rejected"));
});

Deno.test("the MQTT client refuses wrong arguments in one line, and says that nobody listens", async () => {
  const usage = "the arguments are HOST:PORT, publish or subscribe, and a topic";
  for (
    const args of [[], ["127.0.0.1:1"], ["127.0.0.1:1", "publish"], ["127.0.0.1:1", "read", "a"]]
  ) {
    await assertRefused("mqtt_client", usage, ...args);
  }
  const missing = "Option '--password <value>' argument missing";
  await assertRefused("mqtt_client", missing, "127.0.0.1:1", "publish", "a", "--password");
  const listener = await listen({ host: "127.0.0.1", port: 0 });
  await listener[Symbol.asyncDispose]();
  const address = formatAddress(listener.address);
  await using client = Example.start("mqtt_client", address, "publish", "a", "b");
  assertEquals(await client.end(), 1);
  const problem = `connect ${address}: connection refused (ECONNREFUSED)\n`;
  assertEquals(await client.errors(), problem);
});

Deno.test("the NATS client and the Redis link refuse wrong arguments in one line, and say why they may not connect", async () => {
  const usage = "the arguments are HOST:PORT,…, publish or subscribe, and a subject";
  for (
    const args of [[], ["127.0.0.1:1"], ["127.0.0.1:1", "publish"], ["127.0.0.1:1", "read", "a"]]
  ) {
    await assertRefused("nats_client", usage, ...args);
  }
  const problem = "the arguments are HOST:PORT,… and the command's words";
  for (const args of [[], ["127.0.0.1:1"]]) await assertRefused("redis_link", problem, ...args);
  for (const args of [["nats_client", "publish", "a", "b"], ["redis_link", "INCR"]] as const) {
    const [name, ...words] = args;
    await using program = Example.startWith([], name, "127.0.0.1:9", ...words);
    await program.type("a");
    assertEquals(await program.end(), 1);
    const lines = (await program.errors()).trimEnd().split("\n");
    assertEquals(
      lines.at(-1),
      "connect 127.0.0.1:9: net access is missing, run again with --allow-net=127.0.0.1:9",
    );
  }
});

for (const name of ["resp_server", "line_server"]) {
  Deno.test(`${name} answers what arrived before SIGTERM, ends its clients and exits with 0`, async () => {
    await using server = Example.start(name, "--port", "0");
    const address = parseAddress((await server.until(ADDRESS))[0]);
    const client = await connect(address);
    await send(client, new TextEncoder().encode("ping\n"));
    assertMatch(new TextDecoder().decode((await recv(client))!), /^(?:\+|1 )P[IO]NG\r?\n$/);
    server.signal("SIGTERM");
    assertEquals(await recv(client), null);
    await close(client);
    assertEquals(await server.end(), 0);
    assertMatch(server.output, /closed: 1 clients served to the end, 0 not\n$/);
    assertEquals(await server.errors(), "");
  });
}

Deno.test("the line server answers lines, and goes on after one that is too long", async () => {
  await using server = Example.start("line_server", "--port", "0");
  const client = await connect(parseAddress((await server.until(ADDRESS))[0]));
  const long = "x".repeat(1001);
  await send(client, new TextEncoder().encode(`one\r\n${long}\ntwo\nthr`));
  await closeWrite(client);
  let text = "";
  for await (const bytes of client) text += new TextDecoder().decode(bytes);
  assertEquals(text, "1 ONE\n2 error: TooLarge\n3 TWO\n4 THR\n");
  await close(client);
});

for (const name of ["echo_server", "line_server", "production_server", "resp_server"]) {
  Deno.test(`${name} ends in order if SIGTERM comes as soon as it prints that it serves`, async () => {
    // A signal that comes before its handler is set kills: most starts lost that race, but not each.
    for (let start = 1; start <= 3; start++) {
      await using server = Example.start(name, "--port", "0");
      await server.until(ADDRESS);
      server.signal("SIGTERM");
      assertEquals(await server.end(), 0);
    }
  });

  Deno.test(`${name} refuses wrong arguments in one line`, async () => {
    const refused: [problem: string, ...args: string[]][] = [
      ["Unknown option '--prot'", "--prot", "7777"],
      ["Option '--port <value>' argument missing", "--port"],
      ['a port is a number from 0 to 65535, not "http"', "--port", "http"],
      ['a port is a number from 0 to 65535, not "65536"', "--port", "65536"],
    ];
    if (name === "production_server") {
      refused.push(["Option '--trust <value>' argument missing", "--trust"]);
      refused.push(["Option '--trust' argument is ambiguous.", "--trust", "--share"]);
    }
    for (const [problem, ...args] of refused) await assertRefused(name, problem, ...args);
  });
}

for (const name of ["line_server", "production_server", "resp_server"]) {
  Deno.test(`${name} answers all that was pipelined before SIGTERM`, async () => {
    const count = 20_000;
    await using server = Example.start(name, "--port", "0");
    const client = await connect(parseAddress((await server.until(ADDRESS))[0]));
    // It is being served when the signal comes, and does not wait in the backlog.
    await send(client, new TextEncoder().encode("ping\n"));
    await recvLine(client);
    await send(client, new TextEncoder().encode("ping\n".repeat(count)));
    server.signal("SIGTERM");
    let answers = 0;
    while (await recvLine(client) !== null) answers++;
    assertEquals(answers, count);
    await close(client);
    assertEquals(await server.end(), 0);
    assertMatch(server.output, /1 (?:drained|clients served to the end), 0 (?:aborted|not)\n$/);
    assertEquals(await server.errors(), "");
  });
}
