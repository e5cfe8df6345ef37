import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { bindUdp, closeUdp, recvFrom, sendTo, type UdpSocket } from "../../../mod.ts";
import { rejection, soon } from "../../support/socket_errors.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };

function numbered(index: number): Uint8Array {
  return new Uint8Array([index >> 8, index & 255]);
}

function numberOf(bytes: Uint8Array): number {
  return bytes[0] << 8 | bytes[1];
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** Gives a port where nobody listens. */
async function deadPort(): Promise<number> {
  const socket = await bindUdp(LOOPBACK);
  await closeUdp(socket);
  return socket.address.port;
}

Deno.test("recvFrom() gives the bytes and the sender's address", async () => {
  await using receiver = await bindUdp(LOOPBACK);
  await using sender = await bindUdp(LOOPBACK);
  await sendTo(sender, receiver.address, new Uint8Array([1, 2, 3]));
  const { from, bytes } = await soon(recvFrom(receiver));
  assertEquals(bytes, new Uint8Array([1, 2, 3]));
  assertEquals(from, sender.address);
});

Deno.test("U1: recvFrom() gives datagrams that arrived before the call", async () => {
  await using receiver = await bindUdp(LOOPBACK);
  await using sender = await bindUdp(LOOPBACK);
  for (const index of range(10)) await sendTo(sender, receiver.address, numbered(index));
  for (const index of range(10)) {
    assertEquals(numberOf((await soon(recvFrom(receiver))).bytes), index);
  }
});

Deno.test("a socket can send to itself", async () => {
  await using socket = await bindUdp(LOOPBACK);
  await sendTo(socket, socket.address, new Uint8Array([7]));
  assertEquals((await soon(recvFrom(socket))).from, socket.address);
});

Deno.test("U1: concurrent recvFrom() calls get the datagrams in call order", async () => {
  await using receiver = await bindUdp(LOOPBACK);
  await using sender = await bindUdp(LOOPBACK);
  const received = range(100).map(() => recvFrom(receiver));
  for (const index of range(100)) await sendTo(sender, receiver.address, numbered(index));
  const numbers = (await soon(Promise.all(received))).map(({ bytes }) => numberOf(bytes));
  assertEquals(numbers, range(100));
});

Deno.test("U1: concurrent sendTo() calls arrive in call order", async () => {
  await using receiver = await bindUdp(LOOPBACK);
  await using sender = await bindUdp(LOOPBACK);
  const received = range(100).map(() => recvFrom(receiver));
  await Promise.all(range(100).map((n) => sendTo(sender, receiver.address, numbered(n))));
  const numbers = (await soon(Promise.all(received))).map(({ bytes }) => numberOf(bytes));
  assertEquals(numbers, range(100));
});

Deno.test("U1: recvFrom() and iteration share the datagrams, first come first served", async () => {
  await using receiver = await bindUdp(LOOPBACK);
  await using sender = await bindUdp(LOOPBACK);
  const iterator = receiver[Symbol.asyncIterator]();
  const first = iterator.next();
  const second = recvFrom(receiver);
  const third = iterator.next();
  for (const index of range(3)) await sendTo(sender, receiver.address, numbered(index));
  assertEquals(numberOf((await soon(first)).value!.bytes), 0);
  assertEquals(numberOf((await soon(second)).bytes), 1);
  assertEquals(numberOf((await soon(third)).value!.bytes), 2);
});

Deno.test("iterating gives the datagrams; break leaves the socket open", async () => {
  await using receiver = await bindUdp(LOOPBACK);
  await using sender = await bindUdp(LOOPBACK);
  for (const index of range(5)) await sendTo(sender, receiver.address, numbered(index));
  const numbers: number[] = [];
  for await (const { bytes } of receiver) {
    numbers.push(numberOf(bytes));
    if (numbers.length === 2) break;
  }
  for await (const { bytes } of receiver) {
    numbers.push(numberOf(bytes));
    if (numbers.length === 4) break;
  }
  numbers.push(numberOf((await soon(recvFrom(receiver))).bytes));
  assertEquals(numbers, range(5));
});

Deno.test("an error thrown in the iteration's body leaves the socket open", async () => {
  await using receiver = await bindUdp(LOOPBACK);
  await sendTo(receiver, receiver.address, numbered(1));
  const failed = (async () => {
    for await (const { bytes } of receiver) throw new Error(`body ${numberOf(bytes)}`);
  })();
  assertEquals((await failed.catch((error) => error)).message, "body 1");
  await sendTo(receiver, receiver.address, numbered(2));
  assertEquals(numberOf((await soon(recvFrom(receiver))).bytes), 2);
});

/** Events that do not end the socket. */
const HARMLESS: readonly [string, (socket: UdpSocket) => Promise<unknown>][] = [
  ["datagrams to a dead port", async (socket) => {
    const to = { host: "127.0.0.1", port: await deadPort() };
    for (const index of range(20)) await sendTo(socket, to, numbered(index));
  }],
  ["a datagram that is too large", (socket) =>
    rejection(
      () => sendTo(socket, socket.address, new Uint8Array(65_508)),
      "TooLarge",
      "sendTo",
    )],
  ["a target of the wrong family", (socket) =>
    rejection(
      () => sendTo(socket, { host: "::1", port: 9 }, numbered(0)),
      "InvalidInput",
      "sendTo",
    )],
  ["an unknown name", (socket) =>
    rejection(
      () => sendTo(socket, { host: "no-such.invalid", port: 9 }, numbered(0)),
      "HostNotFound",
      "sendTo",
    )],
];

for (const [what, cause] of HARMLESS) {
  Deno.test(`U4: ${what} ends neither recvFrom() nor the socket`, async () => {
    await using socket = await bindUdp(LOOPBACK);
    await using peer = await bindUdp(LOOPBACK);
    const pending = recvFrom(socket);
    await cause(socket);
    await sendTo(peer, socket.address, numbered(1));
    assertEquals(numberOf((await soon(pending)).bytes), 1);
    await sendTo(socket, peer.address, numbered(2));
    assertEquals(numberOf((await soon(recvFrom(peer))).bytes), 2);
  });

  Deno.test(`U4: ${what} does not end the iteration`, async () => {
    await using socket = await bindUdp(LOOPBACK);
    await using peer = await bindUdp(LOOPBACK);
    const numbers: number[] = [];
    const iterated = (async () => {
      for await (const { bytes } of socket) if (numbers.push(numberOf(bytes)) === 3) return;
    })();
    for (const index of range(3)) {
      await cause(socket);
      await sendTo(peer, socket.address, numbered(index));
    }
    await soon(iterated);
    assertEquals(numbers, range(3));
  });
}

Deno.test("two sockets bind one port with reuseAddress; without it, the second is AddressInUse", async () => {
  await using first = await bindUdp(LOOPBACK, { reuseAddress: true });
  await using second = await bindUdp(first.address, { reuseAddress: true });
  assertEquals(second.address, first.address);
  await using sole = await bindUdp(LOOPBACK);
  const error = await rejection(() => bindUdp(sole.address), "AddressInUse", "bindUdp");
  assertEquals(error.code, "EADDRINUSE");
  assertEquals(error.address, sole.address);
  assert(error.retryable);
  assertInstanceOf(error.cause, Error);
  const { host, port } = sole.address;
  assertEquals(
    error.message,
    `bindUdp ${host}:${port}: address already in use (EADDRINUSE)`,
  );
});

Deno.test("bindUdp() to an address of another machine is AddressNotAvailable", async () => {
  const elsewhere = { host: "192.0.2.77", port: 0 };
  const error = await rejection(() => bindUdp(elsewhere), "AddressNotAvailable", "bindUdp");
  assertEquals(error.code, "EADDRNOTAVAIL");
  assertEquals(error.address, elsewhere);
});
