import type { Transport, TransportAddress } from "../types.ts";
import { closedUnderneath } from "./accept_queue.ts";
import type { NodeSocket, SocketObserver } from "./node_socket.ts";

/**
 * Bytes that one write takes at most. The runtime reports a write only when the system has taken all of it, so smaller
 * writes show how far a large send has come. 64 KiB at a time cost 4 % of the rate of sends of 1 MiB, these nothing.
 */
const LARGEST_WRITE_BYTES = 256 * 1024;

/** A read or write that waits for the runtime. */
type Settle<T> = PromiseWithResolvers<T>;

/** The transport of a connection over a socket of Node. It reads ahead at most one buffer of the runtime. */
export class NodeStream implements Transport, SocketObserver {
  readonly localAddr: TransportAddress;
  readonly remoteAddr: TransportAddress;
  readonly #socket: NodeSocket;
  #target: Uint8Array | undefined;
  #read: Settle<number | null> | undefined;
  #write: Settle<number> | undefined;
  #writeLength = 0;
  /** Bytes that came with others and did not fit into the buffer of their read. */
  #left: Uint8Array | undefined;
  #ended = false;
  #readFailure: Error | undefined;
  #writeFailure: Error | undefined;
  #closed = false;

  constructor(socket: NodeSocket) {
    this.#socket = socket;
    this.localAddr = addressOf(socket.localAddress, socket.localPort);
    this.remoteAddr = addressOf(socket.remoteAddress, socket.remotePort);
    socket.observe(this);
  }

  read(buffer: Uint8Array): Promise<number | null> {
    if (this.#left !== undefined) return Promise.resolve(this.#takeLeft(this.#left, buffer));
    if (this.#closed) return Promise.reject(closedUnderneath());
    if (this.#readFailure !== undefined) return Promise.reject(this.#readFailure);
    if (this.#ended) return Promise.resolve(null);
    this.#target = buffer;
    this.#read = Promise.withResolvers();
    this.#socket.startReading();
    return this.#read.promise;
  }

  write(bytes: Uint8Array): Promise<number> {
    if (this.#closed) return Promise.reject(closedUnderneath());
    if (this.#writeFailure !== undefined) return Promise.reject(this.#writeFailure);
    const part = bytes.length > LARGEST_WRITE_BYTES
      ? bytes.subarray(0, LARGEST_WRITE_BYTES)
      : bytes;
    this.#write = Promise.withResolvers();
    this.#writeLength = part.length;
    this.#socket.write(part, this.#onWritten);
    return this.#write.promise;
  }

  closeWrite(): Promise<void> {
    if (this.#closed) return Promise.reject(closedUnderneath());
    if (this.#writeFailure !== undefined) return Promise.reject(this.#writeFailure);
    return new Promise((resolve, reject) => {
      this.#socket.end((error?: Error | null) => error ? reject(error) : resolve());
    });
  }

  close(): void {
    this.#closed = true;
    this.#left = undefined;
    const [read, write] = [this.#read, this.#write];
    this.#read = this.#write = undefined;
    // The runtime would report a write that it gives up as a success.
    write?.reject(closedUnderneath());
    if (read === undefined) return this.#socket.dispose();
    // The descriptor is free when the socket says so.
    this.#socket.once("close", () => read.reject(closedUnderneath()));
    this.#socket.dispose();
  }

  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }

  onBytes(bytes: Uint8Array): boolean {
    const read = this.#read;
    if (read === undefined) {
      this.#left = bytes.slice();
      return false;
    }
    const target = this.#target!;
    const count = Math.min(bytes.length, target.length);
    target.set(count === bytes.length ? bytes : bytes.subarray(0, count));
    if (count < bytes.length) this.#left = bytes.slice(count);
    this.#read = this.#target = undefined;
    read.resolve(count);
    return false;
  }

  onEnd(): void {
    this.#ended = true;
    this.#read?.resolve(null);
    this.#read = this.#target = undefined;
  }

  onFailure(error: Error): void {
    // Only a read fails here: the callbacks of a write and of a half-close get their own failures as well.
    if ((error as { syscall?: string }).syscall !== "read") return;
    this.#readFailure = error;
    this.#read?.reject(error);
    this.#read = this.#target = undefined;
  }

  readonly #onWritten = (error: Error | null | undefined): void => {
    const write = this.#write;
    this.#write = undefined;
    if (error) {
      // The stream calls back for no write after one that failed.
      this.#writeFailure = error;
      write?.reject(error);
    } else {
      write?.resolve(this.#writeLength);
    }
  };

  #takeLeft(left: Uint8Array, buffer: Uint8Array): number {
    const count = Math.min(left.length, buffer.length);
    buffer.set(left.subarray(0, count));
    this.#left = count === left.length ? undefined : left.subarray(count);
    return count;
  }
}

function addressOf(hostname: string | undefined, port: number | undefined): TransportAddress {
  return { transport: "tcp", hostname, port };
}
