import { assert, assertEquals, assertNotEquals, assertStrictEquals } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import { ByteQueue } from "../../mod.ts";
import { throwingProxy, WRONG_OBJECTS } from "../support/hostile.ts";
import { Random } from "../support/random.ts";
import { thrown } from "../support/socket_errors.ts";

const RUNS = 10_000;
const LARGE = 4096;

function queueOf(...chunks: readonly (readonly number[])[]): ByteQueue {
  const queue = new ByteQueue();
  // Each large enough to be a chunk of its own but for its beginning, which is dropped.
  for (const chunk of chunks) queue.push(new Uint8Array(chunk));
  return queue;
}

/** Bytes that differ, in a queue that keeps every 4 KiB as a chunk of its own. */
function inChunks(count: number): { queue: ByteQueue; bytes: Uint8Array } {
  const bytes = new Random(count).bytes(count * LARGE);
  const queue = new ByteQueue();
  for (let at = 0; at < bytes.length; at += LARGE) queue.push(bytes.slice(at, at + LARGE));
  return { queue, bytes };
}

Deno.test("ByteQueue gives bytes in the order they were pushed", () => {
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

Deno.test("ByteQueue.take() gives bytes from several chunks", () => {
  const { queue, bytes } = inChunks(5);
  assertEquals(queue.take(10), bytes.subarray(0, 10));
  assertEquals(queue.take(3 * LARGE), bytes.subarray(10, 10 + 3 * LARGE));
  assertEquals(queue.take(queue.length), bytes.subarray(10 + 3 * LARGE));
});

Deno.test("ByteQueue.peek() joins what spans chunks, and leaves the rest as it was", () => {
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

Deno.test("ByteQueue gives the same bytes however it was peeked at before", () => {
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

Deno.test("ByteQueue.take() gives what was joined for a peek without another copy", () => {
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
  // What is joined on has room in the same memory.
  assertStrictEquals(queue.peek(3 * LARGE, 3).buffer, first.buffer);
  assertEquals(queue.take(queue.length), bytes.subarray(LARGE));
});

Deno.test("ByteQueue.indexOf() finds a needle wherever it lies", () => {
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

Deno.test("ByteQueue.indexOf() goes on where it stopped, and finds what spans the pushes", () => {
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

Deno.test("ByteQueue.take() gives an ArrayBuffer of its own", () => {
  const { queue, bytes } = inChunks(2);
  const taken = [10, 64, LARGE, 100].map((length) => queue.take(length));
  for (const part of taken) assertEquals(part.buffer.byteLength, part.length);
  for (const part of taken) structuredClone(part, { transfer: [part.buffer] });
  assertEquals(queue.take(queue.length), bytes.subarray(10 + 64 + LARGE + 100));
});

Deno.test("ByteQueue.take() hands over a buffer that was given away, where most of it is taken", () => {
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

Deno.test("ByteQueue.take() hands over a part only where nothing of its buffer is left", () => {
  const queue = new ByteQueue();
  const chunk = new Random(1).bytes(4 * LARGE);
  queue.pushOwned(chunk);
  assert(queue.take(4 * LARGE - 1).buffer !== chunk.buffer);
});

Deno.test("ByteQueue.take() never hands over what was only lent", () => {
  const chunk = new Random(1).bytes(4 * LARGE);
  const queue = new ByteQueue();
  queue.push(chunk);
  queue.take(4 * LARGE).fill(0);
  assertEquals(chunk, new Random(1).bytes(4 * LARGE));
});

Deno.test("ByteQueue.take() hands over only plain buffers", () => {
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

Deno.test("ByteQueue.take() never gives memory that later pushes write to", () => {
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

Deno.test("a million pushes of a byte cost about their memory", () => {
  const queue = new ByteQueue();
  const byte = new Uint8Array([7]);
  const before = Deno.memoryUsage().external;
  for (let count = 0; count < 1_000_000; count++) queue.push(byte);
  const grown = Deno.memoryUsage().external - before;
  assert(grown < 4_000_000, `${grown} bytes for a million`);
  assertEquals(queue.indexOf(8), -1);
  assertEquals(queue.take(1_000_000), new Uint8Array(1_000_000).fill(7));
});

Deno.test("single bytes between large pushes cost about their memory", () => {
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

// What is quadratic here would take minutes to hours.
Deno.test("ByteQueue costs linear time where everything is looked at after each byte", () => {
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

Deno.test("ByteQueue costs linear time where ever more large chunks are peeked at", () => {
  const queue = new ByteQueue();
  const chunk = new Uint8Array(LARGE);
  for (let count = 1; count <= 16_384; count++) {
    queue.push(chunk);
    queue.peek(queue.length);
  }
  assertEquals(queue.length, 16_384 * LARGE);
});

Deno.test("ByteQueue costs linear time in the number of chunks", () => {
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

Deno.test("ByteQueue.indexOf() costs linear time for a needle that almost is there everywhere", () => {
  const queue = new ByteQueue();
  queue.push(new Uint8Array(1 << 20).fill(97));
  const needle = new Uint8Array(1 << 18).fill(97);
  needle[needle.length - 1] = 98;
  assertEquals(queue.indexOf(needle), -1);
  const tail = new Uint8Array([98]);
  queue.push(tail);
  assertEquals(queue.indexOf(needle), (1 << 20) - (1 << 18) + 1);
});

type Operation =
  | { readonly kind: "push" | "pushOwned"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: "take" | "skip"; readonly share: number; readonly scribble: boolean }
  | { readonly kind: "peek" | "at"; readonly share: number; readonly offset: number }
  | { readonly kind: "indexOf"; readonly needle: readonly number[]; readonly offset: number };

// Few different bytes, so that needles are found and almost found.
const few = fc.integer({ min: 0, max: 2 });
// Whole numbers: of the doubles between 0 and 1 that fast-check makes, nearly all are next to 0.
const share = fc.oneof(fc.integer({ min: 0, max: 1000 }), fc.constantFrom(0, 1000))
  .map((permille) => permille / 1000);
const large = fc.integer({ min: LARGE, max: LARGE + 200 })
  .map((length) => new Uint8Array(length).map((_, index) => (index * index + length) % 3));
const bytes = fc.oneof(
  { weight: 6, arbitrary: fc.array(few, { maxLength: 12 }).map((list) => new Uint8Array(list)) },
  { weight: 3, arbitrary: large },
);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom("push", "pushOwned"), bytes }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom("take", "skip"),
      share,
      scribble: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom("peek", "at"), share, offset: share }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("indexOf"),
      needle: fc.array(few, { minLength: 1, maxLength: 9 }),
      offset: share,
    }),
  },
) as fc.Arbitrary<Operation>;

/** The plainest queue there can be. */
class Model {
  bytes = new Uint8Array();
  consumed = 0;

  take(length: number): Uint8Array {
    const taken = this.bytes.slice(0, length);
    this.bytes = this.bytes.slice(length);
    this.consumed += length;
    return taken;
  }

  indexOf(needle: readonly number[], start: number): number {
    for (let at = start; at + needle.length <= this.bytes.length; at++) {
      if (needle.every((byte, index) => this.bytes[at + index] === byte)) return at;
    }
    return -1;
  }
}

class Comparison {
  readonly #queue = new ByteQueue();
  readonly #model = new Model();
  readonly #taken: [taken: Uint8Array, copy: Uint8Array][] = [];
  readonly #buffers = new Set<ArrayBuffer>();
  #takes = 0;

  run(operation: Operation): void {
    const [queue, model] = [this.#queue, this.#model];
    const { length } = model.bytes;
    const part = (share: number, of = length) => Math.round(share * of);
    switch (operation.kind) {
      case "push":
      case "pushOwned":
        model.bytes = concat([model.bytes, operation.bytes]);
        // A copy: a property that fails is run again with the same bytes.
        queue[operation.kind](operation.bytes.slice());
        break;
      case "take":
        this.#take(part(operation.share), operation.scribble);
        break;
      case "skip":
        model.take(part(operation.share));
        queue.skip(part(operation.share));
        break;
      case "peek": {
        const offset = part(operation.offset);
        const end = offset + part(operation.share, length - offset);
        assertEquals(queue.peek(end - offset, offset), model.bytes.slice(offset, end));
        break;
      }
      case "at":
        if (length > 0) {
          const index = part(operation.offset, length - 1);
          assertEquals(queue.at(index), model.bytes[index]);
        }
        break;
      case "indexOf": {
        const { needle } = operation;
        const start = part(operation.offset);
        const found = queue.indexOf(new Uint8Array(needle), start);
        assertEquals(found, model.indexOf(needle, start));
        assertEquals(queue.indexOf(needle[0], start), model.indexOf([needle[0]], start));
      }
    }
    assertEquals([queue.length, queue.consumed], [model.bytes.length, model.consumed]);
  }

  #take(length: number, scribble: boolean): void {
    const taken = this.#queue.take(length);
    const expected = this.#model.take(length);
    assertEquals(taken, expected);
    assert(taken.buffer.byteLength <= Math.max(2 * length, LARGE));
    this.#buffers.add(taken.buffer);
    assertEquals(this.#buffers.size, ++this.#takes, "two takes share a buffer");
    if (scribble) taken.fill(99);
    else this.#taken.push([taken, expected]);
  }

  /** Whether all that is left comes out, and nothing changed what had come out before. */
  end(): void {
    const rest = this.#queue.peek(this.#queue.length);
    assertEquals(rest, this.#model.bytes);
    this.#take(this.#queue.length, false);
    for (const [taken, copy] of this.#taken) assertEquals(taken, copy);
  }
}

Deno.test("ByteQueue is what an array of its bytes would be", () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 24, size: "max" }), (operations) => {
      const comparison = new Comparison();
      for (const operation of operations) comparison.run(operation);
      comparison.end();
    }),
    { numRuns: RUNS },
  );
});

Deno.test("ByteQueue.indexOf() finds what is there, whatever the needle and the chunks", () => {
  const two = fc.integer({ min: 0, max: 1 });
  fc.assert(
    fc.property(
      fc.array(fc.array(two, { maxLength: 30, size: "max" }), { maxLength: 4 }),
      fc.array(two, { minLength: 1, maxLength: 8 }),
      (chunks, needle) => {
        const queue = new ByteQueue();
        for (const [index, chunk] of chunks.entries()) {
          // The filling has none of the needle's bytes, and makes a chunk of its own each.
          queue.push(new Uint8Array(chunk));
          if (index % 2 === 1) queue.push(new Uint8Array(LARGE).fill(2));
        }
        const text = [...queue.peek(queue.length)].join("");
        assertEquals(queue.indexOf(new Uint8Array(needle)), text.indexOf(needle.join("")));
      },
    ),
    { numRuns: RUNS },
  );
});

Deno.test("E1: ByteQueue throws InvalidInput for what is not there, and stays as it was", () => {
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
  }
  thrown(() => queue.at(3), "InvalidInput", "ByteQueue.at");
  thrown(() => queue.at(undefined as unknown as number), "InvalidInput", "ByteQueue.at");
  thrown(() => queue.peek(3, 1), "InvalidInput", "ByteQueue.peek");
  const error = thrown(() => queue.take(4), "InvalidInput", "ByteQueue.take");
  assertEquals(error.message, "ByteQueue.take: length is 4, not a whole number from 0 to 3");
  assertEquals(queue.take(3), new Uint8Array([1, 2, 3]));
  thrown(() => queue.at(0), "InvalidInput", "ByteQueue.at");
});

Deno.test("E1: ByteQueue throws InvalidInput for what is not bytes", () => {
  const queue = new ByteQueue();
  for (const [what, value] of WRONG_OBJECTS) {
    const bytes = value as Uint8Array<ArrayBuffer>;
    thrown(() => queue.push(bytes), "InvalidInput", "ByteQueue.push", what);
    thrown(() => queue.pushOwned(bytes), "InvalidInput", "ByteQueue.pushOwned", what);
    if (typeof value === "number") continue;
    thrown(() => queue.indexOf(bytes), "InvalidInput", "ByteQueue.indexOf", what);
  }
  const proxy = throwingProxy(new Uint8Array(3)) as Uint8Array<ArrayBuffer>;
  thrown(() => queue.push(proxy), "InvalidInput", "ByteQueue.push");
  for (const needle of [-1, 256, 1.5, NaN, new Uint8Array()]) {
    thrown(() => queue.indexOf(needle), "InvalidInput", "ByteQueue.indexOf", String(needle));
  }
  assertEquals(queue.length, 0);
});
