/** Up to this distance a loop is faster than the call of the native search, which costs 17 ns. */
const LONGEST_LOOP_BYTES = 64;

/** Returns the first index of `byte` in `bytes` between `from` and `to`, or -1. */
export function indexOfByte(bytes: Uint8Array, byte: number, from: number, to: number): number {
  const near = Math.min(to, from + LONGEST_LOOP_BYTES);
  for (let index = from; index < near; index++) {
    if (bytes[index] === byte) return index;
  }
  if (near === to) return -1;
  // The native search knows no end: past `to` may be a lot of unused room.
  if (to === bytes.length) return bytes.indexOf(byte, near);
  const found = bytes.subarray(near, to).indexOf(byte);
  return found < 0 ? -1 : near + found;
}

/**
 * Searches for a sequence of bytes in a stream that comes in chunks (Knuth, Morris and Pratt).
 *
 * It remembers the part of the needle in which the bytes so far end, and never looks at a byte twice. So no needle and
 * no input makes it slower than linear.
 */
export class ByteSearch {
  readonly #needle: Uint8Array;
  #fallbacks: readonly number[] | undefined;
  #matched = 0;

  /** @param needle At least one byte; it must not change. */
  constructor(needle: Uint8Array) {
    this.#needle = needle;
  }

  /** Length of the needle in bytes. */
  get length(): number {
    return this.#needle.length;
  }

  /** Number of bytes at the end of the input so far that may be the needle's beginning. */
  get matched(): number {
    return this.#matched;
  }

  /** Forgets the input so far. */
  reset(): void {
    this.#matched = 0;
  }

  /** Goes on in `bytes` from `from` to `to`. Returns the index behind the needle's last byte, or -1. */
  scan(bytes: Uint8Array, from: number, to: number): number {
    const needle = this.#needle;
    let matched = this.#matched;
    for (let index = from; index < to;) {
      if (matched === 0) {
        index = indexOfByte(bytes, needle[0], index, to);
        if (index < 0) break;
        index++;
        matched = 1;
      } else if (bytes[index] === needle[matched]) {
        index++;
        matched++;
      } else matched = matched === 1 ? 0 : this.#fallback(matched);
      if (matched === needle.length) {
        this.#matched = 0;
        return index;
      }
    }
    this.#matched = matched;
    return -1;
  }

  /** Returns the length of the longest proper end of the needle's first `matched` bytes that also begins it. */
  #fallback(matched: number): number {
    // Made at the first need: most needles are one or two bytes long.
    this.#fallbacks ??= fallbacksOf(this.#needle);
    return this.#fallbacks[matched];
  }
}

function fallbacksOf(needle: Uint8Array): number[] {
  const fallbacks = [0, 0];
  for (let length = 2; length < needle.length; length++) {
    let border = fallbacks[length - 1];
    while (border > 0 && needle[border] !== needle[length - 1]) border = fallbacks[border];
    fallbacks.push(needle[border] === needle[length - 1] ? border + 1 : 0);
  }
  return fallbacks;
}
