/**
 * Leaves a call pending, and prints `held` if that kept the process alive, or else `ended`. It runs on Deno, Node and
 * Bun.
 *
 *     ends.ts CASE [PATH]
 */
import process from "node:process";
import { setTimeout } from "node:timers";
import {
  accept,
  bindUdp,
  close,
  closeListener,
  connect,
  type Connection,
  disconnectSignal,
  heartbeat,
  keepConnected,
  listen,
  recv,
  recvFrom,
  recvInto,
  ref,
  send,
  serve,
  type Server,
  type SocketAddress,
  unref,
} from "../../../mod.ts";

const [what, path] = process.argv.slice(2);
const PLACE: SocketAddress = path === undefined ? { host: "127.0.0.1", port: 0 } : { path };
/** Several timers, so that a machine that stands still for long counts as one. Node and Bun release a socket after 20 ms. */
const TIMERS = 10;
const TIMER_MS = 20;
const LOOPBACK = { host: "127.0.0.1", port: 0 };
const ignore = () => {};

async function pair(): Promise<
  { client: Connection<SocketAddress>; server: Connection<SocketAddress> }
> {
  const listener = await listen(PLACE);
  const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
  return { client, server };
}

/** Makes a connection with a heartbeat that has found nobody receiving, and so reads ahead. */
async function beaten(): Promise<Connection<SocketAddress>> {
  const { client } = await pair();
  const pinged = Promise.withResolvers<void>();
  const hold = setTimeout(() => {}, 20_000);
  heartbeat(client, { interval: 8, timeout: 60_000, ping: pinged.resolve });
  await pinged.promise;
  clearTimeout(hold);
  return client;
}

/** Starts a server whose only client sends some bytes and then stays silent. */
async function served(idleTimeout: number): Promise<Server<SocketAddress>> {
  const heard = Promise.withResolvers<void>();
  const server = serve(await listen(PLACE), async (connection) => {
    for await (const _ of connection) heard.resolve();
  }, { idleTimeout });
  const client = await connect(server.address);
  await send(client, new Uint8Array(1));
  await heard.promise;
  return server;
}

const CASES: Record<string, () => Promise<unknown>> = {
  async "accept() waits"() {
    accept(await listen(PLACE)).catch(ignore);
  },
  async "accept() waits, unref() before"() {
    const listener = await listen(PLACE);
    unref(listener);
    accept(listener).catch(ignore);
  },
  async "accept() waits, unref() after"() {
    const listener = await listen(PLACE);
    accept(listener).catch(ignore);
    unref(listener);
  },
  async "accept() waits, unref() and ref()"() {
    const listener = await listen(PLACE);
    unref(listener);
    accept(listener).catch(ignore);
    ref(listener);
  },
  async "closeListener() after unref()"() {
    const listener = await listen(PLACE);
    accept(listener).catch(ignore);
    unref(listener);
    await closeListener(listener);
  },
  async "recv() waits"() {
    recv((await pair()).client).catch(ignore);
  },
  async "recv() waits, unref() before"() {
    const { client } = await pair();
    unref(client);
    recv(client).catch(ignore);
  },
  async "recv() waits, unref() after"() {
    const { client } = await pair();
    recv(client).catch(ignore);
    unref(client);
  },
  async "recvInto() waits, unref()"() {
    const { client } = await pair();
    recvInto(client, new Uint8Array(9)).catch(ignore);
    unref(client);
  },
  async "recv() waits, unref() and ref()"() {
    const { client } = await pair();
    unref(client);
    recv(client).catch(ignore);
    ref(client);
  },
  async "close() lingers, unref()"() {
    const { client, server } = await pair();
    unref(client);
    recv(client).catch(ignore);
    const closed = close(client, { linger: Infinity });
    await recv(server);
    await close(server);
    await closed;
  },
  async "disconnectSignal()"() {
    disconnectSignal((await pair()).client);
  },
  async "disconnectSignal(), recv() waits"() {
    const { client } = await pair();
    disconnectSignal(client);
    recv(client).catch(ignore);
  },
  async "disconnectSignal(), recv() waited"() {
    const { client, server } = await pair();
    disconnectSignal(client);
    await send(server, new Uint8Array(1));
    await recv(client);
    await recv(client, { timeout: 1 }).catch(ignore);
  },
  async "disconnectSignal(), recvInto() waits"() {
    const { client } = await pair();
    const received = recvInto(client, new Uint8Array(9));
    disconnectSignal(client);
    received.catch(ignore);
  },
  async "disconnectSignal(), recv() waits, unref()"() {
    const { client } = await pair();
    disconnectSignal(client);
    recv(client).catch(ignore);
    unref(client);
  },
  async "disconnectSignal(), close() lingers"() {
    const { client, server } = await pair();
    disconnectSignal(client);
    const closed = close(client, { linger: Infinity });
    await recv(server);
    await close(server);
    await closed;
  },
  async "heartbeat()"() {
    heartbeat((await pair()).client, { interval: 60_000, timeout: 60_000, ping: ignore });
  },
  async "heartbeat() that reads ahead"() {
    await beaten();
  },
  async "heartbeat() that reads ahead, recv() waits"() {
    recv(await beaten()).catch(ignore);
  },
  async "heartbeat(), close() lingers"() {
    const { client, server } = await pair();
    heartbeat(client, { interval: 8, timeout: 60_000, ping: ignore });
    const closed = close(client, { linger: Infinity });
    await recv(server);
    await close(server);
    await closed;
  },
  async "serve()"() {
    await served(60_000);
  },
  async "serve(), unref()"() {
    unref(await served(60_000));
  },
  async "serve(), unref() before its client"() {
    const server = serve(await listen(PLACE), async (connection) => {
      for await (const _ of connection) accepted.resolve();
    }, { idleTimeout: 60_000 });
    const accepted = Promise.withResolvers<void>();
    unref(server);
    const client = await connect(server.address);
    await send(client, new Uint8Array(1));
    // A timer keeps the process alive until the client is served.
    const timer = setTimeout(ignore, 60_000);
    await accepted.promise;
    clearTimeout(timer);
  },
  async "serve(), unref() and ref()"() {
    const server = await served(60_000);
    unref(server);
    ref(server);
  },
  async "keepConnected() is ready"() {
    const listener = await listen(LOOPBACK);
    unref(listener);
    await keepConnected(listener.address, async (connection, { ready }) => {
      ready();
      await recv(connection);
    }).up();
  },
  "keepConnected() waits"() {
    const waiting = Promise.withResolvers<void>();
    keepConnected({ host: "127.0.0.1", port: 1 }, ignore, {
      connect: () => Promise.reject(new Error("no")),
      backoff: { first: 1e9, longest: 1e9 },
      onChange: () => waiting.resolve(),
    });
    return waiting.promise;
  },
  async "keepConnected(), closed"() {
    const listener = await listen(LOOPBACK);
    const link = keepConnected(listener.address, async (connection, { ready }) => {
      ready();
      await recv(connection);
    });
    await link.up();
    await link.close({ linger: 0 });
    await closeListener(listener);
  },
  async "recvFrom() waits"() {
    recvFrom(await bindUdp(LOOPBACK)).catch(ignore);
  },
  async "recvFrom() waits, unref()"() {
    const socket = await bindUdp(LOOPBACK);
    recvFrom(socket).catch(ignore);
    unref(socket);
  },
};

let held = false;
process.on("exit", () => console.log(JSON.stringify(held ? "held" : "ended")));
await CASES[what]();
waitTurns(TIMERS);

/** Ends the process after some timers, which fire only if something else keeps it alive. */
function waitTurns(left: number): void {
  if (left === 0) {
    held = true;
    process.exit(0);
  }
  setTimeout(() => waitTurns(left - 1), TIMER_MS).unref();
}
