import { assert, assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import {
  abort,
  close,
  closeWrite,
  type Connection,
  recv,
  recvInto,
  send,
  type SocketAddress,
  SocketError,
} from "../../mod.ts";
import type { Row } from "./check_stream.ts";
import { rejects } from "./check_stream_calls.ts";
import { recvAll, recvExactly } from "./check_stream_transfer.ts";

/** More bytes than the buffers between two ends hold. */
const TOO_MUCH = 32 * 1024 * 1024;

/** Sends until the connection is broken, and returns the error. */
async function sendUntilBroken(connection: Connection<SocketAddress>): Promise<SocketError> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    try {
      await send(connection, new Uint8Array(1024));
    } catch (error) {
      assert(error instanceof SocketError);
      return error;
    }
    // The event loop has to turn, because the reset comes from outside of this program.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  throw new Error("the connection did not break");
}

export const ENDING_ROWS: readonly Row[] = [
  {
    what: "row 17: close wakes a pending recv with Closed and flushes pending sends",
    async run(kind) {
      await using pair = await kind.makePair();
      const receiving = rejects(recv(pair.near), "Closed");
      const sends = [1, 2, 3].map((value) => send(pair.near, new Uint8Array(300_000).fill(value)));
      const closing = close(pair.near);
      await receiving;
      const received = await recvAll(pair.far);
      await Promise.all([...sends, close(pair.far), closing]);
      assertEquals(received.length, 900_000);
      assertEquals([received[0], received[300_000], received[899_999]], [1, 2, 3]);
    },
  },
  {
    what: "row 17: abort wakes all with Closed, sends with bytesSent",
    async run(kind) {
      await using pair = await kind.makePair();
      const receiving = rejects(recv(pair.near), "Closed");
      const sends = [TOO_MUCH, 10].map((length) =>
        rejects(send(pair.near, new Uint8Array(length)), "Closed")
      );
      abort(pair.near);
      await receiving;
      for (const error of await Promise.all(sends)) assert(error.bytesSent !== undefined);
      await rejects(recv(pair.near), "Closed");
      await rejects(send(pair.near, new Uint8Array(1)), "Closed");
    },
  },
  {
    what: "row 17: close towards a peer that never reads ends",
    async run(kind) {
      await using pair = await kind.makePair();
      const sending = rejects(send(pair.near, new Uint8Array(TOO_MUCH)), "Closed");
      const error = await rejects(close(pair.near, { linger: 0, flushTimeout: 1000 }), "TimedOut");
      assertEquals(error.retryable, false);
      assert((await sending).bytesSent! < TOO_MUCH);
    },
  },
  {
    what: "row 18: close, closeWrite and dispose three times are fine",
    async run(kind) {
      await using pair = await kind.makePair();
      for (let time = 0; time < 3; time++) await closeWrite(pair.near);
      const far = close(pair.far);
      for (let time = 0; time < 3; time++) await close(pair.near);
      await far;
      for (let time = 0; time < 3; time++) await pair.near[Symbol.asyncDispose]();
      for (let time = 0; time < 3; time++) abort(pair.near);
    },
  },
  {
    what: "row 19: a cancelled close still closes",
    async run(kind) {
      for (const options of [{ timeout: 0 }, { signal: AbortSignal.abort() }, { timeout: 5 }]) {
        await using pair = await kind.makePair();
        const error = await close(pair.near, options).catch((error) => error);
        assert(error instanceof SocketError && ["Aborted", "TimedOut"].includes(error.kind));
        await rejects(recv(pair.near), "Closed");
        const end = await recv(pair.far).catch((error) => error.kind);
        // TLS tells a connection that was dropped from one that was closed in order. Tickets that the one side has not
        // read make the system reset the other one.
        const tells = kind.endsWithTruncation && ["UnexpectedEof", "ConnectionReset"].includes(end);
        assert(end === null || tells, `${end}`);
      }
    },
  },
  {
    what: "row 19: a close with a pending recv ends the stream for the peer",
    async run(kind) {
      await using pair = await kind.makePair();
      const receiving = rejects(recv(pair.near), "Closed");
      const closing = close(pair.near);
      assertEquals(await recv(pair.far), null);
      await Promise.all([receiving, close(pair.far), closing]);
    },
  },
  {
    what: "row 20: closeWrite gives the peer the data, then the end; we still receive",
    async run(kind) {
      await using pair = await kind.makePair();
      const sending = send(pair.near, new Uint8Array([1, 2]));
      const ending = closeWrite(pair.near);
      assertEquals([...await recvExactly(pair.far, 2)], [1, 2]);
      assertEquals(await recv(pair.far), null);
      await Promise.all([sending, ending]);
      await send(pair.far, new Uint8Array([3]));
      assertEquals([...await recvExactly(pair.near, 1)], [3]);
      await rejects(send(pair.near, new Uint8Array([4])), "Closed");
    },
  },
  {
    what: "row 21: the end of stream repeats",
    async run(kind) {
      await using pair = await kind.makePair();
      await send(pair.near, new Uint8Array([1]));
      await closeWrite(pair.near);
      assertEquals([...await recvExactly(pair.far, 1)], [1]);
      for (let time = 0; time < 3; time++) {
        assertEquals(await recv(pair.far), null);
        assertEquals(await recvInto(pair.far, new Uint8Array(1)), null);
      }
      await send(pair.far, new Uint8Array([2]));
      assertEquals([...await recvExactly(pair.near, 1)], [2]);
    },
  },
  {
    what: "row 21: after BrokenPipe, recv still gives what waits, then the end",
    async run(kind) {
      await using pair = await kind.makePair();
      await send(pair.far, new Uint8Array([1, 2, 3]));
      await closeWrite(pair.far);
      const far = close(pair.far, { linger: 0 });
      await far;
      const { kind: first } = await sendUntilBroken(pair.near);
      assertEquals(first, "BrokenPipe");
      assertEquals([...await recvExactly(pair.near, 3)], [1, 2, 3]);
      assertEquals(await recv(pair.near), null);
      await rejects(send(pair.near, new Uint8Array(1)), "BrokenPipe");
    },
  },
  {
    what: "row 21: broken stays broken",
    async run(kind) {
      await using stream = await kind.makeReset();
      await stream.reset(new Uint8Array(0));
      for (let time = 0; time < 3; time++) {
        await rejects(recv(stream.near), "ConnectionReset");
        await rejects(recvInto(stream.near, new Uint8Array(1)), "ConnectionReset");
        await rejects(send(stream.near, new Uint8Array(1)), "ConnectionReset");
      }
      await close(stream.near);
      await rejects(recv(stream.near), "Closed");
    },
  },
  {
    what: "row 22: closeWrite after the peer's reset is fine or says that the peer is gone",
    async run(kind) {
      await using stream = await kind.makeReset();
      await stream.reset(new Uint8Array(0));
      const error = await closeWrite(stream.near).catch((error) => error);
      assert([undefined, "ConnectionReset", "BrokenPipe"].includes(error?.kind), String(error));
    },
  },
  {
    what: "row 23: data that arrived before a reset is readable, then ConnectionReset",
    async run(kind) {
      await using stream = await kind.makeReset();
      await stream.reset(new Uint8Array([1, 2, 3]));
      const received: Uint8Array[] = [];
      let error: unknown;
      while (error === undefined) {
        const bytes = await recv(stream.near).catch((reason) => void (error = reason));
        assert(bytes !== null, "a reset is not the end of the stream");
        if (bytes !== undefined) received.push(bytes);
      }
      assertEquals((error as SocketError).kind, "ConnectionReset");
      assertEquals([...concat(received)], [1, 2, 3]);
    },
  },
];
