import { SocketError } from "../errors.ts";
import type { ByteQueue } from "../bytes/byte_queue.ts";
import type { StreamReader } from "./pending_receive.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** One read of a BYOB reader, in bytes. */
export interface ByobRead {
  /** The size of one element of the caller's array. */
  readonly element: number;
  /** The read is not answered with fewer bytes, except at the end of stream. */
  readonly least: number;
  /** The size of the caller's array. */
  readonly most: number;
}

/**
 * Looks for the whole elements of a BYOB read. A stream that gets half an element keeps it, and neither `recv` nor
 * another reader can have it then; so everything waits in the connection until the read can be answered.
 */
export class ElementRead implements StreamReader<Bytes> {
  /** The bytes that were found are the last ones. */
  last = false;
  readonly #read: ByobRead;

  constructor(read: ByobRead) {
    this.#read = read;
  }

  decode(input: ByteQueue): Bytes | undefined {
    return input.length < this.#read.least ? undefined : this.#take(input);
  }

  end(input: ByteQueue): Bytes | null {
    const { length } = input;
    if (length === 0) return null;
    const { element } = this.#read;
    if (length % element !== 0) {
      const reason =
        `the stream ended after ${length} bytes, which are no whole elements of ${element} bytes`;
      throw new SocketError("UnexpectedEof", "recv", reason);
    }
    this.last = true;
    return this.#take(input);
  }

  #take(input: ByteQueue): Bytes {
    const { element, most } = this.#read;
    const length = Math.min(input.length, most);
    return input.take(length - length % element);
  }
}
