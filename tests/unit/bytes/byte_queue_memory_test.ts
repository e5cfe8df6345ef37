import { assert, assertEquals, assertNotEquals, assertStrictEquals } from "@std/assert";
import { ByteQueue } from "../../../mod.ts";
import { inChunks, LARGE } from "../../support/byte_queues.ts";
import { Random } from "../../support/random.ts";

Deno.test("F11: ByteQueue.take() gives an ArrayBuffer of its own", () => {
  const { queue, bytes } = inChunks(2);
  const taken = [10, 64, LARGE, 100].map((length) => queue.take(length));
  for (const part of taken) assertEquals(part.buffer.byteLength, part.length);
  for (const part of taken) structuredClone(part, { transfer: [part.buffer] });
  assertEquals(queue.take(queue.length), bytes.subarray(10 + 64 + LARGE + 100));
});

Deno.test("F11: ByteQueue.take() hands over a buffer that was given away, if most of it is taken", () => {
  const queue = new ByteQueue();
  const chunks = [0, 1, 2, 3].map((seed) => new Random(seed).bytes(4 * LARGE));
  const copies = chunks.map((chunk) => chunk.slice());
  for (const chunk of chunks) queue.pushOwned(chunk);
  const whole = queue.take(4 * LARGE);
  assertStrictEquals(whole.buffer, chunks[0].buffer);
  assertEquals(whole, copies[0]);
  queue.skip(LARGE);
  const most = queue.take(3 * LARGE);
  assertStrictEquals(most.buffer, chunks[1].buffer);
  assertEquals(most, copies[1].subarray(LARGE));
  queue.skip(2 * LARGE);
  const half = queue.take(2 * LARGE);
  assertStrictEquals(half.buffer, chunks[2].buffer);
  assertEquals(half, copies[2].subarray(2 * LARGE));
  queue.skip(2 * LARGE + 1);
  const less = queue.take(2 * LARGE - 1);
  assertNotEquals(less.buffer, chunks[3].buffer);
  assertEquals(less.buffer.byteLength, 2 * LARGE - 1);
  assertEquals(less, copies[3].subarray(2 * LARGE + 1));
});

Deno.test("F11: ByteQueue.take() hands over a part only if nothing of its buffer is left", () => {
  const queue = new ByteQueue();
  const chunk = new Random(1).bytes(4 * LARGE);
  queue.pushOwned(chunk);
  assert(queue.take(4 * LARGE - 1).buffer !== chunk.buffer);
});

Deno.test("F11: ByteQueue.take() never hands over a buffer that was not given away", () => {
  const chunk = new Random(1).bytes(4 * LARGE);
  const queue = new ByteQueue();
  queue.push(chunk);
  queue.take(4 * LARGE).fill(0);
  assertEquals(chunk, new Random(1).bytes(4 * LARGE));
});

Deno.test("F11: ByteQueue.take() hands over only plain buffers", () => {
  for (
    const buffer of [
      new SharedArrayBuffer(2 * LARGE),
      new ArrayBuffer(2 * LARGE, { maxByteLength: 1 << 20 }),
    ]
  ) {
    const queue = new ByteQueue();
    queue.pushOwned(new Uint8Array(buffer) as Uint8Array<ArrayBuffer>);
    const taken = queue.take(2 * LARGE);
    assert(taken.buffer instanceof ArrayBuffer && !taken.buffer.resizable);
  }
});

Deno.test("F11: ByteQueue.take() never gives memory that later pushes write to", () => {
  const queue = new ByteQueue();
  const bytes = new Random(3).bytes(3 * LARGE);
  for (let at = 0; at < bytes.length; at += 100) queue.push(bytes.subarray(at, at + 100));
  queue.peek(queue.length);
  const taken = queue.take(bytes.length);
  for (let count = 0; count < 10; count++) queue.push(new Uint8Array(1000).fill(7));
  assertEquals(taken, bytes);
});

Deno.test("ByteQueue.push() keeps nothing of a small push, nor a large buffer for a small part", () => {
  const queue = new ByteQueue();
  const small = new Uint8Array(LARGE - 1).fill(1);
  const buffer = new Uint8Array(1 << 20).fill(2);
  queue.push(small);
  queue.push(buffer.subarray(100, 100 + 2 * LARGE));
  small.fill(9);
  buffer.fill(9);
  assertEquals(queue.take(LARGE - 1), new Uint8Array(LARGE - 1).fill(1));
  assertEquals(queue.take(2 * LARGE), new Uint8Array(2 * LARGE).fill(2));
});

Deno.test("ByteQueue.push() takes arrays of subclasses as the bytes they are", () => {
  class Odd extends Uint8Array {
    override slice(): Uint8Array<ArrayBuffer> {
      throw new Error("not to be called");
    }
    override subarray(): Uint8Array<ArrayBuffer> {
      throw new Error("not to be called");
    }
    override indexOf(): number {
      throw new Error("not to be called");
    }
  }
  const queue = new ByteQueue();
  for (const length of [3, 2 * LARGE]) {
    queue.push(new Odd(length).fill(5));
    assertEquals(queue.indexOf(6), -1);
    const taken = queue.take(length);
    assertStrictEquals(Object.getPrototypeOf(taken), Uint8Array.prototype);
    assertEquals(taken, new Uint8Array(length).fill(5));
  }
});

Deno.test("ByteQueue keeps at most 4 KiB for later when it is empty, and uses them", () => {
  const queue = new ByteQueue();
  const byte = new Uint8Array(1);
  queue.push(byte);
  const { buffer } = queue.peek(1);
  queue.skip(1);
  queue.push(byte);
  assertStrictEquals(queue.peek(1).buffer, buffer);
  for (let count = 0; count < 10 * LARGE; count++) queue.push(byte);
  queue.skip(queue.length);
  queue.push(byte);
  assert(queue.peek(1).buffer.byteLength <= LARGE);
});

Deno.test("ByteQueue holds a million pushes of a byte in about their memory", () => {
  const queue = new ByteQueue();
  const byte = new Uint8Array([7]);
  const before = Deno.memoryUsage().external;
  for (let count = 0; count < 1_000_000; count++) queue.push(byte);
  const grown = Deno.memoryUsage().external - before;
  assert(grown < 4_000_000, `${grown} bytes for a million`);
  assertEquals(queue.indexOf(8), -1);
  assertEquals(queue.take(1_000_000), new Uint8Array(1_000_000).fill(7));
});

Deno.test("ByteQueue holds single bytes between large pushes in about their memory", () => {
  const queue = new ByteQueue();
  const [byte, large] = [new Uint8Array(1), new Uint8Array(LARGE)];
  const before = Deno.memoryUsage().external;
  for (let count = 0; count < 1000; count++) {
    queue.push(large);
    queue.push(byte);
  }
  const grown = Deno.memoryUsage().external - before;
  assert(grown < 1_000_000, `${grown} bytes for a thousand`);
});

// A quadratic queue would take minutes to hours here.
Deno.test("F5: ByteQueue costs linear time if everything is looked at after each byte", () => {
  const queue = new ByteQueue();
  const byte = new Uint8Array([97]);
  for (let count = 1; count <= 1 << 20; count++) {
    queue.push(byte);
    queue.peek(count);
    queue.at(count - 1);
    queue.at(count >> 1);
    queue.indexOf(98, count - 1);
  }
  for (let count = 0; count < 1 << 20; count++) queue.skip(1);
  assertEquals(queue.length, 0);
});

Deno.test("F5: ByteQueue costs linear time if more and more large chunks are peeked at", () => {
  const queue = new ByteQueue();
  const chunk = new Uint8Array(LARGE);
  for (let count = 1; count <= 16_384; count++) {
    queue.push(chunk);
    queue.peek(queue.length);
  }
  assertEquals(queue.length, 16_384 * LARGE);
});

Deno.test("F5: ByteQueue costs linear time in the number of chunks", () => {
  const queue = new ByteQueue();
  const chunk = new Uint8Array(LARGE);
  for (let count = 0; count < 200_000; count++) queue.push(chunk);
  for (let count = 0; count < 200_000; count++) {
    // A header across the border, then a frame.
    queue.peek(2);
    assertEquals(queue.take(1).length, 1);
    queue.skip(LARGE - 1);
  }
  assertEquals(queue.length, 0);
});

Deno.test("F5: ByteQueue.indexOf() costs linear time for a needle that is almost everywhere", () => {
  const queue = new ByteQueue();
  queue.push(new Uint8Array(1 << 20).fill(97));
  const needle = new Uint8Array(1 << 18).fill(97);
  needle[needle.length - 1] = 98;
  assertEquals(queue.indexOf(needle), -1);
  const tail = new Uint8Array([98]);
  queue.push(tail);
  assertEquals(queue.indexOf(needle), (1 << 20) - (1 << 18) + 1);
});
