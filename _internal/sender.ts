import { SocketError } from "../errors.ts";
import type { OperationOptions } from "../types.ts";
import { checkBytes, invalidInput, isBytes } from "./arguments.ts";
import { Cancellation, type Cancelled, cancelledError } from "./cancellation.ts";
import type { ConnectionState } from "./connection_state.ts";
import { Batch } from "./gather.ts";
import { type PendingSend, pendingSend, SendQueue } from "./send_queue.ts";

const EMPTY = new Uint8Array(0);

const READY = 0;
/** The runtime has a write of ours. */
const WRITING = 1;
/** The sending direction has been ended, or is about to be. */
const FINISHED = 2;
const BROKEN = 4;

/**
 * The sending direction of a connection: one write at a time, sends in call order, what waits bounded
 * and gathered.
 *
 * One integer, the gate, decides between the fast path (a plain write with one continuation bound
 * beforehand) and everything else: an async function in its place costs a tenth of an awaited small
 * send, a promise of our own a seventh.
 */
export class Sender {
  bytesSent = 0;
  /** Called when bytes have left, while a close watches over the flush. */
  onProgress: (() => void) | undefined;
  /** Called when a torn send leaves no choice but to give the connection up. */
  readonly #giveUp: () => void;
  readonly #state: ConnectionState;
  readonly #limit: number;
  readonly #queue = new SendQueue();
  readonly #batch = new Batch();
  #gate = READY;
  #directBytes: Uint8Array | undefined;
  #directPromise: Promise<void> | undefined;
  #idleWaiters: (() => void)[] = [];

  constructor(state: ConnectionState, limit: number, giveUp: () => void) {
    this.#state = state;
    this.#limit = limit;
    this.#giveUp = giveUp;
    // What broke while receiving must not be tried again by a send.
    state.onBreak = () => this.#gate |= BROKEN;
  }

  /** Nothing waits and nothing is being written. */
  get idle(): boolean {
    return (this.#gate & WRITING) === 0 && this.#queue.empty;
  }

  send(bytes: Uint8Array, options: OperationOptions | undefined): Promise<void> {
    if (
      this.#gate === READY && options === undefined && isBytes(bytes) &&
      bytes.length !== 0
    ) {
      this.#gate = WRITING;
      this.#directBytes = bytes;
      return this.#directPromise = this.#state.transport.write(bytes)
        .then(this.#onDirect, this.#onDirectError);
    }
    return this.#sendSlowly(bytes, options);
  }

  /** Ends the sending direction for the callers: what was accepted goes on, nothing more is. */
  finish(): void {
    this.#gate |= FINISHED;
  }

  /** Resolves once nothing is left to write, or nothing can be written any more. */
  whenIdle(): Promise<void> {
    if (this.idle) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Bytes of accepted sends that have not left. */
  get unsent(): number {
    return this.#queue.bytes + (this.#batch.bytes ?? this.#directBytes ?? EMPTY).length;
  }

  /**
   * Keeps pending sends that nobody awaits from ending the process: where this side closes, the loss
   * is its own doing.
   */
  silence(): void {
    const promises = [...this.#batch.sends, ...this.#queue.all()].map((send) => send.promise);
    for (const promise of [this.#directPromise, ...promises]) promise?.catch(() => {});
  }

  /** Rejects everything pending; the transport is closed by now. */
  abort(): void {
    this.#gate |= FINISHED | BROKEN;
    this.silence();
    this.#rejectAll((sent) => this.#state.closedError("send", sent), false);
  }

  /** The error that a call on the sending direction meets, if there is one; E10's order. */
  problem(operation: string, cancelled?: Cancelled): SocketError | undefined {
    if (this.#state.closed) return this.#state.closedError(operation);
    if ((this.#gate & FINISHED) !== 0 && operation === "send") {
      return new SocketError("Closed", operation, "closeWrite has ended the sending side", {
        address: this.#state.peer,
      });
    }
    return cancelled && cancelledError(cancelled, operation, this.#state.peer);
  }

  #sendSlowly(bytes: Uint8Array, options: OperationOptions | undefined): Promise<void> {
    try {
      checkBytes("send", "bytes", bytes);
      const cancellation = Cancellation.read("send", options);
      const problem = this.problem("send", cancellation?.already);
      if (problem !== undefined) throw problem;
      if (bytes.length === 0) return Promise.resolve();
      this.#checkRoom(bytes.length);
      return this.#enqueue(bytes, cancellation);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #checkRoom(length: number): void {
    const waiting = this.#queue.bytes;
    if (!this.idle && waiting + length > this.#limit) {
      throw new SocketError(
        "QueueFull",
        "send",
        `${waiting} bytes wait already, ${length} more would pass the limit of ${this.#limit}`,
        { address: this.#state.peer },
      );
    }
    const breakage = this.#state.sendBreakage ?? this.#state.breakage;
    if (breakage !== undefined) throw this.#state.brokenError(breakage, "send");
  }

  #enqueue(bytes: Uint8Array, cancellation: Cancellation | undefined): Promise<void> {
    const send = pendingSend(bytes);
    this.#queue.push(send);
    send.stop = cancellation?.watch((why) => this.#cancel(send, why));
    if ((this.#gate & WRITING) === 0) this.#writeNext();
    return send.promise;
  }

  #cancel(send: PendingSend, why: Cancelled): void {
    const { peer } = this.#state;
    if (send.handed) {
      send.reject(cancelledError(why, "send", peer, send.sent));
      this.#giveUp();
    } else {
      this.#queue.remove(send);
      send.reject(cancelledError(why, "send", peer));
    }
  }

  readonly #onDirect = (written: number): Promise<void> | undefined => {
    const bytes = this.#directBytes!;
    this.#directBytes = undefined;
    if (written === bytes.length && this.#gate === WRITING && this.#queue.empty) {
      this.bytesSent += written;
      this.#gate = READY;
      return undefined;
    }
    if (this.#state.dropped) {
      this.bytesSent += written;
      if (written === bytes.length) return undefined;
      throw this.#state.closedError("send", written);
    }
    // Partly written, or others wait behind it: from here on it is a batch of one.
    const send = pendingSend(bytes);
    this.#batch.adopt(send);
    this.#onWritten(written);
    return send.promise;
  };

  readonly #onDirectError = (error: unknown): never => {
    this.#directBytes = undefined;
    this.#fail(error);
    throw this.#failure(0);
  };

  #writeNext(): void {
    this.#batch.fill(this.#queue);
    if (this.#batch.bytes === undefined) {
      this.#gate &= ~WRITING;
      this.#tellIdle();
      return;
    }
    this.#gate |= WRITING;
    this.#write(this.#batch.bytes);
  }

  #write(bytes: Uint8Array): void {
    this.#state.transport.write(bytes).then(this.#onWritten, this.#fail);
  }

  readonly #onWritten = (written: number): void => {
    if (this.#state.dropped) return this.#batch.clear(true);
    const bytes = this.#batch.bytes!;
    this.bytesSent += written;
    if (written > bytes.length) {
      // Only a buffer that has no length any more takes more than it has.
      this.#fail(invalidInput("send", "the buffer was transferred while it was being sent"));
      return this.#giveUp();
    }
    this.#batch.credit(written);
    this.onProgress?.();
    if (written < bytes.length) return this.#write(this.#batch.bytes!);
    this.#batch.clear(true);
    this.#writeNext();
  };

  readonly #fail = (error: unknown): void => {
    if (!this.#state.dropped) this.#state.breakSending(error);
    this.#gate = this.#gate & ~WRITING | BROKEN;
    this.#rejectAll((sent) => this.#failure(sent), true);
  };

  #failure(sent: number): SocketError {
    const { dropped, sendBreakage } = this.#state;
    return dropped || sendBreakage === undefined
      ? this.#state.closedError("send", sent)
      : this.#state.brokenError(sendBreakage, "send", sent);
  }

  #rejectAll(error: (sent: number) => SocketError, writeEnded: boolean): void {
    for (const send of [...this.#batch.sends, ...this.#queue.drain()]) {
      send.stop?.();
      if (send.sent < send.length) send.reject(error(send.sent));
    }
    this.#batch.clear(writeEnded);
    this.#tellIdle();
  }

  #tellIdle(): void {
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const wake of waiters) wake();
  }
}
