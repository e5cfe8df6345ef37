import { type Connection, connectionOver } from "../../mod.ts";

/** Makes a connection that receives these chunks and then the end of stream. */
export function feed(chunks: readonly Uint8Array[]): Connection {
  const left = chunks.filter((chunk) => chunk.length > 0);
  let at = 0;
  return connectionOver({
    read(buffer) {
      const chunk = left[at];
      if (chunk === undefined) return Promise.resolve(null);
      const count = Math.min(chunk.length, buffer.length);
      buffer.set(chunk.subarray(0, count));
      if (count < chunk.length) left[at] = chunk.subarray(count);
      else at++;
      return Promise.resolve(count);
    },
    write: (bytes) => Promise.resolve(bytes.length),
    close: () => {},
  });
}
