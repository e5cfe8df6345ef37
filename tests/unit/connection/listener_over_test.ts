import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  abort,
  accept,
  type Address,
  close,
  closeListener,
  type Connection,
  type ConnectionOptions,
  connectionOver,
  type Listener,
  listenerOver,
  recv,
  ref,
  send,
  serve,
  type SocketAddress,
  SocketError,
  type Transport,
  type TransportAddress,
  type TransportListener,
  unref,
} from "../../../mod.ts";
import { AwkwardTransport } from "../../support/awkward_transport.ts";
import { Random } from "../../support/random.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { rejection, soon, thrown } from "../../support/socket_errors.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { turns } from "../../support/turns.ts";

/** A listener in memory. The test gives the outcomes of its accepts. */
class MemoryListener implements TransportListener {
  readonly log: string[] = [];
  readonly #given: unknown[] = [];
  #waiting: PromiseWithResolvers<Transport> | undefined;

  accept(): Promise<Transport> {
    this.log.push("accept");
    assertEquals(this.#waiting, undefined, "one accept at a time");
    const waiting = this.#waiting = Promise.withResolvers<Transport>();
    if (this.#given.length > 0) this.#settle(this.#given.shift());
    return waiting.promise;
  }

  /** Gives the next accept a transport, anything else, or an error, which it rejects with. */
  give(outcome: unknown): void {
    if (this.#waiting === undefined) this.#given.push(outcome);
    else this.#settle(outcome);
  }

  #settle(outcome: unknown): void {
    const waiting = this.#waiting!;
    this.#waiting = undefined;
    if (outcome instanceof Error) waiting.reject(outcome);
    else waiting.resolve(outcome as Transport);
  }

  /** Makes a client, whose other end the next accept gets. */
  connect(): Connection {
    const [here, there] = AwkwardTransport.pair(new Random(1));
    this.give(there);
    return connectionOver(here);
  }

  close(): void {
    this.log.push("close");
    this.#waiting?.reject(new Deno.errors.BadResource("Listener has been closed"));
  }

  ref(): void {
    this.log.push("ref");
  }

  unref(): void {
    this.log.push("unref");
  }
}

async function greet(client: Connection, server: Connection): Promise<void> {
  await send(client, bytesOf("hello"));
  let text = "";
  while (text.length < 5) text += textOf((await recv(server))!);
  assertEquals(text, "hello");
}

Deno.test("listenerOver(): accept() and the iteration give connections over what the source accepts", async () => {
  const source = new MemoryListener();
  const listener = listenerOver(source);
  assertEquals(listener.address, { host: "", port: 0 });
  const first = accept(listener);
  const client = source.connect();
  const server = await first;
  await greet(client, server);
  const second = source.connect();
  for await (const connection of listener) {
    await greet(second, connection);
    abort(connection);
    break;
  }
  [client, server, second].forEach(abort);
  await closeListener(listener);
  assertEquals(source.log, ["accept", "accept", "close"]);
});

Deno.test("L3: accepts over a foreign listener are served in the order they were made", async () => {
  const source = new MemoryListener();
  await using listener = listenerOver(source);
  const late = accept(listener, { timeout: 1 });
  await rejection(() => late, "TimedOut", "accept");
  const calls = [1, 2, 3].map(() => accept(listener));
  for (let index = 0; index < calls.length; index++) {
    const client = source.connect();
    await greet(client, await calls[index]);
    abort(client);
    abort(await calls[index]);
  }
});

Deno.test("L4: closeListener() over a foreign listener rejects accepts and ends iterations", async () => {
  const source = new MemoryListener();
  const listener = listenerOver(source);
  const pending = rejection(() => accept(listener), "Closed", "accept");
  const iterating = (async () => {
    for await (const connection of listener) abort(connection);
  })();
  await Promise.all([closeListener(listener), closeListener(listener)]);
  await Promise.all([pending, soon(iterating)]);
  await rejection(() => accept(listener), "Closed", "accept");
  assertEquals(source.log, ["accept", "close"]);
});

Deno.test("L4: a client that comes as a foreign listener closes is dropped", async () => {
  const source = new MemoryListener();
  const listener = listenerOver(source);
  const pending = rejection(() => accept(listener), "Closed", "accept");
  const transport = new ScriptedTransport();
  source.close = () => source.give(transport);
  await closeListener(listener);
  await pending;
  assertEquals(transport.log, ["close"]);
});

Deno.test("L1: errors of one client are passed over by a foreign listener too", async () => {
  const source = new MemoryListener();
  await using listener = listenerOver(source);
  const accepted = accept(listener);
  for (const code of ["ECONNABORTED", "ECONNRESET", "EPROTO"]) {
    source.give(Object.assign(new Error("a client left"), { code }));
    await turns();
  }
  const client = source.connect();
  await greet(client, await accepted);
  [client, await accepted].forEach(abort);
});

Deno.test("listenerOver(): any other error rejects the accept that waits, and the next one goes on", async () => {
  const source = new MemoryListener();
  await using listener = listenerOver(source, { sendQueueLimit: 5 });
  const mistake = new Error("the tunnel is gone");
  const outcomes: readonly (readonly [unknown, string])[] = [
    [mistake, "accept: the tunnel is gone"],
    [undefined, "accept: the listener gave no object with read, write and close functions"],
    [{ read() {} }, "accept: the listener gave no object with read, write and close functions"],
  ];
  for (const [outcome, message] of outcomes) {
    source.give(outcome);
    const error = await rejection(() => accept(listener), "Other", "accept");
    assertEquals(error.message, message);
    if (outcome === mistake) assertStrictEquals(error.cause, mistake);
  }
  source.give(new SocketError("InvalidData", "handshake", "not a client of ours"));
  const own = await rejection(() => accept(listener), "InvalidData", "accept");
  assertEquals(own.reason, "not a client of ours");
  source.give(mistake);
  const thrownBy = await rejection(
    async () => {
      for await (const connection of listener) abort(connection);
    },
    "Other",
    "accept",
  );
  assertStrictEquals(thrownBy.cause, mistake);
  const client = source.connect();
  const server = await accept(listener);
  await greet(client, server);
  [client, server].forEach(abort);
});

Deno.test("listenerOver(): an accept that throws is an accept that rejects", async () => {
  const mistake = new Error("not today");
  const listener = listenerOver({
    accept: () => {
      throw mistake;
    },
    close: () => {},
  });
  assertStrictEquals((await rejection(() => accept(listener), "Other", "accept")).cause, mistake);
  await closeListener(listener);
});

Deno.test("listenerOver(): serve() goes on after an error of the source, and reports it", async () => {
  const source = new MemoryListener();
  const heard = Promise.withResolvers<unknown>();
  await using server = serve(listenerOver(source), async (connection) => {
    for await (const bytes of connection) await send(connection, bytes);
  }, { onError: heard.resolve });
  const mistake = new Error("the tunnel is gone");
  source.give(mistake);
  assertStrictEquals((await soon(heard.promise) as SocketError).cause, mistake);
  const client = source.connect();
  await greet(client, client);
  await close(client);
  assertEquals(server.accepted, 1);
});

Deno.test("listenerOver(): sendQueueLimit holds for its connections", async () => {
  const source = new MemoryListener();
  await using listener = listenerOver(source, { sendQueueLimit: 1 });
  const transport = new ScriptedTransport();
  source.give(transport);
  const connection = await accept(listener);
  const first = rejection(() => send(connection, bytesOf("writing")), "Closed", "send");
  await rejection(() => send(connection, bytesOf("ab")), "QueueFull", "send");
  abort(connection);
  await first;
});

Deno.test("listenerOver(): the address is copied, checked and frozen", async () => {
  const address = { host: "::ffff:192.0.2.1", port: 80 };
  const listener = listenerOver({ ...sourceOf(), address });
  address.port = 81;
  assertEquals(listener.address, { host: "::ffff:192.0.2.1", port: 80 });
  assert(Object.isFrozen(listener.address));
  const { message } = await rejection(
    () => accept(listener, { timeout: 1 }),
    "TimedOut",
    "accept",
  );
  assertEquals(message, "accept [::ffff:192.0.2.1]:80: timed out after 1 ms");
  const unix = listenerOver({ ...sourceOf(), address: { path: "/run/it.sock" } });
  assertEquals(unix.address.path, "/run/it.sock");
  await Promise.all([listener, unix].map((one) => closeListener(one)));
});

Deno.test("E8: the address of listenerOver() is what addr of the source says, as Deno's listeners have it", async () => {
  const listeners: [listener: Listener<SocketAddress>, address: SocketAddress][] = [
    [
      listenerOver({
        ...sourceOf(),
        addr: { transport: "tcp", hostname: "::ffff:10.1.2.3", port: 80 },
      }),
      { host: "10.1.2.3", port: 80 },
    ],
    [listenerOver({ ...sourceOf(), addr: { transport: "unix", path: "/run/it.sock" } }), {
      path: "/run/it.sock",
    }],
    [listenerOver({ ...sourceOf(), addr: { transport: "vsock" } }), { host: "", port: 0 }],
    [listenerOver({ ...sourceOf(), addr: null as unknown as TransportAddress }), {
      host: "",
      port: 0,
    }],
    [
      listenerOver<Address>({
        ...sourceOf(),
        addr: { transport: "tcp", hostname: "10.1.2.3", port: 80 },
        address: { host: "192.0.2.1", port: 8 },
      }),
      { host: "192.0.2.1", port: 8 },
    ],
  ];
  for (const [listener, address] of listeners) {
    assertEquals(listener.address, address);
    assert(Object.isFrozen(listener.address));
    const error = await rejection(() => accept(listener, { timeout: 1 }), "TimedOut", "accept");
    assertEquals(error.address, address.host === "" ? undefined : address);
    await closeListener(listener);
  }
  const unix = listenerOver({ ...sourceOf(), addr: { transport: "unix", path: "/a" } as const });
  const path: string = unix.address.path;
  assertEquals(path, "/a");
  await closeListener(unix);
});

/** A source without clients. */
function sourceOf(): TransportListener<never> {
  const closed = Promise.withResolvers<Transport>();
  closed.promise.catch(() => {});
  return {
    accept: () => closed.promise,
    close: () => closed.reject(new Deno.errors.BadResource("closed")),
  };
}

Deno.test("E1: listenerOver() throws InvalidInput for what does not accept, and for bad options", () => {
  const good = { accept: () => Promise.reject(new Error()), close: () => {} };
  const sources: unknown[] = [
    ...[undefined, null, 5, "tcp", {}, () => {}, { accept() {} }, { close() {} }],
    ...[{ ...good, address: 5 }, { ...good, address: {} }, { ...good, address: { path: "" } }],
    { ...good, address: { host: "", port: 1 } },
    {
      get accept() {
        throw new Error("no accept today");
      },
    },
  ];
  for (const source of sources) {
    thrown(() => listenerOver(source as TransportListener), "InvalidInput", "listenerOver");
  }
  for (const options of [null, 5, [], { sendQueueLimit: -1 }, { sendQueueLimit: "1" }]) {
    thrown(
      () => listenerOver(good, options as ConnectionOptions),
      "InvalidInput",
      "listenerOver",
    );
  }
});

Deno.test("E13: unref() and ref() reach a foreign listener, also one that throws there or has neither", async () => {
  const source = new MemoryListener();
  const listener = listenerOver(source);
  unref(listener);
  ref(listener);
  assertEquals(source.log, ["unref", "ref"]);
  source.unref = () => {
    throw new Error("no");
  };
  const awkward = listenerOver(source);
  unref(awkward);
  const plain = listenerOver(sourceOf());
  unref(plain);
  await Promise.all([listener, plain].map((one) => closeListener(one)));
});

Deno.test("closeListener() rejects with what the close of a foreign listener throws", async () => {
  const listener = listenerOver({
    accept: () => Promise.reject(new Error("never called")),
    close: () => Promise.reject(new Error("it is stuck")),
  });
  const error = await rejection(() => closeListener(listener), "Other", "closeListener");
  assertEquals(error.reason, "it is stuck");
});
