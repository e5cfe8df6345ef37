import type { SocketError } from "../errors.ts";
import type { ByobRead } from "./element_read.ts";
import { WritableView } from "./writable_view.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Readable = ReadableStream<Bytes>;
type Iterator = AsyncIterableIterator<Bytes>;

/** The connection's side of its `readable`. */
export interface ReadableSource {
  pull(controller: ReadableByteStreamController): void;
  cancel(): void;
  /** Takes back what the last reader asked for, before the next one has the lock. */
  takeBack(): void;
  /** Returns the `Busy` error of a read that would overlap another receiving call, if it would. */
  busy(): SocketError | undefined;
}

/**
 * The receiving side as a byte stream. The platform tells a stream's source neither that another reader has the lock,
 * nor which elements a BYOB read wants. The methods that take the lock, and the readers, are our own to know it.
 */
export class ReadableView extends ReadableStream<Bytes> {
  readonly #source: ReadableSource;
  readonly #controller: ReadableByteStreamController;
  #byobReader: ByobReader | undefined;

  constructor(source: ReadableSource) {
    let own: ReadableByteStreamController;
    super({
      type: "bytes",
      start: (controller) => void (own = controller as ReadableByteStreamController),
      pull: (controller) => source.pull(controller as ReadableByteStreamController),
      cancel: () => source.cancel(),
    }, { highWaterMark: 0 }); // Nothing is read ahead: it would be missing from recv().
    this.#source = source;
    this.#controller = own!;
  }

  /** The reads that wait at a BYOB reader; nothing if another reader has the lock. */
  get byobReads(): ByobRead[] | undefined {
    return this.#byobReader?.reads;
  }

  override getReader(options: { mode: "byob" }): ReadableStreamBYOBReader;
  override getReader(): ReadableStreamDefaultReader<Bytes>;
  override getReader(options?: ReadableStreamGetReaderOptions): ReadableStreamReader<Bytes>;
  override getReader(options?: ReadableStreamGetReaderOptions): ReadableStreamReader<Bytes> {
    const mode: unknown = options?.mode;
    // A lock that is taken, or a mode that does not exist, fails as on any other stream.
    if (this.locked || mode !== undefined && mode !== "byob") return super.getReader(options);
    this.#beforeLock();
    if (mode === undefined) return new DefaultReader(this, this.#source);
    return this.#byobReader = new ByobReader(
      this,
      this.#source,
      () => this.#source.pull(this.#controller),
    );
  }

  override async pipeTo(
    destination: WritableStream<Bytes>,
    options?: StreamPipeOptions,
  ): Promise<void> {
    this.#beforeLock();
    const signal = options?.signal;
    if (!(signal instanceof AbortSignal) || this.locked || destination.locked) {
      return await super.pipeTo(destination, options);
    }
    const aborted = destination instanceof WritableView && !options?.preventAbort
      ? destination
      : undefined;
    const onAbort = () => {
      // A pipe drops what comes between the signal and the end of its lock.
      this.#source.takeBack();
      // By the standard, it waits for the write that is under way before it aborts its destination.
      aborted?.abortConnection();
    };
    signal.addEventListener("abort", onAbort);
    try {
      return await super.pipeTo(destination, options);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  override pipeThrough<T>(
    transform: ReadableWritablePair<T, Bytes>,
    options?: StreamPipeOptions,
  ): ReadableStream<T> {
    const signalled = options?.signal instanceof AbortSignal && !this.locked;
    if (!signalled || transform.writable.locked) {
      this.#beforeLock();
      return super.pipeThrough(transform, options);
    }
    // The transform's own streams say how it failed.
    this.pipeTo(transform.writable, options).catch(() => {});
    return transform.readable;
  }

  override tee(): [Readable, Readable] {
    this.#beforeLock();
    const released = !this.locked && this.#controller.byobRequest !== null;
    const branches = super.tee();
    // As in a BYOB reader's `read`, but nobody says here when a branch reads: so the first bytes are read at once.
    if (released) this.#source.pull(this.#controller);
    return branches;
  }

  override values(options?: ReadableStreamIteratorOptions): Iterator {
    this.#beforeLock();
    return super.values(options);
  }

  override [Symbol.asyncIterator](options?: ReadableStreamIteratorOptions): Iterator {
    return this.values(options);
  }

  #beforeLock(): void {
    if (this.locked) return;
    this.#byobReader = undefined;
    this.#source.takeBack();
  }
}

/** A reader whose read is refused, and the stream left as it was, while another call receives. */
class DefaultReader extends ReadableStreamDefaultReader<Bytes> {
  readonly #source: ReadableSource;
  #released = false;

  constructor(stream: Readable, source: ReadableSource) {
    super(stream);
    this.#source = source;
  }

  override read(): Promise<ReadableStreamReadResult<Bytes>> {
    const busy = this.#released ? undefined : this.#source.busy();
    return busy === undefined ? super.read() : Promise.reject(busy);
  }

  override releaseLock(): void {
    super.releaseLock();
    this.#released = true;
  }
}

class ByobReader extends ReadableStreamBYOBReader {
  /** The reads that wait, in order. */
  readonly reads: ByobRead[] = [];
  readonly #source: ReadableSource;
  readonly #pull: () => void;
  #released = false;

  constructor(stream: Readable, source: ReadableSource, pull: () => void) {
    super(stream);
    this.#source = source;
    this.#pull = pull;
  }

  override read<T extends ArrayBufferView>(
    view: T,
    options?: ReadableStreamBYOBReaderReadOptions,
  ): Promise<ReadableStreamReadResult<T>> {
    const busy = this.#released ? undefined : this.#source.busy();
    if (busy !== undefined) return Promise.reject(busy);
    // What is no array, or has no room, is refused by the platform.
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
