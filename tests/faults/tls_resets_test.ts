import { assert, assertEquals } from "@std/assert";
import { faultTest } from "./support/fault_test.ts";
import { ADDRESSES } from "./support/network.ts";
import { acknowledged, connectedHosts, endKind, provesBroken } from "./support/pairs.ts";

const PART = 100_000;
/** More bytes than both kernels hold. */
const LARGE = 32 * 1024 * 1024;
/** The most bytes that are encrypted and written at once. */
const ONE_WRITE = 64 * 1024;
/** A size that every kernel takes without a reader (bytes). */
const UNREAD = 20_000;

for (const tls of ["runtime", "engine"] as const) {
  faultTest(
    `R4: TLS (${tls}): a reset in the middle of a send: ConnectionReset with bytesSent, and it stays broken`,
    async (network) => {
      const { client, server, port } = await connectedHosts(network, { tls });
      const sending = client.fails("ConnectionReset", "send", { on: "it", length: LARGE });
      const part = await server.do("take", { on: "it", length: PART });
      assertEquals(part, { length: PART, intact: true });
      // The firewall answers the client's next segment. The server does not notice.
      await network.filter("b", "input", `tcp dport ${port} reject with tcp reset`);
      const rest = server.do("take", { on: "it", length: LARGE, timeout: 1000 });
      const { bytesSent, retryable } = await sending;
      const counts = await client.do("counts", { on: "it" });
      assertEquals([counts.bytesSent, retryable], [bytesSent, false]);

      const { length, intact, end } = await rest;
      assertEquals({ intact, end: endKind(end) }, { intact: true, end: "TimedOut" });
      // Records of the write that failed may have come.
      assert(bytesSent! + ONE_WRITE >= PART + length, `${length} of ${bytesSent}`);
      assert(bytesSent! < LARGE);
      await provesBroken(client);
      await Promise.all([client, server].map((host) => host.do("abort", { on: "it" })));
    },
  );

  faultTest(
    `R4: TLS (${tls}): a reset with unread data: the data, then ConnectionReset`,
    async (network) => {
      const { client, server, port } = await connectedHosts(network, { tls });
      await server.do("send", { on: "it", length: UNREAD });
      await acknowledged(network, port);
      await network.filter("b", "input", `tcp dport ${port} reject with tcp reset`);
      await client.do("send", { on: "it", length: 1 });
      const { length, intact, end } = await client.do("drain", { on: "it" });
      assertEquals([length, intact, endKind(end)], [UNREAD, true, "ConnectionReset"]);
      await provesBroken(client);
      await Promise.all([client, server].map((host) => host.do("abort", { on: "it" })));
    },
  );

  faultTest(
    `R4: TLS (${tls}): a receiver killed in mid-transfer: the send fails, and it stays broken`,
    async (network) => {
      const { client, server } = await connectedHosts(network, { tls });
      const sending = client.attempt("send", { on: "it", length: LARGE });
      await server.do("take", { on: "it", length: PART });
      server.signal("SIGKILL");
      const failure = await sending;
      assert(failure !== undefined && failure.bytesSent! < LARGE && !failure.retryable);
      assert(["ConnectionReset", "BrokenPipe"].includes(failure.kind), failure.message);
      const { length, end } = await client.do("drain", { on: "it" });
      assertEquals([length, endKind(end)], [0, "ConnectionReset"]);
      await client.do("close", { on: "it" });
    },
  );

  faultTest(
    `R4: TLS (${tls}): a socket that ss -K kills: ConnectionReset on both sides, for pending and later calls`,
    async (network) => {
      const { client, server, port } = await connectedHosts(network, { tls });
      const waiting = [
        client.fails("ConnectionReset", "send", { on: "it", length: LARGE }),
        client.do("drain", { on: "it" }),
        server.do("take", { on: "it", length: PART }),
      ] as const;
      assertEquals(await waiting[2], { length: PART, intact: true });
      await network.sh("a", `ss -K -tn dst ${ADDRESSES.b[4]} dport = ${port}`);
      const [sent, received] = await Promise.all(waiting);
      assert(sent.bytesSent! >= PART && sent.bytesSent! < LARGE);
      const { length, intact } = received;
      assertEquals([length, intact, endKind(received.end)], [0, true, "ConnectionReset"]);
      const rest = await server.do("drain", { on: "it" });
      assertEquals([rest.intact, endKind(rest.end)], [true, "ConnectionReset"]);
      await provesBroken(client);
      await provesBroken(server);
      await Promise.all([client, server].map((host) => host.do("close", { on: "it" })));
    },
  );
}
