import { assert, assertEquals } from "@std/assert";
import {
  abort,
  accept,
  close,
  closeListener,
  type Connection,
  recv,
  recvExactly,
  recvFrom,
  send,
  sendTo,
  SocketError,
} from "../../../mod.ts";
import { type MemoryNetwork, simulate } from "../../../testing.ts";
import { simulateToTheEnd } from "../../support/days.ts";

const HOUR_MS = 3_600_000;

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function pair(network: MemoryNetwork): Promise<[near: Connection, far: Connection]> {
  await using listener = await network.host("far").listen({ host: "far", port: 80 });
  const connecting = network.host("near").connect({ host: "far", port: 80 });
  return await Promise.all([connecting, accept(listener)]);
}

/** Returns the kind and the code of the error that a call rejects with. */
async function failureOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then((value) => `resolved to ${value}`, (error) => error);
  return error instanceof SocketError ? `${error.kind} ${error.code}` : String(error);
}

Deno.test("M6: connect() in a partition times out after 127 seconds, as Linux gives it up", async () => {
  await simulate({ seed: 1 }, async (network, clock) => {
    await network.host("far").listen({ host: "far", port: 80 });
    const near = network.host("near");
    using _ = network.partition("near", "far");
    const connecting = near.connect({ host: "far", port: 80 });
    assertEquals(await failureOf(connecting), "TimedOut ETIMEDOUT");
    assertEquals(Math.round(clock.now()), 127_000);
  });
});

Deno.test("M2: a connection that was closed in a partition leaves nothing after both", async () => {
  for (const held of [true, false]) {
    await simulateToTheEnd({ seed: 2 }, async (network) => {
      const [near, far] = await pair(network);
      const reading = recv(far);
      {
        using _ = network.partition("near", "far");
        if (held) await send(near, new Uint8Array([1, 2, 3]));
        await close(near, { linger: 1000 });
        await sleep(60_000);
      }
      assertEquals(await reading, held ? new Uint8Array([1, 2, 3]) : null);
      await close(far);
    });
  }
});

Deno.test("M6: a partition holds bytes and ends, which come in order when it ends", async () => {
  await simulate({ seed: 2 }, async (network, clock) => {
    const [near, far] = await pair(network);
    network.host("other");
    const partition = network.partition(["near"], ["far", "other"]);
    await send(near, new Uint8Array([1, 2, 3]));
    const closing = close(near, { linger: Infinity });
    const receiving = recvExactlyOf(far, 3);
    await sleep(60_000);
    partition[Symbol.dispose]();
    partition[Symbol.dispose]();
    assertEquals([...await receiving], [1, 2, 3]);
    assertEquals(await recv(far), null);
    await Promise.all([close(far), closing]);
    assert(clock.now() < 60_100, `${clock.now()}`);
  });
});

async function recvExactlyOf(connection: Connection, length: number): Promise<Uint8Array> {
  return await recvExactly(connection, length) ?? new Uint8Array();
}

Deno.test("M6: a partition within which nobody acknowledges ends a connection with ETIMEDOUT", async () => {
  await simulate({ seed: 3 }, async (network, clock) => {
    const [near, far] = await pair(network);
    const partition = network.partition("near", "far");
    await send(near, new Uint8Array(3));
    assertEquals(await failureOf(recv(near)), "TimedOut ETIMEDOUT");
    assertEquals(Math.round(clock.now() / 1000), 925);
    // The other end learns of it when it says something.
    partition[Symbol.dispose]();
    await send(far, new Uint8Array(3));
    assertEquals(await failureOf(recv(far)), "ConnectionReset ECONNRESET");
  });
});

Deno.test("M6: two partitions of the same hosts both have to end", async () => {
  await simulate({ seed: 4 }, async (network) => {
    const [near, far] = await pair(network);
    const [one, other] = [network.partition("near", "far"), network.partition("far", "near")];
    await send(near, new Uint8Array(3));
    one[Symbol.dispose]();
    assertEquals(await failureOf(recv(far, { timeout: 1000 })), "TimedOut undefined");
    other[Symbol.dispose]();
    assertEquals((await recvExactlyOf(far, 3)).length, 3);
  });
});

Deno.test("M6: acknowledgements are signs of life: a sender to whom nothing is sent is given up as late as others", async () => {
  await simulate({ seed: 2 }, async (network, clock) => {
    const [near, far] = await pair(network);
    const reading = (async () => {
      while (await recv(far) !== null);
    })().catch(() => {});
    for (let hour = 0; hour < 5; hour++) {
      await sleep(HOUR_MS);
      await send(near, new Uint8Array(1));
    }
    {
      using _ = network.partition("near", "far");
      await send(near, new Uint8Array(1));
      await sleep(924_000);
    }
    await send(near, new Uint8Array(1));
    await sleep(1000);
    assertEquals(far.bytesReceived, 7);
    using _ = network.partition("near", "far");
    const start = clock.now();
    await send(near, new Uint8Array(1));
    assertEquals(await failureOf(recv(near)), "TimedOut ETIMEDOUT");
    assertEquals(Math.round((clock.now() - start) / 1000), 925);
    abort(near);
    abort(far);
    await reading;
  });
});

Deno.test("M6: a silent connection is given up 675 s after its next probe, each two hours", async () => {
  for (const idleHours of [1, 5, 23]) {
    await simulate({ seed: 3 }, async (network, clock) => {
      const [near, far] = await pair(network);
      await sleep(idleHours * HOUR_MS);
      using _ = network.partition("near", "far");
      assertEquals(await failureOf(recv(near)), "TimedOut ETIMEDOUT");
      const probe = (idleHours + 1) * HOUR_MS;
      assertEquals(Math.round((clock.now() - probe) / 1000), 675);
      abort(near);
      abort(far);
    });
  }
});

for (const keepAlive of [true, false]) {
  Deno.test(`M6: a frozen host is half-open for its peers, with keepAlive ${keepAlive}`, async () => {
    await simulate({ seed: 5 }, async (network, clock) => {
      const listener = await network.host("far").listen({ host: "far", port: 80 }, { keepAlive });
      const near = await network.host("near").connect({ host: "far", port: 80 }, { keepAlive });
      const far = await accept(listener);
      const thaw = network.freeze("far");
      const receiving = failureOf(recv(near, { timeout: 10 * HOUR_MS }));
      if (keepAlive) {
        assertEquals(await receiving, "TimedOut ETIMEDOUT");
        assertEquals(Math.round(clock.now() / 1000), 7875);
        thaw[Symbol.dispose]();
        // The frozen machine has given nothing up.
        await send(far, new Uint8Array(1));
        assertEquals(await failureOf(recv(far)), "ConnectionReset ECONNRESET");
      } else {
        assertEquals(await receiving, "TimedOut undefined");
        thaw[Symbol.dispose]();
        await send(far, new Uint8Array(1));
        assertEquals((await recv(near))?.length, 1);
      }
      await closeListener(listener);
    });
  });
}

Deno.test("M6: a frozen host takes nothing, so that a send stops when the buffers are full", async () => {
  await simulate({ seed: 6 }, async (network) => {
    const [near, far] = await pair(network);
    const thaw = network.freeze("far");
    const error = await send(near, new Uint8Array(1024 * 1024), { timeout: 30_000 })
      .catch((error) => error);
    assertEquals(error.kind, "TimedOut");
    assert(error.bytesSent <= 128 * 1024, `${error.bytesSent}`);
    thaw[Symbol.dispose]();
    let received = 0;
    for await (const chunk of far) received += chunk.length;
    assertEquals(received, 128 * 1024);
  });
});

Deno.test("M6: a crash ends connections, or resets them if bytes were unread, and the port refuses", async () => {
  await simulate({ seed: 7 }, async (network) => {
    const [near, far] = await pair(network);
    const [other, unread] = await pair(network);
    const listener = await network.host("far").listen({ host: "far", port: 81 });
    const udp = await network.host("far").bindUdp({ host: "far", port: 81 });
    const stopped = Promise.race([
      recv(far),
      accept(listener),
      recvFrom(udp),
      send(unread, new Uint8Array(1024 * 1024)),
    ]);
    await send(other, new Uint8Array(3));
    await sleep(10);
    network.crash("far");
    assertEquals(await recv(near), null);
    const outcome = (async () => {
      while (await recv(other) !== null);
    })();
    assertEquals(await failureOf(outcome), "ConnectionReset ECONNRESET");
    const connecting = network.host("near").connect({ host: "far", port: 81 });
    assertEquals(await failureOf(connecting), "ConnectionRefused ECONNREFUSED");
    // The program's own calls have stopped in their tracks, and so has everything that it would do then.
    assertEquals(await Promise.race([stopped, sleep(HOUR_MS).then(() => "stopped")]), "stopped");
    // Its handles can be closed all the same.
    abort(far);
    await closeListener(listener);
    await udp[Symbol.asyncDispose]();
  });
});

Deno.test("M6: after a crash the host starts again with free ports", async () => {
  await simulate({ seed: 8 }, async (network) => {
    const far = network.host("far");
    await far.listen({ host: "far", port: 80 });
    await far.bindUdp({ host: "far", port: 80 });
    network.crash("far");
    await using listener = await far.listen({ host: "far", port: 80 });
    await using receiver = await network.host("far").bindUdp({ host: "far", port: 80 });
    await using client = await network.host("near").connect({ host: "far", port: 80 });
    await using server = await accept(listener);
    await send(client, new Uint8Array(3));
    assertEquals((await recvExactlyOf(server, 3)).length, 3);
    await using sender = await network.host("near").bindUdp({ host: "near", port: 0 });
    await sendTo(sender, { host: "far", port: 80 }, new Uint8Array(2));
    assertEquals((await recvFrom(receiver)).bytes.length, 2);
  });
});

Deno.test("M6: a host that loses power and starts again resets what comes for old connections", async () => {
  await simulate({ seed: 9 }, async (network) => {
    const [near] = await pair(network);
    const thaw = network.freeze("far");
    network.crash("far");
    assertEquals(await failureOf(recv(near, { timeout: 1000 })), "TimedOut undefined");
    thaw[Symbol.dispose]();
    // Nothing says to the peer that the machine was started again.
    assertEquals(await failureOf(recv(near, { timeout: 1000 })), "TimedOut undefined");
    await send(near, new Uint8Array(1));
    assertEquals(await failureOf(recv(near)), "ConnectionReset ECONNRESET");
  });
});

Deno.test("M6: a crash in the middle of a connect leaves no connection behind", async () => {
  await simulate({ seed: 10, latency: 50 }, async (network) => {
    const listener = await network.host("far").listen({ host: "far", port: 80 });
    void network.host("near").connect({ host: "far", port: 80 });
    await sleep(60);
    network.crash("near");
    assertEquals(await failureOf(accept(listener, { timeout: 1000 })), "TimedOut undefined");
    assertEquals(network.trace.match(/reset/g)?.length, 1);
  });
});

Deno.test("M6: a full backlog holds clients back, and lets them in when there is room", async () => {
  await simulate({ seed: 11 }, async (network, clock) => {
    const listener = await network.host("far").listen({ host: "far", port: 80 }, { backlog: 1 });
    const connect = () => network.host("near").connect({ host: "far", port: 80 });
    await connect();
    await connect();
    // A client counts after its handshake, whose last packet is under way now.
    await sleep(10);
    const third = connect();
    await sleep(500);
    assertEquals(await Promise.race([third, sleep(1).then(() => "waits")]), "waits");
    await accept(listener);
    await third;
    assert(clock.now() > 1000 && clock.now() < 2000, "the SYN comes again after a second");
  });
});

Deno.test("M6: connect() tries the next address of a name after 250 ms beside the first", async () => {
  await simulate({ seed: 12 }, async (network, clock) => {
    network.host("dead");
    await network.host("live").listen({ host: "live", port: 80 });
    await network.host("refuses");
    network.names.set("service", ["dead", "refuses", "live"]);
    using _ = network.freeze("dead");
    const client = await network.host("near").connect({ host: "service", port: 80 });
    assertEquals(client.remoteAddress.host, network.names.get("live"));
    assert(clock.now() > 250 && clock.now() < 300, `${clock.now()}`);
    network.names.set("service", ["refuses", "refuses"]);
    const connecting = network.host("near").connect({ host: "service", port: 80 });
    assertEquals(await failureOf(connecting), "ConnectionRefused ECONNREFUSED");
  });
});

Deno.test("M6: a loss of segments delays a stream, and loses nothing of it", async () => {
  await simulate({ seed: 13, loss: 0.3 }, async (network, clock) => {
    const [near, far] = await pair(network);
    const bytes = new Uint8Array(100_000).map((_, index) => index * 31 + (index >> 8));
    const sending = send(near, bytes);
    assertEquals(await recvExactlyOf(far, bytes.length), bytes);
    await sending;
    assert(clock.now() > 200, "a lost segment comes again after 200 ms");
  });
});

Deno.test("M6: the bandwidth of a link is shared, and each direction has its own", async () => {
  await simulate({ seed: 14 }, async (network, clock) => {
    const [near, far] = await pair(network);
    network.link("near", "far", { bandwidth: 100_000 });
    const start = clock.now();
    void send(near, new Uint8Array(200_000));
    await recvExactlyOf(far, 200_000);
    const there = clock.now() - start;
    assert(there > 2000 && there < 2500, `${there} ms for 200 kB at 100 kB/s`);
    void send(far, new Uint8Array(200_000));
    await recvExactlyOf(near, 200_000);
    assert(clock.now() - start - there < 100, "the other direction is not slow");
  });
});

Deno.test("M6: an address of the network at which nobody is takes 3 seconds to be unreachable", async () => {
  await simulate({ seed: 15 }, async (network, clock) => {
    const connecting = network.host("near").connect({ host: "10.0.9.9", port: 80 });
    assertEquals(await failureOf(connecting), "Unreachable EHOSTUNREACH");
    assertEquals(clock.now(), 3000);
  });
});

Deno.test("M6: reads are short by default, and whole with partial 0", async () => {
  const firstReads = (partial: number | undefined) =>
    Promise.all(
      Array.from({ length: 20 }, (_, seed) =>
        simulate({ seed, partial }, async (network) => {
          const [near, far] = await pair(network);
          await send(near, new Uint8Array(100));
          await sleep(100);
          return (await recv(far))?.length ?? 0;
        })),
    );
  const lengths = await firstReads(undefined);
  assert(lengths.some((length) => length < 100) && lengths.includes(100), `${lengths}`);
  assertEquals(new Set(await firstReads(0)), new Set([100]));
});

Deno.test("M6: each direction of a link has a latency of its own", async () => {
  await simulate({ seed: 16, jitter: 0 }, async (network, clock) => {
    const [near, far] = await pair(network);
    network.link("near", "far", { latency: 100 });
    network.link("far", "near", { latency: 7 });
    const start = clock.now();
    await send(near, new Uint8Array([1]));
    await recv(far);
    assertEquals(Math.round(clock.now() - start), 100);
    await send(far, new Uint8Array([1]));
    await recv(near);
    assertEquals(Math.round(clock.now() - start), 107);
  });
});

Deno.test("M6: a polling program makes time pass", async () => {
  await simulate({ seed: 17, latency: 20 }, async (network, clock) => {
    const [near, far] = await pair(network);
    let received = false;
    void recv(far).then(() => received = true);
    await send(near, new Uint8Array(1));
    const start = clock.now();
    while (!received) await new Promise((resolve) => setTimeout(resolve, 0));
    assert(clock.now() - start >= 20 && clock.now() - start < 25);
  });
});

Deno.test("M6: a full window in a partition is given up as data is, and an update of it is not", async () => {
  await simulate({ seed: 18, window: 1000 }, async (network, clock) => {
    const settings = { keepAlive: false };
    const listener = await network.host("far").listen({ host: "far", port: 80 }, settings);
    const near = await network.host("near").connect({ host: "far", port: 80 }, settings);
    const far = await accept(listener);
    const sending = failureOf(send(near, new Uint8Array(5000)));
    await sleep(1000);
    using _ = network.partition("near", "far");
    await recv(far);
    const receiving = failureOf((async () => {
      while (await recv(far, { timeout: 5 * HOUR_MS }) !== null);
    })());
    assertEquals(await sending, "TimedOut ETIMEDOUT");
    assertEquals(Math.round(clock.now() / 1000), 926);
    // The receiver has nothing to say that anybody would have to acknowledge, so it waits.
    assertEquals(await receiving, "TimedOut undefined");
  });
});

Deno.test("M6: a window that is made smaller holds the sender back, and breaks nothing", async () => {
  await simulate({ seed: 19 }, async (network) => {
    const [near, far] = await pair(network);
    void send(near, new Uint8Array(200_000));
    network.link("near", "far", { window: 10 });
    await send(near, new Uint8Array(0));
    assertEquals((await recvExactlyOf(far, 200_000)).length, 200_000);
  });
});
