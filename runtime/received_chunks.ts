import { startHousekeeping } from "../core/timer.ts";
import { closedUnderneath } from "./accept_queue.ts";

/** A read that waits for the runtime. It resolves to bytes, to a number of them, or to `null`. */
type PendingRead = PromiseWithResolvers<Uint8Array<ArrayBuffer> | number | null>;

/**
 * Time after which a socket that nobody reads from no longer keeps the process alive (ms). To release it after each read
 * and to hold it again took 1.3 of the 14 µs that a round trip takes on Node.
 */
const RELEASE_AFTER_MS = 20;

/** Sockets that are held and may have no read that waits. */
let idle: ReceivedChunks[] = [];

/**
 * The receiving side of a transport whose runtime says what has come, asked or not. What nobody waits for is kept, and
 * the socket then stops reading: that is one read of the runtime, or what had come before a reset.
 */
export abstract class ReceivedChunks {
  readonly #chunks: Uint8Array<ArrayBuffer>[] = [];
  /** Bytes of the first chunk that were given already. */
  #given = 0;
  #read: PendingRead | undefined;
  /** The caller's buffer that the pending read fills. Without one it gives a chunk. */
  #target: Uint8Array | undefined;
  #ended = false;
  #failure: Error | undefined;
  #referenced = true;
  #held = false;
  #noted = false;
  /** True after this side has closed. */
  closed = false;

  /** Makes the socket read, if it does not. */
  protected abstract start(): void;

  /** Sets if the socket keeps the process alive. Only a read that waits does. */
  protected abstract hold(on: boolean): void;

  /** True if the peer has ended its side in order. */
  protected get ended(): boolean {
    return this.#ended;
  }

  readChunk(): Promise<Uint8Array<ArrayBuffer> | null> {
    if (this.closed) return Promise.reject(closedUnderneath());
    if (this.#chunks.length > 0) return Promise.resolve(this.#shift());
    if (this.#ended) return Promise.resolve(null);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return this.#wait(undefined) as Promise<Uint8Array<ArrayBuffer> | null>;
  }

  read(target: Uint8Array): Promise<number | null> {
    if (this.closed) return Promise.reject(closedUnderneath());
    if (this.#chunks.length > 0) return Promise.resolve(this.#fill(target));
    if (this.#ended) return Promise.resolve(null);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return this.#wait(target) as Promise<number | null>;
  }

  ref(): void {
    this.#referenced = true;
    if (this.#read !== undefined) this.#setHeld(true);
  }

  unref(): void {
    this.#referenced = false;
    this.#setHeld(false);
  }

  /** Lets the process end beside the socket, if no read waits. */
  release(): void {
    this.#noted = false;
    if (this.#read === undefined) this.#setHeld(false);
  }

  /** Takes what has come. It returns false if the socket should stop reading. */
  protected add(bytes: Uint8Array<ArrayBuffer>): boolean {
    if (this.closed) return false;
    const target = this.#target;
    const read = this.#settle();
    if (read !== undefined && target === undefined) {
      read.resolve(bytes);
      return true;
    }
    this.#chunks.push(bytes);
    if (read !== undefined) read.resolve(this.#fill(target!));
    return this.#chunks.length === 0;
  }

  /** Notes the peer's end of stream. */
  protected end(): void {
    if (this.#failure === undefined) this.#ended = true;
    if (this.#ended) this.#settle()?.resolve(null);
  }

  /** Notes that nothing more can come. */
  protected fail(error: Error): void {
    if (this.#ended) return;
    this.#failure ??= error;
    this.#settle()?.reject(error);
  }

  /** Drops what is left, and returns the call that waits. It is settled when the socket has closed. */
  protected endReads(): PendingRead | undefined {
    this.closed = true;
    this.#chunks.length = this.#given = 0;
    const read = this.#read;
    this.#read = this.#target = undefined;
    return read;
  }

  #wait(target: Uint8Array | undefined): PendingRead["promise"] {
    const read: PendingRead = Promise.withResolvers();
    this.#read = read;
    this.#target = target;
    if (this.#referenced) this.#setHeld(true);
    this.start();
    return read.promise;
  }

  #settle(): PendingRead | undefined {
    const read = this.#read;
    if (read === undefined) return undefined;
    this.#read = this.#target = undefined;
    if (this.#held && !this.#noted) {
      this.#noted = true;
      releaseLater(this);
    }
    return read;
  }

  #setHeld(on: boolean): void {
    if (on === this.#held) return;
    this.#held = on;
    this.hold(on);
  }

  /** Returns what is left of the first chunk. */
  #shift(): Uint8Array<ArrayBuffer> {
    const bytes = this.#chunks.shift()!;
    const left = this.#given === 0 ? bytes : bytes.slice(this.#given);
    this.#given = 0;
    return left;
  }

  /**
   * Copies from the first chunk into a caller's buffer, and keeps what does not fit for the next read. It returns 0, and
   * keeps everything, if the caller has transferred the buffer.
   */
  #fill(target: Uint8Array): number {
    const [bytes] = this.#chunks;
    const count = Math.min(bytes.length - this.#given, target.length);
    if (count > 0) target.set(bytes.subarray(this.#given, this.#given + count));
    this.#given += count;
    if (this.#given === bytes.length) {
      this.#chunks.shift();
      this.#given = 0;
    }
    return count;
  }
}

/** Releases a socket in a while, unless it is read from again. The timer itself does not keep the process alive. */
function releaseLater(socket: ReceivedChunks): void {
  if (idle.length === 0) startHousekeeping(RELEASE_AFTER_MS, releaseAll);
  idle.push(socket);
}

function releaseAll(): void {
  const sockets = idle;
  idle = [];
  for (const socket of sockets) socket.release();
}
