import { SocketError } from "../errors.ts";
import type { ByteQueue } from "../bytes/byte_queue.ts";
import { checkNothingLeft, tooLong } from "./codec.ts";
import { equals } from "@std/bytes/equals";
import { DelimiterScanner } from "./delimiter_scanner.ts";
import { LineDecoder } from "./lines.ts";
import type { StreamReader } from "../connection/pending_receive.ts";
import type { StreamConnection } from "../connection/stream_connection.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What `recvExactly` looks for. */
export class ExactReader implements StreamReader<Bytes> {
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
class Delimited implements StreamReader<Bytes> {
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
class Line implements StreamReader<string> {
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

/** A call of `recvUntil`, which goes on where the last one with this delimiter stopped. */
export class DelimitedReader implements StreamReader<Bytes> {
  readonly #connection: StreamConnection;
  readonly #delimiter: Uint8Array;
  readonly #maxBytes: number;
  #reading: Delimited | undefined;

  constructor(connection: StreamConnection, delimiter: Uint8Array, maxBytes: number) {
    this.#connection = connection;
    const last = delimited.get(connection)?.delimiter;
    this.#delimiter = last !== undefined && equals(last, delimiter)
      ? last
      : new Uint8Array(delimiter);
    this.#maxBytes = maxBytes;
  }

  decode(input: ByteQueue): Bytes | undefined {
    return (this.#reading ??= this.#begin()).decode(input);
  }

  end(input: ByteQueue): null {
    return this.#reading!.end(input);
  }

  /** Not before it is this call's turn: one that is rejected must not change what another one does. */
  #begin(): Delimited {
    let reading = delimited.get(this.#connection);
    if (reading === undefined || !equals(reading.delimiter, this.#delimiter)) {
      reading = new Delimited(this.#delimiter);
      delimited.set(this.#connection, reading);
    }
    reading.maxBytes = this.#maxBytes;
    return reading;
  }
}

/** A call of `recvLine`, which goes on where the last one stopped. */
export class LineReader implements StreamReader<string> {
  readonly #connection: StreamConnection;
  readonly #maxBytes: number;
  #reading: Line | undefined;

  constructor(connection: StreamConnection, maxBytes: number) {
    this.#connection = connection;
    this.#maxBytes = maxBytes;
  }

  decode(input: ByteQueue): string | undefined {
    return (this.#reading ??= this.#begin()).decode(input);
  }

  end(input: ByteQueue): string | null {
    return this.#reading!.end(input);
  }

  #begin(): Line {
    let reading = lines.get(this.#connection);
    if (reading === undefined) {
      reading = new Line();
      lines.set(this.#connection, reading);
    }
    reading.maxBytes = this.#maxBytes;
    return reading;
  }
}
