import { AssertionError } from "@std/assert/assertion-error";
import { concat } from "@std/bytes/concat";
import { ByteQueue } from "../bytes/byte_queue.ts";
import { ignoreRejection, isIgnoredPromise } from "../core/waiting_calls.ts";
import { SocketError, type SocketErrorKind } from "../errors.ts";
import type { Codec, Decoder } from "../framing/codec.ts";
import { checkNothingLeft, mayGoOn, NULL_FRAME } from "../framing/codec_support.ts";

/** Frames without a consumed byte between them that count as endless. */
const FRAMES_OUT_OF_NOTHING = 1000;
/** Number of bytes that an error shows of the place where the decoder failed. */
const SHOWN_BYTES = 16;

/** A frame or an error of a decoder, and the number of bytes that were consumed by then. */
export type CodecEvent<T> =
  | { readonly frame: T; readonly error?: undefined; readonly consumed: number }
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
  /** True if the last call failed. */
  #failed = false;

  constructor(codec: Codec<T>, chunks: Iterable<Uint8Array>) {
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
      while (this.#step(() => this.#decoder.decode(this.#input)));
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
    if (frame === null) throw failure(NULL_FRAME);
    if (isIgnoredPromise(frame)) throw failure("the decoder gave a promise");
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
    // A failure at the place of the last one is the same failure.
    const again = this.#failed && !tookBytes && this.events.at(-1)?.consumed === consumed;
    this.#failed = true;
    if (!again) this.events.push({ error: kind, cause: error, consumed });
    return !this.stuck;
  }

  /** Describes the bytes that the decoder saw: `at byte 4 of 9 (05 74 68 72 65)`. */
  #placeOf(position: number): string {
    const fed = concat(this.#pushed);
    const shown = fed.subarray(position, position + SHOWN_BYTES);
    const hex = Array.from(shown, (byte) => byte.toString(16).padStart(2, "0"));
    if (position + SHOWN_BYTES < fed.length) hex.push("…");
    return `at byte ${position} of ${fed.length} (${hex.join(" ")})`;
  }
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

/** Names a thrown value for a message. */
export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : `a ${typeof error}`;
}
