import { concat } from "@std/bytes/concat";
import { equals } from "@std/bytes/equals";
import type { Connection, SocketAddress } from "../types.ts";
import { close, closeWrite, later, recv, recvAll, recvExactly, send } from "./connection_calls.ts";
import { type ConnectionRow, onPair, type RowRandom } from "./connection_row.ts";
import { expect, expectEqual } from "./expectations.ts";

const OTHER_BYTES = "other bytes came than were sent";
const MEBIBYTE = 1024 * 1024;

/** Makes many random bytes quickly: it repeats a random block, with a number in each. */
function bulk(random: RowRandom, length: number): Uint8Array<ArrayBuffer> {
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
  random: RowRandom,
  largest: number,
): Promise<void> {
  for (let start = 0; start < bytes.length;) {
    const end = Math.min(bytes.length, start + 1 + random.below(largest));
    await send(connection, bytes.subarray(start, end));
    start = end;
  }
}

/** Rows about bytes that come whole and in order. */
export const TRANSFER_ROWS: readonly ConnectionRow[] = [
  {
    what: "row 1: 1 MiB in random pieces, then close: identical bytes, then the end",
    run: onPair(async (pair, random) => {
      const sent = bulk(random, MEBIBYTE);
      const received = later(recvAll(pair.far));
      await sendInPieces(pair.near, sent, random, 60_000);
      const closing = later(close(pair.near));
      expect(equals(await received, sent), OTHER_BYTES);
      expectEqual(await recv(pair.far), null);
      await Promise.all([closing, close(pair.far)]);
      expectEqual(pair.near.bytesSent, MEBIBYTE);
      expectEqual(pair.far.bytesReceived, MEBIBYTE);
    }),
  },
  {
    what: "row 2: 1,000 ping-pongs count correctly",
    run: onPair(async (pair) => {
      const echo = later((async () => {
        for (let count = 0; count < 1000; count++) {
          const [high, low] = await recvExactly(pair.far, 2);
          await send(pair.far, new Uint8Array([high, low]));
        }
      })());
      for (let count = 0; count < 1000; count++) {
        await send(pair.near, new Uint8Array([count >> 8, count & 255]));
        const [high, low] = await recvExactly(pair.near, 2);
        expectEqual(high << 8 | low, count);
      }
      await echo;
    }),
  },
  {
    what: "row 3: 1 MiB each way at once, in pieces of at most 16 KiB",
    run: onPair(async (pair, random) => {
      const there = bulk(random, MEBIBYTE);
      const back = bulk(random, MEBIBYTE);
      const [, , atFar, atNear] = await Promise.all([
        sendInPieces(pair.near, there, random, 16 * 1024).then(() => closeWrite(pair.near)),
        sendInPieces(pair.far, back, random, 16 * 1024).then(() => closeWrite(pair.far)),
        recvAll(pair.far),
        recvAll(pair.near),
      ]);
      expect(equals(atFar, there) && equals(atNear, back), OTHER_BYTES);
    }),
  },
  {
    what: "row 4: send resolves only when all its bytes were taken, with a slow reader",
    run: onPair(async (pair, random) => {
      // This is far more than both ends' buffers hold, so the send has to wait.
      const bytes = bulk(random, 16 * MEBIBYTE);
      let resolved = false;
      const sending = later(
        send(pair.near, bytes).then(() => {
          resolved = true;
          expectEqual(pair.near.bytesSent, bytes.length);
        }),
      );
      const first = await recvExactly(pair.far, MEBIBYTE);
      expectEqual(resolved, false);
      const rest = await recvExactly(pair.far, bytes.length - MEBIBYTE);
      await sending;
      expect(equals(concat([first, rest]), bytes), OTHER_BYTES);
    }),
  },
  {
    what: "row 15: overlapping sends arrive in call order, each whole",
    run: onPair(async (pair, random) => {
      const messages = Array.from(
        { length: 500 },
        (_, index) =>
          new Uint8Array(1 + random.below(index % 50 === 0 ? 100_000 : 200)).fill(index),
      );
      const expected = concat(messages);
      const received = later(recvExactly(pair.far, expected.length));
      await Promise.all(messages.map((message) => send(pair.near, message)));
      expect(equals(await received, expected), OTHER_BYTES);
    }),
  },
  {
    what: "row 16: recv, send, deadlines and getters at once stay in step",
    run: onPair(async (pair, random) => {
      const bytes = bulk(random, 100 * 1000);
      const sending = later((async () => {
        for (let start = 0; start < bytes.length; start += 1000) {
          await send(pair.near, bytes.subarray(start, start + 1000), { timeout: 30_000 });
          expectEqual(pair.near.bytesSent, start + 1000);
        }
      })());
      const received: Uint8Array[] = [];
      for (let missing = bytes.length; missing > 0;) {
        const timeout = random.below(3);
        const chunk = await recv(pair.far, { timeout }).catch(() => undefined);
        if (chunk === undefined) continue;
        received.push(chunk!);
        missing -= chunk!.length;
        expectEqual(pair.far.bytesReceived, bytes.length - missing);
      }
      await sending;
      expect(equals(concat(received), bytes), OTHER_BYTES);
    }),
  },
];
