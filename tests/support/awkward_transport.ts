import type { Transport } from "../../mod.ts";
import type { Random } from "./random.ts";

/** The capacity of one direction, like that of a kernel's buffers (bytes). A writer waits if it is full. */
const CAPACITY_BYTES = 256 * 1024;

/** One direction of a pair of transports. */
class Pipe {
  #chunks: Uint8Array[] = [];
  #length = 0;
  #ended = false;
  /** True after the reader has closed. */
  abandoned = false;
  #error: Error | undefined;
  #changed = Promise.withResolvers<void>();

  get room(): number {
    return CAPACITY_BYTES - this.#length;
  }

  push(bytes: Uint8Array): void {
    this.#chunks.push(bytes.slice());
    this.#length += bytes.length;
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Breaks the pipe. Its content can still be read, and then it reports the error once, as a kernel does. */
  break(error: Error): void {
    this.#error = error;
    this.#ended = true;
    this.#wake();
  }

  abandon(): void {
    this.abandoned = true;
    this.#wake();
  }

  takeError(): Error | undefined {
    const error = this.#error;
    this.#error = undefined;
    return error;
  }

  /** Fills a buffer and returns the number of bytes, `null` at the end, or `undefined` if it must wait. */
  pull(buffer: Uint8Array): number | null | undefined {
    const chunk = this.#chunks[0];
    if (chunk === undefined) {
      const error = this.takeError();
      if (error !== undefined) throw error;
      return this.#ended ? null : undefined;
    }
    const count = Math.min(chunk.length, buffer.length);
    buffer.set(chunk.subarray(0, count));
    if (count === chunk.length) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(count);
    this.#length -= count;
    this.#wake();
    return count;
  }

  change(): Promise<void> {
    return this.#changed.promise;
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/** A transport in memory that reads and writes awkward pieces: odd ones, single bytes, none. */
export class AwkwardTransport implements Transport {
  readonly #random: Random;
  readonly #input: Pipe;
  readonly #output: Pipe;
  readonly #closed = Promise.withResolvers<never>();
  #isClosed = false;
  #isWriteClosed = false;

  private constructor(random: Random, input: Pipe, output: Pipe) {
    this.#random = random;
    this.#input = input;
    this.#output = output;
    this.#closed.promise.catch(() => {});
  }

  static pair(random: Random): [AwkwardTransport, AwkwardTransport] {
    const there = new Pipe();
    const back = new Pipe();
    return [new AwkwardTransport(random, back, there), new AwkwardTransport(random, there, back)];
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    for (;;) {
      if (this.#random.below(512) === 0) return 0;
      const count = this.#input.pull(buffer.subarray(0, this.#piece(buffer.length)));
      if (count !== undefined) return count;
      await Promise.race([this.#input.change(), this.#closed.promise]);
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    for (;;) {
      if (this.#isClosed || this.#isWriteClosed || this.#output.abandoned) throw brokenPipe();
      if (this.#random.below(512) === 0) return 0;
      const room = Math.min(this.#output.room, this.#piece(bytes.length));
      if (room > 0) {
        this.#output.push(bytes.subarray(0, room));
        return room;
      }
      await Promise.race([this.#output.change(), this.#closed.promise]);
    }
  }

  closeWrite(): Promise<void> {
    this.#isWriteClosed = true;
    this.#output.end();
    return Promise.resolve();
  }

  close(): void {
    this.#isClosed = true;
    this.#output.end();
    this.#input.abandon();
    this.#closed.reject(Object.assign(new Error("operation canceled"), { code: "EINTR" }));
  }

  /** Breaks the other side as a reset does. Bytes that have arrived there can be read, and then it gets the error. */
  reset(): void {
    this.#output.break(
      Object.assign(new Error("Connection reset by peer (os error 104)"), { code: "ECONNRESET" }),
    );
    this.close();
  }

  #piece(most: number): number {
    if (most < 4096) return 1 + this.#random.below(Math.min(most, 7));
    return 1 + this.#random.below(most);
  }
}

function brokenPipe(): Error {
  return Object.assign(new Error("Broken pipe (os error 32)"), { code: "EPIPE" });
}
