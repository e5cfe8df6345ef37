import type { Transport } from "../types.ts";

/**
 * A transport of a runtime that makes the buffers of its reads itself, as Node and Bun do. To copy what they bring into
 * a buffer of this package costs half of the rate of a large stream.
 */
export interface ChunkTransport extends Transport {
  /**
   * Reads what comes next, or `null` at the end of stream. The bytes are the caller's, in an `ArrayBuffer` of their own
   * of the same size. At most one `readChunk` or `read` is under way at a time.
   */
  readChunk(): Promise<Uint8Array<ArrayBuffer> | null>;
}
