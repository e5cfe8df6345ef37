import { assert, assertEquals } from "@std/assert";
import { once } from "node:events";
import { connect as nodeConnect } from "node:net";
import {
  abort,
  accept,
  type Address,
  closeListener,
  connect,
  type Connection,
  listen,
  type Listener,
} from "../../../mod.ts";
import {
  connectionReset,
  notConnected,
  outOfDescriptors,
  plainError,
} from "../../support/runtime_errors.ts";
import { ScriptedConn, ScriptedListener } from "../../support/scripted_runtime.ts";
import { LOOPBACK } from "../../support/tcp_pair.ts";
import { isPending } from "../../support/turns.ts";
import { virtualTime } from "../../support/virtual_time.ts";
import { rejection, soon } from "../../support/socket_errors.ts";

/** Connects a client and resolves after it has reset. */
async function resetBeforeAccept({ host, port }: Address): Promise<void> {
  const client = nodeConnect(port, host);
  await once(client, "connect");
  const closed = once(client, "close");
  client.resetAndDestroy();
  await closed;
}

/** The two ways to accept one client after the other; each client is dropped before the next one is accepted. */
const ACCEPTS: Record<string, (listener: Listener) => AsyncGenerator<Address>> = {
  async *"accept()"(listener) {
    for (;;) {
      using client = dropped(await accept(listener));
      yield client.address;
    }
  },
  async *"the iteration"(listener) {
    for await (const connection of listener) {
      using client = dropped(connection);
      yield client.address;
    }
  },
};

/** Drops the connection, also if the loop over a generator is left while the generator yields. */
function dropped(connection: Connection): Disposable & { readonly address: Address } {
  return { address: connection.remoteAddress, [Symbol.dispose]: () => abort(connection) };
}

for (const [what, clients] of Object.entries(ACCEPTS)) {
  Deno.test(`L1: clients that reset before they are accepted do not end ${what}`, async () => {
    await using listener = await listen(LOOPBACK);
    for (let round = 0; round < 5; round++) {
      for (let client = 0; client < 3; client++) await resetBeforeAccept(listener.address);
      const client = await connect(listener.address);
      let found = false;
      for await (const { port } of clients(listener)) {
        found = port === client.localAddress.port;
        if (found) break;
      }
      assert(found);
      abort(client);
    }
  });

  for (
    const error of [
      notConnected(),
      connectionReset(),
      plainError("ECONNABORTED", "Software caused connection abort (os error 103)"),
      plainError("EPROTO", "Protocol error (os error 71)"),
      plainError("EPERM", "Operation not permitted (os error 1)"),
      plainError("EINTR", "Interrupted system call (os error 4)"),
      plainError("EHOSTUNREACH", "No route to host (os error 113)"),
      new Error("Network is down (os error 100)"),
    ]
  ) {
    Deno.test(`L1: ${error.message} belongs to one client, ${what} goes on at once`, async () => {
      using time = virtualTime();
      using runtime = new ScriptedListener([error, error, error, new ScriptedConn()]);
      const listener = await listen(LOOPBACK);
      assertEquals((await soonOf(clients(listener))).port, 2);
      assertEquals(runtime.accepts, 4);
      assertEquals(pausesOf(time.started), []);
    });
  }

  Deno.test(`L1: ${what} retries at once after an unknown error`, async () => {
    using time = virtualTime();
    const unknown = plainError("EIO", "Input/output error (os error 5)");
    using runtime = new ScriptedListener([unknown, new ScriptedConn()]);
    const listener = await listen(LOOPBACK);
    assertEquals((await soonOf(clients(listener))).port, 2);
    assertEquals(runtime.accepts, 2);
    assertEquals(pausesOf(time.started), []);
  });

  Deno.test(`L1: ${what} waits if an unknown error repeats`, async () => {
    using time = virtualTime();
    const unknown = () => new Error("What is this");
    using runtime = new ScriptedListener([], unknown);
    const listener = await listen(LOOPBACK);
    const client = clients(listener).next();
    const pauses = await passPauses(time, 12);
    assertEquals(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000, 1000]);
    assert(runtime.accepts <= 30, `${runtime.accepts} accepts: it spins`);
    assert(await isPending(client));
    await closeListener(listener);
    await client.catch(() => {});
  });
}

// `soon` starts a timer, which virtual time must not see. If the call hangs, the test runner ends the test.
async function soonOf(clients: AsyncGenerator<Address>): Promise<Address> {
  const { value } = await clients.next();
  return value!;
}

function pausesOf(started: readonly number[]): number[] {
  return started.filter((ms) => ms <= 1000);
}

/** Lets the pauses pass one by one, and gives their lengths. */
async function passPauses(time: ReturnType<typeof virtualTime>, count: number): Promise<number[]> {
  await time.pass(0);
  for (let pause = 0; pause < count - 1; pause++) await time.pass(time.started.at(-1)!);
  return [...time.started];
}

for (const [code, number] of [["EMFILE", 24], ["ENFILE", 23], ["ENOBUFS", 105], ["ENOMEM", 12]]) {
  const exhausted = () => plainError(`${code}`, `No more (os error ${number})`);

  Deno.test(`L2: at ${code} the iteration waits, 5 ms doubling to 1 s, and goes on`, async () => {
    using time = virtualTime();
    const failures = Array.from({ length: 10 }, exhausted);
    using runtime = new ScriptedListener([...failures, new ScriptedConn()]);
    const listener = await listen(LOOPBACK);
    const next = listener[Symbol.asyncIterator]().next();
    const pauses = await passPauses(time, 10);
    assertEquals(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
    assertEquals(runtime.accepts, 10);
    assert(await isPending(next));
    await time.pass(1000);
    assertEquals((await next).value!.remoteAddress.port, 2);
    assertEquals(time.running, 0);
  });

  Deno.test(`L2: at ${code} a bare accept() rejects ResourceExhausted, retryable`, async () => {
    using _runtime = new ScriptedListener([exhausted(), new ScriptedConn()]);
    await using listener = await listen(LOOPBACK);
    const error = await rejection(() => accept(listener), "ResourceExhausted", "accept");
    assertEquals([error.retryable, error.code, error.address], [true, code, listener.address]);
    abort(await soon(accept(listener)));
  });
}

Deno.test("L2: a loop over a bare accept() does not spin", async () => {
  using time = virtualTime();
  using runtime = new ScriptedListener([], outOfDescriptors);
  const listener = await listen(LOOPBACK);
  let failures = 0;
  const loop = (async () => {
    for (;;) {
      try {
        await accept(listener);
      } catch (error) {
        if ((error as { kind: string }).kind === "Closed") return;
        failures++;
      }
    }
  })();
  await time.pass(10_000);
  assert(failures >= 5 && failures <= 30, `${failures} failures in 10 s`);
  assert(runtime.accepts <= 30, `${runtime.accepts} accepts in 10 s`);
  await closeListener(listener);
  await loop;
  assertEquals(time.running, 0);
});

Deno.test("L2: after a success the pauses start again at 5 ms", async () => {
  using time = virtualTime();
  const outcomes = [1, 2, 3].map(outOfDescriptors);
  using _runtime = new ScriptedListener([...outcomes, new ScriptedConn(), outOfDescriptors()]);
  const listener = await listen(LOOPBACK);
  const iterator = listener[Symbol.asyncIterator]();
  const first = iterator.next();
  await passPauses(time, 4);
  await first;
  const second = iterator.next();
  await time.pass(0);
  assertEquals(time.started, [5, 10, 20, 5]);
  await closeListener(listener);
  assertEquals(await second, { done: true, value: undefined });
  assertEquals(time.running, 0);
});

Deno.test("L2: a cancel and a close end the pause", async () => {
  using time = virtualTime();
  using _runtime = new ScriptedListener([], outOfDescriptors);
  const listener = await listen(LOOPBACK);
  await rejection(() => accept(listener), "ResourceExhausted", "accept");
  const controller = new AbortController();
  const cancelled = accept(listener, { signal: controller.signal });
  controller.abort();
  await rejection(() => cancelled, "Aborted", "accept");
  const closed = accept(listener);
  const outcome = closed.catch(({ kind }) => kind);
  await closeListener(listener);
  assertEquals(await outcome, "Closed");
  await time.pass(1000);
  assertEquals(time.running, 0);
});
