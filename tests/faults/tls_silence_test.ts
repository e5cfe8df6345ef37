import { assert, assertEquals } from "@std/assert";
import { faultTest } from "./support/fault_test.ts";
import { closeBoth, connectedHosts, endKind, provesBroken } from "./support/pairs.ts";

const SMALL = 10_000;
/** More bytes than both kernels hold. */
const LARGE = 32 * 1024 * 1024;
/** Memory that a process may need besides the queue: garbage that is not collected yet (bytes). */
const CONSTANT = 96 * 1024 * 1024;
const SEND_QUEUE_LIMIT = 16 * 1024 * 1024;
/** A rule that drops all that comes. */
const SILENCE = "meta l4proto tcp drop";

for (const tls of ["runtime", "engine"] as const) {
  faultTest(
    `E6: TLS (${tls}): a peer that goes silent: TimedOut at the deadline, and nothing is lost`,
    async (network) => {
      const hosts = await connectedHosts(network, { tls });
      const { client, server } = hosts;
      await network.filter("b", "input", SILENCE);
      await client.do("send", { on: "it", length: SMALL });
      for (const host of [client, server]) {
        for (let time = 0; time < 2; time++) {
          const { length, end } = await host.do("drain", { on: "it", timeout: 200 });
          assertEquals([length, endKind(end)], [0, "TimedOut"]);
          assert(typeof end === "object" && end.retryable && end.code === undefined);
        }
      }
      await network.heal("b");
      // The connection works as before, in both directions.
      for (const [from, to] of [[client, server], [server, client]]) {
        if (from === server) await from.do("send", { on: "it", length: SMALL });
        const came = await to.do("take", { on: "it", length: SMALL });
        assertEquals(came, { length: SMALL, intact: true });
      }
      await closeBoth(hosts);
    },
  );

  faultTest(
    `S4: TLS (${tls}): a send towards a silent peer: TimedOut with bytesSent, and what came is no whole stream`,
    async (network) => {
      const { client, server } = await connectedHosts(network, { tls });
      await network.filter("b", "input", SILENCE);
      const send = { on: "it", length: LARGE, timeout: 300 };
      const { bytesSent, retryable } = await client.fails("TimedOut", "send", send);
      assert(bytesSent! > 0 && bytesSent! < LARGE && !retryable);
      await client.fails("Closed", "send", { on: "it", length: 1 });
      assertEquals((await client.do("counts", { on: "it" })).bytesSent, bytesSent);
      await network.heal("b");
      const { length, intact, end } = await server.do("drain", { on: "it" });
      // The runtime's own TLS goes on with what it has taken, and says the end behind it.
      const ends = tls === "engine" ? ["UnexpectedEof", "ConnectionReset"] : ["end of stream"];
      assert(ends.includes(endKind(end)!), endKind(end));
      assert(intact && length <= LARGE, `${length}`);
      await server.do("close", { on: "it" });
    },
  );

  for (const [what, linger, length] of [["nothing", 200, SMALL], ["a lot", 0, LARGE]] as const) {
    faultTest(
      `K5: TLS (${tls}): close towards a silent peer with ${what} left to send ends`,
      async (network) => {
        const { client, server } = await connectedHosts(network, { tls });
        await network.filter("b", "input", SILENCE);
        if (length === SMALL) {
          await client.do("send", { on: "it", length });
          await client.do("close", { on: "it", linger });
        } else {
          const sending = client.fails("Closed", "send", { on: "it", length });
          const limits = { linger, flushTimeout: 1000 };
          const failure = await client.fails("TimedOut", "close", { on: "it", ...limits });
          assert(!failure.retryable, failure.message);
          assert((await sending).bytesSent! < length);
        }
        await network.heal("b");
        const { intact } = await server.do("drain", { on: "it" });
        assert(intact);
        await server.do("close", { on: "it" });
      },
    );
  }

  faultTest(
    `R4: TLS (${tls}): the kernel gives a silent peer up: TimedOut (ETIMEDOUT), and it stays so`,
    async (network) => {
      const { client, server } = await connectedHosts(network, { tls });
      await network.sh("a", "echo 2 >/proc/sys/net/ipv4/tcp_retries2");
      await network.filter("b", "input", SILENCE);
      await client.do("send", { on: "it", length: SMALL });
      const { length, end } = await client.do("drain", { on: "it" });
      assertEquals([length, endKind(end)], [0, "TimedOut"]);
      assert(typeof end === "object");
      assertEquals([end.code, end.retryable], ["ETIMEDOUT", false]);
      await provesBroken(client, "TimedOut");
      await client.do("close", { on: "it" });
      await network.heal("b");
      await server.do("abort", { on: "it" });
    },
  );

  faultTest(
    `S3: TLS (${tls}): a frozen peer: send is QueueFull, and memory stays within the limit`,
    async (network) => {
      const { client, server } = await connectedHosts(network, { tls });
      const before = await client.do("memory");
      server.signal("SIGSTOP");
      const flood = { on: "it", size: 64 * 1024, most: 10_000 };
      const { taken, refused } = await client.do("flood", flood);
      assertEquals(refused?.kind, "QueueFull");
      assert(taken < 10_000);
      assert(await client.do("memory") - before < SEND_QUEUE_LIMIT + CONSTANT);
      await client.fails("TimedOut", "closeWrite", { on: "it", timeout: 200 });
      await client.do("abort", { on: "it" });
      const { sent, failed } = await client.do("flooded", { on: "it" });
      assertEquals(sent + failed.length, taken);
      assert(failed.every(({ kind, bytesSent }) => kind === "Closed" && bytesSent !== undefined));

      server.signal("SIGCONT");
      const { intact } = await server.do("drain", { on: "it" });
      assert(intact);
      await server.do("close", { on: "it" });
    },
  );

  faultTest(
    `E6: TLS (${tls}): a peer that is stopped past the deadline, then goes on: nothing is lost`,
    async (network) => {
      const hosts = await connectedHosts(network, { tls });
      const { client, server } = hosts;
      server.signal("SIGSTOP");
      await client.do("send", { on: "it", length: SMALL, timeout: 1000 });
      const { length, end } = await client.do("drain", { on: "it", timeout: 300 });
      assertEquals([length, endKind(end)], [0, "TimedOut"]);
      server.signal("SIGCONT");
      const came = await server.do("take", { on: "it", length: SMALL });
      assertEquals(came, { length: SMALL, intact: true });
      await server.do("send", { on: "it", length: SMALL });
      const back = await client.do("take", { on: "it", length: SMALL });
      assertEquals(back, { length: SMALL, intact: true });
      await closeBoth(hosts);
    },
  );
}
