import { SocketError } from "../errors.ts";
import type { RecvOptions } from "../types.ts";
import { checkBytes, checkLimit, invalidInput, readArguments } from "./arguments.ts";
import { Cancellation, type Cancelled, cancelledError } from "./cancellation.ts";
import type { ConnectionState } from "./connection_state.ts";
import { ReadBuffer } from "./read_buffer.ts";
import { ReaderSlot, type Received } from "./reader_slot.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * The receiving direction of a connection: one reader at a time, and a read of the runtime that stays
 * parked when its reader is cancelled, so that the next one gets its bytes.
 */
export class Receiver {
  bytesReceived = 0;
  /** The peer has ended its side. */
  ended = false;
  readonly #state: ConnectionState;
  /** Whether a write is under way, which may be the one that is told of a reset. */
  readonly #isSending: () => boolean;
  readonly #buffer = new ReadBuffer();

  readonly #reader = new ReaderSlot();
  /** A read into our own buffer is under way, parked or with a reader. */
  #reading = false;
  /** A read into a caller's buffer is under way. */
  #straight: Promise<number | null> | undefined;
  #straightTarget: Uint8Array | undefined;
  #onDiscarded: (() => void) | undefined;
  #onQuiet: (() => void) | undefined;

  constructor(state: ConnectionState, isSending: () => boolean) {
    this.#state = state;
    this.#isSending = isSending;
  }

  recv(options: RecvOptions | undefined): Promise<Bytes | null> {
    try {
      const cancellation = Cancellation.read("recv", options);
      const most = options === undefined ? Infinity : maxBytes("recv", options);
      this.#checkFree("recv", cancellation);
      return this.#next("recv", most, undefined, cancellation) as Promise<Bytes | null>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  recvInto(buffer: Uint8Array, options: RecvOptions | undefined): Promise<number | null> {
    try {
      checkBytes("recvInto", "buffer", buffer);
      const cancellation = Cancellation.read("recvInto", options);
      const most = options === undefined ? Infinity : maxBytes("recvInto", options);
      if (buffer.length === 0) throw invalidInput("recvInto", "the buffer has no room");
      this.#checkFree("recvInto", cancellation);
      const target = most < buffer.length ? buffer.subarray(0, most) : buffer;
      const straight = cancellation === undefined && !this.#reading && !this.#settled;
      return straight
        ? this.#straight = this.#readStraight(target)
        : this.#next("recvInto", most, target, cancellation) as Promise<number | null>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Rejects the reader, since this side closes: nobody needs to be watching that. */
  close(): void {
    this.#straight?.catch(() => {});
    if (this.#reader.operation === undefined) return;
    this.#reader.promise?.catch(() => {});
    this.#reader.fail(this.#state.closedError(this.#reader.operation));
  }

  /** Reads and drops until the peer's end of stream, a breakage, or the transport's close. */
  discard(): Promise<void> {
    this.#buffer.clear();
    if (this.ended || this.#state.breakage !== undefined) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onDiscarded = resolve;
      if (!this.#reading && this.#straight === undefined) this.#read();
    });
  }

  /** Resolves when the runtime holds no read of ours any more. */
  whenQuiet(): Promise<void> {
    if (!this.#reading && this.#straight === undefined) return Promise.resolve();
    return new Promise((resolve) => this.#onQuiet = resolve);
  }

  #checkFree(operation: string, cancellation: Cancellation | undefined): void {
    const state = this.#state;
    if (state.closed) throw state.closedError(operation);
    const already = cancellation?.already;
    if (already !== undefined) throw cancelledError(already, operation, state.peer);
    if (this.#reader.operation === undefined && this.#straight === undefined) return;
    throw new SocketError(
      "Busy",
      operation,
      "another recv or recvInto is under way, there is one reader at a time",
      { address: state.peer },
    );
  }

  /** Whether a call can be answered without a read. */
  get #settled(): boolean {
    return this.#buffer.length > 0 || this.ended || this.#state.breakage !== undefined;
  }

  #next(
    operation: "recv" | "recvInto",
    most: number,
    target: Uint8Array | undefined,
    cancellation: Cancellation | undefined,
  ): Promise<Received> {
    const promise = this.#reader.open(operation, most, target);
    if (this.#settled) {
      this.#deliver();
      return promise;
    }
    if (cancellation !== undefined) this.#reader.stop = cancellation.watch(this.#cancel);
    if (!this.#reading) this.#read();
    return promise;
  }

  readonly #cancel = (why: Cancelled): void => {
    this.#reader.fail(cancelledError(why, this.#reader.operation!, this.#state.peer));
  };

  /** Answers the reader with what there is: bytes first, then the end or the breakage. */
  #deliver(): void {
    const { operation, most, target } = this.#reader;
    if (this.#buffer.length === 0) {
      if (this.ended) return this.#reader.succeed(null);
      return this.#reader.fail(this.#state.brokenError(this.#state.breakage!, operation!));
    }
    if (target === undefined) {
      const bytes = this.#buffer.take(most);
      this.bytesReceived += bytes.length;
      this.#reader.succeed(bytes);
    } else if (target.length === 0) {
      this.#reader.fail(invalidInput("recvInto", "the buffer was transferred during the call"));
    } else {
      const count = this.#buffer.copyInto(target);
      this.bytesReceived += count;
      this.#reader.succeed(count);
    }
  }

  #issue(buffer: Uint8Array): Promise<number | null> {
    try {
      // A foreign transport may give a plain number, or throw.
      return Promise.resolve(this.#state.transport.read(buffer));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  readonly #read = (): void => {
    this.#reading = true;
    this.#issue(this.#buffer.room()).then(this.#onRead, this.#onReadError);
  };

  readonly #onRead = (count: number | null): void => {
    if (this.#state.dropped) return this.#onGone();
    if (count === null) return this.#onEnd();
    if (count === 0) {
      // Nothing came, yet no end: the event loop has to turn before something can.
      turn().then(this.#reread);
      return;
    }
    const room = this.#buffer.room().length;
    if (!isCount(count, room)) return this.#onReadError(badCount(count, room));
    this.#reading = false;
    if (this.#state.closed) {
      if (this.#onDiscarded !== undefined) this.#read();
      return;
    }
    this.#buffer.filled(count);
    if (this.#reader.operation !== undefined) this.#deliver();
  };

  readonly #reread = (): void => {
    if (this.#state.dropped) this.#onGone();
    else this.#read();
  };

  #onEnd(): void {
    if (this.#isSending()) {
      // A reset is told to one call only. Where that is the write which is under way, this read says
      // "end of stream" in the same turn, and only the turn after knows better.
      turn().then(() => this.#onEnded());
    } else this.#onEnded();
  }

  #onEnded(): void {
    this.#reading = false;
    if (this.#state.dropped) return this.#onGone();
    if (this.#state.breakage === undefined) this.ended = true;
    this.#onStreamOver();
  }

  readonly #onReadError = (error: unknown): void => {
    this.#reading = false;
    if (this.#state.dropped) return this.#onGone();
    this.#state.breakReceiving(error);
    this.#onStreamOver();
  };

  #onStreamOver(): void {
    this.#onDiscarded?.();
    if (this.#reader.operation !== undefined) this.#deliver();
  }

  /** The transport was closed meanwhile: nothing is owed to anybody. */
  #onGone(): void {
    this.#reading = false;
    this.#onDiscarded?.();
    this.#onQuiet?.();
  }

  #readStraight(target: Uint8Array): Promise<number | null> {
    this.#straightTarget = target;
    return this.#issue(target).then(this.#onStraight, this.#onStraightError);
  }

  readonly #onStraight = (count: number | null): number | null | Promise<number | null> => {
    if (count === null && this.#isSending()) return turn().then(() => this.#onStraightEnd());
    if (count === null) return this.#onStraightEnd();
    const target = this.#straightTarget!;
    if (count === 0 && !this.#state.dropped) return turn().then(() => this.#readStraight(target));
    // A buffer that its owner transferred meanwhile has no length any more.
    if (!isCount(count, target.length || Infinity)) {
      return this.#onStraightError(badCount(count, target.length));
    }
    this.#endStraight();
    this.bytesReceived += count;
    return count;
  };

  #onStraightEnd(): null {
    if (this.#state.breakage === undefined && !this.#state.dropped) this.ended = true;
    this.#endStraight();
    if (!this.ended) throw this.#state.brokenError(this.#state.breakage!, "recvInto");
    return null;
  }

  readonly #onStraightError = (error: unknown): never => {
    if (!this.#state.dropped) this.#state.breakReceiving(error);
    this.#endStraight();
    throw this.#state.brokenError(this.#state.breakage!, "recvInto");
  };

  /** Frees the slot, and goes on with the discarding where this side has begun to close. */
  #endStraight(): void {
    this.#straight = this.#straightTarget = undefined;
    if (!this.#state.closed) return;
    if (this.#state.dropped) this.#onGone();
    else if (this.ended || this.#state.breakage !== undefined) this.#onDiscarded?.();
    else if (this.#onDiscarded !== undefined) this.#read();
    throw this.#state.closedError("recvInto");
  }
}

/** Resolves once the event loop has turned. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

function maxBytes(operation: string, options: RecvOptions): number {
  const value = readArguments(operation, () => options.maxBytes);
  return checkLimit(operation, "maxBytes", value, Infinity, { lowest: 1, whole: true });
}

function isCount(count: unknown, room: number): boolean {
  return Number.isInteger(count) && count as number > 0 && count as number <= room;
}

function badCount(count: unknown, room: number): Error {
  return new Error(`the transport gave ${count} for a buffer of ${room} bytes`);
}
