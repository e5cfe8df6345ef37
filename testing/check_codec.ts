import { AssertionError } from "@std/assert/assertion-error";
import { concat } from "@std/bytes/concat";
import { equals } from "@std/bytes/equals";
import { checkBytes, isBytes } from "../bytes/byte_arguments.ts";
import { describe, invalidInput, readArguments } from "../core/arguments.ts";
import { ignoreRejection } from "../core/waiting_calls.ts";
import { SocketError } from "../errors.ts";
import type { Codec, Encoder } from "../framing/codec.ts";
import { checkIsCodec } from "../framing/codec_support.ts";
import { type CodecEvent, CodecRun, failure, nameOf } from "./codec_run.ts";
import { deepEqual } from "./deep_equal.ts";
import { showValue } from "./show_value.ts";

const OPERATION = "checkCodec";
/** Longest stream that is split at every byte, if `WORK_BYTES` allows it (bytes). */
const EVERY_SPLIT_BYTES = 4096;
/** Bytes that are fed in all for the splits in two: one or two seconds of work. */
const WORK_BYTES = 64 * 1024 * 1024;
/** Work of a frame beside its bytes (bytes): making it and comparing it twice takes 100 to 400 ns. */
const FRAME_WORK_BYTES = 16;
/** Least number of splits, also of streams that are too long for `WORK_BYTES`. */
const FEWEST_SPLITS = 64;
const FEWEST_SPLITS_OF_MANY = 8;
/** Number of frames above which fewer splits are made: the rest takes one or two seconds already. */
const MANY_FRAMES = 64 * 1024;
/** Distance of the splits from the end of a frame (bytes): headers and delimiters are short. */
const NEAR_BYTES = 8;
const CHUNK_SIZES = [1, 2, 3, 7, 16, 61, 64, 255, 1024, 4096, 65536];
/** Sizes of chunks (bytes), each with the number of frames that are asked for at once. */
const BATCHES = [[7, 3], [61, 4096], [2048, 2], [Infinity, 4096]] as const;
const CHUNK_SIZES_OF_MANY = [1, 3, 64, 4096];
/** Advice for a codec of two types, whose `encode` takes what it does not know. */
const REFUSE_HINT = "if this codec does not send such frames, let encode throw InvalidInput";

/**
 * Tests a codec. The same bytes must give the same frames however they are cut into chunks, since a stream
 * keeps no boundaries.
 *
 * It feeds the bytes whole, split in two at every byte, byte by byte, and in chunks of 2 bytes to 64 KiB. It also asks
 * for many frames at once, as `recvFrames` does. The results must be the same each time: the frames and the places at
 * which they ended, errors of the same kind at the same place, and the number of bytes left over. Frames must not
 * change after the memory of their bytes is used again. `null` and promises are no frames.
 *
 * It also cuts the stream off at each split. A decoder that has taken a part of a frame by then must throw
 * `UnexpectedEof` at the end of stream. A decoder may drop bytes that mean nothing, such as blank lines between
 * frames: without them the results must be the same.
 *
 * Then it encodes and decodes each frame, alone and in a row with the others: the frames must be the same, and
 * `encodeInto` must write what `encode` gives. It
 * leaves out frames that `encode` refuses with `InvalidInput`, since a codec may read more than it writes: a
 * `Codec<Request, Reply>` that refuses replies passes.
 *
 * Streams of more than 4,096 bytes, or of more than about 700 frames, are split at 64 or more places: evenly
 * spread, and around the ends of frames. Streams of more than 65,536 frames are split at 8 or more places; a
 * MiB of newlines takes some seconds.
 *
 * @param codec The codec to test.
 * @param bytes A stream from its beginning to its end. It may be malformed or cut off.
 * @param expected The frames of the stream, to compare the result with. Frames are compared by structure:
 * bytes, buffers, arrays, maps, sets, errors (by name, message and cause), and objects of one prototype by
 * their own enumerable properties. Objects of a class are also compared by their `toJSON`, else `toString` or
 * `valueOf`. An object with private fields and none of these equals only itself, so that its check fails.
 * @returns The frames, in order.
 * @throws {AssertionError} If something differs: the message says how the bytes were cut and, if a decoder
 * threw something else than a `SocketError`, the bytes that it threw for. Values are in it too, shortened; `cause` has
 * the results.
 * @throws {SocketError} `InvalidInput` for a wrong argument.
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
  codec: Codec<unknown, T>,
  bytes: Uint8Array,
  expected?: readonly T[],
): T[] {
  checkArguments(codec, bytes, expected);
  try {
    return check<T>(codec, bytes, expected);
  } catch (error) {
    if (error instanceof AssertionError) throw error;
    throw failure(`the codec or a frame threw ${nameOf(error)}`, error);
  }
}

function check<T>(codec: Codec<T>, bytes: Uint8Array, expected: readonly T[] | undefined): T[] {
  const whole = new CodecRun(codec, [bytes]);
  const frames = whole.frames;
  if (expected !== undefined) compareFrames(whole, expected);
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
  for (const [size, maxFrames] of BATCHES) {
    const run = new CodecRun(codec, chunksOf(bytes, size), maxFrames);
    compare(whole, run, `in chunks of ${size} bytes, ${maxFrames} frames at once`);
  }
  const ends = new Set<number | undefined>(whole.events.map(({ consumed }) => consumed));
  for (const at of splits) {
    if (!ends.has(at)) checkCutOff(codec, bytes, at, whole);
  }
  checkEncoding(codec, frames);
  return frames;
}

function checkArguments<T>(codec: Codec<T>, bytes: unknown, expected: unknown): void {
  checkIsCodec(OPERATION, codec);
  readArguments(OPERATION, () => {
    checkBytes(OPERATION, "bytes", bytes);
    if (expected === undefined || Array.isArray(expected)) return;
    throw invalidInput(OPERATION, `expected is ${describe(expected)}, not an array`);
  });
}

function compareFrames<T>({ frames, events }: CodecRun<T>, expected: readonly T[]): void {
  const cause = { frames, expected };
  for (const [index, frame] of frames.slice(0, expected.length).entries()) {
    if (deepEqual(frame, expected[index])) continue;
    throw failure(`frame ${index} is not as expected${contrast(frame, expected[index])}`, cause);
  }
  if (frames.length === expected.length) return;
  const came = frames.length === 1 ? "1 frame came" : `${frames.length} frames came`;
  const wanted = expected.length === 1 ? "1 was expected" : `${expected.length} were expected`;
  const index = events.findIndex(({ error }) => error !== undefined);
  const why = index < 0 ? "" : `; result ${index} is ${describeEvent(events[index])}`;
  throw failure(`${came}, ${wanted}${why}`, cause);
}

/** Writes two values that should be the same, unless they look the same. */
function contrast(one: unknown, other: unknown): string {
  const [text, wanted] = [showValue(one), showValue(other)];
  return text === wanted ? "" : `: ${text}, not ${wanted}`;
}

/** Throws if a run differs from that of the whole bytes, or if its frames change later. */
function compare<T>(whole: CodecRun<T>, run: CodecRun<T>, how: string): void {
  const difference = differenceOf(whole, run);
  const cause = { whole: whole.events, other: run.events };
  if (difference !== undefined) throw failure(`fed ${how}, ${difference}`, cause);
  run.spoil();
  if (differenceOf(whole, run) === undefined) return;
  throw failure(
    `fed ${how}, a frame changes when its input's memory is used again: make frames of bytes that ` +
      "take gave, not of views that peek gave",
    cause,
  );
}

/**
 * Throws if a stream that is cut off inside a frame seems to have ended well. A decoder may also have dropped
 * bytes that mean nothing, such as a blank line between the commands of some protocols: then the stream has
 * the same results without them.
 */
function checkCutOff<T>(codec: Codec<T>, bytes: Uint8Array, at: number, whole: CodecRun<T>): void {
  const { events } = new CodecRun(codec, [bytes.subarray(0, at)]);
  const last = events.at(-1);
  const reported = last?.consumed ?? 0;
  // A decoder may drop the rest of a frame that it has refused.
  if (reported === at || last?.error !== undefined) return;
  const without = new CodecRun(codec, [bytes.subarray(0, reported), bytes.subarray(at)]).events;
  const same = without.length === whole.events.length &&
    without.every((event, index) => isSameResult(event, whole.events[index]));
  if (same) return;
  const taken = `${at - reported} bytes of a frame were taken`;
  throw failure(
    `cut off at ${at}, the stream ends well, but ${taken}: end must throw UnexpectedEof`,
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
    if (!deepEqual(one.frame, other.frame)) {
      return `result ${index} is another frame${contrast(other.frame, one.frame)}`;
    }
    if (one.consumed === undefined || other.consumed === undefined) continue;
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

function describeEvent<T>(event: CodecEvent<T>): string {
  if (event.error === undefined) return showValue(event.frame);
  const { cause, error } = event;
  return cause instanceof SocketError ? `${error} (${cause.reason})` : error;
}

function ending<T>({ consumed, stuck }: CodecRun<T>): string {
  return `${consumed} bytes are consumed in the end${stuck ? " and it keeps failing" : ""}`;
}

/** Chooses the places to cut a stream in two: all, or some that are spread and around the ends of frames. */
function splitsOf<T>(length: number, events: readonly CodecEvent<T>[]): Iterable<number> {
  const affordable = Math.floor(WORK_BYTES / (length + events.length * FRAME_WORK_BYTES));
  if (length <= EVERY_SPLIT_BYTES && length < affordable) {
    return Array.from({ length: length + 1 }, (_, at) => at);
  }
  const fewest = events.length > MANY_FRAMES ? FEWEST_SPLITS_OF_MANY : FEWEST_SPLITS;
  const count = Math.ceil(Math.max(fewest, affordable) / 2);
  const spread = Array.from({ length: count }, (_, at) => Math.floor(length * at / count));
  return new Set([...spread, ...splitsNear(events, count).filter((at) => at >= 0 && at <= length)]);
}

/** Chooses at most `count` splits around the ends of frames, at each of 17 distances if `count` allows it. */
function splitsNear<T>(events: readonly CodecEvent<T>[], count: number): number[] {
  const distances = 2 * NEAR_BYTES + 1;
  const all = events.length * distances;
  return Array.from({ length: Math.min(count, all) }, (_, index) => {
    // 7 and 17 have no common factor: steps of 7 reach each of the 17 distances.
    const [event, distance] = all <= count
      ? [Math.floor(index / distances), index % distances]
      : [Math.floor(index * events.length / count), index * 7 % distances];
    return events[event].consumed! - NEAR_BYTES + distance;
  });
}

function* chunksOf(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** Checks that frames survive encoding and decoding, in a row with the others, and most of them alone as well. */
function checkEncoding<T>(codec: Codec<T>, frames: readonly T[]): void {
  const encodings: Uint8Array[] = [];
  const encoded: T[] = [];
  // An encoder with a state writes the frames in a row in its own way.
  const row = codec.encoder?.();
  const step = Math.ceil(frames.length / MANY_FRAMES);
  for (const [index, frame] of frames.entries()) {
    const parts = encode(codec, frame, `encode, for frame ${index},`);
    if (parts === undefined) continue;
    if (index % step === 0) {
      checkEncodeInto(codec, frame, concat(parts), index);
      compareDecoded(codec, parts, [frame], `frame ${index}`, `; ${REFUSE_HINT}`);
    }
    const inRow = row === undefined
      ? parts
      : encode(row, frame, `the encoder, for frame ${index},`);
    if (inRow === undefined) continue;
    for (const part of inRow) encodings.push(part);
    encoded.push(frame);
  }
  compareDecoded(codec, encodings, encoded, "all frames", "");
}

function encode<T>(encoder: Encoder<T>, frame: T, who: string): Uint8Array[] | undefined {
  try {
    const parts: unknown[] = [encoder.encode(frame)].flat();
    if (parts.every(isBytes)) return parts;
    parts.forEach(ignoreRejection);
  } catch (error) {
    if (error instanceof SocketError && error.kind === "InvalidInput") return undefined;
    const what = error instanceof SocketError
      ? `refused ${showValue(frame)}, which the decoder gave, with ${error.kind}`
      : `threw ${nameOf(error)}, not a SocketError`;
    throw failure(`${who} ${what}; ${REFUSE_HINT}`, error);
  }
  throw failure(`${who} gave neither bytes nor an array of bytes`);
}

/** Throws if `encodeInto` writes other bytes than `encode` gives, or writes them to another place. */
function checkEncodeInto<T>(codec: Codec<T>, frame: T, bytes: Uint8Array, index: number): void {
  if (codec.encodeInto === undefined) return;
  for (const [before, room] of [[0, bytes.length], [3, bytes.length + 100], [1, 0]]) {
    const target = new Uint8Array(before + room).fill(0xa5);
    let end: unknown;
    try {
      end = codec.encodeInto(frame, target, before);
    } catch (error) {
      throw failure(`encodeInto threw ${nameOf(error)} for frame ${index}, not encode`, error);
    }
    ignoreRejection(end);
    const untouched = target.subarray(0, before).every((byte) => byte === 0xa5);
    const written = typeof end === "number" ? target.subarray(before, end) : undefined;
    if (end === -1 && untouched) continue;
    if (untouched && written?.length === bytes.length && equals(written, bytes)) continue;
    throw failure(`encodeInto and encode write frame ${index} in different ways`, {
      target,
      bytes,
    });
  }
}

function compareDecoded<T>(
  codec: Codec<T>,
  parts: readonly Uint8Array[],
  frames: readonly T[],
  what: string,
  hint: string,
): void {
  const { events, consumed } = new CodecRun(codec, parts);
  const length = parts.reduce((length, part) => length + part.length, 0);
  const same = events.length === frames.length && consumed === length &&
    events.every((event, index) =>
      event.error === undefined && deepEqual(event.frame, frames[index])
    );
  if (same) return;
  const change = firstChange(frames, events);
  throw failure(`${what}, encoded and decoded, did not come out the same${change}${hint}`, {
    parts,
    events,
  });
}

/** Describes the first frame that came back as something else, unless it looks the same. */
function firstChange<T>(frames: readonly T[], events: readonly CodecEvent<T>[]): string {
  for (const [index, frame] of frames.entries()) {
    const event = events[index];
    if (event === undefined) return `: ${showValue(frame)} was lost`;
    if (event.error === undefined && deepEqual(event.frame, frame)) continue;
    const [sent, came] = [showValue(frame), describeEvent(event)];
    return sent === came ? "" : `: ${sent} became ${came}`;
  }
  const more = events[frames.length];
  return more === undefined ? "" : `: behind it came ${describeEvent(more)}`;
}
