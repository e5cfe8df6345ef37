/**
 * The peer of `deno bench`. It runs in a Web Worker, so that the measuring thread does none of its work. It does the
 * same as `comparison/programs/peer.c` without needing a compiler, and also sends frames.
 */
import {
  ASK_FOR_DATAGRAMS,
  ECHO,
  ECHO_DATAGRAM,
  HOST,
  LARGE_FRAME,
  LARGE_FRAMES,
  SINGLE_BYTES,
  SINK,
  SMALL_FRAME,
  SMALL_FRAMES,
  SOURCE,
} from "./contenders/work.ts";

/** The constants of `contenders/work.ts`. The Web Worker gets them as an argument, because it imports nothing. */
export const WORDS = {
  ASK_FOR_DATAGRAMS,
  ECHO,
  ECHO_DATAGRAM,
  HOST,
  LARGE_FRAME,
  LARGE_FRAMES,
  SINGLE_BYTES,
  SINK,
  SMALL_FRAME,
  SMALL_FRAMES,
  SOURCE,
};

/** Serves all kinds of work. It is a program for `startWorker`. */
export async function servePeer(words: typeof WORDS): Promise<void> {
  const post = (message: unknown) => (globalThis as unknown as Worker).postMessage(message);

  async function sink(conn: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(256 * 1024);
    while (await conn.read(buffer) !== null);
  }

  async function source(conn: Deno.TcpConn, chunk: Uint8Array): Promise<void> {
    for (;;) await conn.write(chunk);
  }

  /** Sends whole frames of `length` zeros. After a partial write it goes on with the next byte. */
  async function frames(conn: Deno.TcpConn, length: number): Promise<void> {
    const size = 4 + length;
    const chunk = new Uint8Array(size * Math.ceil(256 * 1024 / size));
    const view = new DataView(chunk.buffer);
    for (let at = 0; at < chunk.length; at += size) view.setUint32(at, length);
    for (let sent = 0;; sent %= chunk.length) sent += await conn.write(chunk.subarray(sent));
  }

  async function echo(conn: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    for (let count; (count = await conn.read(buffer)) !== null;) {
      for (let sent = 0; sent < count;) sent += await conn.write(buffer.subarray(sent, count));
    }
  }

  const JOBS: Readonly<Record<number, (conn: Deno.TcpConn) => Promise<void>>> = {
    [words.SINK]: sink,
    [words.SOURCE]: (conn) => source(conn, new Uint8Array(256 * 1024)),
    [words.SINGLE_BYTES]: (conn) => source(conn, new Uint8Array(1)),
    [words.ECHO]: echo,
    [words.SMALL_FRAMES]: (conn) => frames(conn, words.SMALL_FRAME),
    [words.LARGE_FRAMES]: (conn) => frames(conn, words.LARGE_FRAME),
  };

  async function serve(conn: Deno.TcpConn): Promise<void> {
    conn.setNoDelay(true);
    try {
      const first = new Uint8Array(1);
      if (await conn.read(first) === null) return;
      await JOBS[first[0]](conn);
    } catch {
      // The measuring side drops its connections after its work.
    } finally {
      conn.close();
    }
  }

  async function serveDatagrams(socket: Deno.DatagramConn): Promise<void> {
    const buffer = new Uint8Array(2048);
    const answer = new Uint8Array(64);
    for (;;) {
      const [bytes, from] = await socket.receive(buffer);
      if (bytes[0] === words.ECHO_DATAGRAM) await socket.send(bytes, from);
      if (bytes[0] !== words.ASK_FOR_DATAGRAMS) continue;
      const count = new DataView(bytes.buffer).getUint32(1);
      for (let sent = 0; sent < count; sent++) await socket.send(answer, from);
    }
  }

  const listener = Deno.listen({ hostname: words.HOST, port: 0 });
  const socket = Deno.listenDatagram({ transport: "udp", hostname: words.HOST, port: 0 });
  void serveDatagrams(socket);
  post({
    tcp: listener.addr.port,
    udp: (socket.addr as Deno.NetAddr).port,
  });
  for await (const conn of listener) void serve(conn);
}
