import { assertEquals } from "@std/assert";
import { faultTest } from "./support/fault_test.ts";
import { connectedHosts } from "./support/pairs.ts";

/** More bytes than both kernels hold. */
const LARGE = 32 * 1024 * 1024;
/** Time for which the process is stopped, longer than every deadline here (ms). */
const STOP_MS = 1000;
const SHORT = { flushTimeout: 300, linger: 300 };

faultTest(
  "E12: close() delivers all that was sent if the process is stopped for longer than flushTimeout",
  async (network) => {
    const { client, server } = await connectedHosts(network);
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
