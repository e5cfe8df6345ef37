import type { ChunkTransport } from "../bytes/chunk_transport.ts";
import type { Transport } from "../types.ts";
import { CheckedTransport } from "./checked_transport.ts";
import type { ConnectionState } from "./connection_state.ts";
import { ReadBuffer } from "./read_buffer.ts";

const READ_BEHIND_BYTES = 4 * 1024;

/** Says if a transport gives chunks of its own. */
function givesChunks(transport: Transport): transport is ChunkTransport {
  return typeof (transport as Partial<ChunkTransport>).readChunk === "function";
}

/** Learns that a read has ended which nobody but it waits for. */
export interface InputConsumer {
  onInput(): void;
}

/** The result of a read: bytes, `null` at the end of stream, or an error. */
export type ReadResult = { readonly bytes: Uint8Array | null } | { readonly error: unknown };

/**
 * The reads of a connection, one at a time. A read goes on when its call is cancelled, and the next call gets its bytes.
 * While this side closes, it reads and drops what comes.
 */
export class StreamInput {
  /** The bytes that were read and not taken. */
  readonly buffer = new ReadBuffer();
  readonly #state: ConnectionState;
  readonly #transport: Transport;
  /** The same transport, if it makes the buffers of its reads itself. */
  readonly #chunks: ChunkTransport | undefined;
  /** Says if a write is under way, which may be the call that learns of a reset. */
  readonly #sender: { readonly idle: boolean };
  readonly #consumer: InputConsumer;
  #reading = false;
  #wanted = true;
  #readsAhead = false;
  #keepsProcess = true;
  #onDiscarded: (() => void) | undefined;
  #onEnd: (() => void) | undefined;
  #onQuiet: (() => void) | undefined;
  /** Gets the result of the read that is under way, after the transport was handed over. */
  #heir: ((result: ReadResult) => void) | undefined;

  constructor(state: ConnectionState, sender: { readonly idle: boolean }, consumer: InputConsumer) {
    this.#state = state;
    this.#transport = state.transport;
    // A foreign transport may go on writing to what it gave.
    this.#chunks = givesChunks(state.transport) ? state.transport : undefined;
    this.#sender = sender;
    this.#consumer = consumer;
  }

  /** True while the runtime has a read of this connection, whether a call waits for it or not. */
  get reading(): boolean {
    return this.#reading;
  }

  /** True if a call can be answered without a read. */
  get settled(): boolean {
    return this.buffer.length > 0 || this.#state.readEnded;
  }

  /** Reads into the connection's own buffer. */
  read(): void {
    this.#reading = true;
    if (this.#chunks !== undefined) {
      this.#chunks.readChunk().then(this.#onChunk, this.#onReadError);
    } else {
      this.#transport.read(this.buffer.room()).then(this.#onRead, this.#onReadError);
    }
  }

  /** Reads behind the bytes that wait, into a buffer of its own: a call may give the connection's buffer away. */
  readBehind(): void {
    this.#reading = true;
    const bytes = new Uint8Array(READ_BEHIND_BYTES);
    this.#transport.read(bytes)
      .then((count) => this.#onReadBehind(bytes, count), this.#onReadError);
  }

  #onReadBehind(bytes: Uint8Array, count: number | null): void | Promise<void> {
    if (count === null) return this.#onRead(null);
    if (this.#state.phase !== "open") return this.#onReadAfterEnd(bytes.subarray(0, count));
    this.#reading = false;
    this.buffer.append(bytes.subarray(0, count), this.#state.bytesReceived);
    this.#consumer.onInput();
  }

  /** Reads into a caller's buffer; the caller of this calls `endRead` after it. */
  readInto(target: Uint8Array): Promise<number | null> {
    this.#reading = true;
    return this.#transport.read(target);
  }

  readonly #onRead = (count: number | null): void | Promise<void> => {
    if (count === null) return this.confirmEnd(() => this.#onReadNull());
    if (this.#state.phase !== "open") {
      return this.#onReadAfterEnd(this.buffer.room().subarray(0, count));
    }
    this.#reading = false;
    this.buffer.filled(count);
    this.#consumer.onInput();
  };

  readonly #onChunk = (bytes: Uint8Array<ArrayBuffer> | null): void | Promise<void> => {
    if (bytes === null) return this.#onRead(null);
    if (this.#state.phase !== "open") return this.#onReadAfterEnd(bytes);
    this.#reading = false;
    this.buffer.adopt(bytes);
    this.#consumer.onInput();
  };

  /** Gives bytes to the heir, or drops them: the read began before this side closed or handed the transport over. */
  #onReadAfterEnd(bytes: Uint8Array): void {
    if (this.#heir !== undefined) return this.#heir({ bytes });
    this.#onDiscarded?.();
    this.endRead();
  }

  #onReadNull(): void {
    if (this.#heir !== undefined) return this.#heir({ bytes: null });
    const { phase, failure } = this.#state;
    if (phase !== "closed" && failure === undefined) this.#state.endReceiving();
    this.endRead();
    if (phase === "open") this.#consumer.onInput();
  }

  readonly #onReadError = (error: unknown): void => {
    if (this.#heir !== undefined) return this.#heir({ error });
    const { phase } = this.#state;
    if (phase !== "closed") this.#state.breakReceiving(error);
    this.endRead();
    if (phase === "open") this.#consumer.onInput();
  };

  /** Gives away the read that is under way, if one is: its result is no longer this connection's. */
  handOver(): Promise<ReadResult> | undefined {
    if (!this.#reading) return undefined;
    return new Promise((resolve) => this.#heir = resolve);
  }

  /**
   * Calls `report` when an end of stream can be trusted. The runtime reports a reset to one call only. If that is the
   * write that is under way, the read says "end" in the same turn, and only the next turn knows better.
   */
  confirmEnd<T>(report: () => T): T | Promise<T> {
    if (this.#sender.idle) return report();
    return new Promise<void>((resolve) => setTimeout(resolve, 0)).then(report);
  }

  /** Notes that a read has ended. While this side closes, the next one follows until nothing more can come. */
  endRead(): void {
    this.#reading = false;
    const { phase, readEnded } = this.#state;
    if (phase === "open") return;
    if (phase === "closed") {
      this.recycle();
      this.#onQuiet?.();
    }
    if (phase === "closed" || readEnded) this.#onEnd?.();
    else if (this.#onEnd !== undefined) this.read();
  }

  /**
   * Reads and drops what comes, until the peer's end of stream, a failure, or the close of the transport.
   *
   * @param onDiscarded Called when bytes have come.
   */
  discard(onDiscarded: () => void): Promise<void> {
    this.buffer.clear();
    this.#onDiscarded = onDiscarded;
    if (this.#state.readEnded) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onEnd = resolve;
      if (!this.#reading) this.read();
    });
  }

  /** Resolves when the runtime has no read of this connection any more. */
  waitQuiet(): Promise<void> {
    if (!this.#reading) return Promise.resolve();
    return new Promise((resolve) => this.#onQuiet = resolve);
  }

  /** Gives the memory to the next connection, if nobody can write to it any more. */
  recycle(): void {
    // A foreign transport may write to a buffer after its read has settled.
    if (!this.#reading && !(this.#transport instanceof CheckedTransport)) this.buffer.recycle();
  }

  /** Sets if the caller wants reads that wait to keep the process alive. */
  setReferenced(on: boolean): void {
    this.#wanted = on;
    this.#applyReference();
  }

  /** Sets if only a read ahead is under way, which must not keep the process alive. */
  setReadsAhead(on: boolean): void {
    this.#readsAhead = on;
    this.#applyReference();
  }

  #applyReference(): void {
    const keeps = this.#wanted && !this.#readsAhead;
    // Each call walks over the pending reads, and mostly nothing has changed.
    if (keeps === this.#keepsProcess) return;
    this.#keepsProcess = keeps;
    if (keeps) this.#transport.ref?.();
    else this.#transport.unref?.();
  }
}
