// A program of a user of Node or Bun, who has installed the package with `npx jsr add @aivi/sockets`.
import {
  accept,
  type Address,
  bindUdp,
  close,
  closeListener,
  closeUdp,
  connect,
  type Connection,
  framed,
  type FramedConnection,
  lines,
  listen,
  recvFrame,
  recvFrom,
  sendFrame,
  sendTo,
  serve,
  SocketError,
} from "@aivi/sockets";
import { checkCodec } from "@aivi/sockets/testing";

const loopback: Address = { host: "127.0.0.1", port: 0 };

async function tcp(): Promise<string | null> {
  const listener = await listen(loopback);
  const [client, server]: Connection[] = await Promise.all([
    connect(listener.address),
    accept(listener),
  ]);
  const near: FramedConnection<string> = framed(client, lines());
  await sendFrame(near, "hello");
  const line = await recvFrame(framed(server, lines()));
  const readable: ReadableStream<Uint8Array> = client.readable;
  await readable.cancel();
  await Promise.all([close(client), close(server)]);
  await closeListener(listener);
  return line;
}

async function udp(): Promise<number> {
  const socket = await bindUdp(loopback);
  await sendTo(socket, socket.address, new Uint8Array(3));
  const { bytes } = await recvFrom(socket, { timeout: 10_000 });
  await closeUdp(socket);
  return bytes.length;
}

async function serving(): Promise<string | null> {
  const server = serve(await listen(loopback), async (connection) => {
    await sendFrame(framed(connection, lines()), "served");
  });
  const client = await connect(server.address);
  const line = await recvFrame(framed(client, lines()));
  await close(client);
  await server.shutdown();
  return line;
}

async function failure(): Promise<string> {
  const listener = await listen(loopback);
  await closeListener(listener);
  try {
    await connect(listener.address);
    return "connected";
  } catch (error) {
    return error instanceof SocketError ? error.kind : String(error);
  }
}

console.log(JSON.stringify({
  tcp: await tcp(),
  udp: await udp(),
  served: await serving(),
  failure: await failure(),
  frames: checkCodec(lines(), new TextEncoder().encode("a\nb\n")),
}));
