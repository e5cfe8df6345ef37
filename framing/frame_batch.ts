import { type ByteQueue, setSharedTakes } from "../bytes/byte_queue.ts";
import type { StreamReader } from "../connection/pending_receive.ts";
import {
  checkLimit,
  checkOptions,
  invalidInput,
  isArray,
  readArguments,
} from "../core/arguments.ts";
import { countMessages } from "../core/event_loop_turn.ts";
import type { OperationOptions } from "../types.ts";

/** Default of `maxFrames`. It bounds the array, and the time for which one call decodes: empty lines have one byte. */
const DEFAULT_MAX_FRAMES = 4096;

/** Options of {@linkcode recvFrames}. */
export interface RecvFramesOptions extends OperationOptions {
  /**
   * Maximum number of frames that one call gives: a whole number from 1, or `Infinity`.
   *
   * @default {4096}
   */
  maxFrames?: number;
}

/** Decodes the frames of one stream. */
export interface FrameSource<T> extends StreamReader<T> {
  /** Appends frames in the decoder's own fast way, if it has one. `decode` goes on after them. */
  decodeAll(input: ByteQueue, frames: T[], maxFrames: number): void;
  /** Keeps an error for the next call, which throws it before it decodes anything. */
  postpone(error: unknown): void;
}

/** Reads for one `recvFrames` call: the frames that have come, at least one. */
export class FrameBatchReader<T> implements StreamReader<T[]> {
  readonly #source: FrameSource<T>;
  readonly #maxFrames: number;

  constructor(source: FrameSource<T>, maxFrames: number) {
    this.#source = source;
    this.#maxFrames = maxFrames;
  }

  decode(input: ByteQueue): T[] | undefined {
    const frames: T[] = [];
    const source = this.#source;
    const maxFrames = this.#maxFrames;
    // A single frame shares its memory with none.
    const shared = maxFrames > 1;
    setSharedTakes(input, shared);
    try {
      while (frames.length < maxFrames) {
        if (shared) source.decodeAll(input, frames, maxFrames);
        if (frames.length >= maxFrames) break;
        const frame = source.decode(input);
        if (frame === undefined) break;
        frames.push(frame);
      }
    } catch (error) {
      if (frames.length === 0) throw error;
      source.postpone(error);
    } finally {
      setSharedTakes(input, false);
    }
    if (frames.length === 0) return undefined;
    countMessages(frames.length - 1);
    return frames;
  }

  end(input: ByteQueue): T[] | null {
    const last = this.#source.end(input);
    return last === null ? null : [last];
  }
}

/** Returns the `maxFrames` of the options of `recvFrames`. */
export function readMaxFrames(options: RecvFramesOptions | undefined): number {
  if (options === undefined) return DEFAULT_MAX_FRAMES;
  const operation = "recvFrames";
  return readArguments(operation, () => {
    const { maxFrames } = checkOptions(operation, options);
    const limits = { lowest: 1, whole: true };
    return checkLimit(operation, "maxFrames", maxFrames, DEFAULT_MAX_FRAMES, limits);
  });
}

/** Returns the frames of a `sendFrames` call, or throws `InvalidInput` for anything that is no iterable of frames. */
export function readFrames<T>(frames: Iterable<T>): readonly T[] {
  const operation = "sendFrames";
  if (isArray(frames)) return frames as readonly T[];
  // A string is an iterable too, of frames that nobody meant.
  if (typeof frames === "string" || typeof frames?.[Symbol.iterator] !== "function") {
    throw invalidInput(operation, "the frames are neither an array nor another iterable object");
  }
  return readArguments(operation, () => [...frames]);
}
