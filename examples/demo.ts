/**
 * TCP and UDP at work on real sockets, on loopback, in a few seconds:
 *
 *     deno run --no-prompt --allow-net demo.ts
 *
 * Each step checks what it prints. The first that fails ends the program with an error.
 */
import {
  accept,
  bindUdp,
  close,
  closeWrite,
  connect,
  type Connection,
  listen,
  type Listener,
  recv,
  recvFrom,
  recvInto,
  send,
  sendTo,
  SocketError,
} from "../mod.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };
const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array | null) => new TextDecoder().decode(bytes ?? undefined);

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(`not so: ${what}`);
}

async function pair(listener: Listener): Promise<[Connection, Connection]> {
  return await Promise.all([connect(listener.address), accept(listener)]);
}

async function echo(connection: Connection): Promise<void> {
  for await (const bytes of connection) await send(connection, bytes);
  await close(connection);
}

async function manyClients(listener: Listener): Promise<void> {
  const clients = 200, messages = 25;
  const server = (async () => {
    for (let left = clients; left > 0; left--) void echo(await accept(listener));
  })();
  const started = performance.now();
  const echoed = await Promise.all(Array.from({ length: clients }, async (_, client) => {
    await using connection = await connect(listener.address);
    let back = "", sent = "";
    for (let message = 0; message < messages; message++) {
      const line = `client ${client}, message ${message}\n`;
      sent += line;
      await send(connection, encode(line));
      while (back.length < sent.length) back += decode(await recv(connection));
    }
    return back === sent;
  }));
  await server;
  check(echoed.every((same) => same), "every client got back what it had sent");
  const seconds = (performance.now() - started) / 1000;
  const rate = Math.round(clients * messages / seconds).toLocaleString("en");
  console.log(
    `   ${clients} clients at once, ${messages} messages each: all echoed, ${rate} a second`,
  );
}

async function bulkTransfer(listener: Listener): Promise<void> {
  const total = 512 * 1024 * 1024;
  const chunk = Uint8Array.from({ length: 256 * 1024 }, (_, index) => index * 7);
  const [sender, receiver] = await pair(listener);
  const started = performance.now();
  const sending = (async () => {
    for (let sent = 0; sent < total; sent += chunk.length) await send(sender, chunk);
    await closeWrite(sender);
  })();
  const buffer = new Uint8Array(128 * 1024);
  let received = 0;
  for (let count; (count = await recvInto(receiver, buffer)) !== null; received += count) {
    // The pattern repeats every 256 bytes, so the first and the last byte show if any is missing.
    check(buffer[0] === (received * 7 & 255), "each byte is in its place");
    check(buffer[count - 1] === ((received + count - 1) * 7 & 255), "each byte is in its place");
  }
  await sending;
  check(received === total, "all bytes arrived");
  const rate = (total / (performance.now() - started) / 1e6).toFixed(2);
  console.log(`   ${total / 2 ** 20} MiB arrived in order, ${rate} GB a second`);
  await Promise.all([close(sender), close(receiver)]);
}

async function timeoutLosesNothing(listener: Listener): Promise<void> {
  const [client, server] = await pair(listener);
  const error = await recv(server, { timeout: 50 }).catch((error) => error);
  check(error instanceof SocketError && error.kind === "TimedOut", "the receive timed out");
  console.log(`   ${error.message}`);
  await send(client, encode("here I am"));
  const text = decode(await recv(server));
  check(text === "here I am", "the late bytes went to the next receive");
  console.log(`   the next recv() gives "${text}"`);
  await Promise.all([close(client), close(server)]);
}

async function closeDelivers(listener: Listener): Promise<void> {
  const [client, server] = await pair(listener);
  const size = 4 * 1024 * 1024;
  await send(client, encode("input that the server never reads"));
  const sending = send(server, new Uint8Array(size));
  const closing = close(server);
  let received = 0;
  for await (const bytes of client) received += bytes.length;
  check(received === size, "everything sent before close() arrived");
  await Promise.all([sending, close(client), closing]);
  console.log(
    `   closed with unread input, and all ${size / 2 ** 20} MiB sent before still arrived`,
  );
}

async function datagrams(): Promise<void> {
  await using alice = await bindUdp(LOOPBACK);
  await using bob = await bindUdp(LOOPBACK);
  await sendTo(alice, bob.address, encode("marco"));
  const question = await recvFrom(bob, { timeout: 1000 });
  await sendTo(bob, question.from, encode("polo"));
  const answer = await recvFrom(alice, { timeout: 1000 });
  console.log(`   ${decode(question.bytes)} -> ${decode(answer.bytes)}`);
  await sendTo(alice, bob.address, new Uint8Array(65507));
  const { bytes } = await recvFrom(bob, { timeout: 1000 });
  check(bytes.length === 65507, "the largest datagram arrived whole");
  console.log(`   the largest datagram, ${bytes.length} bytes, arrived whole`);
}

async function errorMessages(): Promise<void> {
  const attempts = [
    () => connect({ host: "127.0.0.1", port: 1 }),
    () => connect({ host: "no-such.invalid", port: 80 }),
    () => connect({ host: "0x7f.1", port: 80 }),
  ];
  for (const attempt of attempts) await printError(attempt);
  // Revokes the permission, as if it had never been granted.
  await Deno.permissions.revoke({ name: "net" });
  const error = await printError(() => connect({ host: "::1", port: 443 }));
  check(error.permission?.host === "[::1]:443", "the error says what to grant");
}

async function printError(attempt: () => Promise<unknown>): Promise<SocketError> {
  const error = await attempt().then(() => undefined, (error) => error);
  if (!(error instanceof SocketError)) {
    throw new Error("not so: the attempt fails as a SocketError");
  }
  console.log(`   ${error.kind}: ${error.message}`);
  return error;
}

{
  await using listener = await listen(LOOPBACK);
  console.log("1. A TCP echo server with many clients");
  await manyClients(listener);
  console.log("2. A bulk transfer");
  await bulkTransfer(listener);
  console.log("3. A receive that times out loses nothing");
  await timeoutLosesNothing(listener);
  console.log("4. Closing delivers");
  await closeDelivers(listener);
}
console.log("5. Datagrams");
await datagrams();
console.log("6. What errors say");
await errorMessages();
console.log("all as it should be");
