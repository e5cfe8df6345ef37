import { Random } from "../../support/random.ts";

/** A prime, so that it divides no length of packets, buffers and frames (bytes). */
const LENGTH = 65_521;

/**
 * A stream of bytes that depend on a seed and on their position. A receiver knows the expected bytes, so it notices
 * every byte that is lost, doubled, changed or moved, at any position of the stream.
 */
export class Pattern {
  readonly #block: Uint8Array<ArrayBuffer>;

  constructor(seed: number) {
    this.#block = new Random(seed).bytes(LENGTH);
  }

  /** Returns the bytes from `start` on. */
  bytes(start: number, length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const from = (start + at) % LENGTH;
      const piece = this.#block.subarray(from, from + length - at);
      bytes.set(piece, at);
      at += piece.length;
    }
    return bytes;
  }

  /** Tells if these are the bytes from `start` on. */
  matches(bytes: Uint8Array, start: number): boolean {
    return bytes.every((byte, at) => byte === this.#block[(start + at) % LENGTH]);
  }
}
