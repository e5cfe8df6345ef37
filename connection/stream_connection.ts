import { SocketError } from "../errors.ts";
import type {
  Address,
  CloseOptions,
  Connection,
  OperationOptions,
  ProxyHeader,
  ReceivedProxyHeader,
  RecvOptions,
  Transport,
} from "../types.ts";
import { invalidInput, isArray } from "../core/arguments.ts";
import { Cancellation, unlessCancelled } from "../core/cancellation.ts";
import { ConnectionState } from "./connection_state.ts";
import { DisconnectWatch } from "./disconnect_watch.ts";
import { fromCodec, toSocketError } from "../core/error_mapping.ts";
import { closeGracefully, type CloseLimits, readCloseLimits } from "./graceful_close.ts";
import { ProcessHold } from "./process_hold.ts";
import type { StreamReader } from "./pending_receive.ts";
import { Receiver } from "./receiver.ts";
import { Sender } from "./sender.ts";
import { WebStreams } from "./web_streams.ts";

/** How many bytes of sends may wait where nothing else is said. */
export const DEFAULT_SEND_QUEUE_LIMIT = 16 * 1024 * 1024;

/** A connection over any transport. It knows two directions and how they end, and nothing of TCP. */
export class StreamConnection implements Connection {
  readonly #state: ConnectionState;
  readonly #sender: Sender;
  readonly #receiver: Receiver;
  #views: WebStreams | undefined;
  #disconnectWatch: DisconnectWatch | undefined;
  #processHold: ProcessHold | undefined;
  #writeEnd: Promise<void> | undefined;
  #closingWrites: Set<Promise<void>> | undefined;
  #closing: Promise<void> | undefined;
  #onDropped: (() => void)[] | undefined;

  /** Asks for the fields, not the prototype, which a proxy or an heir has as well. */
  static is(handle: unknown): handle is StreamConnection {
    return typeof handle === "object" && handle !== null && #state in handle;
  }

  /** @param transport One of the runtime's own, or a foreign one in its wrapper. */
  constructor(transport: Transport, sendQueueLimit: number) {
    this.#state = new ConnectionState(transport);
    this.#sender = new Sender(this.#state, sendQueueLimit, this);
    this.#receiver = new Receiver(this.#state, this.#sender);
  }

  get localAddress(): Address {
    return this.#state.localAddress;
  }

  get remoteAddress(): Address {
    return this.#state.remoteAddress;
  }

  get proxy(): ReceivedProxyHeader | undefined {
    return this.#state.proxy;
  }

  get bytesSent(): number {
    return this.#sender.bytesSent;
  }

  get bytesReceived(): number {
    return this.#state.bytesReceived;
  }

  /** How many bytes have come, whether a call has asked for them or not. */
  get bytesArrived(): number {
    return this.#state.bytesReceived + this.#receiver.unread;
  }

  get bytesQueued(): number {
    return this.#sender.bytesQueued;
  }

  /** Whether the peer's end of stream, or a breakage, has been seen: nothing more will come. */
  get readEnded(): boolean {
    return this.#state.readEnded;
  }

  /** Whether this side has closed or aborted. */
  get closed(): boolean {
    return this.#state.closed;
  }

  /** Reads what comes next, and keeps it for the next receiving call. */
  readAhead(): void {
    this.#receiver.readAhead();
  }

  /** Aborts when the peer has left, or this side closes. */
  disconnectSignal(): AbortSignal {
    this.#disconnectWatch ??= new DisconnectWatch(this.#state, this.#receiver, this.#hold);
    return this.#disconnectWatch.signal;
  }

  /** Whether calls that wait keep the process alive. A close does in any case. */
  setReferenced(on: boolean): void {
    if (!this.#state.closed) this.#hold.want(on);
  }

  get #hold(): ProcessHold {
    return this.#processHold ??= new ProcessHold(this.#state.transport);
  }

  get readable(): Connection["readable"] {
    return this.#streams.readable;
  }

  get writable(): Connection["writable"] {
    return this.#streams.writable;
  }

  send(bytes: Uint8Array, options: OperationOptions | undefined): Promise<void> {
    return this.#sender.send(bytes, options);
  }

  flush(options: OperationOptions | undefined): Promise<void> {
    return this.#sender.flush(options);
  }

  recv(options: RecvOptions | undefined): Promise<Uint8Array<ArrayBuffer> | null> {
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

  /** Sends what a codec made of a frame, all of it or nothing. */
  sendEncoded(
    encoded: Uint8Array | readonly Uint8Array[],
    options: OperationOptions | undefined,
  ): Promise<void> {
    return isArray(encoded)
      ? this.#sender.sendPieces(encoded, options, "sendFrame")
      : this.#sender.send(encoded, options, "sendFrame");
  }

  /** Notes on whose behalf the peer connects, as its header says. */
  applyProxyHeader(header: ProxyHeader): ReceivedProxyHeader {
    const peer = this.#state.proxy?.peer ?? this.remoteAddress;
    const received = Object.freeze({ ...header, peer });
    this.#state.relay(received);
    return received;
  }

  /** An error of a codec that was run for this connection. */
  codecError(error: unknown, operation: string): SocketError {
    return fromCodec(error, operation, this.#state.peer);
  }

  /** Ends the sending direction once; a caller that is cancelled only stops waiting for it. */
  closeWrite(options: OperationOptions | undefined): Promise<void> {
    const pending = this.#closingWrites ??= new Set();
    const ended = this.#closeWrite(options).finally(() => pending.delete(ended));
    pending.add(ended);
    return ended;
  }

  async #closeWrite(options: OperationOptions | undefined): Promise<void> {
    const cancellation = Cancellation.read("closeWrite", options);
    if (this.#state.closed) throw this.#state.closedError("closeWrite");
    if (this.#state.transport.closeWrite === undefined) {
      throw new SocketError("Unsupported", "closeWrite", "the transport cannot half-close", {
        address: this.#state.peer,
      });
    }
    await unlessCancelled(this.#endWriting(), cancellation, this.#state);
  }

  /** Closes gracefully; a caller that is cancelled makes it an abort. */
  async close(options: CloseOptions | undefined): Promise<void> {
    const cancellation = Cancellation.read("close", options);
    const limits = readCloseLimits(options);
    if (this.#state.dropped) return;
    if (cancellation?.already === undefined) this.#closing ??= this.#close(limits);
    await unlessCancelled(this.#closing, cancellation, this.#state, () => this.abort());
  }

  /** Drops everything now. */
  abort(): void {
    if (this.#state.dropped) return;
    this.#state.closed = this.#state.dropped = true;
    try {
      this.#state.transport.close();
    } catch {
      // Closed underneath already: that is what was wanted.
    }
    this.#receiver.close();
    this.#sender.abort();
    // As with sends that nobody awaits: where this side closes, the loss is its own doing.
    for (const ended of this.#closingWrites ?? []) ended.catch(() => {});
    for (const wake of this.#onDropped ?? []) wake();
    this.#onClosed();
  }

  #onClosed(): void {
    this.#processHold?.want(true);
    this.#disconnectWatch?.check();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array<ArrayBuffer>> {
    for (;;) {
      const bytes = await this.recv(undefined);
      if (bytes === null) return;
      yield bytes;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(undefined);
  }

  /** What a console shows: the state that a reader of a log wants, not the machinery. */
  [Symbol.for("Deno.customInspect")](
    inspect: (value: unknown, options: unknown) => string,
    options: unknown,
  ): string {
    const { localAddress, remoteAddress, bytesSent, bytesReceived } = this;
    return `Connection ${
      inspect({ localAddress, remoteAddress, bytesSent, bytesReceived }, options)
    }`;
  }

  get #streams(): WebStreams {
    const [sender, receiver] = [this.#sender, this.#receiver];
    return this.#views ??= new WebStreams({
      get receivesDirectly(): boolean {
        return receiver.receivesDirectly;
      },
      recvDirectly: (call) => receiver.recvDirectly(call),
      leave: () => receiver.leave(),
      busy: () => receiver.busy(),
      waitFree: () => receiver.waitFree(),
      send: (bytes) => this.send(bytes, undefined),
      get idle(): boolean {
        return sender.idle;
      },
      whenSent: () => sender.waitIdle(),
      closeWrite: () => this.closeWrite(undefined),
      closeLater: () => void this.close(undefined).catch(() => {}),
      abort: () => this.abort(),
    });
  }

  /** Closes for a server, whose handler has returned. */
  closeAfterHandler(limits: CloseLimits): Promise<void> {
    if (this.#state.dropped) return Promise.resolve();
    return this.#closing ??= this.#close(limits);
  }

  #close(limits: CloseLimits): Promise<void> {
    this.#state.closed = true;
    this.#receiver.close();
    this.#sender.silence();
    const closed = closeGracefully({
      state: this.#state,
      sender: this.#sender,
      receiver: this.#receiver,
      endWriting: () => this.#endWriting(),
      whenDropped: new Promise<void>((resolve) => (this.#onDropped ??= []).push(resolve)),
      abort: () => this.abort(),
    }, limits);
    // Nobody may be waiting any more when it fails; those who are get it from their own await.
    closed.catch(() => {});
    this.#onClosed();
    return closed;
  }

  #endWriting(): Promise<void> {
    if (this.#writeEnd === undefined) {
      this.#sender.finish();
      this.#writeEnd = this.#flushAndEnd();
      this.#writeEnd.catch(() => {});
    }
    return this.#writeEnd;
  }

  async #flushAndEnd(): Promise<void> {
    const state = this.#state;
    await this.#sender.waitIdle();
    if (state.dropped) throw state.closedError("closeWrite");
    const breakage = state.sendBreakage ?? state.breakage;
    if (breakage !== undefined) throw state.brokenError(breakage, "closeWrite");
    try {
      await state.transport.closeWrite?.();
    } catch (error) {
      if (state.dropped) throw state.closedError("closeWrite");
      throw toSocketError(error, "closeWrite", { address: state.peer });
    }
  }
}

/** The error for a handle that is something else. */
export function notAConnection(operation: string): SocketError {
  return invalidInput(
    operation,
    "the first argument is not a Connection of connect, accept or connectionOver",
  );
}
