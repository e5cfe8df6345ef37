import { equals } from "@std/bytes/equals";
import type { ByteQueue } from "../bytes/byte_queue.ts";
import type { StreamReader } from "../connection/pending_receive.ts";
import type { StreamConnection } from "../connection/stream_connection.ts";
import { SocketError } from "../errors.ts";
import { checkNothingLeft, overLimit } from "./codec_support.ts";
import { DelimiterScanner } from "./delimiter_scanner.ts";
import { LineDecoder } from "./lines.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Reads the bytes of one `recvExactly` call. */
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

/** Reads the delimited parts of one connection. */
class DelimitedStream {
  readonly delimiter: Uint8Array;
  readonly #scanner: DelimiterScanner;

  constructor(delimiter: Uint8Array) {
    this.delimiter = delimiter;
    this.#scanner = new DelimiterScanner(
      delimiter,
      0,
      () => overLimit("part before the delimiter", this.#scanner.limit, "recvUntil"),
    );
  }

  set maxLength(maxLength: number) {
    this.#scanner.limit = maxLength;
  }

  decode(input: ByteQueue): Bytes | undefined {
    const length = this.#scanner.next(input);
    if (length < 0) return undefined;
    const bytes = input.take(length);
    input.skip(this.delimiter.length);
    return bytes;
  }

  end(input: ByteQueue): null {
    // The oversized part was already reported; drop its tail.
    if (this.#scanner.discarding) input.skip(input.length);
    checkNothingLeft(input, "recvUntil");
    return null;
  }
}

// The state of a connection outlives a call: after a cancel or an error the next call does not scan the same
// bytes again, and drops the rest of an oversized part.
const delimitedStreams = new WeakMap<StreamConnection, DelimitedStream>();
const lineDecoders = new WeakMap<StreamConnection, LineDecoder>();

/** Reads for one `recvUntil` call, which goes on where the last call with this delimiter stopped. */
export class DelimitedReader implements StreamReader<Bytes> {
  readonly #connection: StreamConnection;
  readonly #delimiter: Uint8Array;
  readonly #maxLength: number;
  #stream: DelimitedStream | undefined;

  constructor(connection: StreamConnection, delimiter: Uint8Array, maxLength: number) {
    this.#connection = connection;
    const last = delimitedStreams.get(connection)?.delimiter;
    this.#delimiter = last !== undefined && equals(last, delimiter)
      ? last
      : new Uint8Array(delimiter);
    this.#maxLength = maxLength;
  }

  decode(input: ByteQueue): Bytes | undefined {
    return (this.#stream ??= this.#begin()).decode(input);
  }

  end(input: ByteQueue): null {
    return this.#stream!.end(input);
  }

  /** Waits for the call's turn to change the state: a call that is rejected must not change another one. */
  #begin(): DelimitedStream {
    let stream = delimitedStreams.get(this.#connection);
    if (stream === undefined || !equals(stream.delimiter, this.#delimiter)) {
      stream = new DelimitedStream(this.#delimiter);
      delimitedStreams.set(this.#connection, stream);
    }
    stream.maxLength = this.#maxLength;
    return stream;
  }
}

/** Reads for one `recvLine` call, which goes on where the last call stopped. */
export class LineReader implements StreamReader<string> {
  readonly #connection: StreamConnection;
  readonly #maxLength: number;
  #decoder: LineDecoder | undefined;

  constructor(connection: StreamConnection, maxLength: number) {
    this.#connection = connection;
    this.#maxLength = maxLength;
  }

  decode(input: ByteQueue): string | undefined {
    return (this.#decoder ??= this.#begin()).decode(input);
  }

  end(input: ByteQueue): string | null {
    return this.#decoder!.end(input) ?? null;
  }

  #begin(): LineDecoder {
    let decoder = lineDecoders.get(this.#connection);
    if (decoder === undefined) {
      decoder = new LineDecoder(0);
      lineDecoders.set(this.#connection, decoder);
    }
    decoder.maxLength = this.#maxLength;
    return decoder;
  }
}
