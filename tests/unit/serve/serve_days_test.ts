/** Servers over hours and days of virtual time, with clients and networks that fail. */
import { assert, assertEquals } from "@std/assert";
import {
  close,
  type Connection,
  keepConnected,
  type LinkSession,
  recv,
  recvLine,
  send,
  serve,
  type Server,
  type SocketError,
} from "../../../mod.ts";
import type { MemoryNetwork } from "../../../testing.ts";
import {
  between,
  DAY_MS,
  HOUR_MS,
  MINUTE_MS,
  SECOND_MS,
  simulateToTheEnd,
  sleep,
} from "../../support/days.ts";
import { bytesOf } from "../../support/text.ts";

const ADDRESS = { host: "server", port: 80 };
const FIRST_BYTE_MS = MINUTE_MS;
const IDLE_MS = 10 * MINUTE_MS;
/** A timeout is noticed within a quarter of it. */
const LATE = 1.25;
const MOST_CONNECTIONS = 8;

/** Waits for the end of a connection, and returns the time. */
async function endOf(connection: Connection): Promise<number> {
  while (await recv(connection).catch(() => null) !== null);
  return performance.now();
}

/** Connects from a host of its own, and returns the connection after the server has accepted it. */
async function accepted(
  network: MemoryNetwork,
  host: string,
  begun: ReadonlyMap<string, number>,
): Promise<[connection: Connection, since: number]> {
  const connection = await network.host(host).connect(ADDRESS, { keepAlive: false });
  const { localAddress: { host: ip, port } } = connection;
  for (;;) {
    const since = begun.get(`${ip} ${port}`);
    if (since !== undefined) return [connection, since];
    await sleep(SECOND_MS);
  }
}

Deno.test("V2, V4: in a day of clients of every kind exactly the silent ones are ended, in time, and limits hold", async () => {
  await simulateToTheEnd(
    { seed: 1, latency: 10, jitter: 40, trace: false },
    async (network, clock) => {
      const begun = new Map<string, number>();
      let [most, silent, total] = [0, 0, 0];
      const listener = await network.host("server").listen(ADDRESS, { keepAlive: false });
      const server = serve(listener, async (connection) => {
        const { remoteAddress: { host, port } } = connection;
        begun.set(`${host} ${port}`, clock.now());
        most = Math.max(most, server.active);
        for (let line; (line = await recvLine(connection)) !== null;) {
          await send(connection, bytesOf(`${line}\n`));
        }
      }, {
        firstByteTimeout: FIRST_BYTE_MS,
        idleTimeout: IDLE_MS,
        maxConnections: MOST_CONNECTIONS,
        linger: 0,
        onError: (error) => assertEquals((error as SocketError).kind, "TimedOut"),
      });

      async function ask(connection: Connection, text: string): Promise<number> {
        await send(connection, bytesOf(`${text}\n`));
        assertEquals(await recvLine(connection), text);
        return clock.now();
      }
      /** The clients, by what they do; each gets its host. */
      const clients: ((host: string) => Promise<void>)[] = [
        async function talks(host) {
          const [connection] = await accepted(network, host, begun);
          for (let count = between(1, 10); count > 0; count--) {
            await ask(connection, `question ${count}`);
            await sleep(between(0, IDLE_MS * 0.95));
          }
          await close(connection);
        },
        async function saysNothing(host) {
          const [connection, since] = await accepted(network, host, begun);
          silent += 1;
          const waited = await endOf(connection) - since;
          assert(waited >= FIRST_BYTE_MS && waited <= FIRST_BYTE_MS * LATE, `${waited} ms`);
          await close(connection);
        },
        async function fallsSilent(host) {
          const [connection] = await accepted(network, host, begun);
          const last = await ask(connection, "the last");
          silent += 1;
          const waited = await endOf(connection) - last;
          assert(waited >= IDLE_MS - 100 && waited <= IDLE_MS * LATE, `${waited} ms`);
          await close(connection);
        },
        async function losesPower(host) {
          const [connection] = await accepted(network, host, begun);
          await ask(connection, "the last");
          silent += 1;
          using _ = network.freeze(host);
          network.crash(host);
          await sleep(2 * IDLE_MS);
          // The dead machine closes nothing. This frees its end, of which the network sees nothing.
          await close(connection, { timeout: 0 }).catch(() => {});
        },
      ];
      const running: Promise<void>[] = [];
      while (clock.now() < DAY_MS) {
        running.push(clients[total % clients.length](`client-${total++}`));
        await sleep(between(0, 5 * MINUTE_MS));
      }
      await Promise.all(running);
      await sleep(SECOND_MS);
      assertEquals([server.active, server.accepted, server.timedOut], [0, total, silent]);
      assertEquals(most, MOST_CONNECTIONS);
      assert(total > 400, `${total} clients`);
      assertEquals(await server.shutdown({ timeout: MINUTE_MS }), { drained: 0, aborted: 0 });
    },
  );
});

Deno.test("V6: whatever the network does, a shutdown takes at most its timeout, and counts everybody", async () => {
  let [drainedInAll, abortedInAll] = [0, 0];
  for (let seed = 0; seed < 40; seed++) {
    const options = { seed, latency: 10, jitter: 90, loss: 0.05, trace: false };
    await simulateToTheEnd(options, async (network, clock) => {
      const listener = await network.host("server").listen(ADDRESS);
      const server = serve(listener, async (connection) => {
        await recvLine(connection);
        await sleep(between(0, HOUR_MS));
        await send(connection, bytesOf("done\n"));
      }, { onError: () => {} });
      let answered = 0;
      const clients = Array.from({ length: 10 }, async (_, index) => {
        const host = `client-${index}`;
        await sleep(between(0, 20 * MINUTE_MS));
        const connection = await network.host(host).connect(ADDRESS).catch(() => undefined);
        if (connection === undefined) return;
        const asking = send(connection, bytesOf("question\n")).catch(() => {});
        const answering = recvLine(connection).catch(() => null);
        await sleep(between(0, 20 * MINUTE_MS));
        {
          using _ = index % 3 === 0 ? network.partition(host, "server") : undefined;
          await sleep(between(0, 10 * MINUTE_MS));
        }
        if (await answering === "done") answered += 1;
        await asking;
        await close(connection).catch(() => {});
      });
      await sleep(between(0, 40 * MINUTE_MS));
      const over = server.accepted - server.active;
      const start = clock.now();
      const timeout = between(0, HOUR_MS);
      const { drained, aborted } = await server.shutdown({ timeout });
      const took = clock.now() - start;
      assert(took <= timeout + 1, `${took} ms, and the timeout is ${timeout}`);
      assertEquals(drained + aborted, server.accepted - over);
      await Promise.all(clients);
      assert(answered >= drained + over, `${answered} answers, ${drained} drained, ${over} before`);
      // Handlers that nothing stops go on until their time is over.
      await sleep(HOUR_MS);
      assertEquals(server.active, 0);
      drainedInAll += drained;
      abortedInAll += aborted;
    });
  }
  assert(
    drainedInAll > 40 && abortedInAll > 40,
    `${drainedInAll} drained, ${abortedInAll} aborted`,
  );
});

/** Starts a server that answers each line after a while, and notes what it has received. */
async function startSlowServer(network: MemoryNetwork, received: Set<string>): Promise<Server> {
  const listener = await network.host("server").listen(ADDRESS);
  return serve(listener, async (connection, { signal }) => {
    for (;;) {
      const line = await recvLine(connection, { signal }).catch((error: SocketError) => {
        assertEquals(error.kind, "Aborted");
        return null;
      });
      if (line === null) return;
      received.add(line);
      await sleep(between(0, 20 * SECOND_MS));
      await send(connection, bytesOf(`${line}\n`));
    }
  }, { onError: (error) => assert(false, String(error)) });
}

Deno.test("V1, V6: a server that is restarted each hour of a day answers every request that it has received", async () => {
  const options = { seed: 3, latency: 20, jitter: 30, loss: 0.01, trace: false };
  await simulateToTheEnd(options, async (network, clock) => {
    const [received, answered] = [new Set<string>(), new Set<string>()];
    let [requests, sessions, over] = [0, 0, false];
    const askOnAndOn: LinkSession = async (connection, { ready }) => {
      ready();
      sessions += 1;
      while (!over) {
        const text = `request ${requests++}`;
        await send(connection, bytesOf(`${text}\n`));
        const line = await recvLine(connection);
        if (line === null) return;
        assertEquals(line, text);
        answered.add(line);
        await sleep(between(0, MINUTE_MS));
      }
      await endOf(connection);
    };
    const links = [1, 2, 3, 4, 5].map((number) =>
      keepConnected(ADDRESS, askOnAndOn, {
        connect: network.host(`client-${number}`).connect,
        backoff: { longest: SECOND_MS },
      })
    );
    let server = await startSlowServer(network, received);
    while (clock.now() < DAY_MS) {
      await sleep(HOUR_MS);
      assertEquals((await server.shutdown({ timeout: MINUTE_MS })).aborted, 0);
      server = await startSlowServer(network, received);
    }
    over = true;
    await sleep(2 * MINUTE_MS);
    assertEquals([...received].filter((text) => !answered.has(text)), []);
    assert(sessions > 23 * links.length && answered.size > 5000, `${sessions}, ${answered.size}`);
    await Promise.all(links.map((link) => link.close()));
    await server.shutdown({ timeout: MINUTE_MS });
  });
});
