import { concat } from "@std/bytes/concat";
import type { RecvOptions } from "../types.ts";
import {
  abort,
  close,
  later,
  recv,
  recvExactly,
  recvInto,
  rejects,
  send,
} from "./connection_calls.ts";
import { type ConnectionRow, onPair } from "./connection_row.ts";
import { countedSignal, expect, expectEqual } from "./expectations.ts";

/** Rows about single calls: their options, and calls that overlap. */
export const CALL_ROWS: readonly ConnectionRow[] = [
  {
    what: "row 5: an empty send is a no-op, and Closed after close",
    run: onPair(async (pair) => {
      await send(pair.near, new Uint8Array(0));
      expectEqual(pair.near.bytesSent, 0);
      await rejects(recv(pair.far, { timeout: 5 }), "TimedOut");
      await Promise.all([close(pair.near), close(pair.far)]);
      await rejects(send(pair.near, new Uint8Array(0)), "Closed");
    }),
  },
  {
    what: "row 6: maxBytes 0, -1 and 1.5 fail before any I/O",
    run: onPair(async (pair) => {
      await send(pair.near, new Uint8Array([1, 2, 3]));
      for (const maxBytes of [0, -1, 1.5]) {
        await rejects(recv(pair.far, { maxBytes }), "InvalidInput");
        await rejects(recvInto(pair.far, new Uint8Array(9), { maxBytes }), "InvalidInput");
      }
      expectEqual([...await recvExactly(pair.far, 3)], [1, 2, 3]);
    }),
  },
  {
    what: "row 7: a deadline in the past fails with data ready, and takes none",
    run: onPair(async (pair) => {
      await send(pair.near, new Uint8Array([1, 2, 3]));
      expectEqual([...(await recv(pair.far, { maxBytes: 1 }))!], [1]);
      await rejects(recv(pair.far, { timeout: 0 }), "TimedOut");
      await rejects(recvInto(pair.far, new Uint8Array(9), { timeout: 0 }), "TimedOut");
      expectEqual(pair.far.bytesReceived, 1);
      expectEqual([...await recvExactly(pair.far, 2)], [2, 3]);
    }),
  },
  {
    what: "row 8: a deadline that comes during a pending call wakes it",
    run: onPair(async (pair) => {
      await rejects(recv(pair.far, { timeout: 1 }), "TimedOut");
      await rejects(recvInto(pair.far, new Uint8Array(9), { timeout: 1 }), "TimedOut");
      const controller = new AbortController();
      const pending = later(recv(pair.far, { signal: controller.signal }));
      controller.abort();
      await rejects(pending, "Aborted");
    }),
  },
  {
    what: "row 9: a recv that timed out leaves send usable, and the other way round",
    run: onPair(async (pair) => {
      await rejects(recv(pair.near, { timeout: 1 }), "TimedOut");
      await send(pair.near, new Uint8Array([1]));
      expectEqual([...await recvExactly(pair.far, 1)], [1]);
      await rejects(send(pair.far, new Uint8Array([9]), { timeout: 0 }), "TimedOut");
      await send(pair.near, new Uint8Array([2]));
      expectEqual([...await recvExactly(pair.far, 1)], [2]);
      await send(pair.far, new Uint8Array([3]));
      expectEqual([...await recvExactly(pair.near, 1)], [3]);
    }),
  },
  {
    what: "row 10: after timeouts, later receives get every byte in order (1,000 tries)",
    run: onPair(async (pair) => {
      const tries = 1000;
      const received: Uint8Array[] = [];
      const buffer = new Uint8Array(5);
      for (let count = 0; count < tries; count++) {
        // The send comes in the middle of the wait, so that the deadline and the bytes sometimes coincide.
        const into = count % 3 === 0;
        const waiting = into
          ? recvInto(pair.far, buffer, { timeout: 1 }).then((n) => buffer.slice(0, n!))
          : recv(pair.far, { timeout: 1, maxBytes: 7 });
        const outcome = waiting.catch(() => undefined);
        await send(pair.near, new Uint8Array([count & 255]));
        const bytes = await outcome;
        if (bytes) received.push(bytes);
      }
      const missing = tries - pair.far.bytesReceived;
      if (missing > 0) received.push(await recvExactly(pair.far, missing));
      const expected = Array.from({ length: tries }, (_, count) => count & 255);
      expectEqual([...concat(received)], expected);
    }),
  },
  {
    what: "row 11: the caller may change its buffer once the call has settled",
    run: onPair(async (pair) => {
      const message = new Uint8Array([1, 2, 3]);
      await send(pair.near, message);
      message.fill(9);
      expectEqual([...await recvExactly(pair.far, 3)], [1, 2, 3]);
      const buffer = new Uint8Array(3);
      await rejects(recvInto(pair.far, buffer, { timeout: 1 }), "TimedOut");
      buffer.fill(7);
      await send(pair.near, new Uint8Array([4, 5, 6]));
      expectEqual([...await recvExactly(pair.far, 3)], [4, 5, 6]);
      expectEqual([...buffer], [7, 7, 7]);
    }),
  },
  {
    what: "row 12: deadlines of 2^53 and Infinity do not overflow, NaN is InvalidInput",
    run: onPair(async (pair) => {
      for (const timeout of [2 ** 53, Infinity, 2 ** 31]) {
        const pending = later(recv(pair.far, { timeout }));
        await send(pair.near, new Uint8Array([1]), { timeout });
        expectEqual([...(await pending)!], [1]);
      }
      for (const timeout of [NaN, -1]) {
        await rejects(recv(pair.far, { timeout }), "InvalidInput");
        await rejects(send(pair.far, new Uint8Array(1), { timeout }), "InvalidInput");
      }
    }),
  },
  {
    what: "row 13: an aborted signal rejects before any I/O, its reason in cause",
    run: onPair(async (pair) => {
      const reason = new Error("mine");
      const signal = AbortSignal.abort(reason);
      const calls = [
        () => send(pair.near, new Uint8Array(1), { signal }),
        () => recv(pair.near, { signal }),
        () => recvInto(pair.near, new Uint8Array(1), { signal }),
      ];
      for (const call of calls) {
        const { cause } = await rejects(call(), "Aborted");
        expect(cause === reason, "the signal's reason is not the cause");
      }
      await rejects(recv(pair.far, { timeout: 5 }), "TimedOut");
    }),
  },
  {
    what: "row 14: 10,000 calls on one signal leave no listener",
    run: onPair(async (pair) => {
      const { signal, listeners } = countedSignal();
      const calls = 10_000;
      const options: RecvOptions = { signal, timeout: 60_000, maxBytes: 1 };
      for (let sent = 0; sent < calls; sent += 1000) {
        await send(pair.near, new Uint8Array(1000), { signal });
        for (let received = 0; received < 1000; received++) {
          await recv(pair.far, options);
          expect(listeners() <= 1, "a call has left a listener");
        }
      }
      await rejects(recv(pair.far, { signal, timeout: 1 }), "TimedOut");
      expectEqual(listeners(), 0);
    }),
  },
  {
    what: "row 15: an overlapping recv is Busy, and both it and the connection survive",
    run: onPair(async (pair) => {
      const first = later(recv(pair.far));
      await rejects(recv(pair.far), "Busy");
      await rejects(recvInto(pair.far, new Uint8Array(1)), "Busy");
      await send(pair.near, new Uint8Array([1]));
      expectEqual([...(await first)!], [1]);
      const into = later(recvInto(pair.far, new Uint8Array(1)));
      await rejects(recv(pair.far), "Busy");
      await send(pair.near, new Uint8Array([2]));
      expectEqual(await into, 1);
      abort(pair.near);
    }),
  },
];
