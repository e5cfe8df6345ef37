/** Odd constants of mulberry32, which passes the tests of gjrand with one 32-bit state. */
const STEP = 0x6d2b79f5;
const RANGE = 2 ** 32;

/** Random numbers that depend only on a seed (mulberry32). */
export class SeededRandom {
  #state: number;

  /** @param stream Numbers of two streams of one seed are independent of one another. */
  constructor(seed: number, stream = 0) {
    // A seed may be any number. Both of its halves count, and neighbours must not give similar numbers.
    const high = Math.floor(seed / RANGE);
    this.#state = mix(
      (mix(seed >>> 0) ^ Math.imul(high + 1, 0x9e3779b9) ^ stream * 0x85ebca6b) >>> 0,
    );
  }

  /** Returns a whole number from 0 to 2³² - 1. */
  bits(): number {
    return mix(this.#state = (this.#state + STEP) >>> 0);
  }

  /** Returns a number from 0 to 1, but not 1 itself. */
  fraction(): number {
    return this.bits() / RANGE;
  }

  /** Returns a whole number from 0 to `end` - 1. */
  below(end: number): number {
    return Math.floor(this.fraction() * end);
  }

  /** Makes random bytes. */
  bytes(length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    this.fill(bytes);
    return bytes;
  }

  /** Fills bytes. */
  fill(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at++) bytes[at] = this.bits();
  }

  /** Returns true with a probability. It takes a number only if the answer is open. */
  chance(probability: number): boolean {
    return probability > 0 && (probability >= 1 || this.fraction() < probability);
  }
}

function mix(state: number): number {
  let mixed = Math.imul(state ^ state >>> 15, state | 1);
  mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
  return (mixed ^ mixed >>> 14) >>> 0;
}
