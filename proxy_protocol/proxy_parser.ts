import { invalidHeader, type ProxyContext } from "./proxy_failure.ts";
import type { ProxyHeader } from "../types.ts";
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
