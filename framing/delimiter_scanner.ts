import { type ByteQueue, searchQueue } from "../bytes/byte_queue.ts";
import { ByteSearch } from "../bytes/byte_search.ts";
import type { SocketError } from "../errors.ts";

/**
 * Finds delimiters in a stream. A frame over the limit fails once, and the scanner drops its bytes up to the
 * delimiter, so that a connection never holds more than one frame may have.
 */
export class DelimiterScanner {
  /** Maximum distance of the next delimiter (bytes). */
  limit: number;
  readonly #search: ByteSearch;
  readonly #overLimit: () => SocketError;
  /** Position in the stream up to which it was scanned. */
  #scanned = 0;
  #discarding = false;
  /** Position in the stream up to which it was dropped. */
  #droppedTo = 0;

  constructor(delimiter: Uint8Array, limit: number, overLimit: () => SocketError) {
    this.#search = new ByteSearch(delimiter);
    this.limit = limit;
    this.#overLimit = overLimit;
  }

  /** True while the beginning of the current frame has been dropped, and its delimiter has not come. */
  get discarding(): boolean {
    return this.#discarding;
  }

  /** Returns true if nothing was scanned of the current frame, and nothing of it was dropped. */
  isAtBeginning({ consumed }: ByteQueue): boolean {
    return this.#scanned <= consumed && !(this.#discarding && this.#droppedTo === consumed);
  }

  /** Returns the index of the next delimiter, or -1 if more bytes have to come. */
  next(input: ByteQueue): number {
    // If another reader has gone on meanwhile, it has taken the rest of the frame.
    if (this.#droppedTo !== input.consumed) this.#discarding = false;
    let index = this.#find(input);
    if (this.#discarding) {
      if (index < 0) return this.#drop(input);
      input.skip(index + this.#search.length);
      this.#discarding = false;
      index = this.#find(input);
    }
    if (index > this.limit) {
      input.skip(index + this.#search.length);
      throw this.#overLimit();
    }
    // The matched bytes may be the beginning of a delimiter: only they are still undecided.
    if (index < 0 && input.length - this.#search.matched > this.limit) {
      this.#discarding = true;
      this.#drop(input);
      throw this.#overLimit();
    }
    return index;
  }

  #find(input: ByteQueue): number {
    const { consumed, length } = input;
    // The last frame was taken, or another reader took the beginning of what may be a delimiter.
    if (this.#scanned - this.#search.matched < consumed) {
      this.#search.reset();
      this.#scanned = consumed;
    }
    const index = searchQueue(input, this.#search, this.#scanned - consumed);
    this.#scanned = consumed + (index < 0 ? length : index);
    return index;
  }

  #drop(input: ByteQueue): number {
    input.skip(input.length - this.#search.matched);
    this.#droppedTo = input.consumed;
    return -1;
  }
}
