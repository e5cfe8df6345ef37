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

function never(): never {
  throw new Error("the caller's own");
}

class Lying extends Uint8Array<ArrayBuffer> {
  override get length(): number {
    return 1000;
  }
  override set = never;
  override slice = never;
  override subarray = never;
}

class Throwing extends Uint8Array<ArrayBuffer> {
  override get length(): number {
    return never();
  }
}

const TEN = Uint8Array.from({ length: 10 }, (_, index) => index);

for (const Subclass of [Lying, Throwing]) {
  const kind = `a subclass that is ${Subclass.name.toLowerCase()}`;
  /** Its methods and its length are its own; its bytes are what they are. */
  const made = (start: number, end: number) => new Subclass(TEN.buffer.slice(start, end));

  Deno.test(`send(), recvInto() and recvUntil() take bytes of ${kind} as they are`, async () => {
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
      assertEquals([...new Uint8Array(buffer.buffer)], [1, 2, 3, 4]);
      assertEquals(await soon(recvInto(server, buffer, options)), 4);
      assertEquals([...new Uint8Array(buffer.buffer)], [5, 6, 7, 8]);
      assertEquals(await soon(recvUntil(server, made(9, 10))), new Uint8Array());
    }
  });

  Deno.test(`sendTo() takes bytes of ${kind} as they are`, async () => {
    const socket = await bindUdp(LOOPBACK);
    await sendTo(socket, socket.address, made(0, 10));
    assertEquals((await soon(recvFrom(socket))).bytes, TEN);
    await closeUdp(socket);
  });
}

Deno.test("send() and recvInto() take plain bytes with a length or a set of their own as they are", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  const own = () =>
    Object.defineProperties(new Uint8Array(TEN), {
      length: { value: 1000 },
      set: { value: never },
    });
  await Promise.all([
    send(client, own()),
    send(client, own()),
    send(client, own(), { timeout: 60_000 }),
  ]);
  assertEquals(await soon(recvExactly(server, 30)), new Uint8Array([...TEN, ...TEN, ...TEN]));
  for (const options of [undefined, { timeout: 60_000 }]) {
    const buffer = own();
    const receiving = recvInto(server, buffer, options);
    await send(client, TEN.toReversed());
    assertEquals(await soon(receiving), 10);
    assertEquals([...new Uint8Array(buffer.buffer)], [...TEN.toReversed()]);
  }
});

Deno.test("send() of a buffer that was transferred is InvalidInput, and nothing is sent", async () => {
  await using pair = await tcpPair();
  for (const options of [undefined, { timeout: 60_000 }]) {
    await rejection(() => send(pair.client, transferred(), options), "InvalidInput", "send");
  }
  await send(pair.client, TEN);
  assertEquals(pair.client.bytesSent, 10);
});

Deno.test("sendFrame() of a frame whose buffer was transferred is InvalidInput, and nothing is sent", async () => {
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

Deno.test("an asynchronous close of a transport may fail without anybody", async () => {
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
  Deno.test(`${name} over a transport that transfers the buffer that it is given says so`, async () => {
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
