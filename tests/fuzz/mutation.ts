import { concat } from "@std/bytes";
import type { Random } from "../support/random.ts";
import type { Target } from "./target.ts";

type Mutate = (input: Uint8Array, random: Random, material: Material) => Uint8Array;

/** The material of mutations besides the input. */
interface Material {
  readonly words: readonly Uint8Array[];
  readonly other: Uint8Array;
}

/** Numbers at the limits of integer types, sizes and prefixes. */
const INTERESTING = [0, 1, 2, 7, 8, 15, 16, 31, 32, 63, 64, 100, 127, 128, 255, 256, 300, 1023]
  .concat([4095, 16383, 16384, 32767, 32768, 65507, 65535, 65536, 2 ** 24, 2 ** 31 - 1])
  .concat([2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 2 ** 63, 2 ** 64 - 1]);

/** Texts that are hard for a parser of decimal numbers. */
const DECIMALS = ["0", "00", "01", "-1", "+1", "1.5", "1e3", "0x50", "٣", "65535", "65536"]
  .concat(["4294967295", "4294967296", "9007199254740993", "18446744073709551616", "9".repeat(40)])
  .map((text) => new TextEncoder().encode(text));

/** Chooses a position. Half of the time it is in the first 24 bytes, which contain the headers. */
function place(length: number, random: Random): number {
  return random.below(random.below(2) === 0 ? length + 1 : Math.min(length, 24) + 1);
}

/** Replaces `count` bytes from `at` on by others. */
function splice(
  input: Uint8Array,
  at: number,
  count: number,
  ...between: Uint8Array[]
): Uint8Array {
  return concat([input.subarray(0, at), ...between, input.subarray(at + count)]);
}

function pick<T>(list: readonly T[], random: Random): T {
  return list[random.below(list.length)];
}

/** Returns a part of an input, mostly a short one. */
function part(input: Uint8Array, random: Random): Uint8Array {
  const at = place(input.length, random);
  return input.subarray(at, at + random.below(random.below(8) === 0 ? input.length + 1 : 9));
}

function changed(input: Uint8Array, at: number, byte: number): Uint8Array {
  if (at >= input.length) return splice(input, at, 0, Uint8Array.of(byte));
  const copy = new Uint8Array(input);
  copy[at] = byte;
  return copy;
}

const flipBit: Mutate = (input, random) => {
  const at = place(input.length, random);
  return changed(input, at, (input[at] ?? 0) ^ 1 << random.below(8));
};

const setByte: Mutate = (input, random) =>
  changed(input, place(input.length, random), random.below(256));

/** Adds -4 to 4 to a byte, which makes a length field slightly wrong. */
const addToByte: Mutate = (input, random) => {
  const at = place(input.length, random);
  return changed(input, at, (input[at] ?? 0) + random.below(9) - 4 & 255);
};

const removeRange: Mutate = (input, random) =>
  splice(input, place(input.length, random), 1 + random.below(random.below(4) === 0 ? 64 : 4));

const insertBytes: Mutate = (input, random) =>
  splice(input, place(input.length, random), 0, random.bytes(1 + random.below(4)));

/** Inserts one byte repeatedly, to fill buffers. */
const insertRun: Mutate = (input, random) => {
  const run = new Uint8Array(1 + random.below(300)).fill(random.below(256));
  return splice(input, place(input.length, random), 0, run);
};

const truncate: Mutate = (input, random) => input.slice(0, random.below(input.length + 1));

const dropFront: Mutate = (input, random) => input.slice(random.below(input.length + 1));

const duplicateRange: Mutate = (input, random) =>
  splice(input, place(input.length, random), 0, part(input, random));

const overwriteRange: Mutate = (input, random, { other }) => {
  const piece = part(other, random);
  return splice(input, place(input.length, random), piece.length, piece);
};

const insertOther: Mutate = (input, random, { other }) =>
  splice(input, place(input.length, random), 0, part(other, random));

const crossOver: Mutate = (input, random, { other }) =>
  concat([
    input.subarray(0, random.below(input.length + 1)),
    other.subarray(random.below(other.length + 1)),
  ]);

const insertWord: Mutate = (input, random, { words }) =>
  splice(input, place(input.length, random), 0, pick(words, random));

const overwriteWord: Mutate = (input, random, { words }) => {
  const word = pick(words, random);
  return splice(input, place(input.length, random), word.length, word);
};

/** Overwrites bytes with an interesting number of 1, 2, 4 or 8 bytes, in either byte order. */
const setNumber: Mutate = (input, random) => {
  const size = 1 << random.below(4);
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(
    0,
    BigInt.asUintN(64, BigInt(pick(INTERESTING, random)) + BigInt(random.below(3) - 1)),
  );
  const number = bytes.slice(8 - size);
  if (random.below(2) === 0) number.reverse();
  return splice(input, place(input.length, random), size, number);
};

/** Replaces a number in digits by another, or inserts one if there is none. */
const setDecimal: Mutate = (input, random) => {
  const isDigit = (at: number) => input[at] >= 0x30 && input[at] <= 0x39;
  let at = place(input.length, random);
  while (at < input.length && !isDigit(at)) at++;
  let end = at;
  while (end < input.length && isDigit(end)) end++;
  return splice(input, at, end - at, pick(DECIMALS, random));
};

/** Overwrites bytes with the length of the rest, or a slightly different one, as if they were a length field. */
const setLength: Mutate = (input, random) => {
  const size = 1 << random.below(3);
  const at = place(input.length, random);
  const length = Math.max(0, input.length - at - size + random.below(5) - 2);
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, length);
  const number = bytes.slice(4 - size);
  if (random.below(2) === 0) number.reverse();
  return splice(input, at, size, number);
};

const swapRanges: Mutate = (input, random) => {
  const [a, b, c] = [0, 1, 2].map(() => random.below(input.length + 1)).sort((a, b) => a - b);
  return concat([
    input.subarray(0, a),
    input.subarray(b, c),
    input.subarray(a, b),
    input.subarray(c),
  ]);
};

const MUTATIONS: readonly Mutate[] = [
  ...[flipBit, setByte, addToByte, removeRange, insertBytes, insertRun, truncate, dropFront],
  ...[duplicateRange, overwriteRange, insertOther, crossOver, insertWord, overwriteWord],
  ...[setNumber, setDecimal, setLength, swapRanges],
];

/** Makes an input from known ones by one to six mutations. */
export function mutated(
  target: Target,
  corpus: readonly Uint8Array[],
  random: Random,
): Uint8Array {
  let input = pick(corpus, random);
  const material: Material = { words: target.words, other: pick(corpus, random) };
  // One mutation is more frequent than many, because many mostly make an input that is all wrong.
  for (let count = 0; count < 6 && (count === 0 || random.below(2) === 0); count++) {
    input = pick(MUTATIONS, random)(input, random, material);
  }
  input = input.slice(0, target.longest);
  return target.repair !== undefined && random.below(2) === 0 ? target.repair(input) : input;
}
