/** Random numbers that depend only on a seed (mulberry32). */
export class Random {
  readonly seed: number;
  #state: number;

  constructor(seed: number = Math.floor(Math.random() * 2 ** 32)) {
    this.seed = seed;
    this.#state = seed >>> 0;
  }

  /** Returns a whole number from 0 to `end` - 1. */
  below(end: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ mixed >>> 15, mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return Math.floor(((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32 * end);
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}

/** Runs a test with a new seed. A failure names the seed. */
export async function withSeed(run: (random: Random) => Promise<void>): Promise<void> {
  const random = new Random();
  try {
    await run(random);
  } catch (cause) {
    throw new Error(`failed with the seed ${random.seed}`, { cause });
  }
}
