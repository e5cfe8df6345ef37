/**
 * An echo server on one port, TCP and UDP, for `nc`, `socat` and the like to talk to:
 *
 *     deno run --allow-net echo_server.ts --port 7777 [--host 127.0.0.1]
 *
 * Port 0 lets the system choose. Interrupting it closes everything cleanly. In your own program, import
 * from "jsr:@aivi/sockets" instead.
 */
import {
  bindUdp,
  close,
  closeListener,
  closeUdp,
  type Connection,
  formatAddress,
  listen,
  recvInto,
  send,
  sendTo,
  SocketError,
  type UdpSocket,
} from "../mod.ts";
import { readListenAddress } from "./arguments.ts";
import { waitInterrupt } from "./signals.ts";

const connections = new Set<Connection>();

async function echo(connection: Connection): Promise<void> {
  connections.add(connection);
  try {
    // One buffer is enough for a connection: send() is done with it before the next bytes come.
    const buffer = new Uint8Array(64 * 1024);
    for (let count; (count = await recvInto(connection, buffer)) !== null;) {
      await send(connection, buffer.subarray(0, count));
    }
  } catch (error) {
    // Failures of one connection are its peer's, but other errors are mistakes in this program.
    if (!(error instanceof SocketError)) throw error;
  } finally {
    await close(connection).catch(() => {});
    connections.delete(connection);
  }
}

async function echoDatagrams(socket: UdpSocket): Promise<void> {
  for await (const { from, bytes } of socket) {
    // Datagrams may get lost in any case, so one that cannot be answered is no reason to stop.
    await sendTo(socket, from, bytes).catch(() => {});
  }
}

const interrupted = waitInterrupt();
const listener = await listen(readListenAddress("7777"));
const socket = await bindUdp(listener.address);
console.log(`echoing TCP and UDP on ${formatAddress(listener.address)}, Ctrl-C ends it`);

const datagrams = echoDatagrams(socket);
const clients = (async () => {
  for await (const connection of listener) void echo(connection);
})();

await interrupted;
await Promise.all([closeListener(listener), closeUdp(socket), clients, datagrams]);
await Promise.all([...connections].map((connection) => close(connection).catch(() => {})));
console.log("closed");
Deno.exit(0);
