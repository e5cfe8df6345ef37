// A program that uses the published package, and does not know its origin.
import {
  accept,
  bindUdp,
  close,
  connect,
  lines,
  listen,
  recv,
  recvFrom,
  send,
  sendTo,
  SocketError,
  // deno-lint-ignore no-unversioned-import -- the registry serves one version
} from "jsr:@aivi/sockets";
// deno-lint-ignore no-unversioned-import -- whatever version the registry serves
import { checkCodec } from "jsr:@aivi/sockets/testing";

const loopback = { host: "127.0.0.1", port: 0 };
const hello = new TextEncoder().encode("hello");
const text = (bytes: Uint8Array | null): string => new TextDecoder().decode(bytes ?? undefined);

async function tcp(): Promise<string> {
  await using listener = await listen(loopback);
  const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
  await send(client, hello);
  await send(server, (await recv(server)) ?? new Uint8Array());
  const echoed = text(await recv(client));
  await Promise.all([close(client), close(server)]);
  return echoed;
}

async function udp(): Promise<string> {
  await using one = await bindUdp(loopback);
  await using other = await bindUdp(loopback);
  await sendTo(one, other.address, hello);
  const { from, bytes } = await recvFrom(other, { timeout: 10_000 });
  await sendTo(other, from, bytes);
  return text((await recvFrom(one, { timeout: 10_000 })).bytes);
}

async function failure(): Promise<string> {
  const listener = await listen(loopback);
  await listener[Symbol.asyncDispose]();
  try {
    await connect(listener.address);
    return "connected";
  } catch (error) {
    return error instanceof SocketError ? error.kind : String(error);
  }
}

function frames(): string[] {
  return checkCodec(lines(), new TextEncoder().encode("hello\nhello\n"));
}

console.log(JSON.stringify({
  tcp: await tcp(),
  udp: await udp(),
  failure: await failure(),
  frames: frames(),
  unstable: typeof Deno.listenDatagram === "function",
}));
