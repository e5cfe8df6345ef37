import { assert, assertEquals } from "@std/assert";
import { abort, accept, closeListener, connect, listen, recv, SocketError } from "../../mod.ts";
import { Random } from "../support/random.ts";
import { rejects } from "../support/check_stream_calls.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };

Deno.test("row 18: closeListener() and dispose three times are fine", async () => {
  const listener = await listen(LOOPBACK);
  for (let time = 0; time < 3; time++) await closeListener(listener);
  for (let time = 0; time < 3; time++) await listener[Symbol.asyncDispose]();
});

Deno.test("row 24: accept after close says Closed, and the port is free at once", async () => {
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

Deno.test("row 25: 1,000 connects aborted around their success leave no connection", async () => {
  const random = new Random();
  await using listener = await listen(LOOPBACK);
  let accepted = 0;
  const ended = (async () => {
    for await (const connection of listener) {
      accepted++;
      // A connection that leaked would never end.
      assertEquals(await recv(connection).catch(() => null), null, `seed ${random.seed}`);
      abort(connection);
    }
  })();
  let connected = 0;
  for (let attempt = 0; attempt < 1000; attempt++) {
    const controller = new AbortController();
    const connecting = connect(listener.address, { signal: controller.signal });
    const outcome = connecting.then((connection) => {
      connected++;
      abort(connection);
    }, (error) => assertEquals(error.kind, "Aborted"));
    // So many turns of the microtask queue and of the event loop lie before, in and behind success.
    for (let turn = random.below(12); turn > 0; turn--) await Promise.resolve();
    if (random.below(2) === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    controller.abort();
    await outcome;
  }
  // One more, whose turn comes after all of them: then each of them has ended.
  const last = await connect(listener.address);
  abort(last);
  while (accepted <= connected) await new Promise((resolve) => setTimeout(resolve, 0));
  await closeListener(listener);
  await ended;
});

Deno.test("row 26: where all addresses of a name fail, there is one error", async () => {
  const listener = await listen(LOOPBACK);
  const { port } = listener.address;
  await closeListener(listener);
  const error = await rejects(connect({ host: "localhost", port }), "ConnectionRefused");
  assertEquals(error.address, { host: "localhost", port });
  assert(!(error.cause instanceof SocketError));
});
