import { isNamed, toSocketAddress } from "../core/address_check.ts";
import { toSocketError } from "../core/error_mapping.ts";
import { SocketError } from "../errors.ts";
import type { SocketAddress, Transport } from "../types.ts";

/**
 * The life of a connection. From `closing` on every call is `Closed`, while sent data still leaves. When it is
 * `closed`, the transport is closed too, and nothing that is pending brings anything.
 */
export type Phase = "open" | "closing" | "closed";

/** An error as the transport threw it. A `SocketError` is made of it for each call that meets it. */
export interface Failure {
  readonly error: unknown;
}

/** Learns when the peer has ended its side, and when a direction has broken. */
export interface StateObserver {
  onStateChange(): void;
}

const NO_OBSERVERS: readonly StateObserver[] = [];

/** The state that both directions of a connection share. Only its own methods change `phase` and the failures. */
export class ConnectionState {
  readonly transport: Transport;
  /** Bytes that receiving calls have given. */
  bytesReceived = 0;
  /** The value of `bytesReceived` at the end of a PROXY header, if one was received. */
  headerEnd: number | undefined;

  #phase: Phase = "open";
  #peerEnded = false;
  #failure: Failure | undefined;
  #sendFailure: Failure | undefined;
  #failureBeforeClose: Failure | undefined;
  #tornBy: SocketError | undefined;
  #reserved = false;
  #givenUp: SocketError | undefined;
  #endError: SocketError | undefined;
  #observers: readonly StateObserver[] = NO_OBSERVERS;
  #closeWaiters: (() => void)[] | undefined;
  #localAddress: SocketAddress | undefined;
  #peerAddress: SocketAddress | undefined;
  #clientAddress: SocketAddress | undefined;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** True after the peer has ended its side in order. */
  get peerEnded(): boolean {
    return this.#peerEnded;
  }

  /** The failure that broke both directions. */
  get failure(): Failure | undefined {
    return this.#failure;
  }

  /** The failure that broke the sending direction. It is the only one if the peer is gone but its data still waits. */
  get sendFailure(): Failure | undefined {
    return this.#sendFailure;
  }

  /** True if nothing more can be received, because the peer has ended its side or the connection is broken. */
  get readEnded(): boolean {
    return this.#peerEnded || this.#failure !== undefined;
  }

  observe(observer: StateObserver): void {
    // `push` would make room for 17 of them, and most connections have one.
    this.#observers = this.#observers === NO_OBSERVERS
      ? [observer]
      : [...this.#observers, observer];
  }

  #notify(): void {
    for (const observer of this.#observers) observer.onStateChange();
  }

  /** Notes the peer's end of stream. */
  endReceiving(): void {
    this.#peerEnded = true;
    this.#notify();
  }

  /** Notes an error of a read: the connection is broken in both directions. */
  breakReceiving(error: unknown): void {
    this.#failure ??= { error };
    this.#notify();
  }

  /**
   * Notes an error of a write. EPIPE says only that the peer takes nothing more: its earlier data and its end of stream
   * can still be read.
   */
  breakSending(error: unknown): void {
    if (toSocketError(error, "send").kind !== "BrokenPipe") this.#failure ??= { error };
    this.#sendFailure ??= this.#failure ?? { error };
    this.#notify();
  }

  /** Begins to close: this side wants nothing more, and sent data still leaves. */
  beginClose(): void {
    if (this.#phase !== "open") return;
    this.#phase = "closing";
    this.#failureBeforeClose = this.#failure;
  }

  /** Notes the error with which this side gives a silent peer up: calls reject with it, though this side closes. */
  giveUp(error: SocketError): void {
    if (this.#phase === "open") this.#givenUp = error;
  }

  /** Notes the reason for the end of the connection, for those who observe or count it. */
  noteEndError(error: SocketError): void {
    if (this.#phase !== "closed") this.#endError ??= error;
  }

  /** The error that ended the connection, or has broken it. */
  get endError(): SocketError | undefined {
    const known = this.#endError ?? this.#givenUp ?? this.#tornBy;
    if (known !== undefined) return known;
    if (this.#sendFailure !== undefined) return this.brokenError(this.#sendFailure, "send");
    return this.#failure && this.brokenError(this.#failure, "recv");
  }

  /**
   * Closes the transport. It returns false if that was done before.
   *
   * @param tornBy The error of the send that had to be given up half-way, if one was.
   */
  close(tornBy: SocketError | undefined): boolean {
    if (this.#phase === "closed") return false;
    this.beginClose();
    this.#phase = "closed";
    this.#tornBy = tornBy;
    try {
      this.transport.close();
    } catch {
      // It was closed underneath.
    }
    for (const wake of this.#closeWaiters ?? []) wake();
    return true;
  }

  /** True if the transport is about to be given away: no call may begin meanwhile. */
  get reserved(): boolean {
    return this.#reserved;
  }

  /** Sets if the transport is about to be given away. */
  setReserved(on: boolean): void {
    this.#reserved = on;
    this.#notify();
  }

  /** Gives the transport away: the connection is closed, and the transport is not. */
  handOver(): void {
    this.#phase = "closed";
    for (const wake of this.#closeWaiters ?? []) wake();
  }

  /** Resolves when the transport is closed. */
  waitClosed(): Promise<void> {
    return new Promise((resolve) => (this.#closeWaiters ??= []).push(resolve));
  }

  /** True if this side closes or has closed, or if a call has found a direction broken. */
  get lost(): boolean {
    return this.#phase !== "open" || this.#sendFailure !== undefined ||
      this.#failure !== undefined;
  }

  /** Resolves when the transport is closed, or when a direction has broken. */
  waitLost(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.lost) resolve();
    this.observe({
      onStateChange: () => {
        if (this.lost) resolve();
      },
    });
    this.waitClosed().then(resolve);
    return promise;
  }

  get localAddress(): SocketAddress {
    return this.#localAddress ??= toSocketAddress(this.transport.localAddr);
  }

  /** The address of the peer that the connection really comes from: a proxy, if there is one. */
  get peerAddress(): SocketAddress {
    return this.#peerAddress ??= toSocketAddress(this.transport.remoteAddr);
  }

  /** The client's address if a PROXY header named it, else the peer's. */
  get remoteAddress(): SocketAddress {
    return this.#clientAddress ?? this.peerAddress;
  }

  /** Notes the client for whom the peer connects. */
  setClientAddress(client: SocketAddress): void {
    this.#clientAddress = client;
  }

  /** The address for messages, undefined if the transport has none. */
  get peer(): SocketAddress | undefined {
    return isNamed(this.remoteAddress) ? this.remoteAddress : undefined;
  }

  /** Makes the error of a call on a connection that this side has closed. */
  closedError(operation: string, bytesSent?: number): SocketError {
    if (this.#givenUp !== undefined) {
      return this.brokenError({ error: this.#givenUp }, operation, bytesSent);
    }
    const torn = this.#tornBy;
    const reason = this.#reserved
      ? "startTls has taken the connection over"
      : "the connection is closed on this side";
    const context = { address: this.peer, bytesSent };
    if (torn === undefined) return new SocketError("Closed", operation, reason, context);
    const tear = `${torn.operation}: ${torn.reason}`;
    return new SocketError("Closed", operation, `${reason} (${tear})`, { ...context, cause: torn });
  }

  /** Makes the error of a call that meets a failure: a broken connection stays broken. */
  brokenError(failure: Failure, operation: string, bytesSent?: number): SocketError {
    const context = { address: this.peer, bytesSent, retryable: false } as const;
    return toSocketError(failure.error, operation, context);
  }

  /**
   * Returns the error of an iteration that meets this side's close, or undefined if it ends there. It fails if the
   * connection was broken or torn before: the program would take what came until then for everything.
   */
  iterationError(operation: string): SocketError | undefined {
    if ((this.#tornBy ?? this.#givenUp) !== undefined) return this.closedError(operation);
    const failure = this.#failureBeforeClose;
    return failure && this.brokenError(failure, operation);
  }
}
