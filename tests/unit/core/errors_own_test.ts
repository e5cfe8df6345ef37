import { assertEquals } from "@std/assert";
import {
  abort,
  accept,
  close,
  closeListener,
  closeUdp,
  closeWrite,
  connect,
  type Connection,
  connectionOver,
  framed,
  lines,
  recv,
  recvFrom,
  send,
  sendFrame,
  sendFrames,
  sendTo,
} from "../../../mod.ts";
import { type Failure, testFailures } from "../../support/failures.ts";
import { openHandles } from "../../support/open_handles.ts";
import { RECEIVING_CALLS } from "../../support/receiving_calls.ts";
import { rejection } from "../../support/socket_errors.ts";

const BYTES = new Uint8Array([1]);

/** Failures that no system call has: this package itself says so. */
const OWN: readonly Failure[] = [
  ...[
    ...RECEIVING_CALLS,
    { name: "send", call: (connection: Connection) => send(connection, BYTES) },
    {
      name: "sendFrames",
      call: (connection: Connection) => sendFrames(framed(connection, lines()), ["line"]),
    },
    {
      name: "sendFrame",
      call: (connection: Connection) => sendFrame(framed(connection, lines()), "line"),
    },
    { name: "closeWrite", call: closeWrite },
  ].map(({ name: operation, call }): Failure => ({
    what: "this side has closed",
    kind: "Closed",
    operation,
    reason: "the connection is closed on this side",
    async provoke(handles) {
      await close(handles.client, { linger: 0 });
      const error = await rejection(() => call(handles.client), this.kind, operation);
      return [handles.client.remoteAddress, error];
    },
  })),
  {
    what: "the listener is closed",
    kind: "Closed",
    operation: "accept",
    reason: "the listener is closed",
    async provoke({ listener }) {
      await closeListener(listener);
      return [listener.address, await rejection(() => accept(listener), this.kind, "accept")];
    },
  },
  {
    what: "the socket is closed",
    kind: "Closed",
    operation: "recvFrom",
    reason: "the socket is closed",
    async provoke({ udp }) {
      await closeUdp(udp);
      return [udp.address, await rejection(() => recvFrom(udp), this.kind, "recvFrom")];
    },
  },
  ...RECEIVING_CALLS.map(({ name, call, answer, given }): Failure => ({
    what: "another call is under way",
    kind: "Busy",
    operation: name,
    reason: "another receiving call is under way, there is one reader at a time",
    retryable: true,
    async provoke({ client, server }) {
      const first = recv(client);
      const error = await rejection(() => call(client), this.kind, name);
      await send(server, BYTES);
      assertEquals(await first, BYTES);
      const second = call(client);
      await rejection(() => recv(client), this.kind, "recv");
      await send(server, answer);
      assertEquals(await second, given);
      return [client.remoteAddress, error];
    },
  })),
  {
    what: "the datagram is too large",
    kind: "TooLarge",
    operation: "sendTo",
    reason: "a datagram has at most 65507 bytes, not 65508",
    async provoke({ udp }) {
      const call = () => sendTo(udp, udp.address, new Uint8Array(65_508));
      return [udp.address, await rejection(call, this.kind, "sendTo")];
    },
  },
  {
    what: "the queue is full",
    kind: "QueueFull",
    operation: "send",
    reason: "0 bytes wait already, 11 more would pass the limit of 10",
    retryable: true,
    async provoke({ listener }) {
      const client = await connect(listener.address, { sendQueueLimit: 10 });
      const writing = rejection(() => send(client, new Uint8Array(64 << 20)), "Closed", "send");
      const error = await rejection(() => send(client, new Uint8Array(11)), this.kind, "send");
      abort(client);
      await writing;
      return [client.remoteAddress, error];
    },
  },
  ...RECEIVING_CALLS.map(({ name, call }): Failure => ({
    what: "nothing comes in time",
    kind: "TimedOut",
    operation: name,
    reason: "timed out after 1 ms",
    retryable: true,
    provoke: async ({ client }) => [
      client.remoteAddress,
      await rejection(() => call(client, { timeout: 1 }), "TimedOut", name),
    ],
  })),
  {
    what: "the transport cannot half-close",
    kind: "Unsupported",
    operation: "closeWrite",
    reason: "the transport cannot half-close",
    async provoke() {
      const connection = connectionOver({
        read: () => Promise.resolve(null),
        write: () => Promise.resolve(1),
        close: () => {},
      });
      const error = await rejection(() => closeWrite(connection), this.kind, "closeWrite");
      abort(connection);
      return [undefined, error];
    },
  },
];

testFailures(OWN);

Deno.test("E2: on an accepted connection the address is the client's", async () => {
  await using handles = await openHandles();
  const error = await rejection(
    () => recv(handles.server, { timeout: 1 }),
    "TimedOut",
    "recv",
  );
  assertEquals(error.address, handles.client.localAddress);
});
