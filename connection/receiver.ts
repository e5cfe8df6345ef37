import { checkBytes, keepsItsLength } from "../bytes/byte_arguments.ts";
import { SocketError } from "../errors.ts";
import type { OperationOptions, RecvOptions } from "../types.ts";
import { checkLimit, invalidInput, readArguments } from "../core/arguments.ts";
import { Cancellation, type Cancelled, cancelledError } from "../core/cancellation.ts";
import type { ConnectionState } from "./connection_state.ts";
import { fromCodec } from "../core/error_mapping.ts";
import { afterTurn, turnDue, type TurnWaiter } from "../core/event_loop_turn.ts";
import { CheckedTransport } from "./checked_transport.ts";
import { ReadBuffer } from "./read_buffer.ts";
import {
  ANY,
  type DirectCall,
  PendingReceive,
  type Received,
  type StreamReader,
} from "./pending_receive.ts";
import { DirectRead, type StraightReader } from "./direct_read.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * The receiving direction of a connection: one reader at a time, and a read of the runtime that stays
 * parked when its reader is cancelled, so that the next one gets its bytes.
 */
export class Receiver implements StraightReader, TurnWaiter {
  readonly #state: ConnectionState;
  /** Says whether a write is under way, which may be the one that is told of a reset. */
  readonly #sender: { readonly idle: boolean };
  readonly #buffer = new ReadBuffer();

  readonly #reader = new PendingReceive();
  /** A read into our own buffer is under way, parked or with a reader. */
  #reading = false;
  /** The reader is answered once the event loop has turned. */
  #awaitingTurn = false;
  /** A codec, which is anybody's code, looks at what there is. */
  #decoding = false;
  #straight: DirectRead | undefined;
  #onCalls: ((waiting: boolean) => void) | undefined;
  #onDiscarded: (() => void) | undefined;
  /** Called when bytes of the peer are discarded. */
  #onInput: (() => void) | undefined;
  #onQuiet: (() => void) | undefined;

  constructor(state: ConnectionState, sender: { readonly idle: boolean }) {
    this.#state = state;
    this.#sender = sender;
  }

  /** Bytes that have come and that nobody has asked for. */
  get unread(): number {
    return this.#buffer.length;
  }

  /** Reads once without a reader, where nothing waits for one. */
  readAhead(): void {
    const busy = this.#reading || this.#decoding || this.#straight?.pending !== undefined;
    if (!busy && !this.#state.closed && !this.#settled) this.#read();
  }

  /** Calls `changed` when a call begins to wait or ends, and when one has taken what there was. */
  onCalls(changed: (waiting: boolean) => void): void {
    this.#onCalls = changed;
    this.#reader.onChange = () => this.callsChanged();
    this.callsChanged();
  }

  /** A call has begun to wait, or has ended. */
  callsChanged(): void {
    this.#onCalls?.(this.#reader.operation !== undefined || this.#straight?.pending !== undefined);
  }

  recv(options: RecvOptions | undefined): Promise<Bytes | null> {
    try {
      const cancellation = Cancellation.read("recv", options);
      const most = options === undefined ? ANY : maxBytes("recv", options);
      this.#checkFree("recv", cancellation);
      return this.#next("recv", most, undefined, cancellation) as Promise<Bytes | null>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Receives for the stream view, which takes what comes at once; `null` at the end. */
  recvDirectly(call: DirectCall): void {
    try {
      this.#checkFree("recv", undefined);
    } catch (error) {
      return call.reject(error);
    }
    this.#reader.openDirectly(call);
    this.#serve();
  }

  /** The stream view's call is under way. */
  get receivesDirectly(): boolean {
    return this.#reader.direct !== undefined;
  }

  /** Takes the stream view's call back; what comes then is parked. */
  leave(): void {
    this.#reader.release();
  }

  /** Returns the error of a call that would overlap another one. */
  busy(): SocketError | undefined {
    try {
      this.#checkFree("recv", undefined);
    } catch (error) {
      if ((error as SocketError).kind === "Busy") return error as SocketError;
    }
    return undefined;
  }

  /** Resolves when the receiving call that is under way has settled. */
  async waitFree(): Promise<void> {
    await Promise.allSettled([this.#reader.promise ?? this.#straight?.pending]);
  }

  recvInto(given: Uint8Array, options: RecvOptions | undefined): Promise<number | null> {
    try {
      const buffer = checkBytes("recvInto", "buffer", given);
      const cancellation = Cancellation.read("recvInto", options);
      const most = options === undefined ? ANY : maxBytes("recvInto", options);
      if (buffer.length === 0) throw invalidInput("recvInto", "the buffer has no room");
      this.#checkFree("recvInto", cancellation);
      const target = most < buffer.length ? buffer.subarray(0, most) : buffer;
      const straight = cancellation === undefined && !this.#reading && !this.#settled &&
        keepsItsLength(target);
      return straight
        ? (this.#straight ??= new DirectRead(this.#state, this)).read(target)
        : this.#next("recvInto", target.length, target, cancellation) as Promise<number | null>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Receives what `decoding` finds; what it leaves is the next call's. */
  recvDecoded<T>(
    operation: string,
    decoding: StreamReader<T>,
    options: OperationOptions | undefined,
  ): Promise<T | null> {
    try {
      const cancellation = Cancellation.read(operation, options);
      this.#checkFree(operation, cancellation);
      const due = turnDue();
      if (!due) {
        const found = this.#decode(operation, decoding);
        if (found !== undefined) {
          this.callsChanged();
          return Promise.resolve(found);
        }
      }
      const stop = cancellation?.watch((why) => this.#cancel(why), this.#state.peer);
      const promise = this.#reader.open(operation, ANY, undefined, decoding);
      this.#reader.stop = stop;
      if (due) this.#awaitTurn();
      else if (!this.#reading) this.#read();
      return promise as Promise<T | null>;
    } catch (error) {
      this.callsChanged();
      return Promise.reject(error);
    }
  }

  /** Rejects the reader, since this side closes: nobody needs to be watching that. */
  close(): void {
    if (this.#state.dropped && !this.#reading) this.#recycle();
    this.#straight?.pending?.catch(() => {});
    if (this.#reader.operation === undefined) return;
    this.#reader.promise?.catch(() => {});
    this.#reader.fail(this.#state.closedError(this.#reader.operation));
  }

  /** Reads and drops until the peer's end of stream, a breakage, or the transport's close; `onInput` hears of bytes. */
  discard(onInput: () => void): Promise<void> {
    this.#buffer.clear();
    this.#onInput = onInput;
    if (this.#state.readEnded) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onDiscarded = resolve;
      if (!this.#reading && this.#straight?.pending === undefined) this.#read();
    });
  }

  /** Resolves when the runtime holds no read of ours any more. */
  waitQuiet(): Promise<void> {
    if (!this.#reading && this.#straight?.pending === undefined) return Promise.resolve();
    return new Promise((resolve) => this.#onQuiet = resolve);
  }

  #checkFree(operation: string, cancellation: Cancellation | undefined): void {
    const state = this.#state;
    if (state.closed) throw state.closedError(operation);
    const already = cancellation?.already;
    if (already !== undefined) throw cancelledError(already, operation, state.peer);
    if (this.#reader.direct?.abandoned()) this.#reader.release();
    const free = this.#reader.operation === undefined && this.#straight?.pending === undefined;
    if (free && !this.#decoding) return;
    throw new SocketError(
      "Busy",
      operation,
      "another receiving call is under way, there is one reader at a time",
      { address: state.peer },
    );
  }

  /** Whether a call can be answered without a read. */
  get #settled(): boolean {
    return this.#buffer.length > 0 || this.#state.readEnded;
  }

  #next(
    operation: "recv" | "recvInto",
    most: number,
    target: Uint8Array | undefined,
    cancellation: Cancellation | undefined,
  ): Promise<Received> {
    const stop = cancellation === undefined || this.#settled
      ? undefined
      : cancellation.watch((why) => this.#cancel(why), this.#state.peer);
    const promise = this.#reader.open(operation, most, target, undefined);
    this.#reader.stop = stop;
    this.#serve();
    return promise;
  }

  /** Answers the reader at once if that is possible, else sees to it that a read is under way. */
  #serve(): void {
    if (this.#settled) this.#deliverInTurn();
    else if (!this.#reading) this.#read();
  }

  #deliverInTurn(): void {
    if (turnDue()) this.#awaitTurn();
    else this.#deliver();
  }

  #awaitTurn(): void {
    if (this.#awaitingTurn) return;
    this.#awaitingTurn = true;
    afterTurn(this);
  }

  /** Answers the reader that waited for the event loop, if it is still there and no read will answer it. */
  onTurn(): void {
    this.#awaitingTurn = false;
    const { operation, decoding, direct } = this.#reader;
    if (operation === undefined || this.#reading) return;
    if (direct?.abandoned()) return this.#reader.release();
    if (decoding !== undefined || this.#settled) this.#deliver();
    else this.#read();
  }

  #cancel(why: Cancelled): void {
    this.#reader.fail(cancelledError(why, this.#reader.operation!, this.#state.peer));
  }

  /** What there is for a call that looks for more than any bytes; `undefined` where more has to come. */
  #decode<T>(operation: string, decoding: StreamReader<T>): T | null | undefined {
    const state = this.#state;
    const input = this.#buffer.asQueue(state.bytesReceived);
    this.#decoding = true;
    try {
      let found: T | null | undefined = decoding.decode(input);
      if (found === undefined && state.readEnded && !state.closed) {
        if (!state.peerEnded) throw state.brokenError(state.breakage!, operation);
        found = decoding.end(input);
      }
      if (!state.closed) return found;
    } catch (error) {
      if (!state.closed) throw fromCodec(error, operation, state.peer);
    } finally {
      this.#decoding = false;
      state.bytesReceived = input.consumed;
    }
    // The codec itself has closed the connection: that comes first, whatever it gave or threw.
    throw state.closedError(operation);
  }

  #deliverDecoded(operation: string, decoding: StreamReader<unknown>): void {
    let found: unknown;
    try {
      found = this.#decode(operation, decoding);
    } catch (error) {
      return this.#reader.fail(error as SocketError);
    }
    if (found !== undefined) this.#reader.succeed(found);
    // The read that a cancelled call has left behind may be under way.
    else if (!this.#reading) this.#read();
  }

  /** Answers the reader with what there is: bytes first, then the end or the breakage. */
  #deliver(): void {
    if (this.#reader.direct?.abandoned()) return this.#reader.release();
    const { operation, most, target, decoding } = this.#reader;
    if (decoding !== undefined) return this.#deliverDecoded(operation!, decoding);
    if (this.#buffer.length === 0) {
      if (this.#state.peerEnded) return this.#reader.succeed(null);
      return this.#reader.fail(this.#state.brokenError(this.#state.breakage!, operation!));
    }
    if (target === undefined) {
      const bytes = this.#buffer.take(most);
      this.#state.bytesReceived += bytes.length;
      this.#reader.succeed(bytes);
    } else if (target.length < most) {
      const reason = "the buffer was transferred or shortened during the call";
      this.#reader.fail(invalidInput("recvInto", reason));
    } else {
      const count = this.#buffer.copyInto(target);
      this.#state.bytesReceived += count;
      this.#reader.succeed(count);
    }
  }

  #read(): void {
    this.#reading = true;
    this.#state.transport.read(this.#buffer.room()).then(this.#onRead, this.#onReadError);
  }

  readonly #onRead = (count: number | null): void | Promise<void> => {
    if (count === null) return this.confirmEnd(() => this.#onEnd());
    this.#reading = false;
    if (this.#state.closed) {
      this.#onInput?.();
      return this.onOver();
    }
    this.#buffer.filled(count);
    if (this.#reader.operation !== undefined) this.#deliverInTurn();
  };

  #onEnd(): void {
    this.#reading = false;
    if (!this.#state.dropped && this.#state.breakage === undefined) this.#state.endReceiving();
    this.#onReadEnded();
  }

  /**
   * Says "end of stream" when it can be trusted. A reset is told to one call only: where that is the
   * write which is under way, the read says "end" in the same turn, and only the next knows better.
   */
  confirmEnd<T>(tell: () => T): T | Promise<T> {
    if (this.#sender.idle) return tell();
    return new Promise<void>((resolve) => setTimeout(resolve, 0)).then(tell);
  }

  readonly #onReadError = (error: unknown): void => {
    this.#reading = false;
    if (!this.#state.dropped) this.#state.breakReceiving(error);
    this.#onReadEnded();
  };

  #onReadEnded(): void {
    if (this.#state.closed) this.onOver();
    else if (this.#reader.operation !== undefined) this.#deliver();
  }

  /** A foreign transport may write to a buffer whose read has settled: that must harm nobody else. */
  #recycle(): void {
    if (!(this.#state.transport instanceof CheckedTransport)) this.#buffer.recycle();
  }

  /** A read has ended on a connection that this side closes: goes on discarding, or says it is done. */
  onOver(): void {
    if (this.#state.dropped) {
      this.#recycle();
      this.#onQuiet?.();
    }
    if (this.#state.dropped || this.#state.readEnded) this.#onDiscarded?.();
    else if (this.#onDiscarded !== undefined) this.#read();
  }
}

function maxBytes(operation: string, options: RecvOptions): number {
  const value = readArguments(operation, () => options.maxBytes);
  return Math.min(ANY, checkLimit(operation, "maxBytes", value, ANY, { lowest: 1, whole: true }));
}
