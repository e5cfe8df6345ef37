import { assert, assertEquals, assertMatch, assertStrictEquals } from "@std/assert";
import {
  abort,
  accept,
  close,
  closeListener,
  connect,
  connectionOver,
  listen,
  observe,
  type ObservedClose,
  recv,
  send,
} from "../../../mod.ts";
import { observedEvents } from "../../support/observed_events.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { serving, until, untilEnd } from "../../support/serving.ts";
import { rejection, soon, thrown } from "../../support/socket_errors.ts";
import { LOOPBACK } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { turns } from "../../support/turns.ts";
import { watchUnhandled } from "../../support/unhandled.ts";

/** Opens and closes a connection. */
function closeOne(): void {
  abort(connectionOver(new ScriptedTransport()));
}

/** Collects what is written to standard error. */
function errorLines(): Disposable & { readonly lines: string[] } {
  const lines: string[] = [];
  const { error } = console;
  console.error = (...parts: unknown[]) => void lines.push(parts.map(String).join(" "));
  return { lines, [Symbol.dispose]: () => void (console.error = error) };
}

Deno.test("E1: observe() throws InvalidInput for anything but an object with methods, and adds nothing", () => {
  for (const garbage of [undefined, null, 5, "close", Symbol(), () => {}]) {
    thrown(() => observe(garbage as never), "InvalidInput", "observe");
  }
  let calls = 0;
  for (const name of ["connect", "accept", "refuse", "handshake", "close", "shutdown"]) {
    for (const value of [null, 5, {}, "no"]) {
      const observer = { close: () => void calls++, accept: () => {}, [name]: value };
      const { message } = thrown(() => observe(observer as never), "InvalidInput", "observe");
      assert(message.startsWith(`observe: ${name} is `), message);
    }
  }
  const throwing = {
    close: () => void calls++,
    get shutdown(): () => void {
      throw new RangeError("no");
    },
  };
  thrown(() => observe(throwing), "InvalidInput", "observe");
  closeOne();
  assertEquals(calls, 0);
  observe({})[Symbol.dispose]();
});

Deno.test("X6: several observers get the same event, in the order of observe(), each as itself", () => {
  const seen: [string, ObservedClose][] = [];
  class Named {
    readonly #name: string;
    constructor(name: string) {
      this.#name = name;
    }
    close(event: ObservedClose): void {
      seen.push([this.#name, event]);
    }
  }
  const first = new Named("first");
  const observations = [observe(first), observe(new Named("second")), observe(first)];
  closeOne();
  assertEquals(seen.map(([name]) => name), ["first", "second", "first"]);
  assertStrictEquals(seen[0][1], seen[1][1]);
  observations[0][Symbol.dispose]();
  observations[0][Symbol.dispose]();
  closeOne();
  assertEquals(seen.slice(3).map(([name]) => name), ["second", "first"]);
  for (const observation of observations) observation[Symbol.dispose]();
  closeOne();
  assertEquals(seen.length, 5);
});

Deno.test("X6: an event goes to those who observed when it began, and were not disposed since", () => {
  const seen: string[] = [];
  const added: Disposable[] = [];
  const last = { close: () => void seen.push("last") };
  const first = observe({
    close() {
      seen.push("first");
      if (seen.length > 1) return;
      second[Symbol.dispose]();
      added.push(observe({ close: () => void seen.push("added") }));
      first[Symbol.dispose]();
    },
  });
  const second = observe({ close: () => void seen.push("second") });
  const third = observe(last);
  closeOne();
  assertEquals(seen, ["first", "last"]);
  closeOne();
  assertEquals(seen, ["first", "last", "last", "added"]);
  for (const observation of [third, ...added]) observation[Symbol.dispose]();
});

const WRONG = new TypeError("a mistake");
const MISTAKES: Record<string, () => unknown> = {
  throws: () => {
    throw WRONG;
  },
  rejects: () => Promise.reject(WRONG),
  "throws nothing at all": () => {
    throw undefined;
  },
};

for (const [what, mistake] of Object.entries(MISTAKES)) {
  Deno.test(`X7: an observer that ${what} harms nobody, and is shown once`, async () => {
    using unhandled = watchUnhandled();
    using shown = errorLines();
    const wrong = mistake as () => void;
    using _wrong = observe({ connect: wrong, accept: wrong, close: wrong, shutdown: wrong });
    using events = observedEvents();
    await using listener = await listen(LOOPBACK);
    const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
    await send(client, bytesOf("hello"));
    assertEquals(textOf((await recv(server))!), "hello");
    await Promise.all([close(client), close(server)]);
    await turns();
    assertEquals(events.names.length, 4);
    assertEquals(shown.lines.length, 1);
    assertMatch(shown.lines[0], /^observe: an observer's (connect|accept)\(\) failed/);
    assertEquals(await unhandled.seen(), []);
  });
}

Deno.test("X7: an error of an observer that cannot be shown harms nobody", async () => {
  using shown = errorLines();
  const unshowable = {
    toString(): string {
      throw new Error("no");
    },
  };
  const observers = [
    () => {
      throw unshowable;
    },
    () => Promise.reject(unshowable),
  ];
  using unhandled = watchUnhandled();
  for (const method of observers) {
    using _observation = observe({ close: method });
    closeOne();
    await turns();
  }
  assertEquals(shown.lines.length, 2);
  for (const line of shown.lines) assert(line.endsWith("a thrown object"), line);
  assertEquals(await unhandled.seen(), []);
});

Deno.test("X7: an observer may close what it sees, in every event", async () => {
  const ended: unknown[] = [];
  using _observation = observe({
    connect: ({ connection }) => abort(connection!),
    accept: ({ connection }) => void close(connection),
    close: ({ connection }) => {
      ended.push(connection);
      abort(connection);
      void close(connection);
    },
  });
  await using listener = await listen(LOOPBACK);
  const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
  await rejection(() => recv(client), "Closed", "recv");
  await rejection(() => recv(server), "Closed", "recv");
  await soon(close(server));
  assertEquals(new Set(ended), new Set([client, server]));
  assertEquals(ended.length, 2);
});

Deno.test("X7: an observer may close the listener of the client that it sees, whom accept() still gets", async () => {
  const listener = await listen(LOOPBACK);
  let closed: Promise<void> | undefined;
  using _observation = observe({ accept: () => closed = closeListener(listener) as never });
  using events = observedEvents();
  const accepted = accept(listener).then(abort, () => {});
  const client = await connect(listener.address);
  await soon(accepted);
  await soon(closed!);
  await until(() => events.of("close").length === 1, "the accepted connection is closed");
  assertEquals(await recv(client), null);
  abort(client);
});

Deno.test("X7: an observer may end the server from each of its events", async () => {
  for (const name of ["accept", "refuse", "close"] as const) {
    await using served = await serving(untilEnd, { maxConnections: 1, whenFull: "refuse" });
    let ends = 0;
    using _observation = observe({
      [name]: () => {
        if (ends++ === 0) void served.server.shutdown({ timeout: 0 });
      },
    });
    const client = await served.client();
    if (name === "refuse") {
      await until(() => served.server.active === 1, "the first is served");
      await served.client();
    }
    if (name === "close") await close(client);
    await soon(served.server.finished);
    assert(ends > 0, name);
    assertEquals(served.server.active, 0, name);
  }
});
