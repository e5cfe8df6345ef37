import type { ReceivedBytes } from "./pending_receive.ts";
import { type ByobRead, ByobReader, DefaultReader, type ReadGuard } from "./view_readers.ts";
import { WritableView } from "./writable_view.ts";

type Iterator = AsyncIterableIterator<ReceivedBytes>;

/** The connection's side of its `readable`. */
export interface ReadableSource extends ReadGuard {
  pull(controller: ReadableByteStreamController): void;
  cancel(): void;
  /** Takes the request of the last reader back, before the next one has the lock. */
  takeBack(): void;
}

/**
 * The receiving side as a byte stream. The platform does not inform a stream's source that another reader has the lock,
 * or which elements a BYOB read wants. So the methods that take the lock, and the readers, are our own.
 */
export class ReadableView extends ReadableStream<ReceivedBytes> {
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

  /** The reads that wait at a BYOB reader; undefined if another reader has the lock. */
  get byobReads(): ByobRead[] | undefined {
    return this.#byobReader?.reads;
  }

  override getReader(options: { mode: "byob" }): ReadableStreamBYOBReader;
  override getReader(): ReadableStreamDefaultReader<ReceivedBytes>;
  override getReader(options?: ReadableStreamGetReaderOptions): ReadableStreamReader<ReceivedBytes>;
  override getReader(
    options?: ReadableStreamGetReaderOptions,
  ): ReadableStreamReader<ReceivedBytes> {
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
    destination: WritableStream<ReceivedBytes>,
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
      // A pipe drops the bytes that come between the signal and the end of its lock.
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
    transform: ReadableWritablePair<T, ReceivedBytes>,
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

  override tee(): [ReadableStream<ReceivedBytes>, ReadableStream<ReceivedBytes>] {
    this.#beforeLock();
    const released = !this.locked && this.#controller.byobRequest !== null;
    const branches = super.tee();
    // As in a BYOB reader's `read`, but nothing shows when a branch reads. So the first bytes are read at once.
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
