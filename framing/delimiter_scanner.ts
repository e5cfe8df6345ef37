import type { SocketError } from "../errors.ts";
import { type ByteQueue, searchQueue } from "../bytes/byte_queue.ts";
import { ByteSearch } from "../bytes/byte_search.ts";

/**
 * Finds the delimiters in a stream. A frame that is too long fails once, and what comes of it is
 * dropped up to its delimiter, so that never more is held than a frame may have.
 */
export class DelimiterScanner {
  /** How many bytes away a delimiter may be. */
  limit: number;
  readonly #search: ByteSearch;
  readonly #tooLong: () => SocketError;
  /** Up to where in the stream has been scanned. */
  #scanned = 0;
  #discarding = false;
  /** Up to where in the stream was dropped. */
  #droppedTo = 0;

  /** Delimiters may be up to `limit` bytes away; one that is not makes the error `tooLong`. */
  constructor(delimiter: Uint8Array, limit: number, tooLong: () => SocketError) {
    this.#search = new ByteSearch(delimiter);
    this.limit = limit;
    this.#tooLong = tooLong;
  }

  /** Whether the beginning of the frame that is under way was dropped. */
  get discarding(): boolean {
    return this.#discarding;
  }

  /** Where the next delimiter is, or -1 where more has to come. */
  next(input: ByteQueue): number {
    // Where another reader has gone on since, it had the rest of the frame.
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
      throw this.#tooLong();
    }
    // A delimiter may have begun in what was matched, the only part that is still undecided.
    if (index < 0 && input.length - this.#search.matched > this.limit) {
      this.#discarding = true;
      this.#drop(input);
      throw this.#tooLong();
    }
    return index;
  }

  #find(input: ByteQueue): number {
    const { consumed, length } = input;
    // The last frame was taken, or another reader took what may have been a delimiter's beginning.
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
