import { Buffer } from "node:buffer";
import { assertEquals } from "@std/assert";
import {
  abort,
  bindUdp,
  close,
  closeUdp,
  type Connection,
  connectionOver,
  delimited,
  framed,
  lengthPrefixed,
  netstrings,
  recv,
  recvExactly,
  recvFrom,
  recvInto,
  recvUntil,
  send,
  sendFrame,
  sendTo,
  varintPrefixed,
} from "../../../mod.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { LOOPBACK, tcpPair } from "../../support/tcp_pair.ts";
import { transfer, transferred } from "../../support/transferring.ts";
import { watchUnhandled } from "../../support/unhandled.ts";

/** A subclass whose methods are not those of plain bytes; `slice` of a `Buffer` is no copy either. */
class Odd extends Uint8Array<ArrayBuffer> {
  override slice = never;
  override subarray = never;
}

function never(): never {
  throw new Error("the subclass's own");
}

const TEN = Uint8Array.from({ length: 10 }, (_, index) => index);

const SUBCLASSES: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>> = {
  "a Buffer": (bytes) => Buffer.from(bytes),
  "a subclass": (bytes) => Odd.from(bytes),
};

for (const [kind, from] of Object.entries(SUBCLASSES)) {
  const made = (start: number, end: number) => from(TEN.subarray(start, end));

  Deno.test(`S1: send(), recvInto() and recvUntil() take ${kind} as the bytes that it is`, async () => {
    await using pair = await tcpPair();
    const { client, server } = pair;
    const bytes = made(0, 10);
    await Promise.all([
      send(client, bytes),
      // These wait, and go out together.
      send(client, bytes),
      send(client, bytes, { timeout: 60_000 }),
      sendFrame(framed(client, lengthPrefixed({ bytes: 1 })), bytes),
    ]);
    const expected = [...TEN, ...TEN, ...TEN, 10, ...TEN];
    assertEquals([...await soon(recvExactly(server, 41))], expected);
    assertEquals(client.bytesSent, 41);

    for (const options of [undefined, { timeout: 60_000 }]) {
      const buffer = made(0, 4);
      const receiving = recvInto(server, buffer, options);
      await send(client, TEN.subarray(1));
      assertEquals(await soon(receiving), 4);
      assertEquals(Array.from(buffer), [1, 2, 3, 4]);
      assertEquals(await soon(recvInto(server, buffer, options)), 4);
      assertEquals(Array.from(buffer), [5, 6, 7, 8]);
      assertEquals(await soon(recvUntil(server, made(9, 10))), new Uint8Array());
    }
  });

  Deno.test(`U2: sendTo() takes ${kind} as the bytes that it is`, async () => {
    const socket = await bindUdp(LOOPBACK);
    await sendTo(socket, socket.address, made(0, 10));
    assertEquals((await soon(recvFrom(socket))).bytes, TEN);
    await closeUdp(socket);
  });
}

Deno.test("E1: send() of a buffer that was transferred is InvalidInput, and nothing is sent", async () => {
  await using pair = await tcpPair();
  for (const options of [undefined, { timeout: 60_000 }]) {
    await rejection(() => send(pair.client, transferred(), options), "InvalidInput", "send");
  }
  await send(pair.client, TEN);
  assertEquals(pair.client.bytesSent, 10);
});

Deno.test("E1: sendFrame() of a frame whose buffer was transferred is InvalidInput, and nothing is sent", async () => {
  await using pair = await tcpPair();
  for (const codec of [lengthPrefixed(), varintPrefixed(), netstrings(), delimited(TEN)]) {
    const stream = framed(pair.client, codec);
    await rejection(() => sendFrame(stream, transferred()), "InvalidInput", "sendFrame");
  }
  assertEquals(pair.client.bytesSent, 0);
});

const RECEIVING: Record<string, (connection: Connection) => Promise<unknown>> = {
  "recv": (connection) => recv(connection),
  "recvExactly": (connection) => recvExactly(connection, 3),
  "recvInto": (connection) => recvInto(connection, new Uint8Array(10)),
  "recvInto with a timeout": (connection) =>
    recvInto(connection, new Uint8Array(10), { timeout: 60_000 }),
};

Deno.test("E5: an asynchronous close() of a transport that fails is no unhandled rejection", async () => {
  using unhandled = watchUnhandled();
  const transport = {
    read: () => Promise.resolve(null),
    write: (bytes: Uint8Array) => Promise.resolve(bytes.length),
    close: () => Promise.reject(new Error("closed already")),
  };
  abort(connectionOver(transport));
  await close(connectionOver(transport));
  assertEquals(await unhandled.seen(), []);
});

for (const [name, call] of Object.entries(RECEIVING)) {
  Deno.test(`E1: ${name} over a transport that transfers the buffer to read into rejects Other`, async () => {
    const connection = connectionOver({
      read(buffer) {
        transfer(buffer);
        return Promise.resolve(10);
      },
      write: (bytes) => Promise.resolve(bytes.length),
      close() {},
    });
    const [operation] = name.split(" ");
    const { message } = await rejection(() => call(connection), "Other", operation, name);
    assertEquals(message, `${operation}: the buffer to read into was transferred`);
    abort(connection);
  });
}
