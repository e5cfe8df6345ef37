import type { ChunkTransport } from "../bytes/chunk_transport.ts";
import type { TransportAddress } from "../types.ts";
import { answerInTurn } from "../core/event_loop_turn.ts";
import { closedUnderneath } from "./accept_queue.ts";
import { ReceivedChunks } from "./received_chunks.ts";

/** A socket of Bun. Deno has no types for it. */
export interface BunSocket {
  data: BunStream | undefined;
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Returns the number of bytes that the system has taken, or -1 if the socket is closed. */
  write(bytes: Uint8Array): number;
  /** Ends the sending direction. */
  shutdown(): void;
  /** Closes the socket, and lets the system deliver what it has taken. */
  close(): void;
  /** Resets the connection. */
  terminate(): void;
  pause(): void;
  resume(): void;
  ref(): void;
  unref(): void;
  setNoDelay(on: boolean): void;
  setKeepAlive(on: boolean): void;
}

/**
 * The events of a socket. The runtime takes them when a socket is opened, as one object for all of them. What comes
 * before the socket has its stream is impossible: `open` makes it.
 */
export const STREAM_EVENTS = {
  data: ({ data }: BunSocket, bytes: Uint8Array<ArrayBuffer>): void => data?.onData(bytes),
  drain: ({ data }: BunSocket): void => data?.onDrain(),
  end: ({ data }: BunSocket): void => data?.onEnd(),
  close: ({ data }: BunSocket, error: Error | undefined): void => data?.onClose(error),
  // Errors of handlers come here. The handlers above have none.
  error: (): void => {},
};

/**
 * The transport of a connection over a socket of Bun. The runtime reads up to 512 KiB at a time; after a reset it gives
 * all that had come before it, paused or not.
 */
export class BunStream extends ReceivedChunks implements ChunkTransport {
  readonly localAddr: TransportAddress;
  readonly remoteAddr: TransportAddress;
  readonly #socket: BunSocket;
  #bytes: Uint8Array | undefined;
  #write: PromiseWithResolvers<number> | undefined;
  #paused = false;
  #held = false;
  #failure: Error | undefined;
  /** True after the runtime has closed the socket, which it also does by itself. */
  #gone = false;
  #onGone: (() => void) | undefined;

  constructor(socket: BunSocket, localAddr: TransportAddress, remoteAddr: TransportAddress) {
    super();
    this.#socket = socket;
    this.localAddr = localAddr;
    this.remoteAddr = remoteAddr;
    socket.data = this;
    socket.unref();
  }

  /** Makes the transport of a TCP connection. */
  static overTcp(socket: BunSocket): BunStream {
    const { localAddress, localPort, remoteAddress, remotePort } = socket;
    return new BunStream(
      socket,
      addressOf(localAddress, localPort),
      addressOf(remoteAddress, remotePort),
    );
  }

  /** Applies the settings of a connection, whatever the runtime's own choice is. */
  applySettings({ noDelay, keepAlive }: { noDelay: boolean; keepAlive: boolean }): void {
    this.#socket.setNoDelay(noDelay);
    this.#socket.setKeepAlive(keepAlive);
  }

  write(bytes: Uint8Array): Promise<number> {
    if (this.closed) return Promise.reject(closedUnderneath());
    const count = this.#gone ? -1 : this.#socket.write(bytes);
    // A program that awaits one send after the other would keep timers and other sockets waiting for ever.
    if (count > 0) return answerInTurn(count);
    if (count < 0) return Promise.reject(this.#noteFailedWrite());
    this.#bytes = bytes;
    this.#write = Promise.withResolvers();
    this.#updateReference();
    return this.#write.promise;
  }

  closeWrite(): Promise<void> {
    if (this.closed) return Promise.reject(closedUnderneath());
    if (!this.#gone) this.#socket.shutdown();
    return this.#failure === undefined ? Promise.resolve() : Promise.reject(this.#failure);
  }

  close(): void {
    const read = this.endReads();
    const write = this.#write;
    this.#write = this.#bytes = undefined;
    write?.reject(closedUnderneath());
    // The descriptor is free when the runtime says so.
    this.#onGone = () => read?.reject(closedUnderneath());
    if (this.#gone) this.#onGone();
    else this.#socket.close();
  }

  /** True if the peer has reset the connection. The runtime has closed it then, and may not know the peer's address. */
  get lost(): boolean {
    return this.#gone && this.#failure !== undefined;
  }

  /** Closes the connection with a reset, so that the peer learns that nobody took what it sent. */
  reset(): void {
    this.endReads();
    this.#socket.terminate();
  }

  onData(bytes: Uint8Array<ArrayBuffer>): void {
    const { buffer, byteOffset, length } = bytes;
    if (this.add(new Uint8Array(buffer, byteOffset, length)) || this.#paused || this.#gone) return;
    this.#paused = true;
    this.#socket.pause();
  }

  onEnd(): void {
    if (this.#failure === undefined) this.end();
    else this.fail(this.#failure);
  }

  onDrain(): void {
    const bytes = this.#bytes;
    if (bytes === undefined) return;
    if (bytes.length === 0) {
      // The program has taken the memory away.
      this.#settleWrite()?.reject(systemError("EFAULT"));
      return;
    }
    const count = this.#socket.write(bytes);
    if (count > 0) this.#settleWrite()?.resolve(count);
    else if (count < 0) this.#settleWrite()?.reject(this.#noteFailedWrite());
  }

  /** The runtime closes a socket by itself after a failure, or when both directions have ended. */
  onClose(error: Error | undefined): void {
    this.#gone = true;
    this.#failure ??= error;
    this.#onGone?.();
    this.onEnd();
    this.#settleWrite()?.reject(this.#failure ?? systemError("EPIPE"));
  }

  protected override start(): void {
    if (!this.#paused || this.#gone) return;
    this.#paused = false;
    this.#socket.resume();
  }

  protected override hold(on: boolean): void {
    this.#held = on;
    this.#updateReference();
  }

  /**
   * Makes the error of a write that has failed. The runtime has dropped the system's, and reports an end of stream where
   * the peer has reset a TCP connection: only if the end came before, the peer has ended its side in order. On a Unix
   * socket of Linux every write says EPIPE after the peer's close, and a read goes on to tell a reset from an end.
   */
  #noteFailedWrite(): Error {
    if (this.localAddr.transport !== "tcp") return systemError("EPIPE");
    if (!this.ended) this.#failure ??= systemError("ECONNRESET");
    return this.#failure ?? systemError("EPIPE");
  }

  #settleWrite(): PromiseWithResolvers<number> | undefined {
    const write = this.#write;
    this.#write = this.#bytes = undefined;
    this.#updateReference();
    return write;
  }

  /** A write that waits keeps the process alive in any case. */
  #updateReference(): void {
    if (this.#gone) return;
    if (this.#held || this.#write !== undefined) this.#socket.ref();
    else this.#socket.unref();
  }
}

function addressOf(hostname: string, port: number): TransportAddress {
  return { transport: "tcp", hostname, port };
}

/** Makes an error of the system that the runtime did not give. */
function systemError(code: string): Error {
  return Object.assign(new Error("the runtime does not say why"), { code });
}
