const SMALLEST = 4 * 1024;
const LARGEST = 128 * 1024;
/** So many small reads in a row give a large buffer back: an idle connection should hold little. */
const PATIENCE = 16;

/**
 * What one read of the runtime fills, and what is left of it. It grows with what comes: 4 KiB for a
 * connection that says little, 128 KiB under load, where a read of that size moves the most bytes a
 * second.
 */
export class ReadBuffer {
  #bytes: Uint8Array<ArrayBuffer> | undefined;
  #size = SMALLEST;
  #start = 0;
  #end = 0;
  #smallReads = 0;

  /** How many bytes were read and not taken. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Room for the next read; only while nothing is left of the last. */
  room(): Uint8Array<ArrayBuffer> {
    return this.#bytes ??= new Uint8Array(this.#size);
  }

  /** Notes that a read filled the first `count` bytes of the room. */
  filled(count: number): void {
    this.#start = 0;
    this.#end = count;
    if (count === this.#size) {
      this.#size = Math.min(this.#size * 4, LARGEST);
      this.#smallReads = 0;
    } else if (this.#size > SMALLEST && count <= this.#size / 8) {
      this.#smallReads += 1;
    } else {
      this.#smallReads = 0;
    }
  }

  /**
   * Takes up to `most` bytes in an `ArrayBuffer` of their own, never more than twice their size: more
   * than half a buffer is handed over as it is, less is copied out and the buffer kept.
   */
  take(most: number): Uint8Array<ArrayBuffer> {
    const bytes = this.#bytes!;
    const count = Math.min(most, this.length);
    if (this.#start === 0 && count === this.length && count > bytes.length / 2) {
      this.#forget();
      return bytes.subarray(0, count);
    }
    const taken = bytes.slice(this.#start, this.#start + count);
    this.#consume(count);
    return taken;
  }

  /** Copies what fits into a caller's buffer: how many bytes. */
  copyInto(target: Uint8Array): number {
    const count = Math.min(target.length, this.length);
    target.set(this.#bytes!.subarray(this.#start, this.#start + count));
    this.#consume(count);
    return count;
  }

  /** Drops what is left. */
  clear(): void {
    this.#forget();
  }

  #consume(count: number): void {
    this.#start += count;
    if (this.#start < this.#end) return;
    this.#start = this.#end = 0;
    if (this.#smallReads >= PATIENCE) {
      this.#size = SMALLEST;
      this.#smallReads = 0;
    }
    if (this.#bytes!.length !== this.#size) this.#forget();
  }

  #forget(): void {
    this.#bytes = undefined;
    this.#start = this.#end = 0;
  }
}
