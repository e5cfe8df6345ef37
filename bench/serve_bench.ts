/** Compares a server with the usual accept loop. Both echo to each client. */
import { accept, close, type Connection, listen, send, serve, type ServeOptions } from "../mod.ts";
import { answerClients, type Asked } from "./serve_clients.ts";
import { startWorker } from "./start_worker.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };

async function echo(connection: Connection): Promise<void> {
  for await (const bytes of connection) await send(connection, bytes);
}

async function echoAndClose(connection: Connection): Promise<void> {
  try {
    await echo(connection);
  } finally {
    await close(connection);
  }
}

async function startLoop(): Promise<number> {
  const listener = await listen(LOOPBACK);
  void (async () => {
    for (;;) void echoAndClose(await accept(listener));
  })();
  return listener.address.port;
}

async function startServer(options?: ServeOptions): Promise<number> {
  return serve(await listen(LOOPBACK), echo, options).address.port;
}

async function rawEcho(conn: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(4096);
  for (let count; (count = await conn.read(buffer)) !== null;) {
    for (let sent = 0; sent < count;) sent += await conn.write(buffer.subarray(sent, count));
  }
  conn.close();
}

function startRaw(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  void (async () => {
    for await (const conn of listener) {
      conn.setNoDelay(true);
      void rawEcho(conn);
    }
  })();
  return (listener.addr as Deno.NetAddr).port;
}

const LIMITS: ServeOptions = {
  maxConnectionsPerHost: 1_000,
  firstByteTimeout: 10_000,
  idleTimeout: 60_000,
};

/** A function for each kind of server that starts it and returns its port. */
export const SERVERS: Record<string, () => number | Promise<number>> = {
  "accept() in a loop": startLoop,
  "serve()": startServer,
  "serve() with limits": () => startServer(LIMITS),
  "raw Deno in a loop": startRaw,
};

/** Starts the Web Worker with the clients, and returns a function that asks them for work. */
export function startClients(): (asked: Asked) => Promise<void> {
  const worker = startWorker(answerClients, undefined);
  return (asked) =>
    new Promise((resolve) => {
      worker.onmessage = () => resolve();
      worker.postMessage(asked);
    });
}

const clients = startClients();
const ports = new Map<string, Promise<number>>();
for (const [work, count] of [["connections", 320], ["round trips", 3200]] as const) {
  for (const [name, start] of Object.entries(SERVERS)) {
    const baseline = name === "accept() in a loop";
    Deno.bench({ name, group: `${count} ${work} of 64 B`, baseline }, async () => {
      if (!ports.has(name)) ports.set(name, Promise.resolve(start()));
      await clients({ port: await ports.get(name)!, work, count });
    });
  }
}
