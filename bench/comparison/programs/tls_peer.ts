/**
 * The peer of the rows of TLS, on the runtime's own TLS. It prints its port, and exits at the end of its standard input.
 * The first byte of a connection selects the job, as in peer.c.
 *
 *     deno run -A tls_peer.ts certificate.pem key.pem
 */
import { ECHO, HOST, SINK, SOURCE } from "../../contenders/work.ts";

const [certificate, key] = Deno.args;
const listener = Deno.listenTls({
  hostname: HOST,
  port: 0,
  cert: await Deno.readTextFile(certificate),
  key: await Deno.readTextFile(key),
});
console.log(listener.addr.port);

async function serve(conn: Deno.TlsConn): Promise<void> {
  const buffer = new Uint8Array(256 * 1024);
  try {
    if (await conn.read(buffer.subarray(0, 1)) === null) return;
    switch (buffer[0]) {
      case SINK:
        while (await conn.read(buffer) !== null);
        break;
      case SOURCE:
        for (;;) await conn.write(buffer);
      case ECHO:
        for (let count; (count = await conn.read(buffer)) !== null;) {
          for (let sent = 0; sent < count!;) {
            sent += await conn.write(buffer.subarray(sent, count!));
          }
        }
    }
  } catch {
    // The measuring side drops its connections after its work.
  } finally {
    conn.close();
  }
}

(async () => {
  for (;;) {
    // A handshake that fails shows at the first read.
    void serve(await listener.accept());
  }
})();
for await (const _ of Deno.stdin.readable);
Deno.exit(0);
