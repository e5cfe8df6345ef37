import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  bindUdp,
  closeUdp,
  joinMulticast,
  recvFrom,
  sendTo,
  type UdpSocket,
} from "../../../mod.ts";
import { ANYWHERE, Member, ON_LOOPBACK, ownGroup } from "../../support/multicast.ts";
import { LOOPBACK } from "../../support/open_handles.ts";
import { rejection, soon } from "../../support/socket_errors.ts";

const IPV6 = { host: "::", port: 0 };

Deno.test("U10: a member receives what is sent to the group, until it leaves", async () => {
  await using member = await Member.make();
  await member.send(1, 2);
  assertEquals(await member.received(), [1, 2]);
  await member.membership.leave();
  await member.send(3);
  assertEquals(await member.received(), []);
});

Deno.test("U10: a receive that is pending gets the datagram of a group that is joined meanwhile", async () => {
  await using socket = await bindUdp(ANYWHERE);
  await using sender = await bindUdp(LOOPBACK);
  const receiving = recvFrom(socket);
  const { group } = await joinMulticast(socket, ownGroup(), ON_LOOPBACK);
  await sendTo(sender, { host: group, port: socket.address.port }, new Uint8Array([7]));
  assertEquals((await soon(receiving)).bytes, new Uint8Array([7]));
});

Deno.test("U10: datagrams that arrived before leave() are received after it", async () => {
  await using member = await Member.make();
  await member.send(1);
  await member.membership.leave();
  await member.send(2);
  assertEquals(await member.received(), [1]);
});

Deno.test("U10: leaving twice, or after closeUdp(), does nothing", async () => {
  await using member = await Member.make();
  const { socket, membership } = member;
  await Promise.all([membership.leave(), membership.leave()]);
  await membership.leave();
  const again = await joinMulticast(socket, membership.group, ON_LOOPBACK);
  await member.send(4);
  assertEquals(await member.received(), [4]);
  // The first membership is over, and must not end the second one.
  await membership.leave();
  await member.send(5);
  assertEquals(await member.received(), [5]);
  await closeUdp(socket);
  await again.leave();
  await again[Symbol.asyncDispose]();
});

Deno.test("U10: leave() that meets closeUdp() resolves", async () => {
  await using member = await Member.make();
  const { socket, membership } = member;
  await soon(Promise.all([membership.leave(), closeUdp(socket), membership.leave()]));
});

Deno.test("U10: await using leaves the group", async () => {
  await using member = await Member.make();
  const group = ownGroup();
  {
    await using second = await joinMulticast(member.socket, group, ON_LOOPBACK);
    assertEquals(second.group, group);
    await rejection(
      () => joinMulticast(member.socket, group, ON_LOOPBACK),
      "AddressInUse",
      "joinMulticast",
    );
  }
  await joinMulticast(member.socket, group, ON_LOOPBACK);
});

Deno.test("U10: two sockets of one port with reuseAddress both receive", async () => {
  const first = await bindUdp(ANYWHERE, { reuseAddress: true });
  const second = await bindUdp(first.address, { reuseAddress: true });
  const group = ownGroup();
  await using sender = await bindUdp(LOOPBACK);
  for (const socket of [first, second]) await joinMulticast(socket, group, ON_LOOPBACK);
  await sendTo(sender, { host: group, port: first.address.port }, new Uint8Array([9]));
  for (const socket of [first, second]) {
    assertEquals((await soon(recvFrom(socket))).bytes, new Uint8Array([9]));
    await closeUdp(socket);
  }
});

Deno.test("U11: joining twice is AddressInUse, and leaves the first membership as it is", async () => {
  await using member = await Member.make();
  const { socket, membership: { group } } = member;
  const join = () => joinMulticast(socket, group, ON_LOOPBACK);
  for (const call of [join, () => joinMulticast(socket, `::ffff:${group}`, ON_LOOPBACK)]) {
    const { code, address, retryable, message } = await rejection(
      call,
      "AddressInUse",
      "joinMulticast",
    );
    assertEquals(address, { host: group, port: socket.address.port });
    assertEquals([code, retryable], ["EADDRINUSE", false]);
    assertStringIncludes(message, `joinMulticast ${group}:${socket.address.port}: `);
  }
  await member.send(1);
  assertEquals(await member.received(), [1]);
});

Deno.test("U11: of two joins at once, one gets AddressInUse", async () => {
  await using socket = await bindUdp(ANYWHERE);
  const group = ownGroup();
  const joins = [0, 1].map(() => joinMulticast(socket, group, ON_LOOPBACK));
  const [first, second] = await Promise.allSettled(joins);
  assertEquals([first.status, second.status], ["fulfilled", "rejected"]);
  await rejection(() => joins[1], "AddressInUse", "joinMulticast");
});

Deno.test("U11: an interface that is not of this machine is AddressNotAvailable", async () => {
  await using socket = await bindUdp(ANYWHERE);
  const group = ownGroup();
  await joinMulticast(socket, group, ON_LOOPBACK);
  for (const one of [group, ownGroup()]) {
    const { retryable, message } = await rejection(
      () => joinMulticast(socket, one, { interface: "192.0.2.1" }),
      "AddressNotAvailable",
      "joinMulticast",
    );
    assert(retryable);
    assertStringIncludes(message, '"192.0.2.1"');
  }
  // The failed calls left nothing behind.
  await joinMulticast(socket, ownGroup(), ON_LOOPBACK);
});

Deno.test("U11: a group beyond the system's limit is ResourceExhausted, until another is left", async () => {
  await using socket = await bindUdp(ANYWHERE);
  const memberships = [];
  let error: unknown;
  // Linux allows 20 by default (igmp_max_memberships).
  for (let count = 0; count < 5000 && error === undefined; count++) {
    const group = `239.193.${count >> 8}.${count & 255}`;
    try {
      memberships.push(await joinMulticast(socket, group, ON_LOOPBACK));
    } catch (thrown) {
      error = thrown;
    }
  }
  await rejection(() => Promise.reject(error), "ResourceExhausted", "joinMulticast");
  await memberships[0].leave();
  await joinMulticast(socket, "239.193.255.1", ON_LOOPBACK);
});

Deno.test("U11: a group of the wrong family is InvalidInput", async () => {
  const bound: readonly [string, string][] = [
    ["0.0.0.0", "ff02::7777"],
    ["127.0.0.1", "ff05::1"],
    ["::1", "239.255.7.7"],
  ];
  for (const [host, group] of bound) {
    await using socket = await bindUdp({ host, port: 0 });
    const call = () => joinMulticast(socket, group);
    const { message } = await rejection(call, "InvalidInput", "joinMulticast", group);
    assertStringIncludes(message, host);
  }
});

Deno.test("U11: what is no group is InvalidInput, and the message says what is one", async () => {
  await using socket = await bindUdp(ANYWHERE);
  const wrong: unknown[] = [
    ...[undefined, null, 5, {}, [], "", "all", "localhost", "127.0.0.1", "0.0.0.0"],
    ...[
      "223.255.255.255",
      "240.0.0.0",
      "255.255.255.255",
      "239.1.1",
      "0357.1.1.1",
      "::",
      "fe80::1",
    ],
    ...["ff02:::1", "[ff02::1]", "ff02::1%lo", "ff02::1%", "239.1.1.1:5353", " 239.1.1.1"],
  ];
  for (const group of wrong) {
    const call = () => joinMulticast(socket, group as string);
    const { message } = await rejection(call, "InvalidInput", "joinMulticast", String(group));
    assert(/multicast address|not a string|option interface/.test(message), message);
  }
});

Deno.test("U11: a group is given in one spelling", async () => {
  await using socket = await bindUdp(ANYWHERE);
  const { group } = await joinMulticast(socket, "::FFFF:239.192.0.1", ON_LOOPBACK);
  assertEquals(group, "239.192.0.1");
});

Deno.test("U11: joinMulticast() on a closed socket is Closed, and bad input comes first", async () => {
  const socket: UdpSocket = await bindUdp(ANYWHERE);
  await closeUdp(socket);
  await rejection(() => joinMulticast(socket, ownGroup()), "Closed", "joinMulticast");
  await rejection(() => joinMulticast(socket, "ff02::1"), "InvalidInput", "joinMulticast");
  await rejection(() => joinMulticast(socket, "nowhere"), "InvalidInput", "joinMulticast");
});

Deno.test("U10: a thousand memberships, joined and left, and the next one works", async () => {
  await using member = await Member.make();
  const group = ownGroup();
  for (let round = 0; round < 1000; round++) {
    const membership = await joinMulticast(member.socket, group, ON_LOOPBACK);
    await membership.leave();
  }
  await member.send(8);
  assertEquals(await member.received(), [8]);
});

Deno.test("an IPv6 socket takes no IPv4 address as interface, and the reverse", async () => {
  await using six = await bindUdp(IPV6);
  await using four = await bindUdp(ANYWHERE);
  const calls = [
    () => joinMulticast(six, "ff02::7777", { interface: "127.0.0.1" }),
    () => joinMulticast(four, "239.255.7.7", { interface: "::1" }),
    () => joinMulticast(six, "ff02::7777", { interface: "::" }),
  ];
  for (const call of calls) await rejection(call, "InvalidInput", "joinMulticast");
});
