import type { Transport, TransportAddress } from "../types.ts";
import { closedUnderneath } from "./accept_queue.ts";

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
  data: ({ data }: BunSocket, bytes: Uint8Array): void => data?.onData(bytes),
  drain: ({ data }: BunSocket): void => data?.onDrain(),
  end: ({ data }: BunSocket): void => data?.onEnd(),
  close: ({ data }: BunSocket, error: Error | undefined): void => data?.onClose(error),
  // Errors of handlers come here. The handlers above have none.
  error: (): void => {},
};

/**
 * The transport of a connection over a socket of Bun.
 *
 * The runtime reads ahead of its program, up to 512 KiB at a time. The socket is paused as soon as something has come
 * that nobody waits for. After a reset the runtime gives all that had come before it, paused or not.
 */
export class BunStream implements Transport {
  readonly localAddr: TransportAddress;
  readonly remoteAddr: TransportAddress;
  readonly #socket: BunSocket;
  /** Bytes that came and that nobody has taken, in order. */
  readonly #chunks: Uint8Array[] = [];
  #target: Uint8Array | undefined;
  #read: PromiseWithResolvers<number | null> | undefined;
  #bytes: Uint8Array | undefined;
  #write: PromiseWithResolvers<number> | undefined;
  #paused = false;
  #referenced = true;
  #ended = false;
  #failure: Error | undefined;
  #closed = false;
  #gone = false;
  #onGone: (() => void) | undefined;

  constructor(socket: BunSocket) {
    this.#socket = socket;
    this.localAddr = addressOf(socket.localAddress, socket.localPort);
    this.remoteAddr = addressOf(socket.remoteAddress, socket.remotePort);
    socket.data = this;
    // Only calls that wait keep the process alive.
    socket.unref();
  }

  /** Applies the settings of a connection. Bun's own choice is not documented. */
  applySettings({ noDelay, keepAlive }: { noDelay: boolean; keepAlive: boolean }): void {
    this.#socket.setNoDelay(noDelay);
    this.#socket.setKeepAlive(keepAlive);
  }

  read(buffer: Uint8Array): Promise<number | null> {
    if (this.#closed) return Promise.reject(closedUnderneath());
    if (this.#chunks.length > 0) return Promise.resolve(this.#takeChunks(buffer));
    if (this.#ended) return Promise.resolve(null);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#target = buffer;
    this.#read = Promise.withResolvers();
    this.#updateReference();
    if (this.#paused) {
      this.#paused = false;
      this.#socket.resume();
    }
    return this.#read.promise;
  }

  write(bytes: Uint8Array): Promise<number> {
    if (this.#closed) return Promise.reject(closedUnderneath());
    const count = this.#gone ? -1 : this.#socket.write(bytes);
    if (count > 0) return Promise.resolve(count);
    this.#bytes = bytes;
    this.#write = Promise.withResolvers();
    if (count < 0) this.#failWrite();
    else this.#updateReference();
    return this.#write.promise;
  }

  closeWrite(): Promise<void> {
    if (this.#closed) return Promise.reject(closedUnderneath());
    if (!this.#gone) this.#socket.shutdown();
    return this.#failure === undefined ? Promise.resolve() : Promise.reject(this.#failure);
  }

  close(): void {
    this.#closed = true;
    this.#chunks.length = 0;
    const [read, write] = [this.#read, this.#write];
    this.#read = this.#write = undefined;
    write?.reject(closedUnderneath());
    // The descriptor is free when the socket says so.
    this.#onGone = () => read?.reject(closedUnderneath());
    if (this.#gone) this.#onGone();
    else this.#socket.close();
  }

  /** Closes the connection with a reset, so that the peer learns that nobody took what it sent. */
  reset(): void {
    this.#closed = true;
    this.#socket.terminate();
  }

  ref(): void {
    this.#referenced = true;
    this.#updateReference();
  }

  unref(): void {
    this.#referenced = false;
    this.#updateReference();
  }

  onData(bytes: Uint8Array): void {
    if (this.#closed) return;
    const read = this.#read;
    if (read === undefined) {
      this.#chunks.push(bytes);
      this.#pause();
      return;
    }
    const target = this.#target!;
    const count = Math.min(bytes.length, target.length);
    target.set(count === bytes.length ? bytes : bytes.subarray(0, count));
    if (count < bytes.length) {
      this.#chunks.push(bytes.subarray(count));
      this.#pause();
    }
    this.#settleRead()?.resolve(count);
  }

  onEnd(): void {
    this.#ended = true;
    this.#settleRead()?.resolve(null);
  }

  onDrain(): void {
    const bytes = this.#bytes;
    if (this.#write === undefined || bytes === undefined) return;
    const count = this.#socket.write(bytes);
    if (count === 0 && bytes.length > 0) return;
    if (count < 0) return this.#failWrite();
    this.#settleWrite()?.resolve(count);
  }

  /** The runtime closes a socket by itself after a failure, or when both directions have ended. */
  onClose(error: Error | undefined): void {
    this.#gone = true;
    if (error === undefined) this.#ended = true;
    else this.#failure = error;
    this.#onGone?.();
    const read = this.#settleRead();
    if (this.#ended) read?.resolve(null);
    else read?.reject(error);
    if (this.#write !== undefined) this.#failWrite();
  }

  #failWrite(): void {
    this.#settleWrite()?.reject(this.#failure ?? brokenPipe());
  }

  #settleRead(): PromiseWithResolvers<number | null> | undefined {
    const read = this.#read;
    this.#read = this.#target = undefined;
    this.#updateReference();
    return read;
  }

  #settleWrite(): PromiseWithResolvers<number> | undefined {
    const write = this.#write;
    this.#write = this.#bytes = undefined;
    this.#updateReference();
    return write;
  }

  #pause(): void {
    if (this.#paused || this.#gone) return;
    this.#paused = true;
    this.#socket.pause();
  }

  #updateReference(): void {
    if (this.#gone) return;
    const reads = this.#referenced && this.#read !== undefined;
    if (reads || this.#write !== undefined) this.#socket.ref();
    else this.#socket.unref();
  }

  #takeChunks(buffer: Uint8Array): number {
    const [bytes] = this.#chunks;
    const count = Math.min(bytes.length, buffer.length);
    buffer.set(count === bytes.length ? bytes : bytes.subarray(0, count));
    if (count === bytes.length) this.#chunks.shift();
    else this.#chunks[0] = bytes.subarray(count);
    return count;
  }
}

function addressOf(hostname: string, port: number): TransportAddress {
  return { transport: "tcp", hostname, port };
}

/** Makes the error of a write to a socket that has closed, about which the runtime says no more. */
function brokenPipe(): Error {
  return Object.assign(new Error("the socket is closed"), { code: "EPIPE" });
}
