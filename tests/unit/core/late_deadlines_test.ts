import { assertEquals } from "@std/assert";
import {
  accept,
  bindUdp,
  close,
  closeWrite,
  connect,
  type Connection,
  encodeProxyHeader,
  framed,
  lines,
  listen,
  recv,
  recvExactly,
  recvFrame,
  recvFrom,
  recvInto,
  recvLine,
  recvProxyHeader,
  recvUntil,
  send,
  sendFrame,
  sendTo,
  serve,
} from "../../../mod.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { LOOPBACK, receiveAll, tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { turns } from "../../support/turns.ts";
import { virtualTime } from "../../support/virtual_time.ts";

const TIMEOUT = 100;
const timeout = { timeout: TIMEOUT };

/** Keeps the program from its sockets for longer than every deadline here, as a long computation does. */
function compute(): void {
  for (const end = performance.now() + 3 * TIMEOUT; performance.now() < end;);
}

/** The promise, after the program has computed for longer than its deadline. */
function late<T>(promise: Promise<T>): Promise<T> {
  compute();
  return soon(promise);
}

const LINE = bytesOf("PROXY UNKNOWN\r\n");

/** Calls that wait for bytes that the peer sent before the program computed. */
const RECEIVING: Readonly<Record<string, (connection: Connection) => Promise<unknown>>> = {
  "recv()": (connection) => recv(connection, timeout),
  "recvInto()": (connection) => recvInto(connection, new Uint8Array(99), timeout),
  "recvExactly()": (connection) => recvExactly(connection, LINE.length, timeout),
  "recvUntil()": (connection) => recvUntil(connection, bytesOf("\n"), timeout),
  "recvLine()": (connection) => recvLine(connection, timeout),
  "recvFrame()": (connection) => recvFrame(framed(connection, lines()), timeout),
  "recvProxyHeader()": (connection) => recvProxyHeader(connection, timeout),
};

for (const [name, receive] of Object.entries(RECEIVING)) {
  Deno.test(`E12: ${name} gives the bytes that came while the program computed`, async () => {
    await using pair = await tcpPair();
    const received = receive(pair.server);
    void send(pair.client, LINE);
    await late(received);
    assertEquals(pair.server.bytesReceived, LINE.length);
  });
}

/** Calls that hand bytes to the system before the program computes. */
const SENDING: Readonly<Record<string, (connection: Connection) => Promise<unknown>>> = {
  "send()": (connection) => send(connection, LINE, timeout),
  "sendFrame()": (connection) => sendFrame(framed(connection, lines()), "PROXY UNKNOWN", timeout),
  async "closeWrite()"(connection) {
    void send(connection, LINE);
    await closeWrite(connection, timeout);
  },
  async "close()"(connection) {
    void send(connection, LINE);
    await close(connection, { linger: TIMEOUT, flushTimeout: TIMEOUT });
  },
};

for (const [name, call] of Object.entries(SENDING)) {
  Deno.test(`E12: ${name} delivers the bytes that could leave while the program computed`, async () => {
    await using listener = await listen(LOOPBACK);
    const connected = connect(listener.address);
    // Of a fresh connection the runtime does not know yet that it can write.
    const sender = await soon(accept(listener));
    await late(call(sender));
    const receiver = await soon(connected);
    const received = receiveAll(receiver);
    await soon(Promise.all([close(sender), received]));
    assertEquals(textOf(await received)?.trim(), "PROXY UNKNOWN");
    await soon(close(receiver));
  });
}

Deno.test("E12: connect() and accept() give a connection that came while the program computed", async () => {
  await using listener = await listen(LOOPBACK);
  const accepted = accept(listener, timeout);
  const connected = connect(listener.address, timeout);
  compute();
  for (const connection of await soon(Promise.all([accepted, connected]))) {
    await soon(close(connection, { linger: 0 }));
  }
});

Deno.test("E12: sendTo() and recvFrom() succeed if the program computed for longer than their timeout", async () => {
  await using one = await bindUdp(LOOPBACK);
  await using other = await bindUdp(LOOPBACK);
  const received = recvFrom(other, timeout);
  const sent = sendTo(one, other.address, LINE, timeout);
  compute();
  await soon(sent);
  assertEquals((await soon(received)).bytes, LINE);
});

Deno.test("E12: shutdown() answers requests that came in time while the program computed", async () => {
  const server = serve(await listen(LOOPBACK), async (connection) => {
    const line = await recvLine(connection);
    if (line !== null) await send(connection, bytesOf(`${line} too\n`));
  }, { onError: () => {} });
  const clients = await Promise.all(Array.from({ length: 20 }, () => connect(server.address)));
  while (server.active < clients.length) await new Promise((resolve) => setTimeout(resolve, 0));
  const sent = clients.map((client, index) => send(client, bytesOf(`request ${index}\n`)));
  const ending = server.shutdown(timeout);
  compute();
  await soon(Promise.all(sent));
  const answers = await soon(Promise.all(clients.map((client) => recvLine(client))));
  assertEquals(answers, clients.map((_, index) => `request ${index} too`));
  await Promise.all(clients.map((client) => close(client)));
  await soon(ending);
});

Deno.test("E12: the time for a PROXY header does not pass while the program computes", async () => {
  const received: string[] = [];
  await using server = serve(await listen(LOOPBACK), async (connection) => {
    received.push(String(await recvLine(connection)));
  }, { proxyProtocol: { trust: ["127.0.0.1"], timeout: TIMEOUT } });
  const client = await connect(server.address);
  while (server.active === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  const sent = send(client, encodeProxyHeader({ command: "LOCAL" }, { version: 2 }));
  compute();
  await soon(sent);
  await send(client, bytesOf("after the header\n"));
  await soon(close(client));
  assertEquals(received, ["after the header"]);
});

Deno.test("E12: a late deadline waits once, for as long as it is late, its own time or 1 s", async () => {
  for (
    const [own, late, grace] of [[100, 50, 50], [100, 150, 100], [60_000, 9000, 1000], [1, 500, 20]]
  ) {
    await using pair = await tcpPair();
    using time = virtualTime(turns);
    const received = rejection(() => recv(pair.server, { timeout: own }), "TimedOut", "recv");
    time.block(own + late);
    await time.pass(grace);
    await received;
    assertEquals(time.started, [own, grace]);
  }
});
