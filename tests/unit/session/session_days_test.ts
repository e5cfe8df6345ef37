/** Links and heartbeats over hours and days of virtual time, on networks that fail. */
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import {
  abort,
  accept,
  close,
  closeListener,
  type Connection,
  flush,
  framed,
  heartbeat,
  json,
  keepConnected,
  type Link,
  recv,
  recvLine,
  send,
  sendFrame,
  serve,
  SocketError,
} from "../../../mod.ts";
import type { MemoryNetwork } from "../../../testing.ts";
import { type Acknowledgement, type Message, Outbox } from "../../../examples/outbox.ts";
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

const SERVER = { host: "server", port: 80 };
const INTERVAL_MS = 30 * SECOND_MS;
const TIMEOUT_MS = 20 * SECOND_MS;
/** Longest time between two checks of a heartbeat: a ping and the end are late by at most two of them (ms). */
const CHECK_MS = TIMEOUT_MS / 8;

/** Ends a link, with whatever error it had before. Without a session that takes no time. */
async function end(link: Link): Promise<void> {
  const start = performance.now();
  const isReady = link.state === "ready";
  await link.close({ linger: SECOND_MS }).catch(() => {});
  await link.finished.catch(() => {});
  assertEquals(link.state, "ended");
  if (!isReady) assertEquals(performance.now(), start);
}

/** A server that is killed and started again. It remembers what it has received, as if it were on a disk. */
class Inbox {
  readonly received: string[] = [];
  /** Messages that came again. */
  repeated = 0;
  connections = 0;
  readonly #network: MemoryNetwork;
  readonly #numbers = new Map<string, number>();
  #stop = new AbortController();

  constructor(network: MemoryNetwork) {
    this.#network = network;
  }

  async start(): Promise<void> {
    const listener = await this.#network.host(SERVER.host).listen(SERVER);
    const { signal } = this.#stop = new AbortController();
    serve(listener, (connection) => this.#receive(connection), { signal, onError: () => {} });
  }

  crash(): void {
    this.#network.crash(SERVER.host);
    // The kernel has closed all on the network. This frees the handles of the killed program.
    this.stop();
  }

  stop(): void {
    this.#stop.abort();
  }

  async #receive(connection: Connection): Promise<void> {
    this.connections += 1;
    const stream = framed(connection, json<Acknowledgement, Message>());
    const ping = () => sendFrame(stream, { upTo: 0 });
    using _ = heartbeat(connection, { interval: INTERVAL_MS, timeout: TIMEOUT_MS, ping });
    for await (const { sender, number, text } of stream) {
      const last = this.#numbers.get(sender) ?? 0;
      if (number > last) {
        assertEquals(number, last + 1, "a message was left out");
        this.received.push(text);
        this.#numbers.set(sender, number);
      } else this.repeated += 1;
      await sendFrame(stream, { upTo: number });
    }
  }
}

/** Lets a link between two hosts flap in every way until the time is over. */
async function flap(network: MemoryNetwork, inbox: Inbox, until: () => boolean): Promise<number> {
  let faults = 0;
  for (; !until(); faults++) {
    await sleep(between(SECOND_MS, 10 * MINUTE_MS));
    const long = between(100, Math.random() < 0.5 ? 10 * SECOND_MS : 20 * MINUTE_MS);
    switch (between(0, 3)) {
      case 0: {
        using _ = network.partition("client", SERVER.host);
        await sleep(long);
        break;
      }
      case 1: {
        using _ = network.freeze(SERVER.host);
        // A machine that lost power is frozen, and then started anew.
        if (Math.random() < 0.5) inbox.crash();
        await sleep(long);
        break;
      }
      case 2:
        inbox.crash();
        await sleep(long);
        break;
      default:
        network.link("client", SERVER.host, { latency: between(0, 500), loss: Math.random() / 5 });
    }
    await inbox.start().catch((error: SocketError) => assertEquals(error.kind, "AddressInUse"));
  }
  return faults;
}

Deno.test("X1, X2: over a day on a link that flaps no message that was acknowledged is lost, and each comes once in its order", async () => {
  for (const seed of [1, 2]) {
    await simulateToTheEnd(
      { seed, latency: 20, jitter: 30, trace: false },
      async (network, clock) => {
        const inbox = new Inbox(network);
        await inbox.start();
        const outbox = new Outbox();
        const link = keepConnected(SERVER, async (connection, context) => {
          const ping = () => {};
          using _ = heartbeat(connection, { interval: INTERVAL_MS, timeout: TIMEOUT_MS, ping });
          await outbox.session(connection, context);
        }, { connect: network.host("client").connect, stableAfter: MINUTE_MS });
        const flapping = flap(network, inbox, () => clock.now() > DAY_MS);
        const sent: string[] = [];
        let acknowledged = 0;
        while (clock.now() < DAY_MS) {
          const text = `message ${sent.length}`;
          sent.push(text);
          void outbox.add(text).then(() => {
            acknowledged += 1;
            assert(inbox.received.includes(text), `${text} is acknowledged and was not received`);
          });
          await sleep(between(1, 5 * MINUTE_MS));
        }
        const faults = await flapping;
        while (acknowledged < sent.length) await sleep(SECOND_MS);
        assertEquals(inbox.received, sent);
        assert(faults > 50 && inbox.connections > 30, `${faults} faults, ${inbox.connections}`);
        await end(link);
        inbox.stop();
      },
    );
  }
});

Deno.test("X4: for a day a heartbeat gives up each peer that is silent for too long, in time, and no other", async () => {
  await simulateToTheEnd(
    { seed: 4, latency: 5, jitter: 20, trace: false },
    async (network, clock) => {
      const listener = await network.host("server").listen(SERVER, { keepAlive: false });
      const waits: number[] = [];
      let survived = 0;
      while (clock.now() < DAY_MS) {
        const client = await network.host("client").connect(SERVER, { keepAlive: false });
        const server = await accept(listener);
        const answering = (async () => {
          while (await recvLine(client) !== null) await send(client, bytesOf("pong\n"));
        })().catch(() => {});
        const ping = () => send(server, bytesOf("ping\n"));
        using _ = heartbeat(server, { interval: INTERVAL_MS, timeout: TIMEOUT_MS, ping });
        let lastByte = clock.now();
        let ended: number | undefined;
        const receiving = (async () => {
          while (await recv(server) !== null) lastByte = clock.now();
        })().catch((error) => {
          assertInstanceOf(error, SocketError);
          assertEquals([error.kind, error.operation], ["TimedOut", "recv"]);
          ended = clock.now();
        });
        while (ended === undefined) {
          await sleep(between(0, 20 * MINUTE_MS));
          const before = lastByte;
          const length = between(0, INTERVAL_MS + 2 * TIMEOUT_MS);
          using _partition = network.partition("client", "server");
          await sleep(length);
          // The silence may have begun up to an interval before.
          if (ended === undefined && clock.now() - before > INTERVAL_MS) survived += 1;
        }
        const silence = ended - lastByte;
        waits.push(silence);
        assert(silence >= INTERVAL_MS + TIMEOUT_MS, `given up after ${silence} ms`);
        assert(silence <= INTERVAL_MS + TIMEOUT_MS + 4 * CHECK_MS, `given up after ${silence} ms`);
        await Promise.all([receiving, answering, close(client, { linger: 0 })]);
      }
      assert(waits.length > 20 && survived > 20, `${waits.length} given up, ${survived} not`);
    },
  );
});

Deno.test("X5: the heartbeats of a day leave no timer, however their connections end", async () => {
  await simulateToTheEnd({ seed: 5, trace: false }, async (network, clock) => {
    const listener = await network.host("server").listen(SERVER);
    const ends: ((near: Connection, far: Connection) => unknown)[] = [
      (near, far) => Promise.all([close(near), close(far)]),
      (near, far) => [abort(near), close(far)],
      (near, far) => [abort(far), close(near)],
      (near, far) => [network.reset(near), close(far), close(near)],
    ];
    let pings = 0;
    for (let count = 0; clock.now() < DAY_MS; count++) {
      const connecting = network.host("client").connect(SERVER);
      const pair = [await connecting, await accept(listener)] as const;
      for (const one of pair) {
        const ping = () => {
          pings += 1;
          return send(one, bytesOf("ping\n"));
        };
        // Nobody receives: the heartbeats read ahead.
        heartbeat(one, { interval: MINUTE_MS, timeout: MINUTE_MS, ping });
      }
      await sleep(between(0, 5 * MINUTE_MS));
      await ends[count % ends.length](...pair);
    }
    assert(pings > 1000, `${pings} pings`);
    await closeListener(listener);
  });
});

Deno.test("X1: an outage of a day costs few attempts, and the link is back within its longest pause and one attempt", async () => {
  for (const outage of ["refuses", "is cut off"]) {
    await simulateToTheEnd({ seed: 6, trace: false }, async (network, clock) => {
      await network.host("server");
      let attempts = 0;
      const link = keepConnected(SERVER, async (connection, { ready }) => {
        ready();
        while (await recv(connection) !== null);
      }, {
        connect(endpoint, options) {
          attempts += 1;
          return network.host("client").connect(endpoint, options);
        },
        backoff: { longest: MINUTE_MS },
      });
      const waiting = link.up({ timeout: HOUR_MS }).catch((error: SocketError) => error.kind);
      {
        using _ = outage === "refuses" ? undefined : network.partition("client", "server");
        await sleep(DAY_MS);
      }
      assertEquals(await waiting, "TimedOut");
      // A pause takes half a minute on average, and an attempt that nobody answers 10 s more.
      const expected = DAY_MS / (30 * SECOND_MS + (outage === "refuses" ? 0 : 10 * SECOND_MS));
      assert(Math.abs(attempts - expected) < expected / 5, `${attempts} of ${expected} attempts`);
      const listener = await network.host("server").listen(SERVER);
      const server = serve(listener, async (connection) => {
        while (await recv(connection) !== null);
      });
      const back = clock.now();
      await link.up();
      const late = clock.now() - back;
      assert(late <= MINUTE_MS + 11 * SECOND_MS, `back after ${late} ms`);
      await end(link);
      await server.shutdown();
    });
  }
});

Deno.test("X2: a link that is closed at any moment of a bad day leaves nothing pending", async () => {
  const states = new Set<string>();
  for (let seed = 0; seed < 30; seed++) {
    await simulateToTheEnd({ seed, latency: 30, jitter: 50, trace: false }, async (network) => {
      const inbox = new Inbox(network);
      await inbox.start();
      const outbox = new Outbox();
      let over = false;
      const flapping = flap(network, inbox, () => over);
      const link = keepConnected(SERVER, async (connection, context) => {
        using _ = heartbeat(connection, {
          interval: INTERVAL_MS,
          timeout: TIMEOUT_MS,
          ping: () => {},
        });
        await outbox.session(connection, context);
      }, { connect: network.host("client").connect });
      const waiting: Promise<unknown>[] = [];
      for (let count = 0; count < 10; count++) {
        void outbox.add(`message ${count}`);
        waiting.push(link.up({ timeout: between(1, HOUR_MS) }).catch((error) => error));
        await sleep(between(1, seed % 2 === 0 ? 10 * MINUTE_MS : 200));
      }
      over = true;
      await flapping;
      using _ = seed % 3 === 0 ? network.partition("client", SERVER.host) : undefined;
      if (seed % 3 === 1) inbox.crash();
      await sleep(between(1, 2 * MINUTE_MS));
      states.add(link.state);
      await end(link);
      for (const outcome of await Promise.all(waiting)) {
        if (!(outcome instanceof Error)) continue;
        assert(outcome instanceof SocketError, `${outcome}`);
      }
      inbox.stop();
    });
  }
  assertEquals([...states].sort(), ["connecting", "ready", "waiting"]);
});

Deno.test("S3: while a peer is frozen no more than sendQueueLimit waits, and what was accepted comes in its order", async () => {
  await simulateToTheEnd({ seed: 7, window: 10_000, trace: false }, async (network, clock) => {
    const limit = 50_000;
    const listener = await network.host("server").listen(SERVER);
    const client = await network.host("client").connect(SERVER, { sendQueueLimit: limit });
    const server = await accept(listener);
    const received: string[] = [];
    const receiving = (async () => {
      for (let line; (line = await recvLine(server)) !== null;) received.push(line);
    })();
    const accepted: string[] = [];
    let [refused, most] = [0, 0];
    while (clock.now() < DAY_MS) {
      // Linux gives up what nobody acknowledges for 15 minutes.
      const length = between(SECOND_MS, 14 * MINUTE_MS);
      const frozen = network.freeze("server");
      for (const until = clock.now() + length; clock.now() < until;) {
        const text = `${accepted.length} `.padEnd(between(100, 5000), "x");
        void send(client, bytesOf(`${text}\n`)).then(
          () => accepted.push(text),
          (error: SocketError) => {
            assertEquals(error.kind, "QueueFull");
            refused += 1;
          },
        );
        most = Math.max(most, client.bytesQueued);
        await sleep(between(SECOND_MS, 20 * SECOND_MS));
      }
      frozen[Symbol.dispose]();
      await flush(client);
    }
    await Promise.all([close(client), receiving.then(() => close(server))]);
    assertEquals(received, accepted);
    assert(refused > 100, `${refused} refused`);
    // One send beside those that wait is being written.
    assert(most > limit / 2 && most <= limit + 5001, `${most} bytes were queued`);
    await closeListener(listener);
  });
});
