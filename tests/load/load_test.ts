/**
 * Holds a server under load. The tests print figures, and assert that no client is lost and that nothing grows.
 */
import { assert, assertEquals } from "@std/assert";
import { abort, close, connect, type Connection, recvExactly, recvLine, send } from "../../mod.ts";
import {
  figuresWhen,
  latencies,
  type LoadServer,
  mebibytes,
  startCrowd,
  startServer,
} from "./support/served.ts";

const MESSAGE = crypto.getRandomValues(new Uint8Array(64));

/** Makes `count` echoes, and returns the time of each (ms). */
async function echoes(connection: Connection, count: number): Promise<number[]> {
  const took: number[] = [];
  for (let done = 0; done < count; done++) {
    const begin = performance.now();
    await send(connection, MESSAGE);
    assertEquals(await recvExactly(connection, MESSAGE.length), MESSAGE);
    took.push(performance.now() - begin);
  }
  return took;
}

Deno.test("10,000 idle connections stay open while another one gets its echoes", async () => {
  // The idle timeouts check each connection four times a second.
  await using server = await startServer("echo", { firstByteTimeout: 2_000, idleTimeout: 300_000 });
  const alone = await connect(server.address);
  await echoes(alone, 2_000);
  console.log(`one connection: ${latencies(await echoes(alone, 5_000))}`);
  const before = await server.figures();
  await using crowd = await startCrowd(server.address, 9_999, "idle");
  const { rss } = await figuresWhen(server, ({ active }) => active === 10_000);
  console.log(`among 10,000: ${latencies(await echoes(alone, 5_000))}`);
  console.log(
    `memory for each: ${((rss - before.rss) / 9_999 / 1024).toFixed(1)} KiB, ${
      mebibytes(rss)
    } in all`,
  );
  assertEquals(await crowd.open(), 9_999);
  assertEquals((await server.figures()).ended, {});
  await close(alone);
});

Deno.test("100,000 connections in turn leave descriptors and memory as they were", async () => {
  await using server = await startServer("echo", { maxConnectionsPerHost: 1_000 });
  const IN_TURN = 100_000;
  const AT_ONCE = 32;
  let left = 0;
  const work = async () => {
    while (left-- > 0) {
      const connection = await connect(server.address);
      await send(connection, MESSAGE);
      assertEquals((await recvExactly(connection, MESSAGE.length)).length, MESSAGE.length);
      await close(connection);
    }
  };
  const figures = [];
  const begin = performance.now();
  // The memory of the first two tenths is not compared, because some of it stays.
  for (let part = 0; part < 10; part++) {
    left = IN_TURN / 10;
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    figures.push(await figuresWhen(server, ({ active }) => active === 0));
  }
  const seconds = (performance.now() - begin) / 1000;
  const { accepted, refused, ended } = figures.at(-1)!;
  assertEquals([accepted, refused, ended], [IN_TURN, 0, {}]);
  const descriptors = figures.map(({ descriptors }) => descriptors);
  console.log(`descriptors after each tenth: ${descriptors.join(", ")}`);
  console.log(`memory after each tenth: ${figures.map(({ rss }) => mebibytes(rss)).join(", ")}`);
  console.log(`${(IN_TURN / seconds).toFixed(0)} connections a second`);
  assertEquals(new Set(descriptors).size, 1);
  assert(figures[9].rss - figures[1].rss < 20 * 1024 * 1024);
});

/** Makes requests one after the other for a time, and returns the time of each (ms). */
async function requests(server: LoadServer, milliseconds: number): Promise<number[]> {
  const took: number[] = [];
  const good = await connect(server.address);
  for (const end = performance.now() + milliseconds; performance.now() < end;) {
    const begin = performance.now();
    await send(good, new TextEncoder().encode(`request ${took.length}\n`));
    assertEquals(await recvLine(good), `request ${took.length}`);
    took.push(performance.now() - begin);
  }
  await close(good);
  return took;
}

Deno.test("5,000 clients that trickle a byte a second do not block the answers of another one", async () => {
  await using server = await startServer("lines", { firstByteTimeout: 10_000, idleTimeout: 5_000 });
  console.log(`alone: ${latencies(await requests(server, 3_000))}`);
  await using crowd = await startCrowd(server.address, 5_000, "trickling");
  await figuresWhen(server, ({ active }) => active === 5_000);
  const took = await requests(server, 15_000);
  console.log(`among 5,000 that trickle: ${latencies(took)}, ${took.length} answers in 15 s`);
  const { rss, ended } = await server.figures();
  console.log(`memory: ${mebibytes(rss)}`);
  assertEquals([await crowd.open(), ended], [5_000, {}]);
});

Deno.test("10 clients that flood empty lines do not block the answers of another one", async () => {
  await using server = await startServer("silent lines", { idleTimeout: 5_000 });
  console.log(`alone: ${latencies(await requests(server, 3_000))}`);
  await using crowd = await startCrowd(server.address, 10, "flooding");
  await figuresWhen(server, ({ active }) => active === 10);
  const took = await requests(server, 10_000);
  console.log(`beside 10 that flood: ${latencies(took)}, ${took.length} answers in 10 s`);
  const { rss, ended } = await server.figures();
  console.log(`memory: ${mebibytes(rss)}`);
  assertEquals([await crowd.open(), ended], [10, {}]);
  // Each answer took 6.5 s before receiving calls let the event loop turn.
  assert(took.length > 10, `${took.length} answers`);
});

const PEERS = 1_000;
const MAX_LENGTH = 1024 * 1024;

/** Returns the memory of a server that holds frames without their last bytes (bytes). */
async function memoryWithUnfinished(server: LoadServer): Promise<number> {
  await using crowd = await startCrowd(server.address, PEERS, "stalling");
  let { rss } = await figuresWhen(server, ({ active }) => active === PEERS);
  for (let steady = 0; steady < 5;) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    const now = await server.figures();
    steady = now.rss - rss < MAX_LENGTH ? steady + 1 : 0;
    rss = now.rss;
  }
  const good = await connect(server.address);
  await send(good, new Uint8Array([0, 0, 0, 1, 7]));
  assertEquals(await recvLine(good), "1");
  abort(good);
  await figuresWhen(server, ({ active }) => active === 0);
  while (await crowd.open() > 0) await new Promise((resolve) => setTimeout(resolve, 100));
  return rss;
}

Deno.test("1,000 hostile peers that stall a byte before the end of a frame cost no more than the limits", async () => {
  await using server = await startServer("frames", { idleTimeout: 10_000 });
  const { rss: before } = await server.figures();
  const first = await memoryWithUnfinished(server);
  const { rss: after } = await server.figures();
  const second = await memoryWithUnfinished(server);
  console.log(
    `memory: ${mebibytes(before)} before, ${
      mebibytes(first)
    } with ${PEERS} unfinished frames of 1 MiB ` +
      `(${((first - before) / PEERS / MAX_LENGTH).toFixed(2)} times what they have sent), ` +
      `${mebibytes(after)} after they were ended, ${mebibytes(second)} with as many once more`,
  );
  // The limit is the received bytes and one read of at most 128 KiB, twice because of the connection itself and its
  // garbage. The second crowd must fit into the memory of the first.
  const most = before + PEERS * (MAX_LENGTH + 2 * 128 * 1024);
  assert(first < most, mebibytes(first));
  assert(second < most, mebibytes(second));
  const { ended } = await server.figures();
  assertEquals(ended, { TimedOut: 2 * PEERS });
});
