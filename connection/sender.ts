import { checkBytes, isBytes, keepsItsLength, plainBytes } from "../bytes/byte_arguments.ts";
import { SocketError } from "../errors.ts";
import type { OperationOptions } from "../types.ts";
import { Cancellation, type Cancelled, cancelledError } from "../core/cancellation.ts";
import type { ConnectionState } from "./connection_state.ts";
import {
  goneError,
  isFlush,
  type PendingSend,
  pendingSend,
  queueFullError,
  SendBacklog,
  type SendOperation,
} from "./send_queue.ts";

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
  /** Is given up where a torn send leaves no choice. */
  readonly #connection: { abort(): void };
  readonly #state: ConnectionState;
  readonly #limit: number;
  #backlog: SendBacklog | undefined;
  #gate = READY;
  #directBytes: Uint8Array | undefined;
  #directLength = 0;
  #directOperation: SendOperation = "send";
  #directPromise: Promise<void> | undefined;
  #idleWaiters: (() => void)[] | undefined;

  /**
   * Takes objects where functions would do: an arrow function that a constructor makes of its `this` keeps
   * V8 from collecting either while they are young, which cost 2 µs a connection.
   */
  constructor(state: ConnectionState, limit: number, connection: { abort(): void }) {
    this.#state = state;
    this.#limit = limit;
    this.#connection = connection;
    state.sendingSide = this;
  }

  /** What broke while receiving must not be tried again by a send. */
  refuse(): void {
    this.#gate |= BROKEN;
  }

  /** Nothing waits and nothing is being written. */
  get idle(): boolean {
    return (this.#gate & WRITING) === 0 && this.#nothingWaits;
  }

  get #nothingWaits(): boolean {
    return this.#backlog === undefined || this.#backlog.empty;
  }

  send(
    given: Uint8Array,
    options: OperationOptions | undefined,
    operation: SendOperation = "send",
  ): Promise<void> {
    const length = options === undefined && isBytes(given) ? given.length : 0;
    // As it is: to look at its prototype as well would be 3 % of an awaited small send.
    if (length !== 0 && this.#gate === READY) return this.#sendDirectly(operation, given, length);
    if (length !== 0 && this.#gate === WRITING) {
      this.#backlog ??= new SendBacklog();
      const gathered = this.#backlog.gather(operation, plainBytes(given), this.#limit);
      if (gathered !== undefined) return gathered;
    }
    return this.#sendSlowly(operation, given, [], options);
  }

  /** Sends pieces as one: all of them leave one after the other, or none does. */
  sendPieces(
    pieces: readonly Uint8Array[],
    options: OperationOptions | undefined,
    operation: SendOperation,
  ): Promise<void> {
    return this.#sendSlowly(operation, pieces[0] ?? EMPTY, pieces.slice(1), options);
  }

  /** Resolves when everything that was sent before it has left. */
  flush(options: OperationOptions | undefined): Promise<void> {
    try {
      const cancellation = Cancellation.read("flush", options);
      const problem = this.problem("flush", cancellation?.already);
      if (problem !== undefined) throw problem;
      if (!this.idle) return this.#enqueue(pendingSend("flush", EMPTY, 0), cancellation);
      this.#checkUnbroken("flush");
      return Promise.resolve();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #sendDirectly(operation: SendOperation, bytes: Uint8Array, length: number): Promise<void> {
    this.#gate = WRITING;
    this.#directOperation = operation;
    this.#directBytes = bytes;
    this.#directLength = length;
    return this.#directPromise = this.#state.transport.write(bytes)
      .then(this.#onDirect, this.#onDirectError);
  }

  /** Ends the sending direction for the callers: what was accepted goes on, nothing more is. */
  finish(): void {
    this.#gate |= FINISHED;
  }

  /** Resolves once nothing is left to write, or nothing can be written any more. */
  waitIdle(): Promise<void> {
    if (this.idle) return Promise.resolve();
    return new Promise((resolve) => (this.#idleWaiters ??= []).push(resolve));
  }

  /** Bytes of accepted sends that have not left. */
  get bytesQueued(): number {
    if (this.#state.dropped) return 0;
    const direct = this.#directBytes === undefined ? 0 : this.#directLength;
    const backlog = this.#backlog;
    return direct + (backlog === undefined ? 0 : backlog.writing.left + backlog.bytes);
  }

  /**
   * Keeps pending sends that nobody awaits from ending the process: where this side closes, the loss
   * is its own doing.
   */
  silence(): void {
    this.#directPromise?.catch(() => {});
    for (const { promise } of this.#backlog?.pending() ?? []) promise.catch(() => {});
  }

  /** Rejects everything pending; the transport is closed by now. */
  abort(): void {
    this.#gate |= FINISHED | BROKEN;
    this.silence();
    this.#rejectAll((operation, sent) => this.#state.closedError(operation, sent), false);
  }

  /** The error that a call on the sending direction meets, if there is one; E10's order. */
  problem(operation: string, cancelled?: Cancelled): SocketError | undefined {
    if (this.#state.closed) return this.#state.closedError(operation);
    const finished = (this.#gate & FINISHED) !== 0;
    if (finished && operation !== "closeWrite" && operation !== "flush") {
      return new SocketError("Closed", operation, "closeWrite has ended the sending side", {
        address: this.#state.peer,
      });
    }
    return cancelled && cancelledError(cancelled, operation, this.#state.peer);
  }

  #sendSlowly(
    operation: SendOperation,
    given: Uint8Array,
    givenPieces: readonly Uint8Array[],
    options: OperationOptions | undefined,
  ): Promise<void> {
    try {
      const bytes = checkBytes(operation, "bytes", given);
      const more = givenPieces.map((piece) => checkBytes(operation, "a piece", piece));
      const length = more.reduce((sum, piece) => sum + piece.length, bytes.length);
      const cancellation = Cancellation.read(operation, options);
      const problem = this.problem(operation, cancellation?.already);
      if (problem !== undefined) throw problem;
      if (length === 0) return Promise.resolve();
      this.#checkRoom(operation, length);
      return this.#enqueue(pendingSend(operation, bytes, length, more), cancellation);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #checkRoom(operation: SendOperation, length: number): void {
    const waiting = this.#backlog?.bytes ?? 0;
    if (!this.idle && waiting + length > this.#limit) {
      throw queueFullError(operation, this.#state.peer, { waiting, length, limit: this.#limit });
    }
    this.#checkUnbroken(operation);
  }

  #checkUnbroken(operation: SendOperation): void {
    const breakage = this.#state.sendBreakage ?? this.#state.breakage;
    if (breakage !== undefined) throw this.#state.brokenError(breakage, operation);
  }

  #enqueue(send: PendingSend, cancellation: Cancellation | undefined): Promise<void> {
    send.stop = cancellation?.watch((why) => this.#cancel(send, why), this.#state.peer);
    this.#backlog ??= new SendBacklog();
    this.#backlog.push(send);
    if ((this.#gate & WRITING) === 0) this.#writeNext(this.#backlog);
    return send.promise;
  }

  #cancel(send: PendingSend, why: Cancelled): void {
    const { peer } = this.#state;
    if (send.handed) {
      send.reject(cancelledError(why, send.operation, peer, send.sent));
      this.#connection.abort();
    } else {
      this.#backlog!.remove(send);
      send.reject(cancelledError(why, send.operation, peer));
    }
  }

  readonly #onDirect = (written: number): Promise<void> | undefined => {
    const given = this.#directBytes!;
    let length = this.#directLength;
    this.#directBytes = undefined;
    if (written === length && this.#gate === WRITING && this.#nothingWaits) {
      this.bytesSent += written;
      this.#gate = READY;
      this.#directPromise = undefined;
      return undefined;
    }
    // It is here that a length that was not the array's own shows; one that was, and is no more, is a loss.
    const bytes = plainBytes(given);
    if (bytes !== given && keepsItsLength(given)) length = bytes.length;
    if (this.#state.dropped) {
      this.bytesSent += written;
      if (written === length) return undefined;
      throw this.#state.closedError(this.#directOperation, written);
    }
    // Partly written, or others wait behind it: from here on it is a batch of one.
    const send = pendingSend(this.#directOperation, bytes, length);
    this.#backlog ??= new SendBacklog();
    this.#backlog.writing.adopt(send);
    this.#onWritten(this.#backlog, written);
    return send.promise;
  };

  readonly #onDirectError = (error: unknown): never => {
    const whole = plainBytes(this.#directBytes!).length === this.#directLength;
    this.#directBytes = undefined;
    if (!whole && !this.#state.dropped) {
      this.#connection.abort();
      throw goneError(this.#directOperation, this.#state.peer, 0);
    }
    this.#fail(error);
    throw this.#failure(this.#directOperation, 0);
  };

  #writeNext(backlog: SendBacklog): void {
    if (backlog.advance()) {
      this.#gate |= WRITING;
      return this.#write(backlog);
    }
    this.#gate &= ~WRITING;
    this.#tellIdle();
  }

  #write(backlog: SendBacklog): void {
    const { bytes } = backlog.writing;
    if (bytes !== undefined) {
      // Closures made here, since few connections ever come here.
      this.#state.transport.write(bytes)
        .then((count) => this.#onWritten(backlog, count), (error) => this.#onError(backlog, error));
      return;
    }
    // The others that wait have done nothing wrong: they are closed with the connection.
    const [{ operation, sent, reject }] = backlog.writing.sends;
    reject(goneError(operation, this.#state.peer, sent));
    this.#connection.abort();
  }

  /** Memory that a resize took away from under a write is an EFAULT, which says nothing of the peer. */
  #onError(backlog: SendBacklog, error: unknown): void {
    if (this.#state.dropped || backlog.writing.bytes !== undefined) this.#fail(error);
    else this.#write(backlog);
  }

  #onWritten(backlog: SendBacklog, written: number): void {
    if (this.#state.dropped) return backlog.clear(true);
    this.bytesSent += written;
    backlog.writing.credit(written);
    this.onProgress?.();
    if (backlog.writing.left > 0) return this.#write(backlog);
    backlog.writing.clear(true);
    this.#writeNext(backlog);
  }

  #fail(error: unknown): void {
    if (!this.#state.dropped) this.#state.breakSending(error);
    this.#gate = this.#gate & ~WRITING | BROKEN;
    this.#rejectAll((operation, sent) => this.#failure(operation, sent), true);
  }

  #failure(operation: SendOperation, sent: number | undefined): SocketError {
    const { dropped, sendBreakage } = this.#state;
    return dropped || sendBreakage === undefined
      ? this.#state.closedError(operation, sent)
      : this.#state.brokenError(sendBreakage, operation, sent);
  }

  #rejectAll(
    toError: (operation: SendOperation, sent?: number) => SocketError,
    writeEnded: boolean,
  ): void {
    const pending = this.#backlog?.pending() ?? [];
    this.#backlog?.clear(writeEnded);
    for (const send of pending) {
      send.stop?.();
      if (isFlush(send)) send.reject(toError(send.operation));
      else if (send.sent < send.length) send.reject(toError(send.operation, send.sent));
    }
    this.#tellIdle();
  }

  #tellIdle(): void {
    const waiters = this.#idleWaiters ?? [];
    this.#idleWaiters = undefined;
    for (const wake of waiters) wake();
  }
}
