import { assertEquals } from "@std/assert";
import {
  abort,
  accept,
  bindUdp,
  close,
  closeListener,
  closeUdp,
  closeWrite,
  connect,
  type Connection,
  connectionOver,
  disconnectSignal,
  flush,
  framed,
  type FramedConnection,
  heartbeat,
  joinMulticast,
  lines,
  listen,
  type Listener,
  recv,
  recvExactly,
  recvFrame,
  recvFrames,
  recvFrom,
  recvInto,
  recvLine,
  recvProxyHeader,
  recvUntil,
  send,
  sendFrame,
  sendFrames,
  sendTo,
  type Transport,
  type UdpSocket,
} from "../../../mod.ts";
import { WRONG_BYTES, WRONG_OBJECTS, WRONG_TYPES } from "../../support/hostile.ts";
import { LOOPBACK, openHandles } from "../../support/open_handles.ts";
import { rejection, soon, thrown } from "../../support/socket_errors.ts";
import { transferred } from "../../support/transferring.ts";

const BYTES = new Uint8Array([1]);

interface Call<T> {
  readonly operation: string;
  readonly call: (value: T) => Promise<unknown>;
}

const WITH_CONNECTION: readonly Call<Connection>[] = [
  { operation: "send", call: (connection) => send(connection, BYTES) },
  { operation: "send", call: (connection) => send(connection, BYTES, { timeout: 5000 }) },
  { operation: "send", call: (connection) => send(connection, new Uint8Array()) },
  { operation: "send", call: (connection) => send(connection, [BYTES, BYTES]) },
  { operation: "recv", call: (connection) => recv(connection) },
  { operation: "recv", call: (connection) => recv(connection, { timeout: 5000 }) },
  { operation: "recvInto", call: (connection) => recvInto(connection, new Uint8Array(9)) },
  { operation: "closeWrite", call: (connection) => closeWrite(connection) },
  { operation: "flush", call: (connection) => flush(connection) },
  // Throws at once, as framed does.
  {
    operation: "disconnectSignal",
    call: async (connection) => await disconnectSignal(connection),
  },
  {
    operation: "heartbeat",
    call: async (connection) =>
      await heartbeat(connection, { interval: 1000, timeout: 1000, ping: () => {} }),
  },
  { operation: "close", call: (connection) => close(connection) },
  { operation: "recvExactly", call: (connection) => recvExactly(connection, 1) },
  { operation: "recvUntil", call: (connection) => recvUntil(connection, BYTES) },
  { operation: "recvLine", call: (connection) => recvLine(connection) },
  { operation: "recvLine", call: (connection) => recvLine(connection, { timeout: 5000 }) },
  { operation: "recvProxyHeader", call: (connection) => recvProxyHeader(connection) },
  // Throws at once, as the table wants it in a promise.
  { operation: "framed", call: async (connection) => await framed(connection, lines()) },
];

const WITH_FRAMED: readonly Call<FramedConnection<string>>[] = [
  { operation: "recvFrame", call: (framed) => recvFrame(framed) },
  { operation: "recvFrame", call: (framed) => recvFrame(framed, { timeout: 5000 }) },
  { operation: "recvFrames", call: (framed) => recvFrames(framed) },
  { operation: "recvFrames", call: (framed) => recvFrames(framed, { timeout: 5000 }) },
  { operation: "sendFrames", call: (framed) => sendFrames(framed, ["line"]) },
  { operation: "sendFrames", call: (framed) => sendFrames(framed, [], { timeout: 5000 }) },
  { operation: "sendFrame", call: (framed) => sendFrame(framed, "line") },
  { operation: "sendFrame", call: (framed) => sendFrame(framed, "line", { timeout: 5000 }) },
];

const WITH_LISTENER: readonly Call<Listener>[] = [
  { operation: "accept", call: (listener) => accept(listener) },
  { operation: "accept", call: (listener) => accept(listener, { timeout: 5000 }) },
  { operation: "closeListener", call: (listener) => closeListener(listener) },
];

const WITH_SOCKET: readonly Call<UdpSocket>[] = [
  { operation: "sendTo", call: (udp) => sendTo(udp, { host: "127.0.0.1", port: 9 }, BYTES) },
  { operation: "recvFrom", call: (udp) => recvFrom(udp) },
  { operation: "recvFrom", call: (udp) => recvFrom(udp, { timeout: 5000 }) },
  { operation: "joinMulticast", call: (udp) => joinMulticast(udp, "239.255.7.7") },
  { operation: "closeUdp", call: (udp) => closeUdp(udp) },
];

/** Objects that look like a handle, but are none: a copy of it, and handles of other kinds. */
function lookalikes(handle: object, others: object[]): [string, unknown][] {
  return [
    ["a copy", { ...handle }],
    ...others.map((other): [string, unknown] => ["a handle of another kind", other]),
  ];
}

async function rejectHandles<T extends object>(
  calls: readonly Call<T>[],
  handle: T,
  others: object[],
): Promise<void> {
  for (const [what, value] of [...WRONG_OBJECTS, ...lookalikes(handle, others)]) {
    for (const { operation, call } of calls) {
      const error = await rejection(
        () => call(value as T),
        "InvalidInput",
        operation,
        `${operation} with ${what} as handle`,
      );
      assertEquals(error.address, undefined);
    }
  }
}

Deno.test("E1: an object that is no connection is InvalidInput", async () => {
  await using handles = await openHandles();
  const { listener, client, udp } = handles;
  await rejectHandles(WITH_CONNECTION, client, [listener, udp]);
  await handles.prove();
});

Deno.test("E1: an object that is no connection with frames is InvalidInput", async () => {
  await using handles = await openHandles();
  const { listener, client, udp } = handles;
  await rejectHandles(WITH_FRAMED, framed(client, lines()), [client, listener, udp]);
  await handles.prove();
});

Deno.test("E1: an object that is no listener is InvalidInput", async () => {
  await using handles = await openHandles();
  const { listener, client, udp } = handles;
  await rejectHandles(WITH_LISTENER, listener, [client, udp]);
  await handles.prove();
});

Deno.test("E1: an object that is no UDP socket is InvalidInput", async () => {
  await using handles = await openHandles();
  const { listener, client, udp } = handles;
  await rejectHandles(WITH_SOCKET, udp, [client, listener]);
  await handles.prove();
});

Deno.test("E10: abort() of an object that is no connection does nothing, and does not throw", async () => {
  await using handles = await openHandles();
  const { listener, client, udp } = handles;
  for (const [, value] of [...WRONG_OBJECTS, ...lookalikes(client, [listener, udp])]) {
    assertEquals(abort(value as Connection), undefined);
  }
  await handles.prove();
});

Deno.test("E1: bytes that are not a Uint8Array are InvalidInput", async () => {
  await using handles = await openHandles();
  const { client, udp } = handles;
  const calls: readonly Call<Uint8Array>[] = [
    { operation: "send", call: (bytes) => send(client, bytes) },
    { operation: "send", call: (bytes) => send(client, bytes, { timeout: 5000 }) },
    { operation: "sendTo", call: (bytes) => sendTo(udp, udp.address, bytes) },
    { operation: "sendTo", call: (bytes) => sendTo(udp, udp.address, bytes, { timeout: 5000 }) },
    { operation: "recvUntil", call: (delimiter) => recvUntil(client, delimiter) },
    { operation: "recvInto", call: (buffer) => recvInto(client, buffer) },
    { operation: "recvInto", call: (buffer) => recvInto(client, buffer, { timeout: 5000 }) },
  ];
  for (const [what, value] of WRONG_BYTES) {
    for (const { operation, call } of calls) {
      const name = `${operation} with ${what} as bytes`;
      await rejection(() => call(value as Uint8Array), "InvalidInput", operation, name);
    }
  }
  await handles.prove();
});

Deno.test("E1: recvInto() with a buffer that has no room is InvalidInput", async () => {
  await using handles = await openHandles();
  const { client, server } = handles;
  await send(server, BYTES);
  for (const buffer of [new Uint8Array(), new Uint8Array(8).subarray(8), transferred()]) {
    await rejection(() => recvInto(client, buffer), "InvalidInput", "recvInto");
    await rejection(() => recvInto(client, buffer, { timeout: 0 }), "InvalidInput", "recvInto");
  }
  assertEquals(await soon(recv(client)), BYTES);
  await handles.prove();
});

Deno.test("S1: shared and resizable buffers can be sent and filled", async () => {
  await using handles = await openHandles();
  const { client, server, udp } = handles;
  const buffers = [new SharedArrayBuffer(3), new ArrayBuffer(3, { maxByteLength: 9 })];
  for (const buffer of buffers) {
    const bytes = new Uint8Array(buffer);
    bytes.set([1, 2, 3]);
    for (const options of [undefined, { timeout: 5000 }]) {
      await send(client, bytes, options);
      assertEquals(await soon(recv(server)), new Uint8Array([1, 2, 3]));
      await sendTo(udp, udp.address, bytes, options);
      assertEquals((await soon(recvFrom(udp))).bytes, new Uint8Array([1, 2, 3]));
      await send(server, new Uint8Array([4, 5]));
      assertEquals(await soon(recvInto(client, bytes, options)), 2);
      assertEquals([...bytes], [4, 5, 3]);
      bytes.set([1, 2, 3]);
    }
  }
  await handles.prove();
});

Deno.test("K3: a write of something else to writable is InvalidInput; the connection goes on", async () => {
  for (const [what, value] of WRONG_TYPES) {
    await using handles = await openHandles();
    const writer = handles.client.writable.getWriter();
    const written = () => writer.write(value as Uint8Array);
    const closed = writer.closed.catch((error) => error);
    await rejection(written, "InvalidInput", "send", `writing ${what}`);
    await rejection(async () => Promise.reject(await closed), "InvalidInput", "send");
    await handles.prove();
  }
});

const METHODS = { read: () => {}, write: () => {}, close: () => {} };

const WRONG_TRANSPORTS: readonly (readonly [string, unknown])[] = [
  ...WRONG_OBJECTS,
  ["only read", { read: () => {} }],
  ["only read and write", { read: () => {}, write: () => {} }],
  ["methods that are none", { read: 1, write: 1, close: 1 }],
  ["a throwing address", {
    ...METHODS,
    get remoteAddr(): Deno.Addr {
      throw new Error("no address");
    },
  }],
];

Deno.test("E1: connectionOver() throws InvalidInput for an object that is no transport", () => {
  for (const [what, transport] of WRONG_TRANSPORTS) {
    const call = () => connectionOver(transport as Transport);
    thrown(call, "InvalidInput", "connectionOver", what);
  }
});

Deno.test("E1: connecting, listening and binding leave nothing behind after bad options", async () => {
  await using handles = await openHandles();
  const options = { noDelay: "yes", keepAlive: "yes", reuseAddress: "yes" } as object;
  for (let round = 0; round < 20; round++) {
    await rejection(() => connect(handles.listener.address, options), "InvalidInput", "connect");
    // Both addresses are in use: to have tried them would be AddressInUse.
    await rejection(() => listen(handles.listener.address, options), "InvalidInput", "listen");
    await rejection(() => bindUdp(handles.udp.address, options), "InvalidInput", "bindUdp");
  }
  await rejection(() => listen(handles.listener.address), "AddressInUse", "listen");
  await rejection(() => bindUdp(handles.udp.address), "AddressInUse", "bindUdp");
  await closeListener(await listen(LOOPBACK));
  await handles.prove();
});
