import type { Transport } from "../../mod.ts";

/** A transport that gives one chunk a read if it fits, then the end. It takes all writes. */
export class ChunkTransport implements Transport {
  /** The written bytes, a piece for each call of `write`. */
  readonly written: Uint8Array[] = [];
  readonly #chunks: Uint8Array[];
  readonly #most: () => number;

  /** The maximum number of bytes that it takes of the next write. */
  constructor(chunks: readonly Uint8Array[], most: () => number = () => Infinity) {
    this.#chunks = chunks.filter(({ length }) => length > 0);
    this.#most = most;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return Promise.resolve(null);
    const count = Math.min(chunk.length, buffer.length);
    buffer.set(chunk.subarray(0, count));
    if (count < chunk.length) this.#chunks.unshift(chunk.subarray(count));
    return Promise.resolve(count);
  }

  write(bytes: Uint8Array): Promise<number> {
    const count = Math.min(bytes.length, this.#most());
    this.written.push(bytes.slice(0, count));
    return Promise.resolve(count);
  }

  close(): void {}
}
