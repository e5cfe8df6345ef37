/** The examples that adapt: a WinterTC socket as a transport, and a connection as a stream of Node. */
import { assert, assertEquals } from "@std/assert";
import { once } from "node:events";
import { connect as nodeConnect } from "node:net";
import { nodeStreamOf, socketLike } from "../../examples/node_stream.ts";
import { transportOf } from "../../examples/winter_socket.ts";
import {
  abort,
  close,
  closeWrite,
  type Connection,
  connectionOver,
  recv,
  recvExactly,
  send,
} from "../../mod.ts";
import { checkStream } from "../support/check_stream.ts";
import { rejection, soon } from "../support/socket_errors.ts";
import type { StreamKind } from "../support/stream_kinds.ts";
import { receiveAll, tcpPair } from "../support/tcp_pair.ts";
import { unixPair } from "../support/unix_sockets.ts";
import { winterSocketOver } from "../support/winter_sockets.ts";

const LARGE_BYTES = 8 * 1024 * 1024;

function overWinter(conn: Deno.Conn): Connection {
  return connectionOver(transportOf(winterSocketOver(conn)));
}

/** Makes the kind of connections over WinterTC sockets. */
function winterKind(): StreamKind {
  return {
    async makeReset() {
      const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const peer = nodeConnect(listener.addr.port, "127.0.0.1");
      const [conn] = await Promise.all([listener.accept(), once(peer, "connect")]);
      const near = overWinter(conn);
      return {
        near,
        async reset(bytes: Uint8Array): Promise<void> {
          if (bytes.length > 0) await new Promise((resolve) => peer.write(bytes, resolve));
          const closed = once(peer, "close");
          peer.resetAndDestroy();
          await closed;
        },
        [Symbol.asyncDispose]() {
          peer.destroy();
          abort(near);
          listener.close();
          return Promise.resolve();
        },
      };
    },
    async makePair() {
      const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { hostname, port } = listener.addr;
      const conns = await Promise.all([Deno.connect({ hostname, port }), listener.accept()]);
      const [near, far] = conns.map(overWinter);
      return {
        near,
        far,
        [Symbol.asyncDispose]() {
          abort(near);
          abort(far);
          listener.close();
          return Promise.resolve();
        },
      };
    },
  };
}

checkStream("a WinterTC socket", winterKind);

Deno.test("the failure of a WinterTC socket is the connection's, and no unhandled rejection", async () => {
  const broken = new Error("the network is gone");
  const rejected = () => Promise.reject(broken);
  const connection = connectionOver(transportOf({
    readable: new ReadableStream({ start: (controller) => controller.error(broken) }),
    writable: new WritableStream({ start: (controller) => controller.error(broken) }),
    opened: rejected(),
    closed: rejected(),
    close: rejected,
  }));
  for (const [operation, call] of Object.entries({ recv, closeWrite })) {
    const error = await rejection(() => call(connection), "Other", operation);
    assert(error.message.includes("the network is gone"), error.message);
  }
  abort(connection);
  await new Promise((resolve) => setTimeout(resolve, 0));
});

for (const [what, makePair] of [["TCP", tcpPair], ["a Unix socket", unixPair]] as const) {
  Deno.test(`a stream of Node over ${what} carries bytes both ways, and its end is the peer's`, async () => {
    await using pair = await makePair();
    const stream = nodeStreamOf(pair.client);
    const payload = crypto.getRandomValues(new Uint8Array(65_536));
    stream.write(payload);
    assertEquals(await recvExactly(pair.server, payload.length), payload);
    await send(pair.server, payload);
    const chunks: Uint8Array[] = [];
    for (let missing = payload.length; missing > 0;) {
      const chunk = stream.read() as Uint8Array | null;
      if (chunk === null) await once(stream, "readable");
      else missing -= chunks[chunks.push(chunk) - 1].length;
    }
    assertEquals(new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer()), payload);
    stream.end();
    assertEquals(await recv(pair.server), null);
    const closed = once(stream, "close");
    await closeWrite(pair.server);
    stream.resume();
    await soon(closed);
  });
}

Deno.test("a stream of Node keeps the back-pressure of its connection", async () => {
  await using pair = await tcpPair();
  const stream = nodeStreamOf(pair.client);
  const chunk = new Uint8Array(65_536);
  let written = 0;
  while (written < LARGE_BYTES * 8 && stream.write(chunk)) written += chunk.length;
  assert(written < LARGE_BYTES * 8, "the stream never said that it is full");
  const drained = once(stream, "drain");
  const received = receiveAll(pair.server);
  await soon(drained);
  stream.end();
  assertEquals((await received).length, written + chunk.length);
});

Deno.test("destroying a stream of Node aborts its connection, and the abort destroys the stream", async () => {
  await using pair = await tcpPair();
  const stream = nodeStreamOf(pair.client);
  const closed = once(stream, "close");
  stream.destroy();
  await soon(closed);
  await rejection(() => send(pair.client, new Uint8Array(1)), "Closed", "send");
  assertEquals(await recv(pair.server), null);

  await using other = await tcpPair();
  const torn = nodeStreamOf(other.client);
  torn.on("error", () => {});
  const ended = new Promise((resolve) => torn.once("close", resolve));
  abort(other.client);
  torn.resume();
  await soon(ended);
});

Deno.test("a stream that looks like a socket says that it has connected", async () => {
  await using pair = await tcpPair();
  const stream = socketLike(pair.client) as ReturnType<typeof socketLike> & {
    connect(port: number, host: string): unknown;
    setNoDelay(on: boolean): unknown;
  };
  assertEquals(stream.setNoDelay(true), stream);
  stream.connect(5432, "127.0.0.1");
  await soon(once(stream, "connect"));
  stream.write(new Uint8Array([1]));
  assertEquals(await recv(pair.server), new Uint8Array([1]));
  await Promise.all([close(pair.client), close(pair.server)]);
});
