import { AssertionError } from "@std/assert/assertion-error";
import { concat } from "@std/bytes/concat";
import { ByteQueue, setSharedTakes } from "../bytes/byte_queue.ts";
import { quoteMessage } from "../core/arguments.ts";
import { ignoreRejection, isIgnoredPromise } from "../core/waiting_calls.ts";
import { SocketError, type SocketErrorKind } from "../errors.ts";
import type { Codec, Decoder } from "../framing/codec.ts";
import { checkNothingLeft, mayGoOn, NULL_FRAME } from "../framing/codec_support.ts";
import { showBytes } from "./show_value.ts";

/** Frames without a consumed byte between them that count as endless. */
const FRAMES_OUT_OF_NOTHING = 1000;

/**
 * A frame or an error of a decoder, and the number of bytes that were consumed by then. It is not known for the frames
 * of a batch, but for the last one.
 */
export type CodecEvent<T> =
  | { readonly frame: T; readonly error?: undefined; readonly consumed: number | undefined }
  | { readonly error: SocketErrorKind; readonly cause: unknown; readonly consumed: number };

/** Feeds a stream to a decoder, chunk by chunk, as a connection does, and records the results. */
export class CodecRun<T> {
  readonly events: CodecEvent<T>[] = [];
  /** True if an error lost the beginning of the next frame, so that the decoder was not called again. */
  stuck = false;
  /** Number of bytes that were consumed in the end. */
  readonly consumed: number;
  readonly #decoder: Decoder<T>;
  readonly #input = new ByteQueue();
  readonly #pushed: Uint8Array[] = [];
  /** Number of frames in a batch; 0 if each is asked for alone. */
  readonly #maxFrames: number;
  /** True if the last call failed. */
  #failed = false;

  /** @param maxFrames Number of frames that the decoder is asked for at once, as `recvFrames` does; 0 for `recvFrame`. */
  constructor(codec: Codec<T>, chunks: Iterable<Uint8Array>, maxFrames: number = 0) {
    this.#maxFrames = maxFrames;
    this.#decoder = codec.decoder();
    if (typeof this.#decoder?.decode !== "function") {
      ignoreRejection(this.#decoder);
      throw failure("the codec's decoder has no decode function");
    }
    for (const chunk of chunks) {
      if (this.stuck) break;
      const copy = new Uint8Array(chunk);
      this.#pushed.push(copy);
      this.#input.push(copy);
      setSharedTakes(this.#input, maxFrames > 0);
      do this.#takeBatch(); while (this.#step(() => this.#decoder.decode(this.#input)));
      setSharedTakes(this.#input, false);
    }
    if (!this.stuck) this.#end();
    this.consumed = this.#input.consumed;
  }

  /** The frames among the events. */
  get frames(): T[] {
    return this.events.flatMap((event) => event.error === undefined ? [event.frame] : []);
  }

  /** Overwrites the memory that the stream was in, to show frames that are views of it. */
  spoil(): void {
    for (const bytes of this.#pushed) bytes.fill(0xa5);
    this.#input.skip(this.#input.length);
    // The queue copies small chunks into its own memory, and uses that again now.
    for (const bytes of this.#pushed) this.#input.push(bytes);
  }

  /** Calls the fast way of the decoder, if it has one and batches are asked for. */
  #takeBatch(): void {
    const { decodeAll } = this.#decoder;
    if (this.#maxFrames === 0 || decodeAll === undefined || this.stuck) return;
    const frames: T[] = [];
    const before = this.#input.consumed;
    try {
      const result: unknown = decodeAll.call(this.#decoder, this.#input, frames, this.#maxFrames);
      if (isIgnoredPromise(result)) throw failure("decodeAll gave a promise");
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      throw failure(`decodeAll threw ${nameOf(error)}: it leaves errors to decode`, error);
    }
    if (frames.length > this.#maxFrames) {
      throw failure(`decodeAll gave ${frames.length} frames, not at most ${this.#maxFrames}`);
    }
    const { consumed } = this.#input;
    if (frames.length === 0 && consumed > before) {
      throw failure("decodeAll took bytes and gave no frame");
    }
    if (frames.length > 0) this.#failed = false;
    for (const [index, frame] of frames.entries()) {
      checkIsFrame(frame, "decodeAll");
      this.events.push({ frame, consumed: index + 1 === frames.length ? consumed : undefined });
    }
  }

  #end(): void {
    this.#step(() => this.#decoder.end?.(this.#input));
    if (!this.stuck) this.#step(() => void checkNothingLeft(this.#input));
  }

  /** Calls the decoder once. Returns true if it gave something, so that there may be more. */
  #step(call: () => T | undefined): boolean {
    let frame: T | undefined;
    const before = this.#input.consumed;
    try {
      frame = call();
    } catch (error) {
      return this.#fail(error, before);
    }
    this.#failed = false;
    if (frame === undefined) return false;
    checkIsFrame(frame, "the decoder");
    const { consumed } = this.#input;
    this.events.push({ frame, consumed });
    if (this.events.at(-FRAMES_OUT_OF_NOTHING)?.consumed === consumed) {
      throw failure("the decoder gives frame after frame without consuming anything");
    }
    return true;
  }

  #fail(error: unknown, before: number): boolean {
    const { consumed } = this.#input;
    const tookBytes = consumed > before;
    const kind = kindOf(error, () => `the decoder, ${this.#placeOf(before)},`);
    this.stuck = !mayGoOn(error, tookBytes);
    // The last failure took a frame. If the next call says the same and takes nothing, the decoder remembers it.
    const last = this.events.at(-1);
    const again = this.#failed && !tookBytes && last?.consumed === consumed &&
      last.error === kind && (last.cause as SocketError).reason === (error as SocketError).reason;
    this.#failed = true;
    if (!again) this.events.push({ error: kind, cause: error, consumed });
    return !this.stuck;
  }

  /** Describes the bytes that the decoder saw: `at byte 4 of 9 (05 74 68 72 65)`. */
  #placeOf(position: number): string {
    const fed = concat(this.#pushed);
    return `at byte ${position} of ${fed.length} (${showBytes(fed.subarray(position))})`;
  }
}

function checkIsFrame(frame: unknown, who: string): void {
  if (frame === null) throw failure(NULL_FRAME);
  if (isIgnoredPromise(frame)) throw failure(`${who} gave a promise`);
}

/** Returns the kind of an error of a codec, which must be a `SocketError`. */
export function kindOf(error: unknown, who: () => string): SocketErrorKind {
  if (error instanceof SocketError) return error.kind;
  throw failure(`${who()} threw ${nameOf(error)}, not a SocketError`, error);
}

/** Makes the error of a check that found a codec wrong. */
export function failure(reason: string, cause?: unknown): AssertionError {
  return new AssertionError(`checkCodec: ${reason}`, cause === undefined ? {} : { cause });
}

/** Names a thrown value for a message, and quotes its own. */
export function nameOf(error: unknown): string {
  const name = error instanceof Error ? error.name : `a ${typeof error}`;
  return name + quoteMessage(error);
}
