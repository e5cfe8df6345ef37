import { assertEquals, assertStrictEquals } from "@std/assert";
import { ByteQueue } from "../../../mod.ts";
import { inChunks, LARGE, queueOf } from "../../support/byte_queues.ts";
import { WRONG_OBJECTS } from "../../support/hostile.ts";
import { thrown } from "../../support/socket_errors.ts";

Deno.test("F3: ByteQueue gives bytes in the order in which they were pushed", () => {
  const queue = queueOf([1, 2, 3], [], [4], [5, 6]);
  assertEquals([queue.length, queue.consumed], [6, 0]);
  assertEquals(queue.take(4), new Uint8Array([1, 2, 3, 4]));
  queue.skip(1);
  assertEquals([queue.length, queue.consumed], [1, 5]);
  assertEquals(queue.at(0), 6);
  assertEquals(queue.peek(1), new Uint8Array([6]));
  assertEquals(queue.take(1), new Uint8Array([6]));
  assertEquals([queue.length, queue.consumed], [0, 6]);
  assertEquals(queue.take(0), new Uint8Array());
});

Deno.test("F3: ByteQueue.take() gives bytes from several chunks", () => {
  const { queue, bytes } = inChunks(5);
  assertEquals(queue.take(10), bytes.subarray(0, 10));
  assertEquals(queue.take(3 * LARGE), bytes.subarray(10, 10 + 3 * LARGE));
  assertEquals(queue.take(queue.length), bytes.subarray(10 + 3 * LARGE));
});

Deno.test("F3: ByteQueue.peek() joins bytes of several chunks, and leaves the rest as it was", () => {
  const { queue, bytes } = inChunks(6);
  for (
    const [length, offset] of [
      [20, LARGE - 10],
      [2 * LARGE, LARGE - 5],
      [LARGE + 2, LARGE - 1],
      [6 * LARGE - 7, 7],
      [6 * LARGE, 0],
    ]
  ) {
    assertEquals(queue.peek(length, offset), bytes.subarray(offset, offset + length));
    assertEquals(queue.length, bytes.length);
  }
  assertEquals(queue.take(bytes.length), bytes);
});

Deno.test("F3: ByteQueue gives the same bytes after any peeks", () => {
  for (const offset of [0, 1, 10, LARGE - 1, LARGE, LARGE + 1, 2 * LARGE + 5]) {
    for (const length of [1, LARGE - 1, LARGE, LARGE + 1, 2 * LARGE, 3 * LARGE]) {
      for (const size of [1000, LARGE, 2 * LARGE + 1]) {
        const { queue, bytes } = inChunks(6);
        queue.skip(1);
        queue.peek(length, offset);
        queue.peek(length + 100, offset);
        for (let at = 1; at < bytes.length; at += size) {
          const end = Math.min(at + size, bytes.length);
          assertEquals(queue.take(end - at), bytes.subarray(at, end));
        }
      }
    }
  }
});

Deno.test("ByteQueue.take() gives bytes that a peek joined without another copy", () => {
  const { queue, bytes } = inChunks(4);
  queue.skip(10);
  const { buffer } = queue.peek(3 * LARGE);
  const taken = queue.take(3 * LARGE);
  assertStrictEquals(taken.buffer, buffer);
  assertEquals(taken, bytes.subarray(10, 10 + 3 * LARGE));
  assertEquals(queue.take(queue.length), bytes.subarray(10 + 3 * LARGE));
});

Deno.test("ByteQueue.peek() joins nothing twice", () => {
  const { queue, bytes } = inChunks(5);
  queue.skip(LARGE);
  const first = queue.peek(2 * LARGE, 3);
  assertStrictEquals(queue.peek(2 * LARGE, 3).buffer, first.buffer);
  assertStrictEquals(queue.peek(LARGE, LARGE).buffer, first.buffer);
  // The next bytes have room in the same memory.
  assertStrictEquals(queue.peek(3 * LARGE, 3).buffer, first.buffer);
  assertEquals(queue.take(queue.length), bytes.subarray(LARGE));
});

Deno.test("ByteQueue.indexOf() finds a needle at any place", () => {
  const { queue, bytes } = inChunks(3);
  for (const at of [0, 1, 4000, LARGE - 3, LARGE - 1, LARGE, 2 * LARGE - 2, 3 * LARGE - 8]) {
    const needle = bytes.slice(at, at + 8);
    assertEquals(queue.indexOf(needle), at);
    assertEquals(queue.indexOf(needle, at), at);
    assertEquals(queue.indexOf(needle, at + 1), -1);
  }
  queue.skip(LARGE + 5);
  assertEquals(queue.indexOf(bytes.slice(LARGE + 5, LARGE + 13)), 0);
  assertEquals(queue.indexOf(bytes.slice(2 * LARGE - 4, 2 * LARGE + 4)), LARGE - 9);
  assertEquals(queue.indexOf(bytes[LARGE + 5]), 0);
});

Deno.test("ByteQueue.indexOf() ignores the unused room behind the bytes", () => {
  const queue = queueOf([1, 2, 3]);
  assertEquals(queue.indexOf(0), -1);
  queue.push(new Uint8Array(200).fill(1));
  assertEquals(queue.indexOf(0), -1);
  queue.take(203);
  queue.push(new Uint8Array([9]));
  assertEquals(queue.indexOf(1), -1);
});

Deno.test("F3: ByteQueue.indexOf() finds a needle that spans pushes", () => {
  const queue = new ByteQueue();
  const needle = new Uint8Array([13, 10, 13, 10]);
  let start = 0;
  for (const byte of [65, 13, 10, 66, 13, 13, 10, 13]) {
    queue.push(new Uint8Array([byte]));
    assertEquals(queue.indexOf(needle, start), -1);
    start = Math.max(0, queue.length - needle.length + 1);
  }
  queue.push(new Uint8Array([10]));
  assertEquals(queue.indexOf(needle, start), 5);
});

Deno.test("E1: ByteQueue throws InvalidInput for bytes that are not there, and stays as it was", () => {
  const queue = queueOf([1, 2, 3]);
  const wrong: readonly unknown[] = [
    -1,
    4,
    1.5,
    NaN,
    Infinity,
    2 ** 32,
    2 ** 53,
    "1",
    null,
    {},
    1n,
  ];
  for (const value of wrong) {
    const number = value as number;
    const what = typeof value === "string" ? `"${value}"` : String(value);
    thrown(() => queue.at(number), "InvalidInput", "ByteQueue.at", what);
    thrown(() => queue.take(number), "InvalidInput", "ByteQueue.take", what);
    thrown(() => queue.skip(number), "InvalidInput", "ByteQueue.skip", what);
    thrown(() => queue.peek(number), "InvalidInput", "ByteQueue.peek", what);
    thrown(() => queue.peek(0, number), "InvalidInput", "ByteQueue.peek", what);
    thrown(() => queue.indexOf(1, number), "InvalidInput", "ByteQueue.indexOf", what);
    for (const name of ["uint8", "uint16", "uint32", "uint64"] as const) {
      thrown(() => queue[name](number), "InvalidInput", `ByteQueue.${name}`, what);
    }
  }
  thrown(() => queue.at(3), "InvalidInput", "ByteQueue.at");
  thrown(() => queue.at(undefined as unknown as number), "InvalidInput", "ByteQueue.at");
  thrown(() => queue.peek(3, 1), "InvalidInput", "ByteQueue.peek");
  const error = thrown(() => queue.take(4), "InvalidInput", "ByteQueue.take");
  assertEquals(error.message, "ByteQueue.take: length is 4, not a whole number from 0 to 3");
  assertEquals(queue.take(3), new Uint8Array([1, 2, 3]));
  thrown(() => queue.at(0), "InvalidInput", "ByteQueue.at");
});

Deno.test("F3: ByteQueue reads whole numbers across chunks, and leaves them there", () => {
  const bytes = [0xf1, 0xe2, 0xd3, 0xc4, 0xb5, 0xa6, 0x97, 0x88, 0x79];
  const inPieces = inChunks(1).queue;
  inPieces.skip(LARGE - 1);
  const last = inPieces.at(0);
  inPieces.push(new Uint8Array(LARGE).fill(0).map((_, index) => bytes[index] ?? 0));
  for (const [queue, at] of [[queueOf(bytes), 0], [inPieces, 1]] as const) {
    assertEquals(queue.uint8(at), 0xf1);
    assertEquals(queue.uint8(at + 8), 0x79);
    assertEquals(queue.uint16(at), 0xf1e2);
    assertEquals(queue.uint16(at + 1, "little"), 0xd3e2);
    assertEquals(queue.uint32(at, "big"), 0xf1e2d3c4);
    assertEquals(queue.uint32(at + 5, "little"), 0x798897a6);
    assertEquals(queue.uint64(at), 0xf1e2d3c4b5a69788n);
    assertEquals(queue.uint64(at + 1, "little"), 0x798897a6b5c4d3e2n);
  }
  assertEquals(inPieces.uint16(), last * 256 + 0xf1);
  assertEquals(inPieces.uint32(0, "little"), last + 0xd3e2f100);
  assertEquals(inPieces.uint64(), BigInt(last) << 56n | 0xf1e2d3c4b5a697n);
  assertEquals([inPieces.length, inPieces.uint8()], [LARGE + 1, last]);
});

Deno.test("E1: ByteQueue throws InvalidInput for numbers that have not come whole", () => {
  const queue = queueOf([1, 2, 3, 4, 5, 6, 7]);
  const error = thrown(() => queue.uint64(), "InvalidInput", "ByteQueue.uint64");
  assertEquals(error.reason, "7 bytes wait, not 8");
  const late = thrown(() => queue.uint32(4), "InvalidInput", "ByteQueue.uint32");
  assertEquals(late.reason, "offset is 4, not a whole number from 0 to 3");
  thrown(() => queue.uint8(7), "InvalidInput", "ByteQueue.uint8");
  for (const [what, value] of WRONG_OBJECTS) {
    if (value === undefined) continue;
    thrown(() => queue.uint16(0, value as "big"), "InvalidInput", "ByteQueue.uint16", what);
  }
  assertEquals(queue.length, 7);
});

Deno.test("E1: ByteQueue throws InvalidInput for anything but bytes", () => {
  const queue = new ByteQueue();
  for (const [what, value] of WRONG_OBJECTS) {
    const bytes = value as Uint8Array<ArrayBuffer>;
    thrown(() => queue.push(bytes), "InvalidInput", "ByteQueue.push", what);
    thrown(() => queue.pushOwned(bytes), "InvalidInput", "ByteQueue.pushOwned", what);
    if (typeof value === "number") continue;
    thrown(() => queue.indexOf(bytes), "InvalidInput", "ByteQueue.indexOf", what);
  }
  for (const needle of [-1, 256, 1.5, NaN, new Uint8Array()]) {
    thrown(() => queue.indexOf(needle), "InvalidInput", "ByteQueue.indexOf", String(needle));
  }
  assertEquals(queue.length, 0);
});
