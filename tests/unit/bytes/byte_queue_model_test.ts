import { assert, assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import { ByteQueue } from "../../../mod.ts";
import { LARGE } from "../../support/byte_queues.ts";
import { randomRuns } from "../../support/runs.ts";

const RUNS = randomRuns(10_000);

type Operation =
  | { readonly kind: "push" | "pushOwned"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: "take" | "skip"; readonly share: number; readonly scribble: boolean }
  | { readonly kind: "peek" | "at" | "uint"; readonly share: number; readonly offset: number }
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
    arbitrary: fc.record({ kind: fc.constantFrom("peek", "at", "uint"), share, offset: share }),
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

/** The simplest possible queue. */
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
      case "uint":
        this.#readNumbers(part(operation.offset, length));
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

  #readNumbers(offset: number): void {
    const [queue, { bytes }] = [this.#queue, this.#model];
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (const [size, bits] of [[1, "8"], [2, "16"], [4, "32"], [8, "64"]] as const) {
      if (offset + size > bytes.length) break;
      for (const endian of ["big", "little"] as const) {
        const little = endian === "little";
        const expected = bits === "64"
          ? view.getBigUint64(offset, little)
          : view[`getUint${bits}`](offset, little);
        assertEquals(queue[`uint${bits}`](offset, endian), expected);
      }
    }
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

  /** Checks that the rest comes out, and that nothing changed the bytes that had come out before. */
  end(): void {
    const rest = this.#queue.peek(this.#queue.length);
    assertEquals(rest, this.#model.bytes);
    this.#take(this.#queue.length, false);
    for (const [taken, copy] of this.#taken) assertEquals(taken, copy);
  }
}

Deno.test("F3: ByteQueue behaves like an array of its bytes, however they were pushed", () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 24, size: "max" }), (operations) => {
      const comparison = new Comparison();
      for (const operation of operations) comparison.run(operation);
      comparison.end();
    }),
    { numRuns: RUNS },
  );
});

Deno.test("F3: ByteQueue.indexOf() finds any needle in any chunks", () => {
  const two = fc.integer({ min: 0, max: 1 });
  fc.assert(
    fc.property(
      fc.array(fc.array(two, { maxLength: 30, size: "max" }), { maxLength: 4 }),
      fc.array(two, { minLength: 1, maxLength: 8 }),
      (chunks, needle) => {
        const queue = new ByteQueue();
        for (const [index, chunk] of chunks.entries()) {
          // Each filling has none of the needle's bytes, and makes a chunk of its own.
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
