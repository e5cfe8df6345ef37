/**
 * Makes a connection over a socket of the WinterTC Sockets API, as `connect` of `cloudflare:sockets` gives it. In your
 * own program, import from "jsr:@aivi/sockets" instead.
 */
import type { Transport } from "../mod.ts";

/** The part of the API that is needed: https://sockets-api.proposal.wintertc.org/#socket-section */
export interface WinterSocket {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  /** Resolves after the socket has connected. */
  readonly opened: Promise<unknown>;
  /** Resolves after both sides have ended, or rejects with what broke the socket. */
  readonly closed: Promise<unknown>;
  close(): Promise<void>;
}

/**
 * Moves the bytes of a socket. The socket should be made with `allowHalfOpen: true`; else `closeWrite` ends both sides
 * as soon as the peer has ended its own.
 *
 *     const connection = connectionOver(transportOf(connect("db.example:5432", { allowHalfOpen: true })));
 */
export function transportOf(socket: WinterSocket): Transport {
  const reader = socket.readable.getReader();
  const writer = socket.writable.getWriter();
  // Calls of the transport report a failure: the same one on these promises would end the program.
  for (const same of [socket.opened, socket.closed, reader.closed, writer.closed, writer.ready]) {
    same.catch(() => {});
  }
  let chunk = new Uint8Array();
  return {
    async read(buffer) {
      while (chunk.length === 0) {
        const { value, done } = await reader.read();
        if (done) return null;
        chunk = value as Uint8Array<ArrayBuffer>;
      }
      // A chunk may have more bytes than the buffer: the rest is for the next read.
      const count = Math.min(chunk.length, buffer.length);
      buffer.set(chunk.subarray(0, count));
      chunk = chunk.subarray(count);
      return count;
    },
    async write(bytes) {
      // The stream may keep the chunk after the write, and these bytes may change then.
      await writer.write(bytes.slice());
      return bytes.length;
    },
    closeWrite: () => writer.close(),
    close() {
      reader.cancel().catch(() => {});
      writer.abort().catch(() => {});
      socket.close().catch(() => {});
    },
  };
}
