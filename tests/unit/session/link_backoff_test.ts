import { assert, assertEquals } from "@std/assert";
import { type Address, connectionOver, keepConnected, recv, SocketError } from "../../../mod.ts";
import {
  ENDPOINT,
  fixedRandom,
  refused,
  scriptedLink,
  ScriptedPeer,
} from "../../support/scripted_link.ts";
import { turns } from "../../support/turns.ts";
import { virtualTime } from "../../support/virtual_time.ts";

/** Above every limit that the tests set, and close to it (a random number is below 1). */
const NEARLY_ONE = 1 - 2 ** -20;
const SERVERS: readonly Address[] = [1, 2, 3].map((port) => ({ host: "192.0.2.1", port }));

/** Lets every attempt be refused, and returns the pauses (ms, rounded up). */
async function pausesOf(
  scripted: ReturnType<typeof scriptedLink>,
  attempts: number,
): Promise<number[]> {
  const pauses: number[] = [];
  for (let attempt = 0; attempt < attempts; attempt++) {
    (await scripted.nextConnect()).fail(refused());
    await turns();
    const pause = scripted.time.started.at(-1)!;
    pauses.push(Math.ceil(pause));
    await scripted.time.pass(pause);
  }
  return pauses;
}

Deno.test("X1: a pause is random between 0 and first * factor ** n, at most longest", async () => {
  const backoff = { first: 100, factor: 3, longest: 2000 };
  {
    using _random = fixedRandom(NEARLY_ONE);
    await using scripted = scriptedLink({ backoff });
    assertEquals(await pausesOf(scripted, 5), [100, 300, 900, 2000, 2000]);
  }
  {
    using _random = fixedRandom(0.25);
    await using scripted = scriptedLink({ backoff });
    assertEquals(await pausesOf(scripted, 5), [25, 75, 225, 500, 500]);
  }
  {
    using _random = fixedRandom(0);
    await using scripted = scriptedLink({ backoff });
    for (let attempt = 0; attempt < 5; attempt++) {
      (await scripted.nextConnect()).fail(refused());
      await scripted.time.pass(0);
    }
    assertEquals(scripted.connects.length, 6);
  }
});

Deno.test("X1: the default pauses begin at 100 ms, double, and end at 30 s", async () => {
  using _random = fixedRandom(NEARLY_ONE);
  await using scripted = scriptedLink();
  assertEquals(await pausesOf(scripted, 11), [
    ...[100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600],
    ...[30_000, 30_000],
  ]);
});

Deno.test("X1: a first pause of 0 and a first one over longest are both possible", async () => {
  using _random = fixedRandom(NEARLY_ONE);
  {
    await using scripted = scriptedLink({ backoff: { first: 500, longest: 50 } });
    assertEquals(await pausesOf(scripted, 2), [50, 50]);
  }
  await using scripted = scriptedLink({ backoff: { first: 0, factor: 1e300 } });
  for (let attempt = 0; attempt < 5; attempt++) {
    (await scripted.nextConnect()).fail(refused());
    await scripted.time.pass(0);
  }
  assertEquals(scripted.connects.length, 6);
});

Deno.test("X1: connecting alone, and ready() alone, leave the pauses as long as they were", async () => {
  using _random = fixedRandom(NEARLY_ONE);
  await using scripted = scriptedLink({ stableAfter: 5000 });
  assertEquals(await pausesOf(scripted, 3), [100, 200, 400]);

  // A connection whose session never says ready(), but lives for long.
  (await scripted.nextConnect()).accept();
  const unready = await scripted.nextSession();
  await scripted.time.pass(9000);
  unready.end();
  await turns();
  assertEquals(Math.ceil(scripted.time.started.at(-1)!), 800);
  await scripted.time.pass(800);

  // One that is ready, and not for long enough.
  const { end } = await scripted.nextReady();
  await scripted.time.pass(4999);
  end();
  await turns();
  assertEquals(Math.ceil(scripted.time.started.at(-1)!), 1600);
});

Deno.test("X1: after stableAfter ms of a ready session, attempts and pauses begin anew", async () => {
  using _random = fixedRandom(NEARLY_ONE);
  for (const fails of [false, true]) {
    await using scripted = scriptedLink({ stableAfter: 5000, handshakeTimeout: 50_000 });
    assertEquals(await pausesOf(scripted, 4), [100, 200, 400, 800]);
    (await scripted.nextConnect()).accept();
    const session = await scripted.nextSession();
    assertEquals(session.context.attempt, 5);
    // The time counts from ready().
    await scripted.time.pass(3000);
    session.context.ready();
    await scripted.time.pass(5000);
    if (fails) session.fail(new Error("lost"));
    else session.end();
    await turns();
    assertEquals(scripted.link.state, "waiting");
    assertEquals(Math.ceil(scripted.time.started.at(-1)!), 100);
    await scripted.time.pass(100);
    (await scripted.nextConnect()).accept();
    assertEquals((await scripted.nextSession()).context.attempt, 1);
  }
});

Deno.test("X1: with stableAfter 0 every ready session is stable, with Infinity none is", async () => {
  using _random = fixedRandom(NEARLY_ONE);
  for (
    const [stableAfter, pauses] of [[0, [100, 100, 100]], [Infinity, [100, 200, 400]]] as const
  ) {
    await using scripted = scriptedLink({ stableAfter });
    for (const expected of pauses) {
      const { end } = await scripted.nextReady();
      await scripted.time.pass(1_000_000);
      end();
      await turns();
      const pause = scripted.time.started.at(-1)!;
      assertEquals(Math.ceil(pause), expected, `stableAfter ${stableAfter}`);
      await scripted.time.pass(pause);
    }
  }
});

Deno.test("X1: a server that accepts and closes at once for a minute gets few connections", async () => {
  using _random = fixedRandom(0.5);
  using time = virtualTime();
  let connections = 0;
  const link = keepConnected(ENDPOINT, async (connection, { ready }) => {
    ready();
    while (await recv(connection) !== null);
  }, {
    backoff: { longest: 5000 },
    connect(endpoint) {
      connections++;
      const peer = new ScriptedPeer(endpoint);
      peer.end();
      return connectionOver(peer);
    },
  });
  await time.pass(60_000);
  // Pauses of 50, 100, 200, 400, 800, 1600 ms, and then of 2500 ms.
  assertEquals(connections, 29);
  await link.close();
  assertEquals(time.running, 0);
});

Deno.test("X1: a list is shuffled once and tried without a pause, which comes after a whole round", async () => {
  using _random = fixedRandom(0);
  await using scripted = scriptedLink({ backoff: { first: 100 } }, SERVERS);
  const round: number[] = [];
  for (let attempt = 0; attempt < 3; attempt++) {
    const call = await scripted.nextConnect();
    assertEquals(scripted.link.state, "connecting");
    round.push(call.endpoint.port);
    call.fail(refused(call.endpoint));
  }
  // With 0 for every random number the shuffle moves the first to the end, step by step.
  assertEquals(round, [2, 3, 1]);
  await turns();
  assertEquals(scripted.link.state, "waiting");
  await scripted.time.pass(0);
  for (const port of round) {
    const call = await scripted.nextConnect();
    assertEquals(call.endpoint.port, port);
    call.fail(refused(call.endpoint));
  }
  await turns();
  assertEquals(scripted.states, ["waiting", "connecting", "waiting"]);
});

Deno.test("X1: every order of a list comes up", async () => {
  const firsts = new Set<string>();
  for (let made = 0; made < 200 && firsts.size < 6; made++) {
    await using scripted = scriptedLink({}, SERVERS);
    const order: number[] = [];
    for (let attempt = 0; attempt < 3; attempt++) {
      const call = await scripted.nextConnect();
      order.push(call.endpoint.port);
      call.fail(refused());
    }
    firsts.add(order.join());
  }
  assertEquals(firsts.size, 6);
});

Deno.test("X1: after a stable session the other servers of a list are tried without a pause, each once", async () => {
  using _random = fixedRandom(0);
  await using scripted = scriptedLink({ stableAfter: 1000 }, SERVERS);
  const { context, end } = await scripted.nextReady();
  await scripted.time.pass(1000);
  end();
  const tried: number[] = [];
  for (let attempt = 0; attempt < 2; attempt++) {
    const call = await scripted.nextConnect();
    tried.push(call.endpoint.port);
    call.fail(refused());
  }
  await turns();
  assertEquals([context.endpoint.port, ...tried], [2, 3, 1]);
  assertEquals(scripted.link.state, "waiting");
  assertEquals(scripted.connects.length, 3);
});

Deno.test("X1: servers of a list that end each stable session at once get pauses all the same", async () => {
  using _random = fixedRandom(NEARLY_ONE);
  await using scripted = scriptedLink({ stableAfter: 0 }, SERVERS);
  for (let round = 0; round < 3; round++) {
    for (let server = 0; server < SERVERS.length; server++) {
      (await scripted.nextReady()).end();
      await turns();
    }
    assertEquals(scripted.link.state, "waiting");
    assertEquals(scripted.connects.length, SERVERS.length * (round + 1));
    await scripted.time.pass(100);
  }
});

Deno.test("X1: a stable session that lasted as long as a pause begins a round of its list", async () => {
  using _random = fixedRandom(NEARLY_ONE);
  await using scripted = scriptedLink({ stableAfter: 0 }, SERVERS);
  for (let session = 0; session < 5; session++) {
    const { end } = await scripted.nextReady();
    await scripted.time.pass(100);
    end();
    await turns();
    assertEquals(scripted.link.state, "connecting");
  }
});

Deno.test("X1: a list of one server has a pause after each attempt", async () => {
  using _random = fixedRandom(NEARLY_ONE);
  await using scripted = scriptedLink({}, [ENDPOINT]);
  assertEquals(await pausesOf(scripted, 3), [100, 200, 400]);
});

Deno.test("X1: a function is asked at each attempt, and may be async", async () => {
  using _random = fixedRandom(0);
  const asked: number[] = [];
  await using scripted = scriptedLink({ stableAfter: 10 }, (attempt) => {
    asked.push(attempt);
    const endpoint = { host: "192.0.2.1", port: attempt };
    return attempt % 2 === 0 ? endpoint : Promise.resolve(endpoint);
  });
  for (const port of [1, 2, 3]) {
    const call = await scripted.nextConnect();
    assertEquals(call.endpoint, { host: "192.0.2.1", port });
    call.fail(refused());
    await scripted.time.pass(0);
  }
  const { end } = await scripted.nextReady();
  await scripted.time.pass(10);
  end();
  await scripted.time.pass(0);
  await scripted.nextConnect();
  assertEquals(asked, [1, 2, 3, 4, 1]);
});

Deno.test("X1: a function that throws, rejects or never answers fails the attempt, not the link", async () => {
  using _random = fixedRandom(0);
  const errors: unknown[] = [];
  const trouble = new Error("no endpoint today");
  await using scripted = scriptedLink({
    handshakeTimeout: 1000,
    retry(error) {
      errors.push(error);
      return true;
    },
  }, (attempt) => {
    if (attempt === 1) throw trouble;
    if (attempt === 2) return Promise.reject(trouble);
    if (attempt === 3) return new Promise(() => {});
    return ENDPOINT;
  });
  await scripted.time.pass(0);
  await scripted.time.pass(0);
  await scripted.time.pass(1000);
  await scripted.nextConnect();
  assertEquals(errors.slice(0, 2), [trouble, trouble]);
  assert(errors[2] instanceof SocketError);
  assertEquals(errors[2].message, "keepConnected: not ready within 1000 ms");
});

for (
  const garbage of [undefined, null, "192.0.2.1:1", {}, { host: "a", port: 0 }, [ENDPOINT], 5]
) {
  Deno.test(`X1: a function that gives ${Deno.inspect(garbage)} is InvalidInput, which ends the link`, async () => {
    await using scripted = scriptedLink({}, (() => garbage) as never);
    await turns();
    const end = scripted.finished() as [SocketError];
    assertEquals([end[0].kind, end[0].operation], ["InvalidInput", "keepConnected"]);
    assertEquals(scripted.link.state, "ended");
    assertEquals(scripted.connects.length, 0);
  });
}

Deno.test("X1: retryNow() ends the pause, and the next one is as long as it would have been", async () => {
  using _random = fixedRandom(NEARLY_ONE);
  await using scripted = scriptedLink();
  (await scripted.nextConnect()).fail(refused());
  await turns();
  assertEquals(scripted.link.state, "waiting");
  scripted.link.retryNow();
  (await scripted.nextConnect()).fail(refused());
  await turns();
  assertEquals(Math.ceil(scripted.time.started.at(-1)!), 200);
  assertEquals(scripted.time.running, 1);
});
