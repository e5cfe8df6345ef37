import type { ByteQueue } from "../bytes/byte_queue.ts";
import type { StreamReader } from "../connection/pending_receive.ts";
import type { StreamConnection } from "../connection/stream_connection.ts";
import { SocketError } from "../errors.ts";
import type { ProxyHeader, ReceivedProxyHeader } from "../types.ts";
import { invalidHeader, type ProxyContext } from "./tlv.ts";
import { parseProxyV1 } from "./v1.ts";
import { parseProxyV2, SIGNATURE } from "./v2.ts";

/**
 * What one of HAProxy's buffers holds (`tune.bufsize`): it can neither read nor write a longer header.
 * The specification wants headers to fit 536 bytes, but certificates and unique ids make some longer.
 */
export const DEFAULT_MAX_LENGTH = 16 * 1024;

/** A header that is there as a whole, or how many bytes of the stream it takes to know more. */
export type ParsedProxyHeader =
  | { readonly header: ProxyHeader; readonly length: number }
  | { readonly atLeast: number };

/** On whose behalf a header is read, and how long it may be. */
export interface ParseProxyHeaderOptions extends Partial<ProxyContext> {
  /** The most bytes of a version 2 header; version 1 has 107 at most anyway. */
  readonly maxLength?: number;
}

const V1_SIGNATURE = Array.from("PROXY ", (character) => character.charCodeAt(0));
/** `PROXY UNKNOWN` and CRLF: version 2 is longer. */
const SHORTEST = 15;

/**
 * Reads a PROXY header from what has come of a stream so far, from its first byte on.
 *
 * It gives the header with how many bytes it took (what stands behind them is the stream's), or how many
 * bytes are needed at least, never more than the header has. It remembers nothing, and a call that has
 * to wait costs the look at 107 bytes.
 *
 * Throws `InvalidData` as soon as no byte to come could make it right, and `TooLarge` from the 16th byte.
 */
export function parseProxyHeader(
  bytes: Uint8Array,
  options: ParseProxyHeaderOptions = {},
): ParsedProxyHeader {
  const { maxLength = DEFAULT_MAX_LENGTH, operation = "recvProxyHeader", peer } = options;
  const context: ProxyContext = { operation, peer };
  if (bytes.length === 0) return { atLeast: SHORTEST };
  if (beginsWith(bytes, V1_SIGNATURE)) return parseProxyV1(bytes, context);
  if (beginsWith(bytes, SIGNATURE)) return parseProxyV2(bytes, maxLength, context);
  // The bytes are not shown: they may be the secrets of a peer that does not speak the protocol.
  throw invalidHeader(context, "the stream does not begin with a PROXY header of version 1 or 2");
}

/** As far as `bytes` go, and `signature`. */
function beginsWith(bytes: Uint8Array, signature: readonly number[]): boolean {
  return signature.every((byte, index) => index >= bytes.length || bytes[index] === byte);
}

/**
 * Up to here every byte may be the one that makes a header impossible: a line of version 1, and the fixed
 * part of version 2. What is longer can be judged only as a whole.
 */
const JUDGED_BY_BYTE = 107;

/** What `recvProxyHeader` looks for. */
export class ProxyHeaderReader implements StreamReader<ReceivedProxyHeader> {
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
    return this.#connection.applyProxyHeader(parsed.header);
  }

  end(input: ByteQueue): never {
    const reason = `the stream ended inside the PROXY header, after ${input.length} bytes`;
    throw new SocketError("UnexpectedEof", "recvProxyHeader", reason);
  }
}
