import { SocketError, type SocketErrorKind } from "../errors.ts";
import { ByteQueue } from "../bytes/byte_queue.ts";
import {
  checkNothingLeft,
  type Codec,
  type Decoder,
  mayGoOn,
  NULL_FRAME,
} from "../framing/codec.ts";
import { disown, isDisownedPromise } from "../core/ignored_promises.ts";

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
      disown(this.#decoder);
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
    if (isDisownedPromise(frame)) throw wrong("the decoder gave a promise");
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
