import { assertEquals } from "@std/assert";
import {
  abort,
  accept,
  bindUdp,
  close,
  closeListener,
  closeUdp,
  connect,
  listen,
  recv,
  recvFrom,
  send,
  sendTo,
} from "../../mod.ts";
import { resetByPeer } from "../support/reset_by_peer.ts";
import { rejection } from "../support/socket_errors.ts";
import { SocketFolder } from "../support/unix_sockets.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };

/** Returns the inode numbers of the sockets that this process holds. */
async function ownSockets(): Promise<string[]> {
  const sockets: string[] = [];
  for await (const { name } of Deno.readDir("/proc/self/fd")) {
    const target = await Deno.readLink(`/proc/self/fd/${name}`).catch(() => "");
    if (target.startsWith("socket:")) sockets.push(target);
  }
  return sockets.sort();
}

/** Lists the process's TCP and UDP sockets in /proc/net, with their states. */
async function ownEntries(): Promise<string[]> {
  const own = new Set((await ownSockets()).map((target) => target.slice(8, -1)));
  const entries: string[] = [];
  for (const table of ["tcp", "tcp6", "udp", "udp6"]) {
    const text = await Deno.readTextFile(`/proc/net/${table}`).catch(() => "");
    for (const line of text.trim().split("\n").slice(1)) {
      const columns = line.trim().split(/\s+/);
      if (own.has(columns[9])) entries.push(`${table} ${columns[1]} ${columns[3]}`);
    }
  }
  return entries.sort();
}

/** Ways to open sockets and to close them again. */
const SCENARIOS: Record<string, () => Promise<void>> = {
  async "connections that close"() {
    const listener = await listen(LOOPBACK);
    for (let count = 0; count < 50; count++) {
      const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
      await send(client, new Uint8Array(10));
      await recv(server);
      await Promise.all([close(client), close(server)]);
    }
    await closeListener(listener);
  },
  async "connections that abort with calls pending"() {
    const listener = await listen(LOOPBACK);
    for (let count = 0; count < 50; count++) {
      const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
      const pending = [recv(client), send(server, new Uint8Array(2 ** 23))];
      abort(client);
      abort(server);
      await Promise.allSettled(pending);
    }
    await closeListener(listener);
  },
  async "cancelled connects and accepts"() {
    const listener = await listen(LOOPBACK);
    for (let count = 0; count < 100; count++) {
      const controller = new AbortController();
      const { signal } = controller;
      const pending = [connect(listener.address, { signal }), accept(listener, { signal })];
      for (let turn = count % 8; turn > 0; turn--) await Promise.resolve();
      controller.abort();
      for (const outcome of await Promise.allSettled(pending)) {
        if (outcome.status === "fulfilled") abort(outcome.value);
      }
    }
    await closeListener(listener);
  },
  async "a listener closed with a connection parked"() {
    const listener = await listen(LOOPBACK);
    await accept(listener, { timeout: 1 }).catch(() => {});
    const client = await connect(listener.address);
    await closeListener(listener);
    await recv(client).catch(() => {});
    abort(client);
  },
  async "connections that the peer resets"() {
    const listener = await listen(LOOPBACK);
    for (let count = 0; count < 20; count++) {
      const connection = await resetByPeer(listener);
      await recv(connection).catch(() => {});
      await close(connection);
    }
    await closeListener(listener);
  },
  async "streams that end"() {
    const listener = await listen(LOOPBACK);
    const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
    await Promise.all([client.writable.close(), server.writable.close()]);
    await Promise.all([client.readable, server.readable].map((readable) => readable.cancel()));
    await Promise.all([close(client), close(server), closeListener(listener)]);
  },
  async "connections over Unix sockets, closed, aborted and cancelled"() {
    await using folder = await SocketFolder.make();
    const listener = await listen(folder.next());
    for (let count = 0; count < 50; count++) {
      const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
      await send(client, new Uint8Array(10));
      await recv(server);
      if (count % 2 === 0) await Promise.all([close(client), close(server)]);
      else [client, server].forEach(abort);
    }
    for (let count = 0; count < 50; count++) {
      const controller = new AbortController();
      const late = connect(listener.address, { signal: controller.signal });
      for (let turn = count % 8; turn > 0; turn--) await Promise.resolve();
      controller.abort();
      await late.then(abort, () => {});
    }
    await rejection(() => listen(listener.address, { mode: 0 }), "AddressInUse", "listen");
    await closeListener(listener);
  },
  async "UDP sockets"() {
    for (let count = 0; count < 50; count++) {
      const socket = await bindUdp(LOOPBACK);
      await recvFrom(socket, { timeout: 1 }).catch(() => {});
      await sendTo(socket, socket.address, new Uint8Array(10));
      await closeUdp(socket);
    }
  },
};

for (const [what, run] of Object.entries(SCENARIOS)) {
  Deno.test(`E5: ${what} leave the process's sockets as before`, async () => {
    const sockets = await ownSockets();
    const entries = await ownEntries();
    await run();
    // The runtime closes a descriptor in a later turn of its event loop.
    for (let turn = 0; turn < 50 && (await ownSockets()).length !== sockets.length; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assertEquals(await ownSockets(), sockets);
    assertEquals(await ownEntries(), entries);
  });
}
