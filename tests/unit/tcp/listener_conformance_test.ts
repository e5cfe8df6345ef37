import { once } from "node:events";
import { connect as nodeConnect } from "node:net";
import { assert, assertEquals } from "@std/assert";
import {
  abort,
  accept,
  closeListener,
  connect,
  type Connection,
  listen,
  recv,
  SocketError,
} from "../../../mod.ts";
import { Random } from "../../support/random.ts";
import { rejects } from "../../../testing/connection_calls.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };

Deno.test("E7: closeListener() and dispose can be called three times", async () => {
  const listener = await listen(LOOPBACK);
  for (let time = 0; time < 3; time++) await closeListener(listener);
  for (let time = 0; time < 3; time++) await listener[Symbol.asyncDispose]();
});

Deno.test("L4: accept after close is Closed, and the port is free at once", async () => {
  const listener = await listen(LOOPBACK);
  for (let time = 0; time < 20; time++) {
    const pending = rejects(accept(listener), "Closed");
    await closeListener(listener);
    await pending;
    await rejects(accept(listener), "Closed");
    const again = await listen(listener.address);
    assertEquals(again.address, listener.address);
    await closeListener(again);
  }
});

Deno.test("C1: 1,000 connects that are aborted around their success leave no connection", async () => {
  const random = new Random();
  await using listener = await listen(LOOPBACK);
  const accepted: Connection[] = [];
  const serving = (async () => {
    for await (const connection of listener) accepted.push(connection);
  })();
  let cancelled = 0;
  for (let attempt = 0; attempt < 1000; attempt++) {
    const controller = new AbortController();
    const outcome = connect(listener.address, { signal: controller.signal }).then(
      abort,
      (error) => {
        assertEquals(error.kind, "Aborted");
        cancelled++;
      },
    );
    // Some of these turns of the microtask queue and the event loop end before the success, some in it, some after it.
    for (let turn = random.below(12); turn > 0; turn--) await Promise.resolve();
    if (random.below(2) === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    controller.abort();
    await outcome;
  }
  assert(cancelled > 0, "no abort came in time");
  // Clients are accepted in the order they came: after this one, no other can come.
  const last = await connect(listener.address);
  const { port } = last.localAddress;
  while (accepted.at(-1)?.remoteAddress.port !== port) {
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  abort(last);
  await closeListener(listener);
  await serving;
  // A connection that was left behind would never end.
  const ends = accepted.map((connection) =>
    recv(connection, { timeout: 5000 }).catch(endOrTimeout)
  );
  assertEquals((await Promise.all(ends)).filter((end) => end !== null), [], `seed ${random.seed}`);
  accepted.forEach(abort);
});

/** Gives null for a reset, which ends a connection as an orderly end does. */
function endOrTimeout(error: SocketError): string | null {
  return error.kind === "TimedOut" ? error.message : null;
}

Deno.test("E1: connect() rejects with one error if all addresses of a name fail", async () => {
  const listener = await listen(LOOPBACK);
  const { port } = listener.address;
  await closeListener(listener);
  const error = await rejects(connect({ host: "localhost", port }), "ConnectionRefused");
  assertEquals(error.address, { host: "localhost", port });
  assert(!(error.cause instanceof SocketError));
});

Deno.test("L1: accept() passes over clients that have reset, and gives each other one with its address", async () => {
  await using listener = await listen(LOOPBACK);
  const { host, port } = listener.address;
  for (const bytes of ["", "something"]) {
    for (let time = 0; time < 5; time++) {
      const peer = nodeConnect(port, host);
      await once(peer, "connect");
      if (bytes !== "") await new Promise((resolve) => peer.write(bytes, resolve));
      const closed = once(peer, "close");
      peer.resetAndDestroy();
      await closed;
    }
    const client = await connect(listener.address);
    const connection = await accept(listener);
    assertEquals(connection.remoteAddress, client.localAddress);
    abort(connection);
    abort(client);
  }
});

Deno.test("E8: listen() gives an IPv6 address in its shortest form", async () => {
  await using listener = await listen({ host: "0:0:0:0:0:0:0:1", port: 0 });
  assertEquals(listener.address.host, "::1");
  const client = await connect({ host: "0::1", port: listener.address.port });
  const connection = await accept(listener);
  assertEquals(connection.localAddress, listener.address);
  abort(connection);
  abort(client);
});
