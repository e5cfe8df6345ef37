/**
 * A message to the clients of `serve_bench.ts`, which run in a Web Worker so that the measuring thread does none of
 * their work. It asks for `count` echoes, either with a connection each or on connections that stay open. The clients
 * answer it after the last echo.
 */
export interface Asked {
  readonly port: number;
  readonly work: "connections" | "round trips";
  readonly count: number;
}

/** Answers messages of the measuring thread. It is a program for `startWorker`. */
export function answerClients(): void {
  const AT_ONCE = 16;
  const MESSAGE = new Uint8Array(64).fill(65);
  const kept = new Map<number, Deno.TcpConn[]>();

  async function open(port: number): Promise<Deno.TcpConn> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay(true);
    return conn;
  }

  async function echo(conn: Deno.TcpConn, buffer: Uint8Array): Promise<void> {
    await conn.write(MESSAGE);
    for (let got = 0; got < MESSAGE.length;) got += await conn.read(buffer) ?? NaN;
  }

  async function connections(port: number, count: number): Promise<void> {
    const buffer = new Uint8Array(1024);
    for (let done = 0; done < count; done++) {
      const conn = await open(port);
      await echo(conn, buffer);
      await conn.closeWrite();
      while (await conn.read(buffer) !== null);
      conn.close();
    }
  }

  async function roundTrips(conn: Deno.TcpConn, count: number): Promise<void> {
    const buffer = new Uint8Array(1024);
    for (let done = 0; done < count; done++) await echo(conn, buffer);
  }

  async function answer({ port, work, count }: Asked): Promise<void> {
    const each = count / AT_ONCE;
    if (work === "connections") {
      await Promise.all(Array.from({ length: AT_ONCE }, () => connections(port, each)));
      return;
    }
    if (!kept.has(port)) {
      kept.set(port, await Promise.all(Array.from({ length: AT_ONCE }, () => open(port))));
    }
    await Promise.all(kept.get(port)!.map((conn) => roundTrips(conn, each)));
  }

  const worker = globalThis as unknown as Worker;
  worker.onmessage = async ({ data }: MessageEvent<Asked>) => {
    await answer(data);
    worker.postMessage("done");
  };
}
