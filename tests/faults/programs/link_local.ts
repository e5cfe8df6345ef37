/**
 * Sends to itself over a multicast group and a link-local address of one device, with the public functions, and prints
 * the received sizes as JSON. It joins the group with `node:dgram`, because that needs no flag.
 *
 * link_local.ts MULTICAST_INTERFACE LINK_LOCAL
 */
import { createSocket } from "node:dgram";
import {
  abort,
  bindUdp,
  closeListener,
  connect,
  formatAddress,
  listen,
  parseAddress,
  recvFrom,
  sendTo,
  type UdpSocket,
} from "../../../mod.ts";

const GROUP = "239.255.7.7";
const [own, linkLocal] = Deno.args;
const device = linkLocal.split("%")[1];
const BYTES = new Uint8Array([1, 2, 3]);

/** Joins a group, and returns the socket and its first datagram. */
async function member(
  type: "udp4" | "udp6",
  group: string,
  at: string,
): Promise<{ port: number; first: Promise<number> }> {
  const socket = createSocket(type);
  await new Promise<void>((resolve) => socket.bind(0, () => resolve()));
  socket.addMembership(group, at);
  const first = new Promise<number>((resolve) =>
    socket.once("message", ({ length }) => socket.close(() => resolve(length)))
  );
  return { port: socket.address().port, first };
}

async function multicast(
  sender: UdpSocket,
  type: "udp4" | "udp6",
  group: string,
  at: string,
  host = group,
): Promise<number | "nothing"> {
  const { port, first } = await member(type, group, at);
  await sendTo(sender, { host, port }, BYTES);
  const nothing = new Promise<"nothing">((resolve) => setTimeout(resolve, 3000, "nothing"));
  return await Promise.race([first, nothing]);
}

async function udp(): Promise<number> {
  await using socket = await bindUdp({ host: linkLocal, port: 0 });
  // The zone stays in the text of the socket's own address.
  await sendTo(socket, parseAddress(formatAddress(socket.address)), BYTES);
  const { from, bytes } = await recvFrom(socket, { timeout: 3000 });
  await sendTo(socket, from, bytes);
  return (await recvFrom(socket, { timeout: 3000 })).bytes.length;
}

async function tcp(): Promise<string> {
  const listener = await listen({ host: linkLocal, port: 0 });
  const connection = await connect(listener.address);
  abort(connection);
  await closeListener(listener);
  return listener.address.host;
}

await using four = await bindUdp({ host: own, port: 0 });
await using six = await bindUdp({ host: "::", port: 0 });
const report = {
  four: await multicast(four, "udp4", GROUP, own),
  six: await multicast(six, "udp6", "ff02::7777", `::%${device}`, `ff02::7777%${device}`),
  udp: await udp(),
  tcp: await tcp(),
};
console.log(JSON.stringify(report));
Deno.exit(0);
