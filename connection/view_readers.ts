import { SocketError } from "../errors.ts";
import type { ByteQueue } from "../bytes/byte_queue.ts";
import type { ReceivedBytes, StreamReader } from "./pending_receive.ts";

/** Refuses reads while another call receives. */
export interface ReadGuard {
  /** Returns the `Busy` error of a read that would overlap another receiving call, if it would. */
  busy(): SocketError | undefined;
}

/** A default reader. While another call receives, it refuses to read, and the stream stays as it was. */
export class DefaultReader extends ReadableStreamDefaultReader<ReceivedBytes> {
  readonly #guard: ReadGuard;
  #released = false;

  constructor(stream: ReadableStream<ReceivedBytes>, guard: ReadGuard) {
    super(stream);
    this.#guard = guard;
  }

  override read(): Promise<ReadableStreamReadResult<ReceivedBytes>> {
    const busy = this.#released ? undefined : this.#guard.busy();
    return busy === undefined ? super.read() : Promise.reject(busy);
  }

  override releaseLock(): void {
    super.releaseLock();
    this.#released = true;
  }
}

/** One read of a BYOB reader, in bytes. */
export interface ByobRead {
  /** The size of one element of the caller's array. */
  readonly element: number;
  /** The fewest bytes that answer the read, except at the end of stream. */
  readonly least: number;
  /** The size of the caller's array. */
  readonly most: number;
}

/** A BYOB reader that knows which elements its reads want. It refuses to read while another call receives. */
export class ByobReader extends ReadableStreamBYOBReader {
  /** The reads that wait, in order. */
  readonly reads: ByobRead[] = [];
  readonly #guard: ReadGuard;
  readonly #pull: () => void;
  #released = false;

  constructor(stream: ReadableStream<ReceivedBytes>, guard: ReadGuard, pull: () => void) {
    super(stream);
    this.#guard = guard;
    this.#pull = pull;
  }

  override read<T extends ArrayBufferView>(
    view: T,
    options?: ReadableStreamBYOBReaderReadOptions,
  ): Promise<ReadableStreamReadResult<T>> {
    const busy = this.#released ? undefined : this.#guard.busy();
    if (busy !== undefined) return Promise.reject(busy);
    // The platform refuses a value that is no array, or an array without room.
    if (!ArrayBuffer.isView(view) || view.buffer.byteLength === 0) return super.read(view, options);
    const { byteLength: most } = view;
    const element = "BYTES_PER_ELEMENT" in view ? Number(view.BYTES_PER_ELEMENT) : 1;
    const least = element * Math.max(1, Math.trunc(Number(options?.min ?? 1)));
    this.reads.push({ element, least, most });
    const result = super.read(view, options);
    // A read that is accepted takes the caller's buffer away; this one was refused.
    if (view.buffer.byteLength !== 0) this.reads.pop();
    // The platform does not pull while the read of a released BYOB reader is still the first in its list.
    if (this.reads.length > 0) this.#pull();
    return result;
  }

  override releaseLock(): void {
    super.releaseLock();
    this.#released = true;
    this.reads.length = 0;
  }
}

/**
 * Finds the whole elements of a BYOB read. A stream that gets half an element keeps it, and neither `recv` nor another
 * reader can have it then; so everything waits in the connection until the read can be answered.
 */
export class ElementReader implements StreamReader<ReceivedBytes> {
  /** True if the bytes that were found are the last ones. */
  last = false;
  readonly #read: ByobRead;

  constructor(read: ByobRead) {
    this.#read = read;
  }

  decode(input: ByteQueue): ReceivedBytes | undefined {
    return input.length < this.#read.least ? undefined : this.#take(input);
  }

  end(input: ByteQueue): ReceivedBytes | null {
    const { length } = input;
    if (length === 0) return null;
    const { element } = this.#read;
    if (length % element !== 0) {
      const reason =
        `the stream ended after ${length} bytes, which are no whole elements of ${element} bytes`;
      throw new SocketError("UnexpectedEof", "recv", reason);
    }
    this.last = true;
    return this.#take(input);
  }

  #take(input: ByteQueue): ReceivedBytes {
    const { element, most } = this.#read;
    const length = Math.min(input.length, most);
    return input.take(length - length % element);
  }
}
