import { assert, assertEquals, assertMatch, assertRejects, assertStrictEquals } from "@std/assert";
import { accept, recv, recvFrom, send, sendTo, serve, SocketError } from "../../../mod.ts";
import { memoryNetwork, simulate, SimulationError } from "../../../testing.ts";

const HOUR_MS = 3_600_000;

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A program with connections, datagrams, timers and random choices. Its trace depends on all of them. */
function gossip(seed: number): Promise<string> {
  return simulate({ seed, loss: 0.1, jitter: 20, reordering: 0.2 }, async (network) => {
    const names = ["a", "b", "c", "d"];
    for (const name of names) {
      const listener = await network.host(name).listen({ host: name, port: 80 });
      serve(listener, async (connection) => {
        for await (const bytes of connection) await send(connection, bytes);
      });
    }
    await Promise.all(names.map(async (name, index) => {
      const socket = await network.host(name).bindUdp({ host: name, port: 9 });
      const client = await network.host(name).connect({ host: names[(index + 1) % 4], port: 80 });
      for (let round = 0; round < 5; round++) {
        const bytes = crypto.getRandomValues(new Uint8Array(1 + Math.floor(Math.random() * 50)));
        await send(client, bytes, { timeout: HOUR_MS });
        await recv(client, { timeout: 50 }).catch(() => {});
        await sendTo(socket, { host: names[(index + 2) % 4], port: 9 }, bytes);
        await sleep(Math.random() * 100);
      }
    }));
    return network.trace;
  });
}

Deno.test("M1: the same seed gives the same trace, and another seed another one", async () => {
  const [first, again, other] = [await gossip(1), await gossip(1), await gossip(2)];
  assertEquals(again, first);
  assert(other !== first);
  assert(first.length > 1000);
  assertMatch(first, /^ +\d+\.\d{3} a:32768 > b:80 syn$/m);
  assertMatch(first, /^ +\d+\.\d{3} a:32768 > b:80 data \d+ bytes [0-9a-f]{8}$/m);
});

Deno.test("M2: time passes at once while nothing else can happen", async () => {
  const start = performance.now();
  const result = await simulate({ seed: 1 }, async (_, clock) => {
    const date = new Date();
    assertEquals([clock.now(), performance.now(), date.toISOString()], [
      0,
      0,
      "2000-01-01T00:00:00.000Z",
    ]);
    await sleep(24 * HOUR_MS);
    assertEquals(clock.now(), 24 * HOUR_MS);
    assertEquals(performance.now(), 24 * HOUR_MS);
    assertEquals(Date.now() - date.getTime(), 24 * HOUR_MS);
    assertEquals(new Date(5).getTime(), 5);
    assert(new Date() instanceof Date);
    return "a day";
  });
  assertEquals(result, "a day");
  assert(performance.now() - start < HOUR_MS);
});

Deno.test("M2: timers fire by their time, and those of one time in their order", async () => {
  const order = await simulate({ seed: 1 }, async () => {
    const order: string[] = [];
    setTimeout(() => order.push("late"), 20);
    setTimeout((what: string) => order.push(what), 10, "first");
    setTimeout(() => order.push("second"), 10);
    const stopped = setTimeout(() => order.push("never"), 5);
    clearTimeout(stopped);
    const byNumber = setTimeout(() => order.push("never"), 5);
    clearTimeout(Number(byNumber));
    let ticks = 0;
    const interval = setInterval(() => {
      order.push(`tick ${++ticks}`);
      if (ticks === 2) clearInterval(interval);
    }, 6);
    queueMicrotask(() => order.push("microtask"));
    await sleep(100);
    return order;
  });
  assertEquals(order, ["microtask", "tick 1", "first", "second", "tick 2", "late"]);
});

Deno.test("M2: AbortSignal.timeout and the timeouts of calls follow the virtual time", async () => {
  await simulate({ seed: 1 }, async (network, clock) => {
    const socket = await network.host("a").bindUdp({ host: "a", port: 0 });
    const error = await recvFrom(socket, { timeout: HOUR_MS }).catch((error) => error);
    assertEquals([error.kind, clock.now()], ["TimedOut", HOUR_MS]);
    const signal = AbortSignal.timeout(HOUR_MS);
    const aborted = await recvFrom(socket, { signal }).catch((error) => error);
    assertEquals([aborted.kind, clock.now()], ["Aborted", 2 * HOUR_MS]);
    assertEquals(aborted.cause.name, "TimeoutError");
    const any = AbortSignal.any([AbortSignal.timeout(50), new AbortController().signal]);
    assertEquals((await recvFrom(socket, { signal: any }).catch((error) => error)).kind, "Aborted");
  });
});

Deno.test("M1: Math.random and crypto give the same for the same seed, without a change to the network", async () => {
  const choose = (seed: number, draws: number) =>
    simulate({ seed, jitter: 100 }, async (network) => {
      const drawn = [
        Math.random(),
        crypto.randomUUID(),
        String(crypto.getRandomValues(new Uint16Array(4))),
      ];
      for (let draw = 0; draw < draws; draw++) Math.random();
      const listener = await network.host("b").listen({ host: "b", port: 80 });
      void accept(listener);
      await network.host("a").connect({ host: "b", port: 80 });
      return [drawn, network.trace] as const;
    });
  const [drawn, trace] = await choose(1, 0);
  assertEquals(await choose(1, 100), [drawn, trace]);
  const [others] = await choose(2, 0);
  for (const [index, value] of drawn.entries()) assert(value !== others[index], `${value}`);
  assertMatch(String(drawn[1]), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-/);
});

Deno.test("M2: a deadlock is an error at once, which names what waits and the seed", async () => {
  const error = await assertRejects(
    () =>
      simulate({ seed: 77 }, async (network) => {
        const listener = await network.host("server").listen({ host: "server", port: 80 });
        const socket = await network.host("other").bindUdp({ host: "other", port: 53 });
        const client = await network.host("client").connect({ host: "server", port: 80 });
        await accept(listener);
        await Promise.all([recv(client), accept(listener), recvFrom(socket)]);
      }),
    SimulationError,
  );
  assertMatch(error.message, /^deadlock: /);
  for (
    const part of [
      "\n- an accept of server:80 ",
      "\n- a read of client:32768 (peer server:80)",
      "\n- a receive of other:53 ",
      "seed 77, at ",
      "client:32768 > server:80 syn",
    ]
  ) assert(error.message.includes(part), `${part} is not in ${error.message}`);
  assertEquals([error.seed, error.name], [77, "SimulationError"]);
  assert(error.time > 0 && error.trace.includes("syn-ack"));
});

Deno.test("M2: a promise that nothing settles is a deadlock, too", async () => {
  const stuck = () => simulate({ seed: 1 }, () => new Promise<void>(() => {}));
  await assertRejects(stuck, SimulationError, "a promise that nothing in the simulation settles");
});

Deno.test("M2: a program that repeats something for ever ends at timeLimit", async () => {
  const endless = () =>
    simulate({ seed: 1, timeLimit: HOUR_MS }, () => {
      setInterval(() => {}, 1000);
      return new Promise<void>(() => {});
    });
  const error = await assertRejects(endless, SimulationError, "not ended after 3600000 ms");
  assertEquals(error.time, HOUR_MS);
});

Deno.test("M2: what the program throws is the cause, beside the seed", async () => {
  const cause = new TypeError("a mistake");
  const failing = () =>
    simulate({ seed: 5 }, async () => {
      await sleep(10);
      throw cause;
    });
  const error = await assertRejects(failing, SimulationError);
  assertStrictEquals(error.cause, cause);
  assertEquals(error.message, "TypeError: a mistake (seed 5, at 10.000 ms)");
});

Deno.test("M2: an error that nobody handles ends the simulation", async () => {
  const fails: [what: string, start: () => unknown][] = [
    ["a rejection", () => void Promise.reject(new Error("unhandled"))],
    ["a timer that throws", () =>
      void setTimeout(() => {
        throw new Error("unhandled");
      }, 5)],
    ["a listener that throws", () => {
      const controller = new AbortController();
      controller.signal.addEventListener("abort", () => {
        throw new Error("unhandled");
      });
      controller.abort();
    }],
  ];
  for (const [what, start] of fails) {
    const program = async () => {
      start();
      await sleep(10);
    };
    const error = await assertRejects(() => simulate({ seed: 1 }, program), SimulationError, "");
    assert(error.message.startsWith("Error: unhandled (seed 1"), `${what}: ${error.message}`);
  }
});

/** Checks that a simulation refuses work, and names it. */
async function checkRefused(works: Readonly<Record<string, () => unknown>>): Promise<void> {
  for (const [name, work] of Object.entries(works)) {
    const program = async () => {
      await work();
    };
    const error = await assertRejects(() => simulate({ seed: 1 }, program), SimulationError);
    assert(error.message.includes(`${name} works outside of the program`), error.message);
    const { cause } = error;
    assert(cause instanceof SocketError && cause.kind === "Unsupported", String(cause));
  }
}

Deno.test("M3: work from outside is refused, with its name", async () => {
  await checkRefused({
    "fetch": () => fetch("http://127.0.0.1:1/"),
    "WebSocket": () => new WebSocket("ws://127.0.0.1:1/"),
    "MessageChannel": () => new MessageChannel(),
    "crypto.subtle.digest": () => crypto.subtle.digest("SHA-256", new Uint8Array(1)),
    "Blob.arrayBuffer": () => new Blob(["a"]).arrayBuffer(),
    "WebAssembly.compile": () => WebAssembly.compile(new Uint8Array(8)),
  });
});

Deno.test("M3: work of Deno is refused, with its name, and comes back afterwards", async () => {
  const { readTextFile, Command } = Deno;
  await checkRefused({
    "Deno.readTextFile": () => Deno.readTextFile("deno.json"),
    "Deno.connect": () => Deno.connect({ port: 1 }),
    "Deno.listen": () => Deno.listen({ port: 0 }),
    "Deno.Command": () => new Deno.Command("true"),
    "Worker": () => new Worker("data:text/javascript,", { type: "module" }),
  });
  assertStrictEquals(Deno.readTextFile, readTextFile);
  assertStrictEquals(Deno.Command, Command);
});

const { Bun: bun } = globalThis as unknown as {
  Bun?: Record<string, (argument: unknown) => unknown>;
};

Deno.test({
  name: "M3: work of Bun is refused, with its name, and comes back afterwards",
  ignore: bun === undefined,
  async fn() {
    const { connect, file } = bun!;
    await checkRefused({
      "Bun.connect": () => bun!.connect({ port: 1 }),
      "Bun.listen": () => bun!.listen({ port: 0 }),
      "Bun.file": () => bun!.file("deno.json"),
      "Bun.sleep": () => bun!.sleep(1),
      "Worker": () => new Worker("data:text/javascript,", { type: "module" }),
    });
    assertStrictEquals(bun!.connect, connect);
    assertStrictEquals(bun!.file, file);
  },
});

Deno.test("M3: the package's own functions on real sockets are Unsupported in a simulation", async () => {
  const sockets = await import("../../../mod.ts");
  await simulate({ seed: 1 }, async () => {
    const address = { host: "127.0.0.1", port: 9 };
    const calls: Record<string, () => Promise<unknown>> = {
      listen: () => sockets.listen(address),
      connect: () => sockets.connect(address),
      bindUdp: () => sockets.bindUdp(address),
    };
    for (const [operation, call] of Object.entries(calls)) {
      const error = await call().catch((error: unknown) => error);
      assert(error instanceof SocketError, String(error));
      assertEquals([error.kind, error.operation], ["Unsupported", operation]);
    }
  });
});

Deno.test("M4: after a simulation time, chance and everything else are the platform's again", async () => {
  const names = ["setTimeout", "setInterval", "setImmediate", "clearTimeout", "Date", "fetch"];
  const state = () => [
    ...names.map((name) => (globalThis as unknown as Record<string, unknown>)[name]),
    performance.now,
    Math.random,
    crypto.getRandomValues,
    crypto.subtle.digest,
    AbortSignal.timeout,
    Object.getOwnPropertyNames(performance).length,
  ];
  const before = state();
  await simulate({ seed: 1 }, () => sleep(1000));
  for (const [index, value] of state().entries()) assertStrictEquals(value, before[index]);
  await assertRejects(() => simulate({ seed: 1 }, () => Promise.reject(new Error("fails"))));
  for (const [index, value] of state().entries()) assertStrictEquals(value, before[index]);
  const now = Date.now();
  assert(now > Date.UTC(2020, 0, 1));
  await sleep(1);
});

Deno.test("M4: several simulations at once run one after the other, each with its own time", async () => {
  const results = await Promise.all([1, 2, 3].map((seed) =>
    simulate({ seed }, async (_, clock) => {
      await sleep(seed * 1000);
      return clock.now();
    })
  ));
  assertEquals(results, [1000, 2000, 3000]);
});

Deno.test("M4: a simulation inside of another is a deadlock of both, which says so", async () => {
  const inner: Promise<unknown>[] = [];
  const program = () => {
    const nested = simulate({ seed: 2 }, () => 1);
    inner.push(nested.catch((error) => error));
    return nested;
  };
  await assertRejects(() => simulate({ seed: 1 }, program), SimulationError, "another simulate()");
  assert((await inner[0]) instanceof SimulationError);
  assertEquals(await simulate({ seed: 3 }, () => 7), 7);
});

Deno.test("M4: a network in real time goes on beside and after simulations", async () => {
  using network = memoryNetwork();
  const listener = await network.host("b").listen({ host: "b", port: 80 });
  const client = await network.host("a").connect({ host: "b", port: 80 });
  const server = await accept(listener);
  const receiving = recv(server);
  void send(client, new Uint8Array([1]));
  await simulate({ seed: 1 }, () => sleep(HOUR_MS));
  assertEquals([...(await receiving)!], [1]);
});

Deno.test("M1: check finds the first difference between two runs", async () => {
  let count = 0;
  const differs = () =>
    simulate({ seed: 1, check: true }, async (network) => {
      const listener = await network.host("b").listen({ host: "b", port: 80 });
      const client = await network.host("a").connect({ host: "b", port: 80 });
      await send(client, new Uint8Array([++count]));
      await recv(await accept(listener));
    });
  const error = await assertRejects(differs, SimulationError, "two runs with one seed differ");
  assertMatch(
    error.message,
    /line 4 of the trace was\n.* data 1 bytes .*\nin the first run, and\n/,
  );

  let timers = 0;
  const moreTimers = () =>
    simulate({ seed: 1, check: true }, async () => {
      timers += 1;
      for (let timer = 0; timer < timers; timer++) await sleep(1);
    });
  await assertRejects(moreTimers, SimulationError, "the number of timers was another one");

  let runs = 0;
  const failsOnce = () =>
    simulate({ seed: 1, check: true }, () => {
      if (++runs === 2) throw new Error("only now");
    });
  await assertRejects(failsOnce, SimulationError, "the second run failed");
});

Deno.test("M1: check runs the program twice, and gives the first result", async () => {
  let runs = 0;
  const result = await simulate({ seed: 1, check: true }, async (network) => {
    const listener = await network.host("b").listen({ host: "b", port: 80 });
    const client = await network.host("a").connect({ host: "b", port: 80 });
    await send(client, new Uint8Array(100));
    await recv(await accept(listener));
    return ++runs;
  });
  assertEquals([result, runs], [1, 2]);
});

Deno.test("simulate() with a wrong argument is InvalidInput, before the program runs", async () => {
  const wrong: [options: unknown, program: unknown][] = [
    [7, () => {}],
    [{ seed: -1 }, () => {}],
    [{ latency: "1" }, () => {}],
    [{ check: 1 }, () => {}],
    [{ timeLimit: -1 }, () => {}],
    [{ check: true, trace: false }, () => {}],
    [{ seed: 1 }, undefined],
    [{ seed: 1 }, {}],
  ];
  for (const [options, program] of wrong) {
    const call = () => simulate(options as { seed: number }, program as () => void);
    const error = await assertRejects(call, SocketError);
    assertEquals([error.kind, error.operation], ["InvalidInput", "simulate"]);
  }
});
