/**
 * The other end of every bench, in a worker so that the measuring thread does none of its work. The first
 * byte of a connection says what it does: takes all, sends without end, or echoes.
 */
import type { Job } from "./start_peer.ts";

const SOURCE = new Uint8Array(256 * 1024);

async function sink(conn: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(256 * 1024);
  while (await conn.read(buffer) !== null);
}

async function source(conn: Deno.TcpConn): Promise<void> {
  for (;;) await conn.write(SOURCE);
}

async function echo(conn: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  for (let count; (count = await conn.read(buffer)) !== null;) {
    for (let sent = 0; sent < count;) sent += await conn.write(buffer.subarray(sent, count));
  }
}

const JOBS: Record<Job, (conn: Deno.TcpConn) => Promise<void>> = { s: sink, g: source, e: echo };

async function serve(conn: Deno.TcpConn): Promise<void> {
  conn.setNoDelay(true);
  try {
    const first = new Uint8Array(1);
    if (await conn.read(first) === null) return;
    await JOBS[String.fromCharCode(first[0]) as Job](conn);
  } catch {
    // The measuring side drops its connections when it is done.
  } finally {
    conn.close();
  }
}

/** Echoes datagrams; one that begins with a 1 asks for that many in return instead. */
async function serveDatagrams(socket: Deno.DatagramConn): Promise<void> {
  const buffer = new Uint8Array(2048);
  const flood = new Uint8Array(64);
  for (;;) {
    const [bytes, from] = await socket.receive(buffer);
    if (bytes[0] === 0) await socket.send(bytes, from);
    if (bytes[0] !== 1) continue;
    const count = new DataView(bytes.buffer).getUint32(1);
    for (let sent = 0; sent < count; sent++) await socket.send(flood, from);
  }
}

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
void serveDatagrams(socket);
(globalThis as unknown as Worker).postMessage({
  tcp: listener.addr.port,
  udp: (socket.addr as Deno.NetAddr).port,
});
for await (const conn of listener) void serve(conn);
