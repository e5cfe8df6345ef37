import { assertEquals } from "@std/assert";
import {
  abort,
  accept,
  bindUdp,
  closeListener,
  closeUdp,
  connect,
  type Connection,
  listen,
  type Listener,
  recv,
  recvFrom,
  recvInto,
  send,
  sendTo,
  type UdpSocket,
} from "../../mod.ts";
import { soon } from "./socket_errors.ts";

export const LOOPBACK = { host: "127.0.0.1", port: 0 };

/** One handle of each kind. */
export interface OpenHandles extends AsyncDisposable {
  readonly listener: Listener;
  readonly client: Connection;
  readonly server: Connection;
  readonly udp: UdpSocket;
  /** Checks that all handles work as if they were new, with nothing sent or received before. */
  prove(): Promise<void>;
}

export async function openHandles(): Promise<OpenHandles> {
  const listener = await listen(LOOPBACK);
  const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
  const udp = await bindUdp(LOOPBACK);
  return {
    listener,
    client,
    server,
    udp,
    prove: () => soon(prove({ listener, client, server, udp })),
    async [Symbol.asyncDispose](): Promise<void> {
      abort(client);
      abort(server);
      await Promise.all([closeListener(listener), closeUdp(udp)]);
    },
  };
}

async function prove(
  { listener, client, server, udp }: Omit<OpenHandles, "prove" | typeof Symbol.asyncDispose>,
): Promise<void> {
  const [fresh, accepted] = await Promise.all([connect(listener.address), accept(listener)]);
  // If no other client has connected, the accepted one is this one.
  assertEquals(accepted.remoteAddress, fresh.localAddress);
  abort(fresh);
  abort(accepted);

  const marker = crypto.getRandomValues(new Uint8Array(16));
  for (const [from, to] of [[client, server], [server, client]]) {
    await send(from, marker);
    assertEquals(await recv(to), marker);
    await send(from, marker);
    const buffer = new Uint8Array(100);
    assertEquals(await recvInto(to, buffer), 16);
    assertEquals(buffer.subarray(0, 16), marker);
  }

  await sendTo(udp, udp.address, marker);
  assertEquals((await recvFrom(udp)).bytes, marker);
}
