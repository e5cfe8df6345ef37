import { assert, assertEquals } from "@std/assert";
import {
  close,
  type Connection,
  recv,
  recvLine,
  send,
  serve,
  type ServeOptions,
  type Server,
  SocketError,
} from "../../../mod.ts";
import { type MemoryNetwork, simulate } from "../../../testing.ts";
import { bytesOf } from "../../support/text.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function echoServer(network: MemoryNetwork, options: ServeOptions): Promise<Server> {
  const listener = await network.host("server").listen({ host: "server", port: 80 });
  return serve(listener, async (connection) => {
    for await (const bytes of connection) await send(connection, bytes);
  }, options);
}

function connect(network: MemoryNetwork): Promise<Connection> {
  return network.host("client").connect({ host: "server", port: 80 });
}

Deno.test("V4: in ten hours idleTimeout spares who says something, and ends who is silent for an hour", async () => {
  await simulate({ seed: 1, check: true }, async (network, clock) => {
    const errors: unknown[] = [];
    const onError = (error: unknown) => void errors.push(error);
    const server = await echoServer(network, { idleTimeout: HOUR_MS, onError });
    const [speaks, silent] = [await connect(network), await connect(network)];
    const ended = recv(silent).then((bytes) => [bytes, clock.now()] as const);
    for (let minutes = 0; minutes < 600; minutes += 50) {
      await sleep(50 * MINUTE_MS);
      await send(speaks, bytesOf("still here\n"));
      assertEquals(await recvLine(speaks), "still here");
    }
    const [bytes, time] = await ended;
    assertEquals(bytes, null);
    assert(time > HOUR_MS && time < 1.3 * HOUR_MS, `ended after ${time} ms`);
    assertEquals([server.active, errors.length], [1, 1]);
    assert(errors[0] instanceof SocketError && errors[0].kind === "TimedOut");
    await Promise.all([close(speaks), server.shutdown()]);
  });
});

Deno.test("V6: a shutdown waits for hours for a handler, and at most for its timeout", async () => {
  for (const [timeout, drained] of [[3 * HOUR_MS, 1], [HOUR_MS, 0]]) {
    await simulate({ seed: 2, check: true }, async (network, clock) => {
      const listener = await network.host("server").listen({ host: "server", port: 80 });
      const server = serve(listener, async (connection) => {
        await recvLine(connection);
        await sleep(2 * HOUR_MS);
        await send(connection, bytesOf("done\n"));
      }, { onError: () => {} });
      const client = await connect(network);
      await send(client, bytesOf("work\n"));
      await sleep(MINUTE_MS);
      const answer = recvLine(client).catch(() => "broken").then((line) => line ?? "the end");
      const result = await server.shutdown({ timeout });
      assertEquals(result, { drained, aborted: 1 - drained });
      assertEquals(await answer, drained === 1 ? "done" : "the end");
      const hours = Math.round(clock.now() / HOUR_MS);
      assertEquals(hours, drained === 1 ? 2 : 1);
      await close(client);
    });
  }
});

Deno.test("V6: a shutdown loses no answer of clients that come through a bad network", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    await simulate({ seed, latency: 5, jitter: 15, loss: 0.05 }, async (network) => {
      const server = await echoServer(network, { onError: () => {} });
      const answers = Array.from({ length: 20 }, async (_, index) => {
        await sleep(index * 3);
        const client = await connect(network).catch((error: SocketError) => error.kind);
        if (typeof client === "string") return client;
        try {
          await send(client, bytesOf(`${index}\n`));
          const line = await recvLine(client);
          await close(client);
          return line === `${index}` ? "answered" : `got ${line}`;
        } catch (error) {
          return (error as SocketError).kind;
        }
      });
      await sleep(40);
      const ended = server.shutdown();
      const outcomes = new Set(await Promise.all(answers));
      await ended;
      // A client is answered, or comes too late: the port refuses it, or resets it in the backlog.
      for (const outcome of outcomes) {
        assert(["answered", "ConnectionRefused", "ConnectionReset"].includes(outcome), outcome);
      }
      assert(outcomes.has("answered"));
    });
  }
});

Deno.test("V4: a client whose host lost power is ended by idleTimeout, without keepAlive as well", async () => {
  await simulate({ seed: 3 }, async (network, clock) => {
    const listener = await network.host("server")
      .listen({ host: "server", port: 80 }, { keepAlive: false });
    const server = serve(listener, async (connection) => {
      while (await recv(connection) !== null);
    }, { idleTimeout: HOUR_MS, onError: () => {} });
    await connect(network);
    await sleep(1000);
    using _ = network.freeze("client");
    network.crash("client");
    while (server.active > 0) await sleep(MINUTE_MS);
    assert(clock.now() < 1.5 * HOUR_MS, `${clock.now()}`);
  });
});
