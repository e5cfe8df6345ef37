import { assert, assertEquals } from "@std/assert";
import { abort, accept, close, connectTls, listenTls, recv, send, startTls } from "../../../mod.ts";
import { testAuthority } from "../../support/tls_kinds.ts";
import { tcpPair } from "../../support/tcp_pair.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };
/** More than all buffers between two ends on this machine: a few MiB of the kernel, and some records. */
const FAR_TOO_MUCH_BYTES = 64 * 1024 * 1024;
const MOST_BUFFERED_BYTES = 24 * 1024 * 1024;
const { ca, server: { cert, key }, client } = await testAuthority();
const clientOptions = { caCerts: [ca.cert], serverName: "server.test" };
const own = { cert: client.cert, key: client.key };

/** Computes, so that nothing else runs. */
function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

Deno.test("E12: a handshake whose time passed while the program computed is not given up", async () => {
  for (const certificate of [{}, own]) {
    await using listener = await listenTls(LOOPBACK, { cert, key, handshakeTimeout: 700 });
    const connecting = connectTls(listener.address, {
      ...clientOptions,
      ...certificate,
      handshakeTimeout: 700,
    });
    const accepting = accept(listener);
    // The connection is there, and the handshake has begun.
    await new Promise((resolve) => setTimeout(resolve, 0));
    block(1500);
    const [near, far] = await Promise.all([connecting, accepting]);
    await Promise.all([close(near), close(far)]);
  }
});

Deno.test("a side that does not receive holds its peer up, and nothing piles up", async () => {
  await using pair = await tcpPair();
  const [near, far] = await Promise.all([
    startTls(pair.client, { role: "client", ...clientOptions, ...own }),
    startTls(pair.server, { role: "server", cert, key }),
  ]);
  const first = recv(near, { maxBytes: 1 });
  const sending = send(far, new Uint8Array(FAR_TOO_MUCH_BYTES)).catch((error) => error);
  assertEquals((await first)?.length, 1);
  // It is held up once nothing has left for many turns.
  for (let quiet = 0, before = -1; quiet < 50; before = far.bytesSent) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    quiet = far.bytesSent === before ? quiet + 1 : 0;
  }
  assert(far.bytesSent < MOST_BUFFERED_BYTES, `${far.bytesSent} bytes have left`);
  let received = 1;
  while (received < FAR_TOO_MUCH_BYTES) received += (await recv(near))!.length;
  assertEquals(await sending, undefined);
  abort(near);
  abort(far);
});
