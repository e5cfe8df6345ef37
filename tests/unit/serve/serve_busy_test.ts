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

const TIMEOUT = 200;

/** Keeps the program from reading, as a long computation or a collection of garbage does. */
function compute(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

/** A client says one thing after another, each of them while the program is busy for too long. */
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
    compute(2 * TIMEOUT);
    await sent;
    assertEquals(await soon(recvExactly(client, 1)), Uint8Array.of(word));
  }
  await close(client);
  return errors;
}

Deno.test("serve() does not take a client for silent that spoke while the program was busy", async () => {
  assertEquals(await talkWhileBusy({ firstByteTimeout: TIMEOUT }), []);
});

Deno.test("serve() does not take a client for idle that spoke while the program was busy", async () => {
  assertEquals(await talkWhileBusy({ idleTimeout: TIMEOUT }), []);
});
