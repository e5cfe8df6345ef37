import { assertEquals } from "@std/assert";
import {
  close,
  connect,
  type Connection,
  listen,
  recv,
  recvExactly,
  send,
  serve,
  type ServeOptions,
} from "../../../mod.ts";
import { soon } from "../../support/socket_errors.ts";
import { LOOPBACK } from "../../support/tcp_pair.ts";

const TIMEOUT_MS = 200;

/** Blocks the event loop, as a long computation or a collection of garbage does. */
function compute(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

/** Serves a client that speaks three times, each time while the program is busy for longer than the timeout. */
async function talkWhileBusy(options: ServeOptions): Promise<unknown[]> {
  const errors: unknown[] = [];
  await using server = serve(await listen(LOOPBACK), async (connection: Connection) => {
    for (let bytes = await recv(connection); bytes !== null; bytes = await recv(connection)) {
      await send(connection, bytes);
    }
  }, { ...options, onError: (error) => errors.push(error) });
  const client = await connect(server.address);
  while (server.accepted === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  for (let word = 1; word <= 3; word++) {
    const sent = send(client, Uint8Array.of(word));
    compute(2 * TIMEOUT_MS);
    await sent;
    assertEquals(await soon(recvExactly(client, 1)), Uint8Array.of(word));
  }
  await close(client);
  return errors;
}

Deno.test("V4: firstByteTimeout spares a client that spoke while the program computed", async () => {
  assertEquals(await talkWhileBusy({ firstByteTimeout: TIMEOUT_MS }), []);
});

Deno.test("V4: idleTimeout spares a client that spoke while the program computed", async () => {
  assertEquals(await talkWhileBusy({ idleTimeout: TIMEOUT_MS }), []);
});
