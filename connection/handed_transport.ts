import type { Transport, TransportAddress } from "../types.ts";
import { CheckedTransport } from "./checked_transport.ts";
import type { ReadResult } from "./stream_input.ts";

/**
 * A transport that a connection has given away. If that had a read under way, after a cancelled call, or bytes that
 * nobody had received, those come first.
 */
export class HandedTransport implements Transport {
  /** The transport itself. */
  readonly inner: Transport;
  readonly localAddr: TransportAddress | undefined;
  readonly remoteAddr: TransportAddress | undefined;
  readonly closeWrite: (() => Promise<void>) | undefined;
  readonly ref: (() => void) | undefined;
  readonly unref: (() => void) | undefined;
  #pending: Promise<ReadResult> | undefined;
  /** Bytes that were read before, and that no read of this object has taken yet. */
  #left: Uint8Array | undefined;

  constructor(
    inner: Transport,
    pending: Promise<ReadResult> | undefined,
    unread: Uint8Array | undefined,
  ) {
    this.inner = inner;
    this.#pending = pending;
    this.#left = unread;
    this.localAddr = inner.localAddr;
    this.remoteAddr = inner.remoteAddr;
    if (inner.closeWrite !== undefined) this.closeWrite = () => inner.closeWrite!();
    if (inner.ref !== undefined) this.ref = () => inner.ref!();
    if (inner.unref !== undefined) this.unref = () => inner.unref!();
  }

  /** True if a read is under way or has brought bytes, so that nothing but this object may read. */
  get hasReadAhead(): boolean {
    return this.#pending !== undefined || this.#left !== undefined;
  }

  /** True if a read may still be under way after `close`. */
  get readsForever(): boolean {
    return this.inner instanceof CheckedTransport;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    if (this.#left !== undefined) return Promise.resolve(this.#takeLeft(buffer));
    return this.#pending === undefined ? this.inner.read(buffer) : this.#readPending(buffer);
  }

  async #readPending(buffer: Uint8Array): Promise<number | null> {
    const result = await this.#pending!;
    this.#pending = undefined;
    if ("error" in result) throw result.error;
    if (result.bytes === null) return null;
    this.#left = result.bytes;
    return this.#takeLeft(buffer);
  }

  #takeLeft(buffer: Uint8Array): number {
    const left = this.#left!;
    const count = Math.min(left.length, buffer.length);
    buffer.set(left.subarray(0, count));
    this.#left = count === left.length ? undefined : left.subarray(count);
    return count;
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.inner.write(bytes);
  }

  close(): void {
    this.inner.close();
  }
}
