import { concat } from "@std/bytes/concat";
import { SocketError } from "../errors.ts";
import type { CloseOptions, Connection, SocketAddress } from "../types.ts";
import {
  abort,
  close,
  closeWrite,
  later,
  recv,
  recvAll,
  recvExactly,
  recvInto,
  rejects,
  send,
} from "./connection_calls.ts";
import {
  type ConnectionKind,
  type ConnectionPair,
  type ConnectionRow,
  onPair,
  onReset,
} from "./connection_row.ts";
import { expect, expectEqual } from "./expectations.ts";

/** More bytes than the buffers between two ends hold. */
const TOO_MUCH = 32 * 1024 * 1024;

/** Sends until the connection is broken, and returns the error. */
async function sendUntilBroken(connection: Connection<SocketAddress>): Promise<SocketError> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    try {
      await send(connection, new Uint8Array(1024));
    } catch (error) {
      expect(error instanceof SocketError, `a send threw ${String(error)}`);
      return error;
    }
    // The event loop has to turn, because the reset comes from outside of this program.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return expect(false, "the connection did not break") as never;
}

/** Rows about the ways in which a connection ends. */
export const ENDING_ROWS: readonly ConnectionRow[] = [
  {
    what: "row 17: close wakes a pending recv with Closed and flushes pending sends",
    run: onPair(async (pair) => {
      const receiving = later(rejects(recv(pair.near), "Closed"));
      const sends = [1, 2, 3].map((value) =>
        later(send(pair.near, new Uint8Array(300_000).fill(value)))
      );
      const closing = later(close(pair.near));
      await receiving;
      const received = await recvAll(pair.far);
      await Promise.all([...sends, close(pair.far), closing]);
      expectEqual(received.length, 900_000);
      expectEqual([received[0], received[300_000], received[899_999]], [1, 2, 3]);
    }),
  },
  {
    what: "row 17: abort wakes all with Closed, sends with bytesSent",
    run: onPair(async (pair) => {
      const receiving = later(rejects(recv(pair.near), "Closed"));
      const sends = [TOO_MUCH, 10].map((length) =>
        later(rejects(send(pair.near, new Uint8Array(length)), "Closed"))
      );
      abort(pair.near);
      await receiving;
      for (const error of await Promise.all(sends)) {
        expect(error.bytesSent !== undefined, "the error has no bytesSent");
      }
      await rejects(recv(pair.near), "Closed");
      await rejects(send(pair.near, new Uint8Array(1)), "Closed");
    }),
  },
  {
    what: "row 17: close towards a peer that never reads ends",
    run: onPair(async (pair) => {
      const sending = later(rejects(send(pair.near, new Uint8Array(TOO_MUCH)), "Closed"));
      const error = await rejects(close(pair.near, { linger: 0, flushTimeout: 100 }), "TimedOut");
      expectEqual(error.retryable, false);
      expect((await sending).bytesSent! < TOO_MUCH, "the peer has taken more than it could");
    }),
  },
  {
    what: "row 18: close, closeWrite and dispose three times are fine",
    run: onPair(async (pair) => {
      for (let time = 0; time < 3; time++) await closeWrite(pair.near);
      const far = later(close(pair.far));
      for (let time = 0; time < 3; time++) await close(pair.near);
      await far;
      for (let time = 0; time < 3; time++) await pair.near[Symbol.asyncDispose]();
      for (let time = 0; time < 3; time++) abort(pair.near);
    }),
  },
  {
    what: "row 19: a cancelled close still closes",
    async run(kind, random) {
      for (const options of [{ timeout: 0 }, { signal: AbortSignal.abort() }, { timeout: 5 }]) {
        await onPair((pair) => checkCancelledClose(pair, options, kind))(kind, random);
      }
    },
  },
  {
    what: "row 19: a close with a pending recv ends the stream for the peer",
    run: onPair(async (pair) => {
      const receiving = later(rejects(recv(pair.near), "Closed"));
      const closing = later(close(pair.near));
      expectEqual(await recv(pair.far), null);
      await Promise.all([receiving, close(pair.far), closing]);
    }),
  },
  {
    what: "row 20: closeWrite gives the peer the data, then the end; we still receive",
    run: onPair(async (pair) => {
      const sending = later(send(pair.near, new Uint8Array([1, 2])));
      const ending = later(closeWrite(pair.near));
      expectEqual([...await recvExactly(pair.far, 2)], [1, 2]);
      expectEqual(await recv(pair.far), null);
      await Promise.all([sending, ending]);
      await send(pair.far, new Uint8Array([3]));
      expectEqual([...await recvExactly(pair.near, 1)], [3]);
      await rejects(send(pair.near, new Uint8Array([4])), "Closed");
    }),
  },
  {
    what: "row 21: the end of stream repeats",
    run: onPair(async (pair) => {
      await send(pair.near, new Uint8Array([1]));
      await closeWrite(pair.near);
      expectEqual([...await recvExactly(pair.far, 1)], [1]);
      for (let time = 0; time < 3; time++) {
        expectEqual(await recv(pair.far), null);
        expectEqual(await recvInto(pair.far, new Uint8Array(1)), null);
      }
      await send(pair.far, new Uint8Array([2]));
      expectEqual([...await recvExactly(pair.near, 1)], [2]);
    }),
  },
  {
    what: "row 21: after BrokenPipe, recv still gives what waits, then the end",
    run: onPair(async (pair) => {
      await send(pair.far, new Uint8Array([1, 2, 3]));
      await closeWrite(pair.far);
      const far = close(pair.far, { linger: 0 });
      await far;
      const { kind: first } = await sendUntilBroken(pair.near);
      expectEqual(first, "BrokenPipe");
      expectEqual([...await recvExactly(pair.near, 3)], [1, 2, 3]);
      expectEqual(await recv(pair.near), null);
      await rejects(send(pair.near, new Uint8Array(1)), "BrokenPipe");
    }),
  },
  {
    what: "row 21: broken stays broken",
    resets: true,
    run: onReset(async (stream) => {
      await stream.reset(new Uint8Array(0));
      for (let time = 0; time < 3; time++) {
        await rejects(recv(stream.near), "ConnectionReset");
        await rejects(recvInto(stream.near, new Uint8Array(1)), "ConnectionReset");
        await rejects(send(stream.near, new Uint8Array(1)), "ConnectionReset");
      }
      await close(stream.near);
      await rejects(recv(stream.near), "Closed");
    }),
  },
  {
    what: "row 22: closeWrite after the peer's reset is fine or says that the peer is gone",
    resets: true,
    run: onReset(async (stream) => {
      await stream.reset(new Uint8Array(0));
      const error = await closeWrite(stream.near).catch((error) => error);
      const isGone = [undefined, "ConnectionReset", "BrokenPipe"].includes(error?.kind);
      expect(isGone, `closeWrite ended with ${String(error)}`);
    }),
  },
  {
    what: "row 23: data that arrived before a reset is readable, then ConnectionReset",
    resets: true,
    run: onReset(async (stream) => {
      await stream.reset(new Uint8Array([1, 2, 3]));
      const received: Uint8Array[] = [];
      let error: unknown;
      while (error === undefined) {
        const bytes = await recv(stream.near).catch((reason) => void (error = reason));
        expect(bytes !== null, "a reset is not the end of the stream");
        if (bytes !== undefined) received.push(bytes);
      }
      expectEqual((error as SocketError).kind, "ConnectionReset");
      expectEqual([...concat(received)], [1, 2, 3]);
    }),
  },
];

async function checkCancelledClose(
  { near, far }: ConnectionPair,
  options: CloseOptions,
  { endsWithTruncation }: ConnectionKind,
): Promise<void> {
  const error = await close(near, options).catch((error) => error);
  const isCancelled = error instanceof SocketError && ["Aborted", "TimedOut"].includes(error.kind);
  expect(isCancelled, `the close ended with ${String(error)}`);
  await rejects(recv(near), "Closed");
  const end = await recv(far).catch((error) => error.kind);
  // TLS tells a connection that was dropped from one that was closed in order. Tickets that the one side has not read
  // make the system reset the other one.
  const tells = endsWithTruncation && ["UnexpectedEof", "ConnectionReset"].includes(end);
  expect(end === null || tells, `the peer got ${end}`);
}
