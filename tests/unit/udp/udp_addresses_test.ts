import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Address, bindUdp, recvFrom, sendTo, type UdpSocket } from "../../../mod.ts";
import { rejection, soon } from "../../support/socket_errors.ts";

const HELLO = new Uint8Array([104, 105]);

/** Sends a datagram, and gives the sender that `receiver` sees. */
async function exchange(sender: UdpSocket, to: Address, receiver: UdpSocket): Promise<Address> {
  await sendTo(sender, to, HELLO);
  const { from, bytes } = await soon(recvFrom(receiver));
  assertEquals(bytes, HELLO);
  return from;
}

function bind(host: string): Promise<UdpSocket> {
  return bindUdp({ host, port: 0 });
}

for (const host of ["127.0.0.1", "127.0.0.2", "::1", "0.0.0.0", "::"]) {
  Deno.test(`E8: bindUdp() on ${host} gives a frozen address with that host and the chosen port`, async () => {
    await using socket = await bind(host);
    assertEquals(socket.address.host, host);
    assert(socket.address.port > 0);
    assert(Object.isFrozen(socket.address));
    assertEquals(Object.keys(socket.address), ["host", "port"]);
    assertEquals(Object.getPrototypeOf(socket.address), Object.prototype);
  });
}

Deno.test("E8: a datagram's sender is a frozen plain object", async () => {
  await using socket = await bind("::1");
  const from = await exchange(socket, socket.address, socket);
  assert(Object.isFrozen(from));
  assertEquals(Object.getPrototypeOf(from), Object.prototype);
  assertEquals(from, { host: "::1", port: socket.address.port });
});

Deno.test("E8: a :: socket gives an IPv4 sender as a.b.c.d, and can answer it", async () => {
  await using dual = await bind("::");
  await using peer = await bind("127.0.0.1");
  const from = await exchange(peer, { host: "127.0.0.1", port: dual.address.port }, dual);
  assertEquals(from, peer.address);
  assertEquals(await exchange(dual, from, peer), {
    host: "127.0.0.1",
    port: dual.address.port,
  });
});

Deno.test("U5: a :: socket sends to IPv6, to IPv4 and to IPv4 in IPv6", async () => {
  await using dual = await bind("::");
  await using four = await bind("127.0.0.1");
  await using six = await bind("::1");
  const { port } = dual.address;
  assertEquals(await exchange(dual, six.address, six), { host: "::1", port });
  assertEquals(await exchange(dual, four.address, four), { host: "127.0.0.1", port });
  for (const host of ["::ffff:127.0.0.1", "::ffff:7f00:1", "0:0:0:0:0:FFFF:7F00:0001"]) {
    const from = await exchange(dual, { host, port: four.address.port }, four);
    assertEquals(from, { host: "127.0.0.1", port });
  }
});

Deno.test("E8: an IPv4 socket sends to ::ffff:a.b.c.d, which is IPv4", async () => {
  await using one = await bind("127.0.0.1");
  await using other = await bind("127.0.0.1");
  const to = { host: "::ffff:127.0.0.1", port: other.address.port };
  assertEquals(await exchange(one, to, other), one.address);
});

Deno.test("E8: bindUdp() on ::ffff:127.0.0.1 is a socket on 127.0.0.1", async () => {
  await using mapped = await bind("::ffff:127.0.0.1");
  await using peer = await bind("127.0.0.1");
  assertEquals(mapped.address.host, "127.0.0.1");
  assertEquals(await exchange(peer, mapped.address, mapped), peer.address);
  assertEquals(await exchange(mapped, peer.address, peer), mapped.address);
});

for (
  const [own, target] of [
    ["127.0.0.1", "::1"],
    ["0.0.0.0", "::1"],
    ["::1", "127.0.0.1"],
    ["::1", "::ffff:127.0.0.1"],
  ]
) {
  Deno.test(`U5: a socket on ${own} cannot send to ${target}: InvalidInput`, async () => {
    await using socket = await bind(own);
    const to = { host: target, port: 9 };
    for (const options of [undefined, { timeout: 10_000 }]) {
      const error = await rejection(
        () => sendTo(socket, to, HELLO, options),
        "InvalidInput",
        "sendTo",
      );
      assertMatch(error.message, /IPv[46]/);
      assertEquals(error.address?.port, 9);
    }
  });
}

Deno.test("an IPv4 socket sends to localhost", async () => {
  await using receiver = await bind("127.0.0.1");
  await using sender = await bind("127.0.0.1");
  const to = { host: "localhost", port: receiver.address.port };
  assertEquals(await exchange(sender, to, receiver), sender.address);
});

Deno.test("a :: socket sends to localhost, whatever its family", async () => {
  await using receiver = await bind("::");
  await using sender = await bind("::");
  const to = { host: "localhost", port: receiver.address.port };
  const from = await exchange(sender, to, receiver);
  assert(["127.0.0.1", "::1"].includes(from.host), from.host);
  assertEquals(from.port, sender.address.port);
});

Deno.test("a name is resolved to an address that the socket can send to, or is HostNotFound", async () => {
  await using receiver = await bind("::1");
  await using sender = await bind("::1");
  const to = { host: "localhost", port: receiver.address.port };
  const sent = await sendTo(sender, to, HELLO).then(() => undefined, (error) => error);
  // On some machines localhost has no IPv6 address.
  if (sent === undefined) assertEquals((await soon(recvFrom(receiver))).from, sender.address);
  else await rejection(() => Promise.reject(sent), "HostNotFound", "sendTo");
});

Deno.test("bindUdp() on localhost binds a loopback address", async () => {
  await using socket = await bind("localhost");
  assert(["127.0.0.1", "::1"].includes(socket.address.host), socket.address.host);
  assertEquals(await exchange(socket, socket.address, socket), socket.address);
});

Deno.test("an unknown name is HostNotFound, which is retryable", async () => {
  await using socket = await bind("127.0.0.1");
  const target = { host: "no-such.invalid", port: 9 };
  const sending = await rejection(() => sendTo(socket, target, HELLO), "HostNotFound", "sendTo");
  const binding = await rejection(() => bindUdp(target), "HostNotFound", "bindUdp");
  for (const error of [sending, binding]) {
    assertEquals(error.address, target);
    assert(error.retryable);
    assert(error.cause instanceof Error);
    assertMatch(error.message, /^(sendTo|bindUdp) no-such\.invalid:9: host not found/);
  }
});

for (const port of [-1, 65_536, 66_770, 2 ** 32 + 9, 1.5, NaN, Infinity]) {
  Deno.test(`U3: port ${port} is InvalidInput, and nothing is sent to another port`, async () => {
    await using socket = await bind("127.0.0.1");
    for (const host of ["127.0.0.1", "localhost"]) {
      const to = { host, port };
      await rejection(() => sendTo(socket, to, HELLO), "InvalidInput", "sendTo");
      await rejection(() => sendTo(socket, to, HELLO, { timeout: 99 }), "InvalidInput", "sendTo");
      await rejection(() => bindUdp(to), "InvalidInput", "bindUdp");
    }
    assertEquals(await exchange(socket, socket.address, socket), socket.address);
  });
}

Deno.test("U3: port 0 is InvalidInput for sendTo(), and a free port for bindUdp()", async () => {
  await using socket = await bind("127.0.0.1");
  const to = { host: "127.0.0.1", port: 0 };
  await rejection(() => sendTo(socket, to, HELLO), "InvalidInput", "sendTo");
  assertEquals(await exchange(socket, socket.address, socket), socket.address);
});

Deno.test("U3: a port over 65,535 sends nothing to that port modulo 65,536", async () => {
  await using receiver = await bind("127.0.0.1");
  await using sender = await bind("127.0.0.1");
  const { host, port } = receiver.address;
  const beyond = { host, port: port + 65_536 };
  await rejection(() => sendTo(sender, beyond, new Uint8Array([1])), "InvalidInput", "sendTo");
  await sendTo(sender, receiver.address, new Uint8Array([2]));
  assertEquals((await soon(recvFrom(receiver))).bytes, new Uint8Array([2]));
});
