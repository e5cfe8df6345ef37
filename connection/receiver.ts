import { checkBytes, keepsItsLength } from "../bytes/byte_arguments.ts";
import { checkLimit, invalidInput, readArguments } from "../core/arguments.ts";
import { Cancellation, type Cancelled, cancelledError } from "../core/cancellation.ts";
import { fromCodec } from "../core/error_mapping.ts";
import { afterTurn, turnDue, type TurnWaiter } from "../core/event_loop_turn.ts";
import { SocketError } from "../errors.ts";
import type { OperationOptions, RecvOptions } from "../types.ts";
import type { ConnectionState } from "./connection_state.ts";
import { DirectRead } from "./direct_read.ts";
import {
  ANY,
  PendingReceive,
  type Received,
  type ReceivedBytes,
  type StreamReader,
  TARGET_GONE,
  type ViewCall,
} from "./pending_receive.ts";
import { type InputConsumer, StreamInput } from "./stream_input.ts";

/** Learns when a receiving call begins to wait, and when none waits any more. */
export interface CallObserver {
  onCallsChange(waiting: boolean): void;
}

/** The receiving calls of a connection: one at a time. A call that is cancelled leaves its read to the next one. */
export class Receiver implements InputConsumer, TurnWaiter {
  readonly input: StreamInput;
  readonly #state: ConnectionState;
  readonly #call = new PendingReceive();
  /** The call is answered after the event loop has turned. */
  #awaitingTurn = false;
  /** A codec is looking at the bytes. It is a caller's code, and may call this connection's functions. */
  #decoding = false;
  #directRead: DirectRead | undefined;

  constructor(state: ConnectionState, sender: { readonly idle: boolean }) {
    this.#state = state;
    this.input = new StreamInput(state, sender, this);
  }

  /** Bytes that have come and that nobody has asked for. */
  get unread(): number {
    return this.input.buffer.length;
  }

  /** Throws if the transport cannot be handed over, in the order of E10. */
  checkCanHandOver(operation: string, cancellation: Cancellation | undefined): void {
    if (this.#state.phase === "open") this.#checkNothingUnread(operation);
    this.#checkFree(operation, cancellation);
    this.checkStream(operation);
  }

  #checkNothingUnread(operation: string): void {
    const { unread } = this;
    // A PROXY header is no part of the conversation: what follows it is the beginning of the handshake.
    if (unread === 0 || this.#state.headerEnd === this.#state.bytesReceived) return;
    const reason = `${unread} bytes came before the handshake, which may be an attack`;
    throw new SocketError("InvalidInput", operation, reason, { address: this.#state.peer });
  }

  /** Throws if no more can come. */
  checkStream(operation: string): void {
    const state = this.#state;
    if (!state.readEnded) return;
    if (!state.peerEnded) throw state.brokenError(state.failure!, operation);
    const reason = "the peer has ended its side";
    throw new SocketError("UnexpectedEof", operation, reason, { address: state.peer });
  }

  /** True if a call waits for bytes. */
  get receiving(): boolean {
    return this.#call.operation !== undefined;
  }

  /** Reads once without a call, if nothing waits for one. */
  readAhead(): void {
    const { reading, settled } = this.input;
    if (!reading && !settled && !this.#decoding && this.#state.phase === "open") this.input.read();
  }

  /** Reads once without a call, also behind bytes that wait. Returns false if at least `most` bytes wait. */
  readMore(most: number): boolean {
    const { reading, buffer } = this.input;
    if (reading || this.#decoding || this.#state.readEnded || this.#state.phase !== "open") {
      return true;
    }
    if (buffer.length >= most) return false;
    if (buffer.length === 0) this.input.read();
    else this.input.readBehind();
    return true;
  }

  /** Sets the observer of the calls that begin to wait and that end. */
  observeCalls(observer: CallObserver): void {
    this.#call.onChange = () => observer.onCallsChange(this.#call.operation !== undefined);
    this.#call.onChange();
  }

  recv(options: RecvOptions | undefined): Promise<ReceivedBytes | null> {
    try {
      const cancellation = Cancellation.read("recv", options);
      const most = options === undefined ? ANY : maxBytes("recv", options);
      this.#checkFree("recv", cancellation);
      return this.#open("recv", most, undefined, cancellation) as Promise<ReceivedBytes | null>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Gives what is received until the peer's end, or until this side closes. */
  async *iterate(): AsyncGenerator<ReceivedBytes, void, void> {
    for (;;) {
      let bytes: ReceivedBytes | null;
      try {
        bytes = await this.recv(undefined);
      } catch (error) {
        const isClosed = this.#state.phase !== "open" && (error as SocketError).kind === "Closed";
        if (!isClosed) throw error;
        const lost = this.#state.iterationError("recv");
        if (lost !== undefined) throw lost;
        return;
      }
      if (bytes === null) return;
      yield bytes;
    }
  }

  recvInto(given: Uint8Array, options: RecvOptions | undefined): Promise<number | null> {
    try {
      const buffer = checkBytes("recvInto", "buffer", given);
      const cancellation = Cancellation.read("recvInto", options);
      const most = options === undefined ? ANY : maxBytes("recvInto", options);
      if (buffer.length === 0) throw invalidInput("recvInto", "the buffer has no room");
      this.#checkFree("recvInto", cancellation);
      const target = most < buffer.length ? buffer.subarray(0, most) : buffer;
      const { reading, settled } = this.input;
      if (cancellation === undefined && !reading && !settled && keepsItsLength(target)) {
        this.#directRead ??= new DirectRead(this.#state, this.input, this.#call);
        return this.#directRead.read(target);
      }
      const { length } = target;
      return this.#open("recvInto", length, target, cancellation) as Promise<number | null>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Receives what `decoding` finds, and leaves the rest to the next call. */
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
          this.#call.onChange?.();
          return Promise.resolve(found);
        }
      }
      const stop = cancellation?.watch((why) => this.#cancel(why), this.#state.peer);
      const promise = this.#call.open(operation, ANY, undefined, decoding);
      this.#call.stop = stop;
      if (due) this.#awaitTurn();
      else if (!this.input.reading) this.input.read();
      return promise as Promise<T | null>;
    } catch (error) {
      this.#call.onChange?.();
      return Promise.reject(error);
    }
  }

  /** Receives for a stream view, which takes bytes in the moment they come; `null` at the end. */
  recvForView(call: ViewCall): void {
    const error = this.#callError("recv", undefined);
    if (error !== undefined) return call.reject(error);
    this.#call.openForView(call);
    this.#serve();
  }

  /** True while a stream view's call waits. */
  get servesView(): boolean {
    return this.#call.viewCall !== undefined;
  }

  /** Takes the stream view's call back: bytes that come then are the next call's. */
  leaveView(): void {
    if (this.servesView) this.#call.release();
  }

  /** Returns the error of a call that would overlap another one, if it would. */
  busy(): SocketError | undefined {
    const error = this.#callError("recv", undefined);
    return error?.kind === "Busy" ? error : undefined;
  }

  /** Resolves when the receiving call that is under way has settled. */
  async waitFree(): Promise<void> {
    await Promise.allSettled([this.#call.promise]);
  }

  /** Rejects the call that waits, because this side closes. A caller that does not watch it gets no unhandled error. */
  close(): void {
    const { operation, promise, settlesItself, decoding } = this.#call;
    if (this.#state.phase === "closed") this.input.recycle();
    promise?.catch(() => {});
    if (operation === undefined || settlesItself) return;
    if (decoding?.close !== undefined) {
      const lost = this.#state.iterationError(operation);
      return lost === undefined ? this.#call.succeed(decoding.close()) : this.#call.fail(lost);
    }
    this.#call.fail(this.#state.closedError(operation));
  }

  #checkFree(operation: string, cancellation: Cancellation | undefined): void {
    const error = this.#callError(operation, cancellation);
    if (error !== undefined) throw error;
  }

  /** Returns the error of a call that cannot begin, in the order of E10. */
  #callError(
    operation: string,
    cancellation: Cancellation | undefined,
  ): SocketError | undefined {
    const state = this.#state;
    if (state.phase !== "open" || state.reserved) return state.closedError(operation);
    const already = cancellation?.already;
    if (already !== undefined) return cancelledError(already, operation, state.peer);
    if (this.#call.viewCall?.isAbandoned()) this.#call.release();
    if (this.#call.operation === undefined && !this.#decoding) return undefined;
    const reason = "another receiving call is under way, there is one reader at a time";
    return new SocketError("Busy", operation, reason, { address: state.peer });
  }

  #open(
    operation: "recv" | "recvInto",
    most: number,
    target: Uint8Array | undefined,
    cancellation: Cancellation | undefined,
  ): Promise<Received> {
    const stop = cancellation === undefined || this.input.settled
      ? undefined
      : cancellation.watch((why) => this.#cancel(why), this.#state.peer);
    const promise = this.#call.open(operation, most, target, undefined);
    this.#call.stop = stop;
    this.#serve();
    return promise;
  }

  #cancel(why: Cancelled): void {
    this.#call.fail(cancelledError(why, this.#call.operation!, this.#state.peer));
  }

  /** Answers the call at once if that is possible, else reads. */
  #serve(): void {
    if (this.input.settled) this.#answerInTurn();
    else if (!this.input.reading) this.input.read();
  }

  onInput(): void {
    if (this.#call.operation !== undefined) this.#answerInTurn();
  }

  #answerInTurn(): void {
    if (turnDue()) this.#awaitTurn();
    else this.#answer();
  }

  #awaitTurn(): void {
    if (this.#awaitingTurn) return;
    this.#awaitingTurn = true;
    afterTurn(this);
  }

  /**
   * Answers the call that waited for the event loop, if it is still there. A read that a cancelled call has left behind
   * may be under way, which brings nothing for as long as the peer waits for an answer to what has come before.
   */
  onTurn(): void {
    this.#awaitingTurn = false;
    const { operation, decoding, viewCall, settlesItself } = this.#call;
    if (operation === undefined || settlesItself) return;
    if (viewCall?.isAbandoned()) return this.#call.release();
    if (decoding !== undefined || this.input.settled) this.#answer();
    else if (!this.input.reading) this.input.read();
  }

  /** Answers the call with what there is: bytes first, then the end or the failure. */
  #answer(): void {
    if (this.#call.viewCall?.isAbandoned()) return this.#call.release();
    const { operation, most, target, decoding } = this.#call;
    if (decoding !== undefined) return this.#answerDecoded(operation!, decoding);
    const { buffer } = this.input;
    if (buffer.length === 0) {
      if (this.#state.peerEnded) return this.#call.succeed(null);
      return this.#call.fail(this.#state.brokenError(this.#state.failure!, operation!));
    }
    if (target === undefined) {
      const bytes = buffer.take(most);
      this.#state.bytesReceived += bytes.length;
      this.#call.succeed(bytes);
    } else if (target.length < most) {
      this.#call.fail(invalidInput("recvInto", TARGET_GONE));
    } else {
      const count = buffer.copyInto(target);
      this.#state.bytesReceived += count;
      this.#call.succeed(count);
    }
  }

  #answerDecoded(operation: string, decoding: StreamReader<unknown>): void {
    let found: unknown;
    try {
      found = this.#decode(operation, decoding);
    } catch (error) {
      return this.#call.fail(error as SocketError);
    }
    if (found !== undefined) this.#call.succeed(found);
    // The read that a cancelled call has left behind may be under way.
    else if (!this.input.reading) this.input.read();
  }

  /** Takes what a call looks for out of the bytes; `undefined` if more has to come. */
  #decode<T>(operation: string, decoding: StreamReader<T>): T | null | undefined {
    const state = this.#state;
    const queue = this.input.buffer.asQueue(state.bytesReceived);
    this.#decoding = true;
    try {
      let found: T | null | undefined = decoding.decode(queue);
      if (found === undefined && state.readEnded && state.phase === "open") {
        if (!state.peerEnded) throw state.brokenError(state.failure!, operation);
        found = decoding.end(queue);
      }
      if (state.phase === "open") return found;
    } catch (error) {
      if (state.phase === "open") throw fromCodec(error, operation, state.peer);
    } finally {
      this.#decoding = false;
      state.bytesReceived = queue.consumed;
    }
    // The codec itself has closed the connection: that comes first, whatever it gave or threw.
    throw state.closedError(operation);
  }
}

function maxBytes(operation: string, options: RecvOptions): number {
  const value = readArguments(operation, () => options.maxBytes);
  return Math.min(ANY, checkLimit(operation, "maxBytes", value, ANY, { lowest: 1, whole: true }));
}
