import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import type { Transport } from "../types.ts";
import { endlessMessage } from "./session_errors.ts";

const SMALLEST_READ_BYTES = 4 * 1024;
/** Four TLS records of the largest kind. */
const LARGEST_READ_BYTES = 64 * 1024;
/** A read is small if it fills at most this part of the buffer: one eighth. */
const SMALL_PART = 8;

/**
 * Bytes that the TLS above gets at most before anything comes out of it: a handshake, or data. The largest messages of a
 * handshake have 64 KiB and the largest records 16 KiB, so an honest peer needs less. The TLS above would keep them all.
 */
const MOST_BYTES_WITHOUT_RESULT = 512 * 1024;

/** Learns what happens to the transport below. */
export interface DuplexOwner {
  onTransportEnd(): void;
  onReadError(error: unknown): void;
  onWriteError(error: unknown): void;
}

/** Turns of the event loop after which the last bytes that the TLS above has got have had their effect. */
const TURNS_TO_TAKE = 2;

type Done = (error?: Error | null) => void;

/**
 * A transport as the stream that `node:tls` works on.
 *
 * It reads only while its gate is open, so that a program that does not receive holds its peer up. The owner judges the
 * end of the transport: the orderly end of TLS is `close_notify` alone. A failed write does not end the reading: what has
 * come before it can still be received.
 */
export class GatedDuplex extends Duplex {
  readonly #transport: Transport;
  readonly #owner: DuplexOwner;
  /** Bytes that were read before the TLS began. */
  readonly #first: Uint8Array[];
  #size = SMALLEST_READ_BYTES;
  #bytesWithoutResult = 0;
  /** True after a read of the transport has brought bytes. */
  hasRead = false;
  #wanted = false;
  #open = false;
  #over = false;
  #reading: Promise<void> | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(transport: Transport, first: readonly Uint8Array[], owner: DuplexOwner) {
    super({ autoDestroy: false, emitClose: false });
    this.#transport = transport;
    this.#owner = owner;
    this.#first = [...first];
  }

  /** Lets reads of the transport begin. */
  openGate(): void {
    this.#open = true;
    this.#readNext();
  }

  /** Begins no further reads. One that is under way goes on. */
  closeGate(): void {
    this.#open = false;
  }

  /** Notes that something has come out of the TLS above. */
  noteResult(): void {
    this.#bytesWithoutResult = 0;
  }

  /** Resolves when the transport has no read of this any more. */
  async waitQuiet(): Promise<void> {
    await this.#reading;
  }

  /** Resolves when everything that was written has left, or can leave no more. */
  async waitWritten(): Promise<void> {
    while (this.writableLength > 0 && !this.#over) {
      const writing = this.#writing;
      await writing;
      // The stream begins the next write by itself, in this turn or in the next one.
      if (writing === this.#writing) await turn();
    }
  }

  /** Resolves when the TLS above has dealt with everything that it was given. */
  async waitTaken(): Promise<void> {
    while (this.readableLength > 0 && !this.#over) await turn();
    for (let i = 0; i < TURNS_TO_TAKE; i++) await turn();
  }

  /** Ends the reads and writes, since the transport is closed. */
  stop(): void {
    this.#over = true;
  }

  override _read(): void {
    this.#wanted = true;
    this.#readNext();
  }

  #readNext(): void {
    if (!this.#wanted || !this.#open || this.#over || this.#reading !== undefined) return;
    const first = this.#first.shift();
    if (first !== undefined) {
      this.#give(first);
      return;
    }
    this.#reading = this.#read();
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(this.#size);
    let count: number | null;
    try {
      count = await this.#transport.read(buffer);
    } catch (error) {
      this.#reading = undefined;
      if (!this.#over) this.#owner.onReadError(error);
      return;
    }
    this.#reading = undefined;
    if (this.#over) return;
    if (count === null) return this.#owner.onTransportEnd();
    this.hasRead = true;
    this.#adapt(count);
    // A small read must not keep a large buffer alive until its records are whole.
    this.#give(2 * count < buffer.length ? buffer.slice(0, count) : buffer.subarray(0, count));
  }

  #adapt(count: number): void {
    if (count === this.#size) this.#size = Math.min(this.#size * 4, LARGEST_READ_BYTES);
    else if (count <= this.#size / SMALL_PART) {
      this.#size = Math.max(this.#size / 4, SMALLEST_READ_BYTES);
    }
  }

  #give(bytes: Uint8Array): void {
    this.#wanted = false;
    this.#bytesWithoutResult += bytes.length;
    if (this.#bytesWithoutResult > MOST_BYTES_WITHOUT_RESULT) {
      // Nothing is read any more, since nothing is wanted.
      this.#owner.onReadError(endlessMessage());
      return;
    }
    try {
      // `push` asks for more by calling `_read`, at once or later.
      this.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
    } catch (error) {
      // The TLS above could not deal with what the peer has sent. Nobody else would hear of it.
      if (!this.#over) this.#owner.onReadError(error);
    }
  }

  override _write(chunk: Uint8Array, _encoding: string, done: Done): void {
    this.#writing = this.#writeAll([chunk], done);
  }

  override _writev(chunks: { chunk: Uint8Array }[], done: Done): void {
    const bytes = chunks.length === 1
      ? chunks[0].chunk
      : Buffer.concat(chunks.map(({ chunk }) => chunk));
    this.#writing = this.#writeAll([bytes], done);
  }

  /** Never fails: what has come can still be received. */
  async #writeAll(chunks: readonly Uint8Array[], done: Done): Promise<void> {
    try {
      for (const chunk of chunks) {
        for (let sent = 0; sent < chunk.length && !this.#over;) {
          sent += await this.#transport.write(sent === 0 ? chunk : chunk.subarray(sent));
        }
      }
    } catch (error) {
      if (!this.#over) this.#owner.onWriteError(error);
    }
    done();
  }

  override _final(done: Done): void {
    done();
  }

  /** Does nothing: the last alert is still to be written, and the owner closes the transport. */
  override destroy(): this {
    return this;
  }
}

/** Waits until the event loop has turned. */
export function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
