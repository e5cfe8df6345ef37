import { Random } from "../../support/random.ts";

/** A prime, and no divisor of any length that packets, buffers and frames have. */
const LENGTH = 65_521;

/**
 * Bytes that a seed and their place in the stream determine: a receiver knows what has to come, so that
 * one byte that is lost, doubled, changed or out of place shows, wherever the stream breaks off.
 */
export class Pattern {
  readonly #block: Uint8Array<ArrayBuffer>;

  constructor(seed: number) {
    this.#block = new Random(seed).bytes(LENGTH);
  }

  /** What stands from `start` on. */
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

  /** Whether these are the bytes from `start` on. */
  matches(bytes: Uint8Array, start: number): boolean {
    return bytes.every((byte, at) => byte === this.#block[(start + at) % LENGTH]);
  }
}
