import { invalidInput, isArray } from "../core/arguments.ts";
import { Cancellation, waitUnlessCancelled } from "../core/cancellation.ts";
import { fromCodec } from "../core/error_mapping.ts";
import type { SocketError } from "../errors.ts";
import { durationSince, observed, openingTime, report } from "../observe/observers.ts";
import type {
  CloseOptions,
  Connection,
  OperationOptions,
  ProxyHeader,
  ReceivedProxyHeader,
  RecvOptions,
  SocketAddress,
  Transport,
} from "../types.ts";
import { CheckedTransport } from "./checked_transport.ts";
import { ConnectionState } from "./connection_state.ts";
import { DisconnectWatch } from "./disconnect_watch.ts";
import { type CloseLimits, deliver, readCloseLimits } from "./graceful_close.ts";
import { HandOver } from "./hand_over.ts";
import type { HandedTransport } from "./handed_transport.ts";
import type { ReceivedBytes, StreamReader } from "./pending_receive.ts";
import { ReadAhead } from "./read_ahead.ts";
import { Receiver } from "./receiver.ts";
import { joinMany, joinPieces } from "./send_pieces.ts";
import type { SendOperation } from "./send_queue.ts";
import { Sender } from "./sender.ts";
import { WebStreams } from "./web_streams.ts";
import { WriteEnd } from "./write_end.ts";

/** Bytes of sends that may wait on a connection, if no option says otherwise. */
export const DEFAULT_SEND_QUEUE_LIMIT_BYTES = 16 * 1024 * 1024;

/** Learns that this side of a connection begins to close, or aborts. */
export interface CloseObserver {
  onConnectionClose(): void;
}

const NO_OBSERVERS: readonly CloseObserver[] = [];

/** A connection over any transport: two directions and how they end. */
export class StreamConnection implements Connection<SocketAddress> {
  readonly #state: ConnectionState;
  readonly #sender: Sender;
  readonly #receiver: Receiver;
  /** Time at which it was opened, for those who observe its close (ms). */
  readonly #openedAt: number;
  #writeEnd: WriteEnd | undefined;
  #streams: WebStreams | undefined;
  #readAhead: ReadAhead | undefined;
  #disconnectWatch: DisconnectWatch | undefined;
  #closeObservers: readonly CloseObserver[] = NO_OBSERVERS;
  #closing: Promise<void> | undefined;
  #handOver: HandOver | undefined;
  #successor: StreamConnection | undefined;

  static is(handle: unknown): handle is StreamConnection {
    return typeof handle === "object" && handle !== null && #state in handle;
  }

  /** @param transport One of the runtime's own, or a foreign one in a `CheckedTransport`. */
  constructor(transport: Transport, sendQueueLimit: number) {
    this.#state = new ConnectionState(transport);
    this.#sender = new Sender(this.#state, sendQueueLimit, this);
    this.#receiver = new Receiver(this.#state, this.#sender);
    this.#openedAt = openingTime();
  }

  get localAddress(): SocketAddress {
    return this.#state.localAddress;
  }

  get remoteAddress(): SocketAddress {
    return this.#state.remoteAddress;
  }

  get bytesSent(): number {
    return this.#sender.bytesSent;
  }

  get bytesQueued(): number {
    return this.#sender.bytesQueued;
  }

  get bytesReceived(): number {
    return this.#state.bytesReceived;
  }

  /** Bytes that have come, whether a call has asked for them or not. */
  get bytesArrived(): number {
    return this.#state.bytesReceived + this.#receiver.unread;
  }

  /** True if nothing more will come: the peer has ended its side, or the connection is broken. */
  get readEnded(): boolean {
    return this.#state.readEnded;
  }

  /** The transport that moves the bytes. */
  get transport(): Transport {
    return this.#state.transport;
  }

  /** True if this side has closed or aborted. */
  get closed(): boolean {
    return this.#state.phase !== "open";
  }

  /** The error that ended the connection, or has broken it. */
  get endError(): SocketError | undefined {
    return this.#state.endError;
  }

  /** True if a call waits for bytes of the peer. */
  get receiving(): boolean {
    return this.#receiver.receiving;
  }

  /** True if this side has closed or aborted, or if a call has found the connection broken. */
  get lost(): boolean {
    return this.#state.lost;
  }

  /** Resolves when this side has closed or aborted, or when a call has found the connection broken. */
  waitLost(): Promise<void> {
    return this.#state.waitLost();
  }

  /** Reads what comes next, and keeps it for the next receiving call. */
  readAhead(): void {
    this.#receiver.readAhead();
  }

  /**
   * Lets bytes come that no call has asked for, so that `bytesArrived` counts them. It returns false if none can come,
   * since too many wait to be received.
   */
  readMoreAhead(): boolean {
    return this.#receiver.input.reading || this.#makeReadAhead().readMore();
  }

  #makeReadAhead(): ReadAhead {
    return this.#readAhead ??= new ReadAhead(this.#state, this.#receiver);
  }

  /** Calls the observer once, when this side begins to close or aborts. */
  observeClose(observer: CloseObserver): void {
    this.#closeObservers = [...this.#closeObservers, observer];
  }

  unobserveClose(observer: CloseObserver): void {
    this.#closeObservers = this.#closeObservers.filter((one) => one !== observer);
  }

  /** Sets the most bytes that a read of the transport ever brings: a larger buffer would be for nothing. */
  protected limitReads(bytes: number): void {
    this.#receiver.input.buffer.limitReads(bytes);
  }

  /** Returns the signal that aborts when the peer has left, or when this side closes. */
  disconnectSignal(): AbortSignal {
    this.#disconnectWatch ??= new DisconnectWatch(this.#state, this.#makeReadAhead());
    return this.#disconnectWatch.signal;
  }

  /** The connection that has taken this one's place, by `startTls` once or more often, or this one itself. */
  get latest(): StreamConnection {
    return this.#successor === undefined ? this : this.#successor.latest;
  }

  /** Notes the connection that has taken this one's place, and hands on what a PROXY header said. */
  setSuccessor(successor: StreamConnection): void {
    this.#successor = successor;
    this.#handOver?.settle();
    const { remoteAddress, peerAddress } = this.#state;
    if (remoteAddress !== peerAddress) successor.#state.setClientAddress(remoteAddress);
  }

  /** Bytes of sends that may wait. */
  get sendQueueLimit(): number {
    return this.#sender.limit;
  }

  /** The address for messages, undefined if the transport has none. */
  get peer(): SocketAddress | undefined {
    return this.#state.peer;
  }

  /** Does what comes before `handOver`: see `HandOver`. */
  prepareHandOver(...args: Parameters<HandOver["prepare"]>): Promise<void> {
    this.#handOver ??= new HandOver(this.#state, this.#sender, this.#receiver);
    return this.#handOver.prepare(...args);
  }

  /** Gives the transport away, and closes the connection without it. `prepareHandOver` comes first. */
  async handOver(operation: SendOperation): Promise<HandedTransport> {
    const taking = this.#handOver!.take(operation);
    this.#closing = taking.then(() => {}, () => {});
    const handed = await taking;
    this.#onClose();
    return handed;
  }

  /** Sets if calls that wait keep the process alive. A close does in any case. */
  setReferenced(on: boolean): void {
    if (!this.closed) this.#receiver.input.setReferenced(on);
  }

  get readable(): Connection["readable"] {
    return this.#views.readable;
  }

  get writable(): Connection["writable"] {
    return this.#views.writable;
  }

  get #views(): WebStreams {
    return this.#streams ??= new WebStreams(this, this.#sender, this.#receiver);
  }

  send(bytes: Uint8Array | readonly Uint8Array[], options?: OperationOptions): Promise<void> {
    return this.#sender.send(bytes, options);
  }

  /** Sends the bytes that a codec made of a frame: all of them or none. */
  sendEncoded(
    encoded: Uint8Array | readonly Uint8Array[],
    options: OperationOptions | undefined,
  ): Promise<void> {
    return isArray(encoded)
      ? this.#sender.sendPieces(encoded, options, "sendFrame", joinMany(encoded))
      : this.#sender.send(encoded, options, "sendFrame");
  }

  /** Sends the bytes that a codec made of several frames: all of them or none. */
  sendEncodedBatch(
    pieces: readonly Uint8Array[],
    options: OperationOptions | undefined,
  ): Promise<void> {
    return this.#sender.send(pieces, options, "sendFrames");
  }

  /** Throws if a send cannot begin, before its bytes are made. */
  checkCanSend(operation: SendOperation, options: OperationOptions | undefined): void {
    this.#sender.checkCanSend(operation, options);
  }

  /** Sends bytes on which those of later sends depend: a cancel always tears the stream. `checkCanSend` comes first. */
  sendDependedOn(
    pieces: readonly Uint8Array[],
    options: OperationOptions | undefined,
    operation: SendOperation,
  ): Promise<void> {
    return this.#sender.sendPieces(pieces, options, operation, joinPieces, true);
  }

  flush(options: OperationOptions | undefined): Promise<void> {
    return this.#sender.flush(options);
  }

  recv(options: RecvOptions | undefined): Promise<ReceivedBytes | null> {
    return this.#receiver.recv(options);
  }

  recvInto(buffer: Uint8Array, options: RecvOptions | undefined): Promise<number | null> {
    return this.#receiver.recvInto(buffer, options);
  }

  /** Receives what `decoding` finds, for the functions that know frames. */
  recvDecoded<T>(
    operation: string,
    decoding: StreamReader<T>,
    options: OperationOptions | undefined,
  ): Promise<T | null> {
    return this.#receiver.recvDecoded(operation, decoding, options);
  }

  /** Makes the error of a codec that was run for this connection. */
  codecError(error: unknown, operation: string): SocketError {
    return fromCodec(error, operation, this.#state.peer);
  }

  /**
   * Notes the client that a header names, and adds the peer to the header.
   *
   * @param received Bytes that were received up to the end of the header.
   */
  applyProxyHeader(header: ProxyHeader, received: number): ReceivedProxyHeader<SocketAddress> {
    this.#state.headerEnd = received;
    if (header.source !== undefined) this.#state.setClientAddress(header.source);
    return Object.freeze({ ...header, peer: this.#state.peerAddress });
  }

  /** Ends the sending direction once. A caller that is cancelled only stops waiting for it. */
  closeWrite(options?: OperationOptions): Promise<void> {
    return this.#end.closeWrite(options);
  }

  get #end(): WriteEnd {
    return this.#writeEnd ??= new WriteEnd(this.#state, this.#sender);
  }

  /** Closes gracefully. If the caller is cancelled, it aborts. */
  async close(options?: CloseOptions): Promise<void> {
    const cancellation = Cancellation.read("close", options);
    const limits = readCloseLimits(options);
    if (this.#state.phase === "closed") return;
    const work = cancellation?.already === undefined ? this.closeAfterHandler(limits) : undefined;
    await waitUnlessCancelled(work, cancellation, this.#state, () => this.abort());
  }

  /** Closes gracefully with limits that are checked, as a server does after its handler. */
  closeAfterHandler(limits: CloseLimits): Promise<void> {
    this.#handOver?.drop();
    if (this.#state.phase === "closed") return Promise.resolve();
    if (this.#closing === undefined) {
      this.#state.beginClose();
      this.#receiver.close();
      this.#sender.ignoreRejections();
      this.#writeEnd?.ignoreRejections();
      this.#closing = this.#close(limits);
      // It may fail when nobody waits any more. Those who do wait get it from their own await.
      this.#closing.catch(() => {});
      this.#onClose();
    }
    return this.#closing;
  }

  async #close(limits: CloseLimits): Promise<void> {
    const error = await deliver({
      state: this.#state,
      sender: this.#sender,
      receiver: this.#receiver,
      writeEnd: this.#end,
    }, limits);
    if (error !== undefined) this.#state.noteEndError(error);
    this.abort();
    // The descriptor is free when the runtime has ended its read. A foreign transport may never end it.
    const foreign = this.#state.transport instanceof CheckedTransport;
    if (!foreign) await this.#receiver.input.waitQuiet();
    if (error !== undefined) throw error;
  }

  /**
   * Drops everything now.
   *
   * @param tornBy The error of the send that had to be given up half-way, if that is the reason.
   */
  abort(tornBy?: SocketError): void {
    this.#handOver?.drop();
    if (!this.#state.close(tornBy)) return;
    this.#receiver.close();
    this.#sender.close();
    this.#writeEnd?.ignoreRejections();
    this.#onClose();
    if (observed.close !== undefined) this.#reportClose();
  }

  /** Drops everything now, for a reason that does not show in the errors of calls. */
  abortBecause(reason: SocketError): void {
    this.#state.noteEndError(reason);
    this.abort();
  }

  #reportClose(): void {
    const { bytesSent, bytesReceived, endError } = this;
    report("close", {
      connection: this,
      bytesSent,
      bytesReceived,
      duration: durationSince(this.#openedAt),
      ...endError === undefined ? {} : { error: endError },
    });
  }

  /** Drops everything, because the peer has been silent for too long: pending and later calls reject with the error. */
  giveUp(error: SocketError): void {
    this.#state.giveUp(error);
    this.abort();
  }

  #onClose(): void {
    this.#receiver.input.setReferenced(true);
    this.#readAhead?.end();
    this.#disconnectWatch?.check();
    const observers = this.#closeObservers;
    this.#closeObservers = NO_OBSERVERS;
    for (const observer of observers) observer.onConnectionClose();
  }

  [Symbol.asyncIterator](): AsyncGenerator<ReceivedBytes, void, void> {
    return this.#receiver.iterate();
  }

  /** Returns the error that an iteration throws after this side has closed, if it does not end quietly. */
  iterationError(operation: string): SocketError | undefined {
    return this.#state.iterationError(operation);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Shows the state that a reader of a log wants, and not the machinery. */
  [Symbol.for("nodejs.util.inspect.custom")](
    _depth: number,
    options: unknown,
    inspect: (value: unknown, options: unknown) => string,
  ): string {
    const { localAddress, remoteAddress, bytesSent, bytesReceived } = this;
    const shown = inspect({ localAddress, remoteAddress, bytesSent, bytesReceived }, options);
    return `Connection ${shown}`;
  }
}

/** Makes the error for a handle that is no connection. */
export function notAConnection(operation: string): SocketError {
  return invalidInput(
    operation,
    "the first argument is not a Connection of connect, accept or connectionOver",
  );
}
