import { SocketError } from "../errors.ts";
import type { ReceivedProxyHeader } from "../types.ts";
import type { ByteQueue } from "../bytes/byte_queue.ts";
import { DEFAULT_MAX_LENGTH, parseProxyHeader } from "./proxy_parser.ts";
import type { Decoding } from "../connection/pending_receive.ts";
import type { StreamConnection } from "../connection/stream_connection.ts";

/**
 * Up to here every byte may be the one that makes a header impossible: a line of version 1, and the fixed
 * part of version 2. What is longer can be judged only as a whole.
 */
const JUDGED_BY_BYTE = 107;

/** What `recvProxyHeader` looks for. */
export class ProxyHeaderReading implements Decoding<ReceivedProxyHeader> {
  readonly #connection: StreamConnection;
  /** So many bytes it takes to know more. */
  #needed = 1;

  constructor(connection: StreamConnection) {
    this.#connection = connection;
  }

  decode(input: ByteQueue): ReceivedProxyHeader | undefined {
    if (input.length < this.#needed && this.#needed > JUDGED_BY_BYTE) return undefined;
    const parsed = parseProxyHeader(input.peek(Math.min(input.length, DEFAULT_MAX_LENGTH)));
    if ("atLeast" in parsed) {
      this.#needed = parsed.atLeast;
      return undefined;
    }
    input.skip(parsed.length);
    return this.#connection.relay(parsed.header);
  }

  end(input: ByteQueue): never {
    const reason = `the stream ended inside the PROXY header, after ${input.length} bytes`;
    throw new SocketError("UnexpectedEof", "recvProxyHeader", reason);
  }
}
