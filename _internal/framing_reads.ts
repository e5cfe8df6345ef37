import { SocketError } from "../errors.ts";
import type { ByteQueue } from "./byte_queue.ts";
import { checkNothingLeft, tooLong } from "./codec.ts";
import { sameBytes } from "./deep_equal.ts";
import { DelimiterScanner } from "./delimiter_scanner.ts";
import { LineDecoder } from "./lines.ts";
import type { Decoding } from "./reader_slot.ts";
import type { StreamConnection } from "./stream_connection.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What `recvExactly` looks for. */
export class ExactLength implements Decoding<Bytes> {
  readonly #length: number;

  constructor(length: number) {
    this.#length = length;
  }

  decode(input: ByteQueue): Bytes | undefined {
    return input.length < this.#length ? undefined : input.take(this.#length);
  }

  end(input: ByteQueue): never {
    const reason = `the stream ended after ${input.length} of ${this.#length} bytes`;
    throw new SocketError("UnexpectedEof", "recvExactly", reason);
  }
}

/** What `recvUntil` looks for. */
class Delimited implements Decoding<Bytes> {
  readonly delimiter: Uint8Array;
  readonly #scanner: DelimiterScanner;

  constructor(delimiter: Uint8Array) {
    this.delimiter = delimiter;
    this.#scanner = new DelimiterScanner(
      delimiter,
      0,
      () => tooLong("part before the delimiter", this.#scanner.limit, "recvUntil"),
    );
  }

  set maxBytes(maxBytes: number) {
    this.#scanner.limit = maxBytes;
  }

  decode(input: ByteQueue): Bytes | undefined {
    const length = this.#scanner.next(input);
    if (length < 0) return undefined;
    const bytes = input.take(length);
    input.skip(this.delimiter.length);
    return bytes;
  }

  end(input: ByteQueue): null {
    // What is left of a part that was too long has been told of.
    if (this.#scanner.discarding) input.skip(input.length);
    checkNothingLeft(input, "recvUntil");
    return null;
  }
}

/** What `recvLine` looks for. */
class Line implements Decoding<string> {
  readonly #decoder = new LineDecoder(0);

  set maxBytes(maxBytes: number) {
    this.#decoder.maxLength = maxBytes;
  }

  decode(input: ByteQueue): string | undefined {
    return this.#decoder.decode(input);
  }

  end(input: ByteQueue): string | null {
    return this.#decoder.end(input) ?? null;
  }
}

// A call that was cancelled, or failed since there was no end in sight, goes on in the next one: what was
// scanned is not scanned again, and the rest of what was too long is dropped.
const delimited = new WeakMap<StreamConnection, Delimited>();
const lines = new WeakMap<StreamConnection, Line>();

/** The reading of parts up to a delimiter, where it is that of the last call still under way. */
export function delimitedReading(
  connection: StreamConnection,
  delimiter: Uint8Array,
  maxBytes: number,
): Decoding<Bytes> {
  let reading = delimited.get(connection);
  if (reading === undefined || !sameBytes(reading.delimiter, delimiter)) {
    reading = new Delimited(new Uint8Array(delimiter));
    delimited.set(connection, reading);
  }
  reading.maxBytes = maxBytes;
  return reading;
}

/** The reading of lines, that of the last call still under way. */
export function lineReading(connection: StreamConnection, maxBytes: number): Decoding<string> {
  let reading = lines.get(connection);
  if (reading === undefined) {
    reading = new Line();
    lines.set(connection, reading);
  }
  reading.maxBytes = maxBytes;
  return reading;
}
