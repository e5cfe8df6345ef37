import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  type Address,
  bindUdp,
  type BindUdpOptions,
  closeUdp,
  joinMulticast,
  sendTo,
} from "../../../mod.ts";
import { ANYWHERE, Member, ON_DENO, ON_LOOPBACK, ownGroup } from "../../support/multicast.ts";
import { LOOPBACK } from "../../support/open_handles.ts";
import { rejection } from "../../support/socket_errors.ts";

const IPV6 = { host: "::", port: 0 };
/** The setting that would do what this backend cannot. */
const OTHER_SETTING = ON_DENO ? "run without --unstable-net" : "run with --unstable-net";

// The loopback interface gives every datagram back, so only tests/faults/multicast_test.ts can prove the rest of U13.
Deno.test("U13: members on this machine receive by default", async () => {
  for (const multicastLoopback of [undefined, true]) {
    await using member = await Member.make({ sender: { multicastLoopback } });
    await member.send(1);
    assertEquals(await member.received(), [1]);
  }
});

Deno.test("U13: multicastLoopback is the sender's option, and the receiver's changes nothing", async () => {
  await using member = await Member.make({ receiver: { multicastLoopback: false } });
  await member.send(1);
  assertEquals(await member.received(), [1]);
});

Deno.test("U12: multicastTtl works for IPv4, and is Unsupported for IPv6 unless it is 1", async () => {
  for (const multicastTtl of [1, 2, 255]) {
    await using member = await Member.make({ sender: { multicastTtl } });
    await member.send(1);
    assertEquals(await member.received(), [1]);
  }
  await closeUdp(await bindUdp(IPV6, { multicastTtl: 1 }));
  const call = () => bindUdp(IPV6, { multicastTtl: 2 });
  assertStringIncludes((await rejection(call, "Unsupported", "bindUdp")).message, "IPv4 address");
});

Deno.test("U12: ttl, multicastInterface and ipv6Only work, or are Unsupported and name the setting", async () => {
  const cases: readonly [Address, BindUdpOptions][] = [
    [ANYWHERE, { ttl: 7 }],
    [ANYWHERE, { multicastInterface: "127.0.0.1" }],
    [IPV6, { ipv6Only: true }],
    [{ host: "0:0:0:0:0:0:0.0.0.0", port: 0 }, { ipv6Only: true }],
  ];
  for (const [address, options] of cases) {
    if (ON_DENO) {
      const error = await rejection(() => bindUdp(address, options), "Unsupported", "bindUdp");
      assertStringIncludes(error.message, `needs node:dgram: ${OTHER_SETTING}`);
      assertEquals([error.address, error.retryable], [address, false]);
    } else await closeUdp(await bindUdp(address, options));
  }
});

Deno.test("ipv6Only is taken on any other IPv6 address, and InvalidInput on an IPv4 one", async () => {
  await closeUdp(await bindUdp({ host: "::1", port: 0 }, { ipv6Only: true }));
  const call = () => bindUdp(ANYWHERE, { ipv6Only: true });
  await rejection(call, "InvalidInput", "bindUdp");
});

Deno.test("U12: ttl is Unsupported on an IPv6 socket with either backend", async () => {
  const { message } = await rejection(() => bindUdp(IPV6, { ttl: 7 }), "Unsupported", "bindUdp");
  assertStringIncludes(message, "bind to an IPv4 address");
});

Deno.test("U12: a bind that an option made fail leaves the port free", async () => {
  const { address } = await using(bindUdp(LOOPBACK));
  const bad: BindUdpOptions = ON_DENO ? { ttl: 7 } : { multicastInterface: "192.0.2.1" };
  const kind = ON_DENO ? "Unsupported" : "AddressNotAvailable";
  await rejection(() => bindUdp(address, bad), kind, "bindUdp");
  await closeUdp(await bindUdp(address));
});

Deno.test("U12: source filters, or is Unsupported and names the setting", async () => {
  if (ON_DENO) {
    await using socket = await bindUdp(ANYWHERE);
    const options = { ...ON_LOOPBACK, source: "127.0.0.1" };
    const call = () => joinMulticast(socket, ownGroup(), options);
    const { message } = await rejection(call, "Unsupported", "joinMulticast");
    assertStringIncludes(message, `source needs node:dgram: ${OTHER_SETTING}`);
    return;
  }
  for (const [source, expected] of [["127.0.0.1", [1]], ["127.0.0.2", []]] as const) {
    await using member = await Member.make({ join: { ...ON_LOOPBACK, source } });
    await member.send(1);
    assertEquals(await member.received(), [...expected]);
    await member.membership.leave();
    await member.send(2);
    assertEquals(await member.received(), []);
  }
});

Deno.test({
  name:
    "U11: two sources of a group are two memberships; one twice, or any beside it, is AddressInUse",
  ignore: ON_DENO,
  async fn() {
    const source = "127.0.0.1";
    await using member = await Member.make({ join: { ...ON_LOOPBACK, source } });
    const { socket, membership: { group } } = member;
    const other = await joinMulticast(socket, group, { ...ON_LOOPBACK, source: "127.0.0.2" });
    for (const options of [{ source }, {}]) {
      const call = () => joinMulticast(socket, group, { ...ON_LOOPBACK, ...options });
      await rejection(call, "AddressInUse", "joinMulticast");
    }
    await other.leave();
    await member.send(1);
    assertEquals(await member.received(), [1]);
  },
});

Deno.test("U12: a source for an IPv6 group is Unsupported with either backend", async () => {
  await using socket = await bindUdp(IPV6);
  const call = () => joinMulticast(socket, "ff3e::1", { source: "2001:db8::1" });
  await rejection(call, "Unsupported", "joinMulticast");
});

Deno.test("U12: an IPv6 socket joins an IPv4 group, or is Unsupported and names the setting", async () => {
  await using socket = await bindUdp(IPV6);
  const call = () => joinMulticast(socket, ownGroup(), ON_LOOPBACK);
  if (ON_DENO) await call();
  else {
    const { message } = await rejection(call, "Unsupported", "joinMulticast");
    // Node and Bun have no such setting.
    assertEquals(message.includes(OTHER_SETTING), "permissions" in Deno);
  }
});

Deno.test({
  name: "ipv6Only leaves the IPv4 port free, and the socket sends to IPv6 only",
  ignore: ON_DENO,
  async fn() {
    await using six = await bindUdp(IPV6, { ipv6Only: true });
    const { port } = six.address;
    await using four = await bindUdp({ host: "0.0.0.0", port });
    const call = () => sendTo(six, { host: "127.0.0.1", port }, new Uint8Array(1));
    const { message } = await rejection(call, "InvalidInput", "sendTo");
    assertStringIncludes(message, "ipv6Only");
    await rejection(() => joinMulticast(six, ownGroup()), "InvalidInput", "joinMulticast");
    assertEquals(four.address.port, port);
  },
});

/** Closes a socket, and returns it. */
async function using<T extends AsyncDisposable>(made: Promise<T>): Promise<T> {
  await using socket = await made;
  return socket;
}
