import { plainBytes } from "../bytes/byte_arguments.ts";
import { isArray } from "../core/arguments.ts";
import { Cancellation, type Cancelled, cancelledError } from "../core/cancellation.ts";
import { SocketError } from "../errors.ts";
import type { OperationOptions } from "../types.ts";
import type { ConnectionState, StateObserver } from "./connection_state.ts";
import { checkPieces, joinPieces, lengthOfPieces } from "./send_pieces.ts";
import {
  goneError,
  isFlush,
  NO_MORE,
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
/** The transport is about to be given away. */
const RESERVED = 8;

/** Aborts the connection, on which calls then say what tore it. */
export interface Abortable {
  abort(tornBy: SocketError): void;
}

/**
 * The sending direction of a connection: one write at a time, sends in call order, and waiting sends bounded and
 * gathered.
 *
 * One integer, the gate, decides between the fast path (a plain write with one continuation bound beforehand) and
 * everything else. An async function in its place costs a tenth of an awaited small send, a promise of our own a
 * seventh.
 */
export class Sender implements StateObserver {
  bytesSent = 0;
  /** Called when bytes have left, while a close watches the flush. */
  onProgress: (() => void) | undefined;
  readonly #connection: Abortable;
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
   * Takes objects instead of functions: an arrow function that a constructor makes of its `this` keeps V8 from
   * collecting either while they are young, which cost 2 µs a connection.
   */
  constructor(state: ConnectionState, limit: number, connection: Abortable) {
    this.#state = state;
    this.#limit = limit;
    this.#connection = connection;
    state.observe(this);
  }

  /** Closes the gate when a read has found the connection broken: a send must not try it again. */
  onStateChange(): void {
    if (this.#state.failure !== undefined) this.#gate |= BROKEN;
    if (this.#state.reserved) this.#gate |= RESERVED;
    else this.#gate &= ~RESERVED;
  }

  /** Bytes of sends that may wait. */
  get limit(): number {
    return this.#limit;
  }

  /** True if nothing waits and nothing is being written. */
  get idle(): boolean {
    return (this.#gate & WRITING) === 0 && this.#nothingWaits;
  }

  get #nothingWaits(): boolean {
    return this.#backlog === undefined || this.#backlog.empty;
  }

  send(
    given: Uint8Array | readonly Uint8Array[],
    options: OperationOptions | undefined,
    operation: SendOperation = "send",
  ): Promise<void> {
    const length = options === undefined && given instanceof Uint8Array ? given.length : 0;
    if (length === 0) return this.#sendGiven(given, options, operation);
    const bytes = given as Uint8Array;
    if (this.#gate === READY) return this.#sendDirectly(operation, bytes, length);
    if (this.#gate === WRITING) {
      this.#backlog ??= new SendBacklog();
      const gathered = this.#backlog.gather(operation, bytes, this.#limit);
      if (gathered !== undefined) return gathered;
    }
    return this.sendPieces([bytes], options, operation);
  }

  #sendGiven(
    given: Uint8Array | readonly Uint8Array[],
    options: OperationOptions | undefined,
    operation: SendOperation,
  ): Promise<void> {
    return isArray(given)
      ? this.sendPieces(given, options, operation, joinPieces)
      : this.sendPieces([given], options, operation);
  }

  /** Resolves when every send before it has left. */
  flush(options: OperationOptions | undefined): Promise<void> {
    try {
      const cancellation = Cancellation.read("flush", options);
      this.#checkOpen("flush", cancellation?.already);
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

  /** Accepts no more sends; those that were accepted go on. */
  finish(): void {
    this.#gate |= FINISHED;
  }

  /** Resolves when nothing is left to write, or nothing can be written any more. */
  waitIdle(): Promise<void> {
    if (this.idle) return Promise.resolve();
    return new Promise((resolve) => (this.#idleWaiters ??= []).push(resolve));
  }

  /** Bytes of accepted sends that have not left. */
  get bytesQueued(): number {
    if (this.#state.phase === "closed") return 0;
    const direct = this.#directBytes === undefined ? 0 : this.#directLength;
    const backlog = this.#backlog;
    return direct + (backlog === undefined ? 0 : backlog.writing.left + backlog.bytes);
  }

  /** Keeps sends that nobody awaits from ending the process: if this side closes, the loss is its own doing. */
  ignoreRejections(): void {
    this.#directPromise?.catch(() => {});
    for (const { promise } of this.#backlog?.pending() ?? []) promise.catch(() => {});
  }

  /** Rejects everything that is pending. The transport is closed by now. */
  close(): void {
    this.#gate |= FINISHED | BROKEN;
    this.ignoreRejections();
    this.#rejectAll((operation, sent) => this.#state.closedError(operation, sent), false);
  }

  /** Throws if a call cannot begin: the connection is closed, the sending side has ended, or it is cancelled (E10). */
  #checkOpen(operation: SendOperation, cancelled: Cancelled | undefined): void {
    const state = this.#state;
    if (state.phase !== "open" || state.reserved) throw state.closedError(operation);
    if ((this.#gate & FINISHED) !== 0 && operation !== "flush") {
      const reason = "closeWrite has ended the sending side";
      throw new SocketError("Closed", operation, reason, { address: state.peer });
    }
    if (cancelled !== undefined) throw cancelledError(cancelled, operation, state.peer);
  }

  /**
   * Sends pieces as one: all of them leave, one after the other, or none does.
   *
   * @param join Makes fewer pieces of them, once it is certain that the queue has room.
   * @param mustLeave True if what is sent later depends on these bytes. Then `checkCanSend` has answered for the queue's
   * room, and the connection is aborted if they do not leave.
   */
  sendPieces(
    pieces: readonly Uint8Array[],
    options: OperationOptions | undefined,
    operation: SendOperation,
    join?: typeof joinPieces,
    mustLeave: boolean = false,
  ): Promise<void> {
    try {
      const checked = checkPieces(operation, pieces);
      const length = lengthOfPieces(checked);
      const cancellation = Cancellation.read(operation, options);
      this.#checkOpen(operation, cancellation?.already);
      if (length === 0) return Promise.resolve();
      if (!mustLeave) this.#checkRoom(operation, length);
      this.#checkUnbroken(operation);
      const [bytes, ...more] = join === undefined ? checked : join(checked);
      if (join !== undefined && more.length === 0 && cancellation === undefined) {
        return this.#sendJoined(operation, bytes, mustLeave);
      }
      return this.#enqueue(
        pendingSend(operation, bytes, length, more, mustLeave),
        cancellation,
      );
    } catch (error) {
      // After they were encoded, a codec may have aborted the signal, or transferred the bytes.
      if (mustLeave && this.#takesMore) this.#connection.abort(error as SocketError);
      return Promise.reject(error);
    }
  }

  /** Sends pieces that became one and that nothing can cancel, as `send` does with bytes. */
  #sendJoined(operation: SendOperation, bytes: Uint8Array, mustLeave: boolean): Promise<void> {
    const { length } = bytes;
    if (this.#gate === READY) return this.#sendDirectly(operation, bytes, length);
    return this.#backlog?.gather(operation, bytes, this.#limit) ??
      this.#enqueue(pendingSend(operation, bytes, length, NO_MORE, mustLeave), undefined);
  }

  /** Throws if a send cannot begin, before its bytes are made. A byte must have room in the queue. */
  checkCanSend(operation: SendOperation, options: OperationOptions | undefined): void {
    this.#checkOpen(operation, Cancellation.read(operation, options)?.already);
    this.#checkRoom(operation, 1);
    this.#checkUnbroken(operation);
  }

  /** Throws if nothing can be sent any more. */
  checkUsable(operation: SendOperation): void {
    this.#checkOpen(operation, undefined);
    this.#checkUnbroken(operation);
  }

  #checkRoom(operation: SendOperation, length: number): void {
    const waiting = this.#backlog?.bytes ?? 0;
    if (!this.idle && waiting + length > this.#limit) {
      throw queueFullError(operation, this.#state.peer, { waiting, length, limit: this.#limit });
    }
  }

  #checkUnbroken(operation: SendOperation): void {
    const failure = this.#state.sendFailure ?? this.#state.failure;
    if (failure !== undefined) throw this.#state.brokenError(failure, operation);
  }

  /** True if a later send could still leave. */
  get #takesMore(): boolean {
    return this.#state.phase === "open" && (this.#gate & (FINISHED | BROKEN)) === 0;
  }

  #enqueue(send: PendingSend, cancellation: Cancellation | undefined): Promise<void> {
    send.stop = cancellation?.watch((why) => this.#cancel(send, why), this.#state.peer);
    this.#backlog ??= new SendBacklog();
    this.#backlog.queue.push(send);
    if ((this.#gate & WRITING) === 0) this.#writeNext(this.#backlog);
    return send.promise;
  }

  #cancel(send: PendingSend, why: Cancelled): void {
    const { operation, sent, length } = send;
    const { peer } = this.#state;
    if (!send.handed) this.#backlog!.queue.remove(send);
    if (send.handed || send.mustLeave) {
      const reason =
        `${why.reason}; ${sent} of ${length} bytes had left, the connection is aborted`;
      this.#tear(send, cancelledError({ ...why, reason }, operation, peer, sent));
    } else {
      send.reject(cancelledError(why, operation, peer));
    }
  }

  /** Gives up a send that the runtime has. The peer would take what follows for the rest of it. */
  #tear({ reject }: PendingSend, error: SocketError): void {
    reject(error);
    this.#connection.abort(error);
  }

  readonly #onDirect = (written: number): Promise<void> | undefined => {
    const bytes = this.#directBytes!;
    const length = this.#directLength;
    this.#directBytes = undefined;
    if (written === length && this.#gate === WRITING && this.#nothingWaits) {
      this.bytesSent += written;
      this.#gate = READY;
      this.#directPromise = undefined;
      return undefined;
    }
    if (this.#state.phase === "closed") {
      this.bytesSent += written;
      if (written === length) return undefined;
      throw this.#state.closedError(this.#directOperation, written);
    }
    // Partly written, or others wait behind it: from here on it is a batch of one.
    const send = pendingSend(this.#directOperation, plainBytes(bytes), length);
    this.#backlog ??= new SendBacklog();
    this.#backlog.writing.adopt(send);
    this.#onWritten(this.#backlog, written);
    return send.promise;
  };

  readonly #onDirectError = (error: unknown): never => {
    const whole = this.#directBytes!.length === this.#directLength;
    this.#directBytes = undefined;
    if (!whole && this.#state.phase !== "closed") {
      const gone = goneError(this.#directOperation, this.#state.peer, 0);
      this.#connection.abort(gone);
      throw gone;
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
    this.#wakeIdle();
  }

  #write(backlog: SendBacklog): void {
    const { bytes } = backlog.writing;
    if (bytes !== undefined) {
      // Closures made here, since few connections ever come here.
      this.#state.transport.write(bytes)
        .then((count) => this.#onWritten(backlog, count), (error) => this.#onError(backlog, error));
      return;
    }
    const [send] = backlog.writing.sends;
    this.#tear(send, goneError(send.operation, this.#state.peer, send.sent));
  }

  /** If a resize takes memory away from under a write, that is an EFAULT, which says nothing of the peer. */
  #onError(backlog: SendBacklog, error: unknown): void {
    if (this.#state.phase === "closed" || backlog.writing.bytes !== undefined) this.#fail(error);
    else this.#write(backlog);
  }

  #onWritten(backlog: SendBacklog, written: number): void {
    if (this.#state.phase === "closed") return backlog.clear(true);
    this.bytesSent += written;
    backlog.writing.credit(written);
    this.onProgress?.();
    if (backlog.writing.left > 0) return this.#write(backlog);
    backlog.writing.clear(true);
    this.#writeNext(backlog);
  }

  #fail(error: unknown): void {
    if (this.#state.phase !== "closed") this.#state.breakSending(error);
    this.#gate = this.#gate & ~WRITING | BROKEN;
    this.#rejectAll((operation, sent) => this.#failure(operation, sent), true);
  }

  #failure(operation: SendOperation, sent: number | undefined): SocketError {
    const { phase, sendFailure } = this.#state;
    return phase === "closed" || sendFailure === undefined
      ? this.#state.closedError(operation, sent)
      : this.#state.brokenError(sendFailure, operation, sent);
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
    this.#wakeIdle();
  }

  #wakeIdle(): void {
    const waiters = this.#idleWaiters ?? [];
    this.#idleWaiters = undefined;
    for (const wake of waiters) wake();
  }
}
