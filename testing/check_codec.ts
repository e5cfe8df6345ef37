import { checkBytes, isBytes } from "../bytes/byte_arguments.ts";
import { ByteQueue } from "../bytes/byte_queue.ts";
import { describe, invalidInput, readArguments } from "../core/arguments.ts";
import { ignoreRejection, isIgnoredPromise } from "../core/ignored_promises.ts";
import { SocketError, type SocketErrorKind } from "../errors.ts";
import {
  checkNothingLeft,
  type Codec,
  type Decoder,
  mayGoOn,
  NULL_FRAME,
} from "../framing/codec.ts";
import { deepEqual } from "./deep_equal.ts";

/** So many frames may come one after the other out of no bytes before it counts as endless. */
const FRAMES_OUT_OF_NOTHING = 1000;

/** A frame or an error, and how many bytes were consumed by then. */
export type CodecEvent<T> =
  | { readonly frame: T; readonly error?: undefined; readonly consumed: number }
  | { readonly error: SocketErrorKind; readonly cause: unknown; readonly consumed: number };

/** What a decoder makes of one stream that is fed to it, chunk by chunk, as a connection does it. */
export class CodecRun<T> {
  readonly events: CodecEvent<T>[] = [];
  /** An error lost the next frame's beginning, so that the decoder was not called again. */
  stuck = false;
  /** How many bytes were consumed in the end. */
  readonly consumed: number;
  readonly #decoder: Decoder<T>;
  readonly #input = new ByteQueue();
  readonly #pushed: Uint8Array[] = [];
  /** The last call failed. */
  #failed = false;

  constructor(codec: Codec<T>, chunks: Iterable<Uint8Array>) {
    this.#decoder = codec.decoder();
    if (typeof this.#decoder?.decode !== "function") {
      ignoreRejection(this.#decoder);
      throw wrong("the codec's decoder has no decode function");
    }
    for (const chunk of chunks) {
      if (this.stuck) break;
      const copy = new Uint8Array(chunk);
      this.#pushed.push(copy);
      this.#input.push(copy);
      while (this.#step(() => this.#decoder.decode(this.#input)));
    }
    if (!this.stuck) this.#end();
    this.consumed = this.#input.consumed;
  }

  /** The frames among the events. */
  get frames(): T[] {
    return this.events.flatMap((event) => event.error === undefined ? [event.frame] : []);
  }

  /** Overwrites the memory that the stream was in, so far as it is this side's to overwrite. */
  spoil(): void {
    for (const bytes of this.#pushed) bytes.fill(0xa5);
    this.#input.skip(this.#input.length);
    // What was copied into the queue was where the next small push goes.
    for (const bytes of this.#pushed) this.#input.push(bytes);
  }

  #end(): void {
    this.#step(() => this.#decoder.end?.(this.#input));
    if (!this.stuck) this.#step(() => void checkNothingLeft(this.#input));
  }

  /** Calls the decoder once: whether it gave something, so that there may be more. */
  #step(call: () => T | undefined): boolean {
    let frame: T | undefined;
    const before = this.#input.consumed;
    try {
      frame = call();
    } catch (error) {
      return this.#fail(error, this.#input.consumed > before);
    }
    this.#failed = false;
    if (frame === undefined) return false;
    if (frame === null) throw wrong(NULL_FRAME);
    if (isIgnoredPromise(frame)) throw wrong("the decoder gave a promise");
    const { consumed } = this.#input;
    this.events.push({ frame, consumed });
    if (this.events.at(-FRAMES_OUT_OF_NOTHING)?.consumed === consumed) {
      throw wrong("the decoder gives frame after frame without consuming anything");
    }
    return true;
  }

  #fail(error: unknown, tookBytes: boolean): boolean {
    const { consumed } = this.#input;
    const kind = kindOf(error, "the decoder");
    this.stuck = !mayGoOn(error, tookBytes);
    // It fails again where it has just failed: that is one error.
    const again = this.#failed && !tookBytes && this.events.at(-1)?.consumed === consumed;
    this.#failed = true;
    if (!again) this.events.push({ error: kind, cause: error, consumed });
    return !this.stuck;
  }
}

/** The kind of what a codec threw, which must be a `SocketError`. */
export function kindOf(error: unknown, who: string): SocketErrorKind {
  if (error instanceof SocketError) return error.kind;
  const what = error instanceof Error ? error.name : `a ${typeof error}`;
  throw wrong(`${who} threw ${what}, not a SocketError`, error);
}

/** The error of a check that found a codec wrong. */
export function wrong(reason: string, cause?: unknown): SocketError {
  return new SocketError("InvalidData", "checkCodec", reason, cause === undefined ? {} : { cause });
}

const OPERATION = "checkCodec";
/** Up to here at every byte, where that is no more than `WORK`. */
const EVERY_SPLIT = 4096;
/** So many bytes are fed in all for the splits in two: a second or two of work. */
const WORK = 64 * 1024 * 1024;
/** A frame is as much work as so many bytes: to make it and to compare it twice takes 100 to 400 ns. */
const FRAME_WORK = 16;
/** More than `WORK` allows for long streams, and less where every split gives very many frames. */
const FEWEST_SPLITS = 64;
const FEWEST_SPLITS_OF_MANY = 8;
/** So many frames are very many: a second or two for the rest of the work. */
const MANY_FRAMES = 64 * 1024;
/** How near to a frame's end the interesting splits are: headers and delimiters are short. */
const NEAR = 8;
const CHUNK_SIZES = [1, 2, 3, 7, 16, 61, 64, 255, 1024, 4096, 65536];
const CHUNK_SIZES_OF_MANY = [1, 3, 64, 4096];

/**
 * Tests a codec, for the tests of its author: the same bytes must give the same frames however they
 * are cut into chunks, since a stream keeps no boundaries.
 *
 * The bytes are fed whole, in two parts split at every byte, byte by byte, and in chunks of several sizes
 * from 2 bytes to 64 KiB. Beyond 4,096 bytes, or with more than some 700 frames in as many, it is not
 * every split, but at least 64 of them, evenly spread and about the frames' ends. Each time the same must
 * come out: the frames, where each of them ended, errors of the same kind at the same place among them, and
 * as many bytes left over. Frames must not change when the memory of the bytes they came from is used
 * again. `null` and promises are no frames.
 *
 * The stream is also cut off at each of these splits. A decoder that has taken a part of a frame by then
 * must throw `UnexpectedEof` at the end of stream; bytes that it takes without a result, as blank lines
 * between frames, must mean nothing: without them the results are the same. Then each frame is encoded and decoded, alone and in a row with the others, and must come out as
 * it was; one that `encode` refuses with `InvalidInput` is left out, since a codec may read more than it
 * writes.
 *
 * Of more than 65,536 frames it is at least 8 splits, four sizes of chunks from byte by byte to 4 KiB, and
 * not every frame is decoded alone: a MiB of newlines takes some seconds.
 *
 * @param codec What to test.
 * @param bytes A stream from its beginning to its end. It may be malformed or cut off.
 * @param expected The frames that must come out, where that is to be checked. Frames are compared by
 * structure: bytes, buffers, arrays, maps, sets, dates, regular expressions, errors (by name, message and
 * cause), and objects of one prototype by their own enumerable properties. Those of a class are also
 * compared by what its `toJSON`, else `toString` or `valueOf`, gives, as a `URL` or where all fields are
 * private; without any of that each equals itself alone, so that no check of them passes.
 * @returns The frames, in order.
 * @throws {SocketError} `InvalidData`, where something differs: the message says how the bytes were
 * cut, `cause` what came out. `InvalidInput`, where an argument is something else.
 *
 * @example
 * ```ts
 * import { lines } from "jsr:@aivi/sockets";
 * import { checkCodec } from "jsr:@aivi/sockets/testing";
 *
 * const stream = new TextEncoder().encode("one\r\ntwo\nthree");
 * checkCodec(lines(), stream, ["one", "two", "three"]);
 * ```
 */
export function checkCodec<T>(
  codec: Codec<T>,
  bytes: Uint8Array,
  expected?: readonly T[],
): T[] {
  checkArguments(codec, bytes, expected);
  try {
    return check(codec, bytes, expected);
  } catch (error) {
    kindOf(error, "the codec or a frame");
    throw error;
  }
}

function check<T>(codec: Codec<T>, bytes: Uint8Array, expected: readonly T[] | undefined): T[] {
  const whole = new CodecRun(codec, [bytes]);
  const frames = whole.frames;
  if (expected !== undefined) compareFrames(frames, expected);
  compare(whole, new CodecRun(codec, [bytes]), "whole again");
  const splits = [...splitsOf(bytes.length, whole.events)];
  for (const at of splits) {
    const parts = [bytes.subarray(0, at), bytes.subarray(at)];
    compare(whole, new CodecRun(codec, parts), `split at ${at}`);
  }
  const sizes = whole.events.length > MANY_FRAMES ? CHUNK_SIZES_OF_MANY : CHUNK_SIZES;
  for (const size of sizes.filter((size) => size < bytes.length)) {
    const how = size === 1 ? "byte by byte" : `in chunks of ${size} bytes`;
    compare(whole, new CodecRun(codec, chunksOf(bytes, size)), how);
  }
  const ends = new Set(whole.events.map(({ consumed }) => consumed));
  for (const at of splits) {
    if (!ends.has(at)) checkCutOff(codec, bytes, at, whole);
  }
  checkEncoding(codec, frames);
  return frames;
}

function checkArguments<T>(codec: Codec<T>, bytes: unknown, expected: unknown): void {
  readArguments(OPERATION, () => {
    if (typeof codec?.encode !== "function" || typeof codec.decoder !== "function") {
      throw invalidInput(OPERATION, "the codec has no encode and decoder functions");
    }
    checkBytes(OPERATION, "bytes", bytes);
    if (expected !== undefined && !Array.isArray(expected)) {
      throw invalidInput(OPERATION, `expected is ${describe(expected)}, not an array`);
    }
  });
}

function compareFrames<T>(frames: readonly T[], expected: readonly T[]): void {
  const cause = { frames, expected };
  const length = Math.max(frames.length, expected.length);
  for (let index = 0; index < length; index++) {
    if (index >= frames.length) {
      throw wrong(`${frames.length} frames came out, not ${expected.length}`, cause);
    }
    if (index >= expected.length || !deepEqual(frames[index], expected[index])) {
      throw wrong(`frame ${index} is not as expected`, cause);
    }
  }
}

/** Throws where a run went otherwise than with the bytes whole, or its frames do not last. */
function compare<T>(whole: CodecRun<T>, run: CodecRun<T>, how: string): void {
  const difference = differenceOf(whole, run);
  const cause = { whole: whole.events, other: run.events };
  if (difference !== undefined) throw wrong(`fed ${how}, ${difference}`, cause);
  run.spoil();
  if (differenceOf(whole, run) === undefined) return;
  throw wrong(
    `fed ${how}, a frame changes when its input's memory is used again: a frame is made of what ` +
      "take gives, not of what peek shows",
    cause,
  );
}

/**
 * Throws if a stream that is cut off inside a frame seems to have ended well. Bytes that no result tells of
 * may also have been taken since they mean nothing, as a blank line does between the commands of some
 * protocols: then the stream has the same results without them.
 */
function checkCutOff<T>(codec: Codec<T>, bytes: Uint8Array, at: number, whole: CodecRun<T>): void {
  const { events } = new CodecRun(codec, [bytes.subarray(0, at)]);
  const last = events.at(-1);
  const told = last?.consumed ?? 0;
  // Of a frame that was refused the rest may be dropped in silence.
  if (told === at || last?.error !== undefined) return;
  const without = new CodecRun(codec, [bytes.subarray(0, told), bytes.subarray(at)]).events;
  const same = without.length === whole.events.length &&
    without.every((event, index) => isSameResult(event, whole.events[index]));
  if (same) return;
  throw wrong(
    `cut off at ${at}, the stream ends well, but ${
      at - told
    } bytes of a frame were taken: end must ` +
      "throw UnexpectedEof",
    { whole: whole.events, other: events },
  );
}

function isSameResult<T>(one: CodecEvent<T>, other: CodecEvent<T>): boolean {
  return one.error === undefined && other.error === undefined
    ? deepEqual(one.frame, other.frame)
    : one.error === other.error;
}

function differenceOf<T>(whole: CodecRun<T>, run: CodecRun<T>): string | undefined {
  const length = Math.max(whole.events.length, run.events.length);
  for (let index = 0; index < length; index++) {
    const [one, other] = [whole.events[index], run.events[index]];
    const [kind, otherKind] = [kindOfEvent(one), kindOfEvent(other)];
    if (kind !== otherKind) return `result ${index} is ${otherKind}, not ${kind}`;
    if (one.error !== undefined || other.error !== undefined) continue;
    if (!deepEqual(one.frame, other.frame)) return `result ${index} is another frame`;
    if (one.consumed === other.consumed) continue;
    return `result ${index} ends at byte ${other.consumed}, not at ${one.consumed}`;
  }
  return run.consumed === whole.consumed && run.stuck === whole.stuck
    ? undefined
    : `${ending(run)}, not ${ending(whole)}`;
}

function kindOfEvent<T>(event: CodecEvent<T> | undefined): string {
  return event === undefined ? "missing" : event.error ?? "a frame";
}

function ending<T>({ consumed, stuck }: CodecRun<T>): string {
  return `${consumed} bytes are consumed in the end${stuck ? ", where it keeps failing" : ""}`;
}

/** Where to cut a stream in two: everywhere, or, where that is too much, spread and about frames' ends. */
function splitsOf<T>(length: number, events: readonly CodecEvent<T>[]): Iterable<number> {
  const affordable = Math.floor(WORK / (length + events.length * FRAME_WORK));
  if (length <= EVERY_SPLIT && length < affordable) {
    return Array.from({ length: length + 1 }, (_, at) => at);
  }
  const fewest = events.length > MANY_FRAMES ? FEWEST_SPLITS_OF_MANY : FEWEST_SPLITS;
  const count = Math.ceil(Math.max(fewest, affordable) / 2);
  const spread = Array.from({ length: count }, (_, at) => Math.floor(length * at / count));
  return new Set([...spread, ...splitsNear(events, count).filter((at) => at >= 0 && at <= length)]);
}

/** So many of the splits about the frames' ends, or all of them; at every distance from 17 on. */
function splitsNear<T>(events: readonly CodecEvent<T>[], count: number): number[] {
  const distances = 2 * NEAR + 1;
  const all = events.length * distances;
  return Array.from({ length: Math.min(count, all) }, (_, index) => {
    // A step of 7 comes to each of the 17 distances, wherever it begins.
    const [event, distance] = all <= count
      ? [Math.floor(index / distances), index % distances]
      : [Math.floor(index * events.length / count), index * 7 % distances];
    return events[event].consumed - NEAR + distance;
  });
}

function* chunksOf(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** Each frame comes out of its encoding as it went in, in a row with the others, and most alone as well. */
function checkEncoding<T>(codec: Codec<T>, frames: readonly T[]): void {
  const encodings: Uint8Array[] = [];
  const encoded: T[] = [];
  const step = Math.ceil(frames.length / MANY_FRAMES);
  for (const [index, frame] of frames.entries()) {
    const parts = encode(codec, frame);
    if (parts === undefined) continue;
    if (index % step === 0) {
      compareDecoded(codec, parts, [frame], `frame ${index}, encoded and decoded,`);
    }
    for (const part of parts) encodings.push(part);
    encoded.push(frame);
  }
  compareDecoded(codec, encodings, encoded, "all frames, encoded and decoded,");
}

function encode<T>(codec: Codec<T>, frame: T): Uint8Array[] | undefined {
  try {
    const parts: unknown[] = [codec.encode(frame)].flat();
    if (parts.every(isBytes)) return parts;
    parts.forEach(ignoreRejection);
  } catch (error) {
    if (kindOf(error, "encode") === "InvalidInput") return undefined;
    throw wrong("encode refused a frame that was decoded", error);
  }
  throw wrong("encode gave neither bytes nor an array of bytes");
}

function compareDecoded<T>(
  codec: Codec<T>,
  parts: readonly Uint8Array[],
  frames: readonly T[],
  what: string,
): void {
  const { events, consumed } = new CodecRun(codec, parts);
  const length = parts.reduce((length, part) => length + part.length, 0);
  const same = events.length === frames.length && consumed === length &&
    events.every((event, index) =>
      event.error === undefined && deepEqual(event.frame, frames[index])
    );
  if (!same) throw wrong(`${what} did not come out the same`, { parts, events });
}
