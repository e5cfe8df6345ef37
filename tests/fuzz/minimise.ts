/**
 * Finds a smaller input that fails as well. It leaves out parts and then simplifies bytes, until neither helps or
 * `tries` are used up.
 */
export async function minimised(
  input: Uint8Array,
  fails: (input: Uint8Array) => Promise<boolean>,
  tries = 5000,
): Promise<Uint8Array> {
  let best = input;
  let left = tries;
  const attempt = async (candidate: Uint8Array): Promise<boolean> => {
    if (left-- <= 0 || !await fails(candidate)) return false;
    best = candidate;
    return true;
  };
  for (let size = Math.ceil(best.length / 2); size >= 1 && left > 0;) {
    let helped = false;
    for (let at = 0; at < best.length;) {
      const candidate = without(best, at, size);
      if (await attempt(candidate)) helped = true;
      else at += size;
    }
    if (!helped) size = size === 1 ? 0 : Math.ceil(size / 2);
  }
  for (let at = 0; at < best.length && left > 0; at++) {
    for (const plain of [0, 0x61]) {
      if (best[at] === plain || best[at] === 0) break;
      const candidate = new Uint8Array(best);
      candidate[at] = plain;
      if (await attempt(candidate)) break;
    }
  }
  return best;
}

function without(input: Uint8Array, at: number, count: number): Uint8Array {
  const rest = new Uint8Array(input.length - Math.min(count, input.length - at));
  rest.set(input.subarray(0, at));
  rest.set(input.subarray(at + count), at);
  return rest;
}
