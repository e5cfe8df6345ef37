import { assert, assertEquals } from "@std/assert";
import { faultTest } from "./support/fault_test.ts";
import { ADDRESSES } from "./support/network.ts";
import { connectedHosts, endKind } from "./support/pairs.ts";
import { settled } from "./support/settled.ts";

const FRAME = 1024 * 1024 - 7;
const MANY = 100;

faultTest(
  "F7: a sender killed in mid-transfer: whole frames, then UnexpectedEof",
  async (network) => {
    const { client, server } = await connectedHosts(network);
    // The server does not receive yet, so the client is killed in the middle of a frame.
    const sending = client.do("sendFrames", { on: "it", frames: MANY, size: FRAME }).catch(
      () => {},
    );
    await settled(async () => (await client.do("counts", { on: "it" })).bytesSent);
    client.signal("SIGKILL");
    await sending;
    const { frames, intact, end } = await server.do("recvFrames", { on: "it" });
    assertEquals({ intact, end: endKind(end) }, { intact: true, end: "UnexpectedEof" });
    assert(frames < MANY);
    const { bytesReceived } = await server.do("counts", { on: "it" });
    assertEquals(bytesReceived, frames * (4 + FRAME));
    await server.do("close", { on: "it" });
  },
);

faultTest(
  "R4: a receiver killed in mid-transfer: ConnectionReset with bytesSent, also for recvFrame",
  async (network) => {
    const { client, server } = await connectedHosts(network);
    const sending = client.fails("ConnectionReset", "sendFrames", {
      on: "it",
      frames: MANY,
      size: FRAME,
    });
    const receiving = client.do("recvFrames", { on: "it" });
    await server.do("take", { on: "it", length: 2 * FRAME });
    server.signal("SIGKILL");
    const { bytesSent, retryable, operation } = await sending;
    assert(bytesSent! >= 0 && bytesSent! < 4 + FRAME && !retryable);
    assertEquals(operation, "sendFrame");
    // The kernel reports a reset to one call only. The other call must not report an end of stream.
    const { frames, end } = await receiving;
    assertEquals([frames, endKind(end)], [0, "ConnectionReset"]);
    const { bytesSent: all } = await client.do("counts", { on: "it" });
    assert(all >= 2 * FRAME && all < MANY * FRAME);
    await client.do("close", { on: "it" });
  },
);

faultTest(
  "V7: clients that are killed leave nothing in a server, and it serves the next",
  async (network) => {
    const server = await network.host("b");
    const { host, port } = await server.do("serve", { host: ADDRESSES.b[4] });
    const killed = await Promise.all([1, 2, 3].map(() => network.host("a")));
    for (const client of killed) {
      await client.do("connect", { as: "it", host, port });
      // The client does not receive the echo, so both sides are stuck.
      void client.do("sendFrames", { on: "it", frames: MANY, size: FRAME }).catch(() => {});
    }
    await settled(async () => (await server.do("served", { active: killed.length })).accepted);
    await settled(async () => (await killed[2].do("counts", { on: "it" })).bytesSent);
    for (const client of killed) client.signal("SIGKILL");
    const { active, accepted, errors } = await server.do("served", { active: 0 });
    assertEquals({ active, accepted, errors: errors.length }, {
      active: 0,
      accepted: 3,
      errors: 3,
    });
    assert(errors.every(({ kind }) => kind === "ConnectionReset"), JSON.stringify(errors));

    const next = await network.host("a");
    await next.do("connect", { as: "it", host, port });
    await next.do("sendFrames", { on: "it", frames: 3, size: 1000 });
    await next.do("closeWrite", { on: "it" });
    const received = await next.do("drain", { on: "it" });
    assertEquals([received.length, received.end], [3 * 1004, "end of stream"]);
    await next.do("close", { on: "it" });
    assertEquals(await server.do("shutdown", { timeout: 5000 }), { drained: 0, aborted: 0 });
  },
);
