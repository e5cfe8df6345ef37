import { Random } from "../support/random.ts";
import { cut } from "../support/codec_streams.ts";
import { hashOf } from "./expectations.ts";

/** Cuts an input into chunks in several ways, which depend only on the input. */
export function cuttings(input: Uint8Array, count: number): Uint8Array[][] {
  const random = new Random(hashOf(input));
  const ways = Array.from({ length: count }, () => {
    const longest = [2, 4, 9, 40, 1 + input.length][random.below(5)];
    const sizes: number[] = [];
    for (let at = 0; at < input.length;) {
      const size = random.below(longest);
      sizes.push(size);
      at += Math.max(1, size);
    }
    return cut(input, sizes);
  });
  if (input.length <= 64) ways.push(Array.from(input, (byte) => Uint8Array.of(byte)));
  return ways;
}
