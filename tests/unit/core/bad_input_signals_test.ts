import { assertEquals } from "@std/assert";
import {
  abort,
  accept,
  bindUdp,
  type ByteQueue,
  closeListener,
  closeWrite,
  connect,
  type Connection,
  framed,
  listen,
  recv,
  recvExactly,
  recvFrame,
  recvFrom,
  recvInto,
  send,
  sendTo,
  serve,
} from "../../../mod.ts";
import { countedSignal } from "../../support/listener_count.ts";
import { rejection, soon, thrown } from "../../support/socket_errors.ts";
import { LOOPBACK, tcpPair } from "../../support/tcp_pair.ts";

const TEN = Uint8Array.from({ length: 10 }, (_, index) => index);

/** A signal that has a property of its own, which throws. */
function broken(property: string): AbortSignal {
  const { signal } = new AbortController();
  const never = () => {
    throw new Error("the caller's own");
  };
  const own = property === "addEventListener" ? { value: never } : { get: never };
  return Object.defineProperty(signal, property, own);
}

/** Afterwards both directions work as before. */
function onPair(call: (connection: Connection, signal: AbortSignal) => Promise<unknown>) {
  return async (
    refused: (call: () => Promise<unknown>) => Promise<unknown>,
    signal: AbortSignal,
  ) => {
    await using pair = await tcpPair();
    const { client, server } = pair;
    await refused(() => call(client, signal));
    await Promise.all([send(client, TEN), send(server, TEN)]);
    assertEquals(await soon(recvExactly(server, 10)), TEN);
    assertEquals(await soon(recvExactly(client, 10)), TEN);
  };
}

const WAITING: Record<string, ReturnType<typeof onPair>> = {
  accept: async (refused, signal) => {
    await using listener = await listen(LOOPBACK);
    await refused(() => accept(listener, { signal }));
    // The next client is not for the call that is over.
    const both = await Promise.all([connect(listener.address), soon(accept(listener))]);
    both.forEach(abort);
  },
  connect: async (refused, signal) => {
    await using listener = await listen(LOOPBACK);
    await refused(() => connect(listener.address, { signal }));
  },
  recvFrom: async (refused, signal) => {
    await using socket = await bindUdp(LOOPBACK);
    await refused(() => recvFrom(socket, { signal }));
    await sendTo(socket, socket.address, TEN);
    assertEquals((await soon(recvFrom(socket))).bytes, TEN);
  },
  sendTo: async (refused, signal) => {
    await using socket = await bindUdp(LOOPBACK);
    await refused(() => sendTo(socket, socket.address, TEN, { signal }));
    await sendTo(socket, socket.address, TEN.subarray(1));
    assertEquals((await soon(recvFrom(socket))).bytes, TEN.subarray(1));
  },
  recv: onPair((client, signal) => recv(client, { signal })),
  recvInto: onPair((client, signal) => recvInto(client, new Uint8Array(8), { signal })),
  recvExactly: onPair((client, signal) => recvExactly(client, 8, { signal })),
  send: onPair((client, signal) => send(client, TEN, { signal })),
};

for (const property of ["addEventListener", "aborted"]) {
  for (const [operation, attempt] of Object.entries(WAITING)) {
    Deno.test(`E1: ${operation}() with a signal whose ${property} throws is InvalidInput, and loses nothing`, async () => {
      await attempt((call) => rejection(call, "InvalidInput", operation), broken(property));
    });
  }

  Deno.test(`E1: serve() with a signal whose ${property} throws is InvalidInput, and leaves the listener`, async () => {
    const listener = await listen(LOOPBACK);
    const signal = broken(property);
    thrown(() => serve(listener, () => {}, { signal }), "InvalidInput", "serve");
    await serve(listener, () => {}).shutdown();
    await closeListener(listener);
  });
}

Deno.test("E1: closeWrite() with a signal whose addEventListener throws is InvalidInput, and still ends the sending side", async () => {
  await using pair = await tcpPair();
  const signal = broken("addEventListener");
  await rejection(() => closeWrite(pair.client, { signal }), "InvalidInput", "closeWrite");
  assertEquals(await soon(recv(pair.server)), null);
});

Deno.test("E4: a signal that is aborted while the call reads its options, or its codec runs, is not missed", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  const session = new AbortController();
  const { signal } = session;
  const options = {
    signal,
    get maxBytes() {
      session.abort();
      return 10;
    },
  };
  await rejection(() => recv(server, options), "Aborted", "recv");

  const goodbye = new AbortController();
  const codec = {
    encode: () => [],
    decoder: () => ({
      decode(input: ByteQueue) {
        if (input.length > 0) goodbye.abort();
        return undefined;
      },
    }),
  };
  await send(client, TEN);
  // Some bytes are here already when the call is made.
  await soon(recvExactly(server, 1));
  const stream = framed(server, codec);
  await rejection(() => recvFrame(stream, { signal: goodbye.signal }), "Aborted", "recvFrame");
  assertEquals(await soon(recvExactly(server, 9)), TEN.subarray(1));
});

Deno.test("E5: calls that wait for one signal share a listener, which goes with the last of them", async () => {
  const controller = new AbortController();
  const { signal, listeners } = countedSignal(controller);
  await using one = await tcpPair();
  await using other = await tcpPair();
  const first = recv(one.server, { signal });
  const second = recv(other.server, { signal });
  assertEquals(listeners(), 1);
  await send(one.client, TEN);
  assertEquals(await soon(first), TEN);
  const third = recv(one.server, { signal });
  assertEquals(listeners(), 1);
  controller.abort("enough");
  for (const call of [second, third]) {
    const { cause } = await rejection(() => call, "Aborted", "recv");
    assertEquals(cause, "enough");
  }
  assertEquals(listeners(), 0);
});
