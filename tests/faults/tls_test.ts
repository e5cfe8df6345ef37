import { assert, assertEquals } from "@std/assert";
import { faultTest } from "./support/fault_test.ts";
import { closeBoth, connectedHosts, endKind } from "./support/pairs.ts";
import { settled } from "./support/settled.ts";

const FRAME = 1024 * 1024 - 7;
const MANY = 100;
const LARGE = 32 * 1024 * 1024;
/** Time for which the process is stopped, longer than every deadline here (ms). */
const STOP_MS = 1000;
const SHORT = { flushTimeout: 300, linger: 300 };

/**
 * Checks that a stream did not end in order. If the killed side had not read the tickets of TLS 1.3, its kernel resets
 * the connection.
 */
function assertNoEnd(end: string | undefined): void {
  assert(end === "UnexpectedEof" || end === "ConnectionReset", end);
}

for (const tls of ["runtime", "engine"] as const) {
  faultTest(
    `T2, F7: TLS (${tls}): a sender killed in mid-transfer: whole frames, then an error`,
    async (network) => {
      const { client, server } = await connectedHosts(network, { tls });
      const sending = client.do("sendFrames", { on: "it", frames: MANY, size: FRAME }).catch(
        () => {},
      );
      // The server does not receive yet, so the client is killed in the middle of a frame.
      await settled(async () => (await client.do("counts", { on: "it" })).bytesSent);
      client.signal("SIGKILL");
      await sending;
      const { frames, intact, end } = await server.do("recvFrames", { on: "it" });
      assert(intact);
      assertNoEnd(endKind(end));
      assert(frames < MANY);
      await server.do("close", { on: "it" });
    },
  );

  faultTest(
    `T2: TLS (${tls}): an idle peer that is killed is no orderly end`,
    async (network) => {
      const { client, server } = await connectedHosts(network, { tls });
      await client.do("send", { on: "it", length: 1000 });
      await server.do("take", { on: "it", length: 1000 });
      const receiving = server.do("take", { on: "it", length: 1 });
      client.signal("SIGKILL");
      assertNoEnd(endKind((await receiving).end));
      await server.do("close", { on: "it" });
    },
  );

  faultTest(
    `E12: TLS (${tls}): close() delivers all that was sent if the process is stopped`,
    async (network) => {
      const { client, server } = await connectedHosts(network, { tls });
      const sending = client.do("send", { on: "it", length: LARGE });
      const closing = client.do("close", { on: "it", ...SHORT });
      // The host takes orders in turn, so the close has begun when this one is answered.
      await client.do("counts", { on: "it" });
      client.signal("SIGSTOP");
      const draining = server.do("drain", { on: "it" });
      await new Promise((resolve) => setTimeout(resolve, STOP_MS));
      client.signal("SIGCONT");
      await sending;
      const { length, intact, end } = await draining;
      assertEquals({ length, intact, end }, { length: LARGE, intact: true, end: "end of stream" });
      await server.do("close", { on: "it" });
      await closing;
    },
  );

  faultTest(
    `S2: TLS (${tls}): over a link that loses 5 % every byte arrives, in order`,
    async (network) => {
      const pair = await connectedHosts(network, { tls });
      const { client, server } = pair;
      const sending = client.do("send", { on: "it", length: 2 * 1024 * 1024 });
      const { intact } = await server.do("take", { on: "it", length: 2 * 1024 * 1024 });
      assert(intact);
      await sending;
      await closeBoth(pair);
    },
    { relay: { loss: 5, delay: 5 } },
  );
}
