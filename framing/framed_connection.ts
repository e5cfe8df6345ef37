import { isBytes } from "../bytes/byte_arguments.ts";
import type { ByteQueue } from "../bytes/byte_queue.ts";
import type { StreamReader } from "../connection/pending_receive.ts";
import type { StreamConnection } from "../connection/stream_connection.ts";
import { invalidInput } from "../core/arguments.ts";
import { ignoreRejection, isIgnoredPromise } from "../core/waiting_calls.ts";
import type { Address, Connection, OperationOptions, SocketAddress } from "../types.ts";
import type { Codec, Decoder } from "./codec.ts";
import {
  FrameBatchReader,
  type FrameSource,
  readFrames,
  readMaxFrames,
  type RecvFramesOptions,
} from "./frame_batch.ts";
import { FrameEncoder } from "./frame_encoder.ts";
import { checkNothingLeft, invalidFrame, mayGoOn, NULL_FRAME } from "./codec_support.ts";

/**
 * A connection whose messages have a format. Iterating gives the received frames until the peer's end,
 * or until this side closes; leaving the iteration leaves the connection open. `await using` closes the
 * connection, and so does {@linkcode close}.
 *
 * Bytes that were read ahead stay with the connection, so `recv` goes on behind the last frame, and another
 * codec may take over.
 *
 * @typeParam In The type of a frame to send.
 * @typeParam Out The type of a received frame.
 * @typeParam A The kind of the connection's addresses.
 */
export interface FramedConnection<In, Out = In, A extends SocketAddress = Address>
  extends AsyncIterable<Out>, AsyncDisposable {
  /** The connection on which the frames are sent and received. */
  readonly connection: Connection<A>;
}

/** Sends and receives the frames of one connection. */
export class FramedStreamConnection<In, Out = In>
  implements FramedConnection<In, Out, SocketAddress>, FrameSource<Out> {
  readonly connection: StreamConnection;
  readonly #encoder: FrameEncoder<In>;
  /** True if the encoder has a state, so that each of its frames must leave. */
  readonly #stateful: boolean;
  readonly #decoder: Decoder<Out>;
  #ended = false;
  /** The error that ended the frames, in an object, since a codec may throw any value. */
  #failure: { readonly error: unknown } | undefined;
  /** The error that ended a batch, for the next call. */
  #postponed: { readonly error: unknown } | undefined;

  /** Returns true for a value that this class made. */
  static is(handle: unknown): handle is FramedStreamConnection<unknown> {
    return typeof handle === "object" && handle !== null && #encoder in handle;
  }

  constructor(connection: StreamConnection, codec: Codec<In, Out>) {
    this.connection = connection;
    this.#stateful = codec.encoder !== undefined;
    this.#encoder = new FrameEncoder(codec.encoder?.() ?? codec);
    this.#decoder = codec.decoder();
    if (typeof this.#decoder?.decode === "function") return;
    ignoreRejection(this.#decoder);
    throw invalidInput("framed", "the codec's decoder has no decode function");
  }

  recv(options: OperationOptions | undefined): Promise<Out | null> {
    return this.connection.recvDecoded("recvFrame", this, options);
  }

  send(frame: In, options: OperationOptions | undefined): Promise<void> {
    try {
      if (this.#stateful) return this.#sendStateful("sendFrame", [frame], options);
      return this.connection.sendEncoded(this.#encoder.encode(frame), options);
    } catch (error) {
      return Promise.reject(this.connection.codecError(error, "sendFrame"));
    }
  }

  recvBatch(options: RecvFramesOptions | undefined): Promise<Out[] | null> {
    try {
      const reader = new FrameBatchReader(this, readMaxFrames(options));
      return this.connection.recvDecoded("recvFrames", reader, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  sendBatch(frames: Iterable<In>, options: OperationOptions | undefined): Promise<void> {
    try {
      const read = readFrames(frames);
      if (this.#stateful) return this.#sendStateful("sendFrames", read, options);
      const pieces = this.#encoder.encodeBatch(read);
      return this.connection.sendEncodedBatch(pieces, options);
    } catch (error) {
      return Promise.reject(this.connection.codecError(error, "sendFrames"));
    }
  }

  decodeAll(input: ByteQueue, frames: Out[], maxFrames: number): void {
    const decoder = this.#decoder;
    const stopped = this.#postponed !== undefined || this.#failure !== undefined;
    if (stopped || decoder.decodeAll === undefined || input.length === 0) return;
    const before = input.consumed;
    let checked = frames.length;
    try {
      try {
        if (isIgnoredPromise(decoder.decodeAll(input, frames, maxFrames))) {
          throw new TypeError("decodeAll gave a promise");
        }
      } finally {
        for (; checked < frames.length; checked++) checkIsFrame(frames[checked]);
      }
    } catch (error) {
      frames.length = checked;
      throw this.#fail(error, input.consumed > before);
    }
  }

  decode(input: ByteQueue): Out | undefined {
    if (this.#postponed !== undefined) {
      const { error } = this.#postponed;
      this.#postponed = undefined;
      throw error;
    }
    if (this.#failure !== undefined) throw this.#failure.error;
    const before = input.consumed;
    try {
      return checkIsFrame(this.#decoder.decode(input));
    } catch (error) {
      throw this.#fail(error, input.consumed > before);
    }
  }

  end(input: ByteQueue): Out | null {
    const before = input.consumed;
    try {
      if (!this.#ended) {
        this.#ended = true;
        const last = checkIsFrame(this.#decoder.end?.(input));
        if (last !== undefined) return last;
      }
      checkNothingLeft(input);
      return null;
    } catch (error) {
      throw this.#fail(error, input.consumed > before);
    }
  }

  postpone(error: unknown): void {
    this.#postponed = { error };
  }

  [Symbol.asyncIterator](): AsyncIterator<Out, void, void> {
    return new FrameIteration(this.connection, this);
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.connection[Symbol.asyncDispose]();
  }

  /** Sends frames of an encoder whose next frames depend on these: either they leave, or nothing may follow. */
  #sendStateful(
    operation: "sendFrame" | "sendFrames",
    frames: readonly In[],
    options: OperationOptions | undefined,
  ): Promise<void> {
    this.connection.checkCanSend(operation, options);
    const pieces: Uint8Array[] = [];
    let encoded = 0;
    try {
      for (const frame of frames) {
        const made = this.#encoder.encode(frame);
        encoded++;
        if (isBytes(made)) pieces.push(made);
        else for (const piece of made) pieces.push(piece);
      }
    } catch (error) {
      if (encoded > 0) this.connection.abort(this.connection.codecError(error, operation));
      throw error;
    }
    return this.connection.sendDependedOn(pieces, options, operation);
  }

  /** Remembers an error that loses the beginning of the next frame. */
  #fail(error: unknown, tookBytes: boolean): unknown {
    if (!mayGoOn(error, tookBytes)) this.#failure = { error };
    return error;
  }
}

/**
 * Refuses values that no promise can give as a frame. `null` is the end of stream; a codec of JSON gives it if
 * the peer sends it. A promise would be waited for, and its error would be the caller's.
 */
function checkIsFrame<T>(frame: T | undefined): T | undefined {
  if (frame === null) throw invalidFrame(NULL_FRAME);
  if (isIgnoredPromise(frame)) throw new TypeError("the decoder gave a promise");
  return frame;
}

/**
 * Iterates over the frames of a connection. It is no generator, so that the loop awaits the receiver's own
 * promise: a second promise took 60 ns more a frame, of 130 to 170 ns beside decoding.
 */
class FrameIteration<T>
  implements AsyncIterator<T, void, void>, StreamReader<IteratorResult<T, void>> {
  readonly #connection: StreamConnection;
  readonly #frames: StreamReader<T>;
  #over = false;

  constructor(connection: StreamConnection, frames: StreamReader<T>) {
    this.#connection = connection;
    this.#frames = frames;
  }

  next(): Promise<IteratorResult<T, void>> {
    if (this.#over) return this.return();
    if (this.#connection.closed) return this.#endClosed();
    // There is always a result: `end` never gives null.
    return this.#connection.recvDecoded("recvFrame", this, undefined) as Promise<
      IteratorResult<T, void>
    >;
  }

  return(): Promise<IteratorReturnResult<void>> {
    return Promise.resolve(this.#finish());
  }

  decode(input: ByteQueue): IteratorResult<T, void> | undefined {
    const value = this.#frames.decode(input);
    return value === undefined ? undefined : { done: false, value };
  }

  end(input: ByteQueue): IteratorResult<T, void> {
    const value = this.#frames.end(input);
    return value === null ? this.#finish() : { done: false, value };
  }

  close(): IteratorReturnResult<void> {
    return this.#finish();
  }

  #endClosed(): Promise<IteratorReturnResult<void>> {
    const lost = this.#connection.iterationError("recvFrame");
    return lost === undefined ? this.return() : Promise.reject(lost);
  }

  #finish(): IteratorReturnResult<void> {
    this.#over = true;
    return { done: true, value: undefined };
  }
}
