import { isBytes } from "../bytes/byte_arguments.ts";
import type { Connection, OperationOptions } from "../types.ts";
import { invalidInput, isArray } from "../core/arguments.ts";
import type { ByteQueue } from "../bytes/byte_queue.ts";
import {
  checkNothingLeft,
  type Codec,
  type Decoder,
  invalidData,
  mayGoOn,
  NULL_FRAME,
} from "./codec.ts";
import { ignoreRejection, isIgnoredPromise } from "../core/ignored_promises.ts";
import type { StreamReader } from "../connection/pending_receive.ts";
import type { StreamConnection } from "../connection/stream_connection.ts";

/**
 * A connection whose messages have a format. Iterating gives the frames that are received, until the
 * peer's end; leaving the iteration leaves the connection open.
 *
 * What belongs to it is the place in the stream alone: bytes that were read ahead stay with the connection,
 * so that `recv` goes on where the frames ended, and another codec may take over.
 *
 * @typeParam T What a frame is to the program.
 */
export interface FramedConnection<T> extends AsyncIterable<T> {
  /** What the frames come and go on, which is closed as any other. */
  readonly connection: Connection;
}

/** The frames of a connection. */
export class FramedStream<T> implements FramedConnection<T>, StreamReader<T> {
  readonly connection: StreamConnection;
  readonly #codec: Codec<T>;
  readonly #decoder: Decoder<T>;
  #ended = false;
  /** The error that ended the frames, in an object, since a codec may throw anything. */
  #failure: { readonly error: unknown } | undefined;

  /** Asks for the fields, not the prototype, which a proxy or an heir has as well. */
  static is(handle: unknown): handle is FramedStream<unknown> {
    return typeof handle === "object" && handle !== null && #codec in handle;
  }

  constructor(connection: StreamConnection, codec: Codec<T>) {
    this.connection = connection;
    this.#codec = codec;
    this.#decoder = codec.decoder();
    if (typeof this.#decoder?.decode === "function") return;
    ignoreRejection(this.#decoder);
    throw invalidInput("framed", "the codec's decoder has no decode function");
  }

  recv(options: OperationOptions | undefined): Promise<T | null> {
    return this.connection.recvDecoded("recvFrame", this, options);
  }

  send(frame: T, options: OperationOptions | undefined): Promise<void> {
    try {
      return this.connection.sendEncoded(this.#encode(frame), options);
    } catch (error) {
      return Promise.reject(this.connection.codecError(error, "sendFrame"));
    }
  }

  decode(input: ByteQueue): T | undefined {
    if (this.#failure !== undefined) throw this.#failure.error;
    const before = input.consumed;
    try {
      return checkGiven(this.#decoder.decode(input));
    } catch (error) {
      throw this.#fail(error, input.consumed > before);
    }
  }

  end(input: ByteQueue): T | null {
    const before = input.consumed;
    try {
      if (!this.#ended) {
        this.#ended = true;
        const last = checkGiven(this.#decoder.end?.(input));
        if (last !== undefined) return last;
      }
      checkNothingLeft(input);
      return null;
    } catch (error) {
      throw this.#fail(error, input.consumed > before);
    }
  }

  [Symbol.asyncIterator](): AsyncIterator<T, void, void> {
    return new FrameIteration(this.connection, this);
  }

  /** Remembers an error that says nothing about where the next frame begins. */
  #fail(error: unknown, tookBytes: boolean): unknown {
    if (!mayGoOn(error, tookBytes)) this.#failure = { error };
    return error;
  }

  #encode(frame: T): Uint8Array | readonly Uint8Array[] {
    const encoded = this.#codec.encode(frame);
    if (isBytes(encoded)) return encoded;
    // A copy, in which holes are no bytes either.
    const pieces: unknown[] = isArray(encoded) ? Array.from(encoded) : [encoded];
    if (isArray(encoded) && pieces.every(isBytes)) return pieces;
    pieces.forEach(ignoreRejection);
    throw new TypeError("encode gave neither bytes nor an array of bytes");
  }
}

/**
 * Refuses what no promise can give as a frame: `null` is the end of stream, and a promise would be waited
 * for, and its error be the caller's. `null` may depend on what the peer sent, as in a codec of JSON.
 */
function checkGiven<T>(frame: T | undefined): T | undefined {
  if (frame === null) throw invalidData(NULL_FRAME);
  if (isIgnoredPromise(frame)) throw new TypeError("the decoder gave a promise");
  return frame;
}

/**
 * An iteration, written out. The receiver's own promise is what the loop awaits: with another behind it a
 * frame took 60 ns more, of 130 to 170 beside decoding.
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
    // There is always a result: `end` gives no null.
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

  #finish(): IteratorReturnResult<void> {
    this.#over = true;
    return { done: true, value: undefined };
  }
}
