import { assert, assertEquals } from "@std/assert";
import { strace } from "../system/support/strace.ts";
import { assertInjected, forEach, inject, type Meaning } from "./support/injecting.ts";
import { faultTest } from "./support/fault_test.ts";
import type { Host } from "./support/host.ts";
import { ADDRESSES, type Network } from "./support/network.ts";
import { closeBoth, provesBroken } from "./support/pairs.ts";

const LENGTH = 100_000;
/** A size that the kernel takes in many pieces (bytes). */
const LARGE = 4 * 1024 * 1024;

/** The errors of accept(2) on Linux: of the network of one client, or of a kernel without room. */
const ACCEPT = [
  ..."ECONNABORTED EINTR EPROTO EPERM ENETDOWN ENOPROTOOPT EHOSTDOWN ENONET EHOSTUNREACH".split(
    " ",
  ),
  ..."EOPNOTSUPP ENETUNREACH ETIMEDOUT EMFILE ENFILE ENOBUFS ENOMEM EIO".split(" "),
];

faultTest(
  "L1: accept4 fails with each errno twice: the iteration goes on and serves everybody",
  async (network) => {
    const client = await network.host("a");
    await forEach(ACCEPT, async (errno) => {
      const server = await network.host("b", await inject("accept4", `error=${errno}`, "1..2"));
      const { host, port } = await server.do("listen", { as: "it", host: ADDRESSES.b[4] });
      const serving = server.do("sendToClients", { on: "it", clients: 3, length: LENGTH });
      for (const as of [1, 2, 3].map((number) => `${errno} ${number}`)) {
        await client.do("connect", { as, host, port });
        const { length, intact, end } = await client.do("drain", { on: as });
        assertEquals({ length, intact, end }, {
          length: LENGTH,
          intact: true,
          end: "end of stream",
        });
        await client.do("close", { on: as });
      }
      assertEquals(await serving, 3);
      await server.do("closeListener", { on: "it" });
      assertInjected(server, 2);
    });
  },
);

const CONNECT: readonly Meaning[] = [
  ["ECONNREFUSED", "ConnectionRefused", true],
  ["ECONNRESET", "ConnectionReset", true],
  ["ECONNABORTED", "ConnectionReset", true],
  ["ENETUNREACH", "Unreachable", true],
  ["ENETDOWN", "Unreachable", true],
  ["EHOSTUNREACH", "Unreachable", true],
  ["EHOSTDOWN", "Unreachable", true],
  ["ENOPROTOOPT", "Unreachable", true],
  ["EACCES", "Unreachable", true],
  ["ETIMEDOUT", "TimedOut", true],
  ["EADDRNOTAVAIL", "AddressNotAvailable", true],
  ["EADDRINUSE", "AddressInUse", true],
  ["ENOBUFS", "ResourceExhausted", true],
  ["ENOMEM", "ResourceExhausted", true],
  ["EPERM", "PermissionDenied", false],
  ["EAFNOSUPPORT", "InvalidInput", false],
  ["EINVAL", "InvalidInput", false],
];

faultTest(
  "connect fails with each errno: its kind, no socket, and the next one works",
  async (network) => {
    const server = await network.host("b");
    const { host, port } = await server.do("listen", { as: "it", host: ADDRESSES.b[4] });
    const serving = server.do("sendToClients", { on: "it", clients: CONNECT.length, length: 10 });
    await forEach(CONNECT, async ([errno, kind, retryable]) => {
      const client = await network.host("a", await inject("connect", `error=${errno}`));
      const target = { as: "it", host, port };
      const error = await client.fails(kind, "connect", target);
      assertEquals([error.code, error.retryable, error.operation], [errno, retryable, "connect"]);
      assertInjected(client);
      await client.proveClean();
      await client.do("connect", target);
      assertEquals((await client.do("drain", { on: "it" })).length, 10);
      await client.do("close", { on: "it" });
    });
    assertEquals(await serving, CONNECT.length);
    await server.do("closeListener", { on: "it" });
  },
);

/** The errors of recv(2) and send(2) that break a stream. */
const STREAM: readonly Meaning[] = [
  ["ECONNRESET", "ConnectionReset", false],
  ["ETIMEDOUT", "TimedOut", false],
  ["EHOSTUNREACH", "Unreachable", false],
  ["ENETUNREACH", "Unreachable", false],
  ["ENETDOWN", "Unreachable", false],
  ["ENOBUFS", "ResourceExhausted", false],
  ["ENOMEM", "ResourceExhausted", false],
  ["EACCES", "PermissionDenied", false],
];

faultTest(
  "R4: recvfrom fails with each errno: the bytes before it, its kind, and it stays broken",
  async (network) => {
    await forEach(STREAM, async ([errno, kind, retryable]) => {
      const { client, server } = await streamUnder(
        network,
        await inject("recvfrom", `error=${errno}`, "1"),
      );
      await server.do("send", { on: "it", length: 10 });
      const { length, intact, end } = await client.do("drain", { on: "it" });
      assert(intact && length <= 10);
      assert(typeof end === "object");
      assertEquals([end.kind, end.code, end.retryable], [kind, errno, retryable]);
      assertEquals((await client.do("counts", { on: "it" })).bytesReceived, length);
      await provesBroken(client, kind);
      await Promise.all([client, server].map((host) => host.do("abort", { on: "it" })));
    });
  },
);

faultTest(
  "R4: sendto fails with each errno: its kind, bytesSent, and it stays broken",
  async (network) => {
    await forEach(STREAM, async ([errno, kind, retryable]) => {
      const { client, server } = await streamUnder(
        network,
        await inject("sendto", `error=${errno}`, "2"),
      );
      await client.do("send", { on: "it", length: 10 });
      const error = await client.fails(kind, "send", { on: "it", length: LENGTH });
      assertEquals([error.code, error.retryable, error.bytesSent], [errno, retryable, 0]);
      assertInjected(client);
      assertEquals((await client.do("counts", { on: "it" })).bytesSent, 10);
      await provesBroken(client, kind);
      await client.do("close", { on: "it" });
      const { length, intact } = await server.do("drain", { on: "it" });
      assertEquals({ length, intact }, { length: 10, intact: true });
      await server.do("close", { on: "it" });
    });
  },
);

faultTest(
  "R4: sendto fails with EPIPE: BrokenPipe, and the waiting bytes can still be received",
  async (network) => {
    const { client, server } = await streamUnder(network, await inject("sendto", "error=EPIPE"));
    await server.do("send", { on: "it", length: 10 });
    const error = await client.fails("BrokenPipe", "send", { on: "it", length: 1 });
    assertEquals([error.code, error.bytesSent], ["EPIPE", 0]);
    assertEquals(await client.do("take", { on: "it", length: 10 }), { length: 10, intact: true });
    await Promise.all([client, server].map((host) => host.do("close", { on: "it", linger: 0 })));
  },
);

// EAGAIN and EINTR are left out for recvfrom and sendto. No kernel gives EAGAIN if there is data or room, and none
// gives EINTR on a socket that does not block.

faultTest("S1: short writes of a kernel with little room: every byte arrives", async (network) => {
  await network.sh("a", "echo 4608 4608 4608 >/proc/sys/net/ipv4/tcp_wmem");
  const traced = { under: await strace("-e", "trace=sendto") };
  const { client, server } = await streamUnder(network, traced);
  const [received] = await Promise.all([
    server.do("take", { on: "it", length: LARGE }),
    client.do("send", { on: "it", length: LARGE }),
  ]);
  assertEquals(received, { length: LARGE, intact: true });
  assertEquals((await client.do("counts", { on: "it" })).bytesSent, LARGE);
  const writes = [
    ...client.errors.matchAll(/sendto\(.*, (\d+), MSG_NOSIGNAL, NULL, 0\) = (\d+)$/gm),
  ];
  const short = writes.filter(([, wanted, taken]) => Number(taken) < Number(wanted));
  assert(short.length >= 5, `${short.length} short writes`);
  await closeBoth({ client, server });
});

faultTest("S1: sendto takes 3 of many bytes: the send goes on with the fourth", async (network) => {
  // strace only pretends that sendto took 3 bytes. They are lost, and all bytes after them must arrive.
  const { client, server } = await streamUnder(network, await inject("sendto", "retval=3", "2"));
  await client.do("send", { on: "it", length: 10 });
  assertEquals(await server.do("take", { on: "it", length: 10 }), { length: 10, intact: true });
  const sending = client.do("send", { on: "it", length: LENGTH });
  // After a short write, the runtime waits until the kernel reports room. This kernel had room all the time and reports
  // nothing, so the server sends a byte: any event of the socket wakes the runtime.
  while (!client.errors.includes("(INJECTED)")) await new Promise((r) => setTimeout(r, 5));
  const news = server.do("send", { on: "it", length: 1 });
  const rest = await server.do("take", { on: "it", length: LENGTH - 3, lost: 3 });
  await Promise.all([sending, news]);
  assertEquals(rest, { length: LENGTH - 3, intact: true });
  assertInjected(client);
  assertEquals((await client.do("counts", { on: "it" })).bytesSent, 10 + LENGTH);
  await closeBoth({ client, server });
});

/** Makes a connection whose client runs under strace. */
async function streamUnder(
  network: Network,
  options: { under: string[] },
): Promise<{ client: Host; server: Host }> {
  const [client, server] = await Promise.all([network.host("a", options), network.host("b")]);
  const { host, port } = await server.do("listen", { as: "listener", host: ADDRESSES.b[4] });
  await client.do("connect", { as: "it", host, port });
  await server.do("accept", { on: "listener", as: "it" });
  await server.do("closeListener", { on: "listener" });
  return { client, server };
}
