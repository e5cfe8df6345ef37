import type { ByteQueue } from "../bytes/byte_queue.ts";
import type { StreamReader } from "../connection/pending_receive.ts";
import type { StreamConnection } from "../connection/stream_connection.ts";
import { SocketError } from "../errors.ts";
import type { ProxyHeader, ReceivedProxyHeader, SocketAddress } from "../types.ts";
import { invalidHeader } from "./tlv.ts";
import { parseProxyV1 } from "./v1.ts";
import { parseProxyV2, SIGNATURE } from "./v2.ts";

/**
 * Size of one of HAProxy's buffers (`tune.bufsize`): it can neither read nor write a longer header. The specification
 * wants headers to fit 536 bytes, but certificates and unique ids make some longer.
 */
const LONGEST_HEADER_BYTES = 16 * 1024;
const V1_SIGNATURE = Array.from("PROXY ", (character) => character.charCodeAt(0));
/**
 * Up to here each byte can make a header impossible: the longest line of version 1, which includes the fixed part of
 * version 2. A longer header can be judged only as a whole.
 */
const JUDGED_BY_BYTE = 107;

/** A whole header, or the number of bytes needed to know more. */
export type ParsedProxyHeader =
  | { readonly header: ProxyHeader; readonly length: number }
  | { readonly atLeast: number };

/**
 * Reads a PROXY header from the first bytes of a stream.
 *
 * It gives the header and its length, or the number of bytes that are needed at least, which is never more than the
 * header has. It remembers nothing: a call that needs more has looked at 107 bytes at most.
 *
 * Throws `InvalidData` as soon as no further byte can make it right, and `TooLarge` from the 16th byte on.
 */
export function parseProxyHeader(
  bytes: Uint8Array,
  maxLength: number = LONGEST_HEADER_BYTES,
): ParsedProxyHeader {
  if (beginsLike(bytes, V1_SIGNATURE)) return parseProxyV1(bytes);
  if (beginsLike(bytes, SIGNATURE)) return parseProxyV2(bytes, maxLength);
  // The message does not quote the bytes: they may be the secrets of a peer that does not speak the protocol.
  throw invalidHeader("the stream does not begin with a PROXY header of version 1 or 2");
}

/** Compares as many bytes as both have. */
function beginsLike(bytes: Uint8Array, signature: readonly number[]): boolean {
  return signature.every((byte, index) => index >= bytes.length || bytes[index] === byte);
}

/** Finds the header at the beginning of a connection, and applies it. */
export class ProxyHeaderReader implements StreamReader<ReceivedProxyHeader<SocketAddress>> {
  readonly #connection: StreamConnection;
  /** Number of bytes needed to know more. */
  #needed = 1;

  constructor(connection: StreamConnection) {
    this.#connection = connection;
  }

  decode(input: ByteQueue): ReceivedProxyHeader<SocketAddress> | undefined {
    if (input.length < this.#needed && this.#needed > JUDGED_BY_BYTE) return undefined;
    const parsed = parseProxyHeader(input.peek(Math.min(input.length, LONGEST_HEADER_BYTES)));
    if ("atLeast" in parsed) {
      this.#needed = parsed.atLeast;
      return undefined;
    }
    input.skip(parsed.length);
    return this.#connection.applyProxyHeader(parsed.header, input.consumed);
  }

  end(input: ByteQueue): never {
    const reason = `the stream ended inside the PROXY header, after ${input.length} bytes`;
    throw new SocketError("UnexpectedEof", "recvProxyHeader", reason);
  }
}
