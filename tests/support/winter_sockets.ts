import type { WinterSocket } from "../../examples/winter_socket.ts";

/** Makes a socket of the WinterTC Sockets API, as `cloudflare:sockets` has it, over a connection of the runtime. */
export function winterSocketOver(conn: Deno.Conn): WinterSocket {
  const { promise: closed, resolve, reject } = Promise.withResolvers<void>();
  const close = () => {
    try {
      conn.close();
    } catch {
      // It is closed.
    }
    resolve();
  };
  const readable = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const buffer = new Uint8Array(16_384);
      try {
        const count = await conn.read(buffer);
        if (count === null) controller.close();
        else controller.enqueue(buffer.subarray(0, count));
      } catch (error) {
        reject(error);
        controller.error(error);
      }
    },
  }, { highWaterMark: 0 });
  const writable = new WritableStream<Uint8Array>({
    async write(chunk, controller) {
      try {
        for (let sent = 0; sent < chunk.length;) sent += await conn.write(chunk.subarray(sent));
      } catch (error) {
        reject(error);
        controller.error(error);
        throw error;
      }
    },
    close: () => conn.closeWrite(),
    abort: close,
  });
  return {
    readable,
    writable,
    opened: Promise.resolve({ remoteAddress: "", localAddress: "" }),
    closed,
    close() {
      close();
      return Promise.resolve();
    },
  };
}
