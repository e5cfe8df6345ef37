import { assert, assertEquals } from "@std/assert";
import { concat, equals } from "@std/bytes";
import { close, closeWrite, type Connection, recv, send, type SocketAddress } from "../../mod.ts";
import type { Row } from "./check_stream.ts";
import type { Random } from "./random.ts";

const MEBIBYTE = 1024 * 1024;

/** Makes many random bytes quickly: it repeats a random block, with a number in each. */
function bulk(random: Random, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  const block = random.bytes(4099);
  for (let start = 0; start < length; start += block.length) {
    bytes.set(block.subarray(0, length - start), start);
  }
  return bytes;
}

async function sendInPieces(
  connection: Connection<SocketAddress>,
  bytes: Uint8Array,
  random: Random,
  largest: number,
): Promise<void> {
  for (let start = 0; start < bytes.length;) {
    const end = Math.min(bytes.length, start + 1 + random.below(largest));
    await send(connection, bytes.subarray(start, end));
    start = end;
  }
}

export async function recvAll(connection: Connection<SocketAddress>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of connection) chunks.push(chunk);
  return concat(chunks);
}

export async function recvExactly(
  connection: Connection<SocketAddress>,
  length: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for (let missing = length; missing > 0;) {
    const chunk = await recv(connection, { maxBytes: missing });
    assert(chunk !== null, `the stream ended ${missing} bytes too early`);
    chunks.push(chunk);
    missing -= chunk.length;
  }
  return concat(chunks);
}

export const TRANSFER_ROWS: readonly Row[] = [
  {
    what: "row 1: 1 MiB in random pieces, then close: identical bytes, then the end",
    async run(kind, random) {
      await using pair = await kind.makePair();
      const sent = bulk(random, MEBIBYTE);
      const received = recvAll(pair.far);
      await sendInPieces(pair.near, sent, random, 60_000);
      const closing = close(pair.near);
      assert(equals(await received, sent));
      assertEquals(await recv(pair.far), null);
      await Promise.all([closing, close(pair.far)]);
      assertEquals(pair.near.bytesSent, MEBIBYTE);
      assertEquals(pair.far.bytesReceived, MEBIBYTE);
    },
  },
  {
    what: "row 2: 1,000 ping-pongs count correctly",
    async run(kind) {
      await using pair = await kind.makePair();
      const echo = (async () => {
        for (let count = 0; count < 1000; count++) {
          const [high, low] = await recvExactly(pair.far, 2);
          await send(pair.far, new Uint8Array([high, low]));
        }
      })();
      for (let count = 0; count < 1000; count++) {
        await send(pair.near, new Uint8Array([count >> 8, count & 255]));
        const [high, low] = await recvExactly(pair.near, 2);
        assertEquals(high << 8 | low, count);
      }
      await echo;
    },
  },
  {
    what: "row 3: 1 MiB each way at once, in pieces of at most 16 KiB",
    async run(kind, random) {
      await using pair = await kind.makePair();
      const there = bulk(random, MEBIBYTE);
      const back = bulk(random, MEBIBYTE);
      const [, , atFar, atNear] = await Promise.all([
        sendInPieces(pair.near, there, random, 16 * 1024).then(() => closeWrite(pair.near)),
        sendInPieces(pair.far, back, random, 16 * 1024).then(() => closeWrite(pair.far)),
        recvAll(pair.far),
        recvAll(pair.near),
      ]);
      assert(equals(atFar, there) && equals(atNear, back));
    },
  },
  {
    what: "row 4: send resolves only when all its bytes were taken, with a slow reader",
    async run(kind, random) {
      await using pair = await kind.makePair();
      // This is far more than both ends' buffers hold, so the send has to wait.
      const bytes = bulk(random, 16 * MEBIBYTE);
      let resolved = false;
      const sending = send(pair.near, bytes).then(() => {
        resolved = true;
        assertEquals(pair.near.bytesSent, bytes.length);
      });
      const first = await recvExactly(pair.far, MEBIBYTE);
      assertEquals(resolved, false);
      const rest = await recvExactly(pair.far, bytes.length - MEBIBYTE);
      await sending;
      assert(equals(concat([first, rest]), bytes));
    },
  },
  {
    what: "row 15: overlapping sends arrive in call order, each whole",
    async run(kind, random) {
      await using pair = await kind.makePair();
      const messages = Array.from(
        { length: 500 },
        (_, index) =>
          new Uint8Array(1 + random.below(index % 50 === 0 ? 100_000 : 200)).fill(index),
      );
      const expected = concat(messages);
      const received = recvExactly(pair.far, expected.length);
      await Promise.all(messages.map((message) => send(pair.near, message)));
      assert(equals(await received, expected));
    },
  },
  {
    what: "row 16: recv, send, deadlines and getters at once stay in step",
    async run(kind, random) {
      await using pair = await kind.makePair();
      const bytes = bulk(random, 100 * 1000);
      const sending = (async () => {
        for (let start = 0; start < bytes.length; start += 1000) {
          await send(pair.near, bytes.subarray(start, start + 1000), { timeout: 30_000 });
          assertEquals(pair.near.bytesSent, start + 1000);
        }
      })();
      const received: Uint8Array[] = [];
      for (let missing = bytes.length; missing > 0;) {
        const timeout = random.below(3);
        const chunk = await recv(pair.far, { timeout }).catch(() => undefined);
        if (chunk === undefined) continue;
        received.push(chunk!);
        missing -= chunk!.length;
        assertEquals(pair.far.bytesReceived, bytes.length - missing);
      }
      await sending;
      assert(equals(concat(received), bytes));
    },
  },
];
