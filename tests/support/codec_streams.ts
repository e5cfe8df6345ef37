import { assert, assertInstanceOf } from "@std/assert";
import { concat } from "@std/bytes";
import {
  ByteQueue,
  type Codec,
  connectionOver,
  framed,
  recvFrames,
  SocketError,
  type SocketErrorKind,
} from "../../mod.ts";
import { ChunkTransport } from "./chunk_transport.ts";

/** A frame, or the kind of an error. */
export type Result<T> = { readonly frame: T } | { readonly kind: SocketErrorKind };

/** The results of decoding a stream. */
export interface Decoded<T> {
  readonly results: readonly Result<T>[];
  /** The bytes that are left after the last result. */
  readonly left: Uint8Array;
}

/** Encodes frames, and joins their bytes. */
export function encodeAll<T>(codec: Codec<T>, ...frames: readonly T[]): Uint8Array<ArrayBuffer> {
  return concat(frames.flatMap((frame) => codec.encode(frame)));
}

/** Cuts a stream into chunks of these sizes, and one more with the rest. */
export function cut(stream: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let at = 0;
  for (const size of sizes) chunks.push(stream.slice(at, at += size));
  chunks.push(stream.slice(at));
  return chunks;
}

/**
 * Decodes a stream as a connection does. It pushes each chunk and then takes all frames. It goes on after an error,
 * unless the error repeats at the same byte. It calls `drained` with the number of waiting bytes after each chunk.
 */
export function decodeStream<T>(
  codec: Codec<T>,
  chunks: readonly Uint8Array[],
  drained: (waiting: number) => void = () => {},
): Decoded<T> {
  const input = new ByteQueue();
  const decoder = codec.decoder();
  const results: Result<T>[] = [];
  for (const [index, chunk] of chunks.entries()) {
    input.push(chunk);
    if (!drain()) {
      return { results, left: concat([input.take(input.length), ...chunks.slice(index + 1)]) };
    }
    drained(input.length);
  }
  attempt(() => decoder.end?.(input));
  return { results, left: input.take(input.length) };

  /** Takes all frames. Returns false if the decoder has failed for good. */
  function drain(): boolean {
    let failedAt: number | undefined;
    for (;;) {
      const outcome = attempt(() => decoder.decode(input), failedAt);
      if (outcome === undefined) return true;
      if (outcome === "stuck") return false;
      failedAt = outcome === "failed" ? input.consumed : undefined;
    }
  }

  function attempt(
    call: () => T | undefined,
    failedAt?: number,
  ): "gave" | "failed" | "stuck" | undefined {
    let frame: T | undefined;
    try {
      frame = call();
    } catch (error) {
      assertInstanceOf(error, SocketError);
      if (failedAt === input.consumed) return "stuck";
      results.push({ kind: error.kind });
      return "failed";
    }
    if (frame === undefined) return undefined;
    results.push({ frame });
    return "gave";
  }
}

/**
 * Decodes a stream with `recvFrames`, on a connection that receives these chunks. It stops after an error that comes
 * again.
 */
export async function decodeInBatches<T>(
  codec: Codec<T>,
  chunks: readonly Uint8Array[],
  maxFrames: number,
): Promise<Result<T>[]> {
  const connection = connectionOver(new ChunkTransport(chunks));
  const stream = framed(connection, codec);
  const results: Result<T>[] = [];
  let failedAt: number | undefined;
  for (;;) {
    try {
      const frames = await recvFrames(stream, { maxFrames });
      if (frames === null) return results;
      for (const frame of frames) results.push({ frame });
      failedAt = undefined;
    } catch (error) {
      assertInstanceOf(error, SocketError);
      if (failedAt === connection.bytesReceived) return results;
      failedAt = connection.bytesReceived;
      results.push({ kind: error.kind });
    }
  }
}

/** Decodes a stream that has only whole frames. */
export function framesOf<T>(codec: Codec<T>, ...chunks: readonly Uint8Array[]): T[] {
  const { results, left } = decodeStream(codec, chunks);
  assert(left.length === 0, `${left.length} bytes are left`);
  return results.map((result) => {
    assert("frame" in result, "an error came");
    return result.frame;
  });
}
