/**
 * Remembers the words of requests. Names of commands and many keys come again and again, and each time as a new string
 * they would be made, hashed and compared once more: to read a key of 20 bytes and find it in a map takes 40 ns here,
 * 100 ns as a new string. A word that has not come before takes 20 ns more for that.
 */
import { Buffer } from "node:buffer";

/** Maximum length of a word that is remembered (bytes). */
const LONGEST_BYTES = 32;
/** Number of slots, a power of two. Words share a slot if their hashes are equal, and the last one stays. */
const SLOTS = 1024;
/** Keys differ most often in their last bytes, and the hash is of these. */
const HASHED_BYTES = 8;

const words = Array.from({ length: SLOTS }, () => "");
/** The bytes of each word. They are compared in a third of the time of its characters. */
const wordBytes = new Uint8Array(SLOTS * LONGEST_BYTES);
/** Arguments of `String.fromCharCode`, by their number. */
const codes = Array.from(
  { length: LONGEST_BYTES + 1 },
  (_, length) => new Array<number>(length).fill(0),
);

/** Returns the byte string of the bytes from `from` to `end`. */
export function wordOf(bytes: Uint8Array, from: number, end: number): string {
  const length = end - from;
  if (length > LONGEST_BYTES) {
    return Buffer.from(bytes.buffer, bytes.byteOffset + from, length).toString("latin1");
  }
  const slot = slotOf(bytes, from, end);
  const word = words[slot];
  const begin = slot * LONGEST_BYTES;
  if (word.length === length) {
    let index = 0;
    while (index < length && wordBytes[begin + index] === bytes[from + index]) index++;
    if (index === length) return word;
  }
  const own = codes[length];
  for (let index = 0; index < length; index++) {
    own[index] = wordBytes[begin + index] = bytes[from + index];
  }
  return words[slot] = String.fromCharCode(...own);
}

function slotOf(bytes: Uint8Array, from: number, end: number): number {
  let hash = end - from;
  for (let at = Math.max(from, end - HASHED_BYTES); at < end; at++) {
    hash = Math.imul(hash, 31) + bytes[at] | 0;
  }
  return hash & (SLOTS - 1);
}
