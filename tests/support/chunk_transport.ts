import type { Transport } from "../../mod.ts";

/** A transport that gives chunks, one a read where there is room, then the end; and takes everything. */
export class ChunkTransport implements Transport {
  /** What was written, whole writes or parts of them. */
  readonly written: Uint8Array[] = [];
  readonly #chunks: Uint8Array[];
  readonly #most: () => number;

  /** It takes at most so many bytes of the next write. */
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
